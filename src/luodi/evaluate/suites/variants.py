"""Variants of prompts that mean the same: what an answer may not depend on. Measured paired with the clean items."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping

from luodi.errors import SourceError, require

Variant = Callable[[str, str, random.Random], str]
_WORD = re.compile(r"[A-Za-z]{4,}")
_ALIKE = str.maketrans("aceiopsxyABCEHIKMOPTX", "асеіорѕхуАВСЕНІКМОРТХ")
_HOMOPHONES = {"的": "地", "在": "再", "做": "作", "那": "哪", "账": "帐", "已": "以", "像": "象", "需": "须",
               "坐": "座", "带": "戴", "应": "因"}  # fmt: skip
_ASIDE = {
    "en": ("By the way, the weather was fine on Tuesday. ", "Someone left a blue umbrella in the hall. "),
    "zh": ("顺便说一句，星期二天气不错。", "有人把一把蓝色的伞落在了大厅里。"),
}


def typos(text: str, language: str, rng: random.Random) -> str:
    """One word in eight with two letters swapped, one doubled or one lost; in Chinese, common wrong characters."""
    if language == "zh":
        return "".join(_HOMOPHONES[c] if c in _HOMOPHONES and rng.random() < 0.5 else c for c in text)

    def spoil(match: re.Match[str]) -> str:
        word = match[0]
        if rng.random() > 1 / 8:
            return word
        at = rng.randrange(1, len(word) - 2)
        kind = rng.randrange(3)
        if kind == 0:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        return word[:at] + word[at] * 2 + word[at + 1 :] if kind == 1 else word[:at] + word[at + 1 :]

    return _WORD.sub(spoil, text)


def casing(text: str, language: str, rng: random.Random) -> str:
    """All in capitals, or all in small letters where it is so already."""
    return text.lower() if text.isupper() else text.upper()


def homoglyphs(text: str, language: str, rng: random.Random) -> str:
    """One letter in ten as a Cyrillic one that looks the same."""
    return "".join(c.translate(_ALIKE) if rng.random() < 0.1 else c for c in text)


def full_width(text: str, language: str, rng: random.Random) -> str:
    """Latin letters, digits and marks in full width."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def traditional(text: str, language: str, rng: random.Random) -> str:
    """Simplified Chinese as traditional. Raises: MissingExtraError without the extra `evaluate`."""
    if language != "zh":
        return text
    converted: str = require("opencc", extra="evaluate").OpenCC("s2t").convert(text)
    return converted


def distractor(text: str, language: str, rng: random.Random) -> str:
    """A sentence before it that has nothing to do with it."""
    return rng.choice(_ASIDE["zh" if language == "zh" else "en"]) + text


VARIANTS: dict[str, Variant] = {
    "typos": typos, "casing": casing, "homoglyphs": homoglyphs, "full_width": full_width, "traditional": traditional,
    "distractor": distractor,
}  # fmt: skip


def with_synonyms(words: Mapping[str, str]) -> Variant:
    """Every word that has a synonym, replaced by it."""

    def synonyms(text: str, language: str, rng: random.Random) -> str:
        for word, other in words.items():
            pattern = rf"\b{re.escape(word)}\b" if word.isascii() else re.escape(word)
            text = re.sub(pattern, other.replace("\\", r"\\"), text)
        return text

    return synonyms


def variant_of(name: str, synonyms: Mapping[str, str]) -> Variant:
    """Raises: SourceError if there is none of that name."""
    if name == "synonyms" and synonyms:
        return with_synonyms(synonyms)
    if name not in VARIANTS:
        more = "; synonyms needs synonyms.csv in the suite" if name == "synonyms" else ""
        raise SourceError(
            f"there is no variant {name!r}{more}", f"known are {', '.join(VARIANTS)}, swap_… and synonyms"
        )
    return VARIANTS[name]
