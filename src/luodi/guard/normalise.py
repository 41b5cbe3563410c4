"""Undo cheap disguises of an attack: width, invisible signs, lookalikes, leetspeak, spacing, encodings."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from collections.abc import Iterator
from html import unescape
from urllib.parse import unquote

from luodi.guard.disguises import rejoin, unpinyin

LIMIT = 20_000  # characters of a text that are searched for encodings
_DEPTH = 10  # encodings within encodings
_MOST = 16  # decodings of one text
_TOTAL = 100_000  # characters of all of them

# Zero-width signs, bidi controls and isolates, soft hyphen, variation selectors, and the tag block (U+E0000)
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]"
)
_TAGS = {code: code - 0xE0000 for code in range(0xE0020, 0xE007F)}
_HAS_TAGS = re.compile("[\U000e0020-\U000e007e]")
_LOOKALIKES = str.maketrans(
    "авекмнорстухіјѕԁһӏԛԝɡγαβεικνορτυχωϲ",
    "abekmhopctyxijsdhlqwgyabeikvoptuxwc",
)
_MIXED = re.compile(r"(?<![a-z])[a-z]{0,40}[а-яіјѕԁһӏԛԝα-ωϲɡ][a-zа-яіјѕԁһӏԛԝα-ωϲɡ]{0,80}")
_LEET = str.maketrans("013457@$!|", "oieastasil")
_AROUND = 150  # characters read before and behind a word in leetspeak
_TOUCHING = re.compile(r"[a-z][013457@$!|]|[013457@$!|][a-z]")
_LEET_WORD = re.compile(r"(?<![a-z0-9@$!|])(?=[013457@$!|]{0,30}[a-z])[a-z013457@$!|]{3,40}(?![a-z0-9@$])")
_SPELLED = re.compile(r"(?<![^\W_])(?:[a-z][ ._*-]){3,80}[a-z](?![^\W_])")

_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,8000}={0,2}")
_HEX = re.compile(r"(?<![0-9A-Fa-f])(?:0x)?(?:[0-9A-Fa-f]{2}[ :]?){8,4000}")
_BASE32 = re.compile(r"(?<![A-Z0-9])[A-Z2-7]{24,8000}={0,6}")
_BINARY = re.compile(r"(?<![01])(?:[01]{8} ?){6,4000}")
_ESCAPE = re.compile(r"(?:%|\\x|\\u00)([0-9A-Fa-f]{2})")
_ENTITY = re.compile(r"&#x?[0-9A-Fa-f]{2,6};")
_OVERRIDE = re.compile("\u202e([^\u202c\n]{1,4000})")
_PLAIN_HINT = re.compile(r"\b(?:the|and|to|of|you|your|is|in|for|that|with|all|it|what|how|me)\b")
_ROT13_HINT = re.compile(
    r"\b(?:vtaber|cerivbhf|vafgehpgvbaf?|flfgrz|cebzcg|qvfertneq|sbetrg|erirny|onfr|lbhe|gur|naq|lbh|zr|gb|nyy|bs"
    r"|nafjre|gryy|jvgubhg|ehyrf|npg|nf|vf|va|jung|ubj|sbe|gung|vg|jvgu|fubj|cevag)\b"
)


_BINARY_RUN = re.compile("[01]{8} ?[01]{8}")
_HEX_RUN = re.compile(r"(?:[0-9A-Fa-f]{2}[ :]?){8}")
_ROT13 = (
    "vtaber", "cerivbhf", "vafgehpgvba", "flfgrz", "cebzcg", "qvfertneq", "sbetrg", "erirny", "onfr", "lbhe", "gur ",
    "naq ", "lbh", " bs ", " gb ", " va ", "jung", "ubj ", " vf ", " zr ", " nyy ", "nafjre",
)  # fmt: skip
_REVERSED = ("snoitcurtsni", "metsys", "tpmorp", "erongi", "suoiverp")


def _may_hold_code(text: str) -> bool:
    """Whether a text has what one of the encodings below needs at least; most have nothing of it."""
    if max(map(len, text.split()), default=0) >= 16 or "%" in text or "\\" in text or _HEX_RUN.search(text):
        return True
    if "&#" in text or "\u202e" in text:
        return True
    low = text.lower()
    return any(hint in low for hint in (*_ROT13, *_REVERSED))


def normalise(text: str) -> str:
    """Lower-case NFKC without invisible signs, lookalikes folded inside Latin words, white space squeezed.

    Lookalikes are folded only in a word that also holds Latin letters: Russian and Greek stay what they are.
    Never raises; half of a surrogate pair is kept.
    """
    if not text.isascii():
        if _HAS_TAGS.search(text):
            text = text.translate(_TAGS)
        text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    text = text.lower()
    if not text.isascii():
        text = _MIXED.sub(lambda word: _fold(word[0]), text)
    return " ".join(text.split())


def _fold(word: str) -> str:
    return word.translate(_LOOKALIKES) if any("a" <= sign <= "z" for sign in word) else word


def unleet(normal: str) -> str:
    """`normal` with leetspeak words spelled out and s p a c e d letters joined; itself if there are none."""
    out = normal
    if len(_TOUCHING.findall(normal)) >= (2 if len(normal) > 2 * _AROUND else 1):
        out = _LEET_WORD.sub(lambda word: word[0] if word[0].isalpha() else word[0].translate(_LEET), normal)
        if len(normal) > 2 * _AROUND:
            # of a long text only what stands around such words is read again; one alone is utf8 or python3
            out = _around(normal, out)
    return _SPELLED.sub(lambda word: re.sub(r"[ ._*-]", "", word[0]), out)


def _around(normal: str, out: str) -> str:
    """The parts of `out` that differ from `normal`, which has the same length, with what stands around them."""
    parts: list[list[int]] = []
    changed = 0
    for word in _LEET_WORD.finditer(normal):
        start, end = word.span()
        if normal[start:end] != out[start:end]:
            changed += 1
            if parts and start - parts[-1][1] <= _AROUND:
                parts[-1][1] = end
            else:
                parts.append([start, end])
    if changed < 2:
        return normal
    return " ".join(out[max(0, start - _AROUND) : end + _AROUND] for start, end in parts)


def _readable(raw: bytes) -> str | None:
    """Bytes as text, if they read like text: valid UTF-8, mostly printable, eight characters or more."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if len(text) < 8 or sum(sign.isprintable() or sign in "\n\t\r" for sign in text) < 0.95 * len(text):
        return None
    return text


def _decode(text: str) -> Iterator[str]:
    long = " ".join([word for word in text.split() if len(word) >= 16])
    for found in _BASE64.finditer(long):
        run = found[0].rstrip("=").replace("-", "+").replace("_", "/")
        try:
            raw = base64.b64decode(run[: len(run) - (len(run) % 4 == 1)] + "=" * (-len(run) % 4))
        except (binascii.Error, ValueError):
            continue
        if plain := _readable(raw):
            yield plain
    if _HEX_RUN.search(text):
        for found in _HEX.finditer(text):
            run = re.sub("^0x|[ :]", "", found[0])
            if plain := _readable(bytes.fromhex(run)):
                yield plain
    for found in _BASE32.finditer(long):
        run = found[0].rstrip("=")
        try:
            raw = base64.b32decode(run + "=" * (-len(run) % 8))
        except binascii.Error:
            continue
        if plain := _readable(raw):
            yield plain
    if _BINARY_RUN.search(text):
        for found in _BINARY.finditer(text):
            run = found[0].replace(" ", "")
            if plain := _readable(int(run, 2).to_bytes(len(run) // 8, "big")):
                yield plain
    if ("%" in text or "\\" in text) and len(_ESCAPE.findall(text)) >= 8:
        yield unquote(_ESCAPE.sub(r"%\1", text), errors="replace")
    if "&#" in text and len(_ENTITY.findall(text)) >= 8:
        yield unescape(text)
    if "\u202e" in text:  # what follows is shown from right to left, and so is read the other way round
        yield _OVERRIDE.sub(lambda run: run[1][::-1], text)
    low = text.lower()
    if any(hint in low for hint in _ROT13) and len(_ROT13_HINT.findall(low)) > len(_PLAIN_HINT.findall(low)):
        yield codecs.decode(text, "rot13")
    if len(text) <= 4000 and any(hint in low for hint in _REVERSED):
        yield text[::-1]


def decodings(text: str) -> list[str]:
    """What fragments of `text` say in plain: Base64, Base32, hex, binary, escapes, entities, ROT13, reversed.

    Ten layers deep, at most 16 texts of 100,000 characters together, in the first 20,000 characters; nothing for a text
    without such fragments.
    """
    if not _may_hold_code(text[:LIMIT]):
        return []
    out: list[str] = []
    layer = [text[:LIMIT]]
    for _ in range(_DEPTH):
        found = [plain[:LIMIT] for outer in layer for plain in _decode(outer) if plain not in out]
        layer = []
        for plain in dict.fromkeys(found):
            if len(out) < _MOST and sum(map(len, out)) + len(plain) <= _TOTAL:
                out.append(plain)
                layer.append(plain)
        if not layer:
            break
    return out


def views(text: str) -> list[str]:
    """The normal forms of `text` to be judged: itself first, then without disguises, then its decodings."""
    normal = normalise(text)
    forms = [normal, unleet(normal), rejoin(normal), unpinyin(normal), *map(normalise, decodings(text))]
    return list(dict.fromkeys(forms))
