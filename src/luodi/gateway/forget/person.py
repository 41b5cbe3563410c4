"""Whom a search is for: a caller by the name that records carry, and values that name the person in texts."""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise

from luodi.errors import LuodiError
from luodi.store.keys import Keys

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_SEPARATORS = r"[\s\-.()/]{0,3}"
_CODE = r"(?:(?<![a-z0-9])|(?<=\+86)|(?<=0086)|(?<=[^0-9]86))"  # a number may follow the code of its country
_MOST = 50  # values


def fold(text: str) -> str:
    """Lower-case NFKC without invisible signs: in what form texts are searched."""
    if text.isascii():
        return text.lower()
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).lower()


def _chinese(sign: str) -> bool:
    return "\u3400" <= sign <= "\u9fff" or "\U00020000" <= sign <= "\U0003ffff"


def _between(a: str, b: str) -> str:
    """What may stand between two signs of a value."""
    if a.isdecimal() and b.isdecimal():
        return _SEPARATORS
    return r"\s{0,2}" if _chinese(a) and _chinese(b) else ""


def pattern(value: str) -> re.Pattern[str]:
    """Finds a value in folded text: whole words, numbers also with separators, names also over a line's end.

    Raises:
        LuodiError: the value is so short that it stands in every text.
    """
    plain = " ".join(fold(value).split())
    plain = re.sub(r"(?<=\d)[\s\-.()/]+(?=\d)", "", plain)
    if len(plain) < (2 if any(map(_chinese, plain)) else 4):
        raise LuodiError(
            f"the value {masked(value)} is too short: it would be found everywhere",
            "give two Chinese characters or four others at least, for instance the full name",
        )
    parts = [re.escape(plain[0])]
    for a, b in pairwise(plain):
        parts.append(r"\s+" if b == " " else "" if a == " " else _between(a, b))
        parts.append("" if b == " " else re.escape(b))
    before = _CODE if plain[0].isdecimal() else r"(?<![a-z0-9])" if plain[0].isascii() and plain[0].isalnum() else ""
    behind = r"(?![a-z0-9])" if plain[-1].isascii() and plain[-1].isalnum() else ""
    return re.compile(before + "".join(parts) + behind)


def masked(value: str) -> str:
    """Enough of a value for who knows it: its first quarter, at most three signs."""
    plain = value.strip()
    return plain[: min(3, len(plain) // 4 or 1)] + "…"


@dataclass(slots=True)
class Person:
    """What is searched for.

    Attributes:
        subject: as records carry it: "user:4711" or "key:ID"; "" if it is known by its digest only.
        values: names, numbers, addresses of the person.
        subject_digest, value_digests: keyed, as certificates hold them.
        records, rows, answers: ids and keys of kept answers that a certificate names.
    """

    keys: Keys
    subject: str = ""
    values: Sequence[str] = ()
    subject_digest: str = ""
    value_digests: Collection[str] = ()
    records: Collection[str] = ()
    rows: Collection[str] = ()
    answers: Collection[str] = ()
    _secret: bytes = b""
    _patterns: list[re.Pattern[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len(self.values) > _MOST:
            raise LuodiError(f"{len(self.values)} values are too many; {_MOST} are searched for at once")
        self._secret = self.keys.derive("deletion certificates")
        self._patterns = [pattern(value) for value in dict.fromkeys(self.values)]
        if self.subject:
            self.subject_digest = self.digest(self.subject)
        if self.values:
            self.value_digests = [self.digest_value(value) for value in dict.fromkeys(self.values)]

    def digest(self, text: str) -> str:
        """HMAC-SHA256 under a key of the store: nobody else can try texts against it."""
        return hmac.new(self._secret, text.encode("utf-8", "surrogatepass"), sha256).hexdigest()

    def digest_value(self, value: str) -> str:
        return self.digest("value\0" + "".join(sign for sign in fold(value) if sign.isalnum()))

    def is_subject(self, subject: str) -> bool:
        return bool(self.subject_digest) and hmac.compare_digest(self.digest(subject), self.subject_digest)

    def is_value(self, text: str) -> bool:
        """Whether a text, as a whole, is one of the values, or holds one."""
        return self.holds(text) or (bool(self.value_digests) and self.digest_value(text) in self.value_digests)

    def holds(self, text: str) -> bool:
        """Whether a text holds one of the values."""
        if not self._patterns or not text:
            return False
        plain = fold(text)
        return any(each.search(plain) for each in self._patterns)

    def count(self, text: str) -> int:
        """How often the values stand in a text."""
        plain = fold(text) if self._patterns else ""
        return sum(sum(1 for _ in each.finditer(plain)) for each in self._patterns)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the values stand in a text, as it is; all of it, if that can't be told."""
        signs: list[str] = []
        places: list[int] = []
        for at, sign in enumerate(text):
            for plain in fold(sign):
                signs.append(plain)
                places.append(at)
        plain = "".join(signs)
        found = False
        for each in self._patterns:
            for match in each.finditer(plain):
                found = True
                yield places[match.start()], places[match.end() - 1] + 1
        if not found and self.holds(text):
            yield 0, len(text)
