"""Numbers of persons and companies: Chinese ID card, USCC, passport, licence plate, US social security."""

from __future__ import annotations

import re

from luodi.guard import checksum
from luodi.guard.item import Span, near, words

_ID18 = re.compile(r"[1-9][0-9]{5}[ -]?[0-9]{8}[ -]?[0-9]{3}[0-9Xx](?![0-9A-Za-z])")
_ID15 = re.compile(r"[1-9][0-9]{14}(?![0-9A-Za-z])")
_ID_WORDS = words(
    "id card", "id number", "id no", "identity", "citizen id", "身份证", "证件号", "身份号码", "身分證",
)  # fmt: skip


def _glued(flat: str, start: int) -> bool:
    before = flat[start - 1 : start] if start else ""
    return before.isascii() and (before.isalnum() or before == "_")


def cn_id_card(flat: str, at: int) -> Span | None:
    """A Chinese resident ID number at `at`; 15 digits only beside a context word."""
    if _glued(flat, at):
        return None
    found = _ID18.match(flat, at)
    if found and checksum.cn_id_card(re.sub("[ -]", "", found[0])):
        return Span(at, found.end(), 0.99)
    found = _ID15.match(flat, at)
    if found and checksum.cn_id_card_15(found[0]) and near(flat, at, _ID_WORDS):
        return Span(at, found.end(), 0.8)
    return None


_USCC = re.compile(r"[0-9ANY][0-9A-HJ-NPQRTUWXY][0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}(?![0-9A-Za-z])")


def uscc(flat: str, at: int) -> Span | None:
    """A unified social credit code whose first digit is at `at` or follows one or two letters."""
    for start in (at, at - 1, at - 2):
        if start >= 0 and not _glued(flat, start):
            found = _USCC.match(flat, start)
            if found and checksum.uscc(found[0]):
                return Span(start, found.end(), 0.97)
    return None


_PASSPORT = re.compile(r"(?:[A-Z]{1,2}[0-9]{6,8}|[0-9]{9})(?![0-9A-Za-z])", re.IGNORECASE)
_PASSPORT_WORDS = words("passport", "passports", "travel document", "护照", "護照", "通行证", "旅行证件")


def passport(flat: str, at: int) -> Span | None:
    """A passport number; forms of many countries look alike, so always beside a context word."""
    for start in (at, at - 1, at - 2):
        if start >= 0 and not _glued(flat, start):
            found = _PASSPORT.match(flat, start)
            if found and near(flat, start, _PASSPORT_WORDS):
                return Span(start, found.end(), 0.85)
    return None


PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
PLATE_TAILS = "挂学警港澳领使"
PLATE_DOTS = "·•・"
PLATE_START = re.compile(f"[{PROVINCES}](?=[A-HJ-NP-Z])")
_PLATE = re.compile(
    rf"[{PROVINCES}][A-HJ-NP-Z][{PLATE_DOTS} -]?"
    rf"(?:([A-HJ-NP-Z0-9]{{5}})|[A-HJK][A-HJ-NP-Z0-9][0-9]{{4}}|[0-9]{{5}}[A-HJK]"
    rf"|[A-HJ-NP-Z0-9]{{4}}[{PLATE_TAILS}])"
    r"(?![0-9A-Za-z])"
)


def cn_plate(flat: str, at: int) -> Span | None:
    """A licence plate (GA 36-2018) that begins at `at`; the common form has at most two letters of five."""
    found = _PLATE.match(flat, at)
    if not found or (found[1] and sum(sign.isalpha() for sign in found[1]) > 2):
        return None
    return Span(at, found.end(), 0.85)


_SSN = re.compile(r"(?!000|666|9)[0-9]{3}([- ]?)(?!00)[0-9]{2}\1(?!0000)[0-9]{4}(?![0-9A-Za-z]|-[0-9])")
_SSN_WORDS = words("ssn", "social security", "social-security", "社会安全号", "社保号", "社会保障号")


def us_ssn(flat: str, at: int) -> Span | None:
    """A US social security number in an issued range; without hyphens only beside a context word."""
    if _glued(flat, at) or (at and flat[at - 1] in "-." and flat[at - 2 : at - 1].isalnum()):
        return None
    found = _SSN.match(flat, at)
    if not found:
        return None
    known = near(flat, at, _SSN_WORDS)
    if found[1] != "-" and not known:
        return None
    return Span(at, found.end(), 0.95 if known else 0.75)
