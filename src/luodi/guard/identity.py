"""Numbers of persons and companies: Chinese ID card, USCC, passport, travel permits, plate, US social security."""

from __future__ import annotations

import re

from luodi.guard import checksum
from luodi.guard.item import Span, near, words

# in one run, as region, birth and rest, in fours, or with the birth date parted: the check digit decides
_ID18 = re.compile(r"[1-9][0-9]{5}(?:[ -]?[0-9]){11}[ -]?[0-9Xx](?![0-9A-Za-z])")
_ID18_FOURS = re.compile(r"[1-9][0-9]{3}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}\1[0-9][0-9Xx](?![0-9A-Za-z])")
_ID15 = re.compile(r"[1-9][0-9]{14}(?![0-9A-Za-z])")
_ID_WORDS = words(
    "id card", "id number", "id no", "identity", "citizen id", "身份证", "证件号", "身份号码", "身分證", "身份證",
)  # fmt: skip


def _glued(flat: str, start: int) -> bool:
    before = flat[start - 1 : start] if start else ""
    return before.isascii() and (before.isalnum() or before == "_")


def cn_id_card(flat: str, at: int) -> Span | None:
    """A Chinese resident ID number at `at`; 15 digits only beside a context word."""
    if _glued(flat, at):
        return None
    found = _ID18.match(flat, at) or _ID18_FOURS.match(flat, at)
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
_PASSPORT_WORDS = words("passport", "passports", "travel document", "护照", "護照", "旅行证件", "旅行證件")


def passport(flat: str, at: int) -> Span | None:
    """A passport number; forms of many countries look alike, so always beside a context word."""
    for start in (at, at - 1, at - 2):
        if start >= 0 and not _glued(flat, start):
            found = _PASSPORT.match(flat, start)
            if found and near(flat, start, _PASSPORT_WORDS):
                return Span(start, found.end(), 0.85)
    return None


# Exit and entry permits: no check digit, so always beside a context word. Older home-return permits end in the number
# of times that they were renewed.
_HK = re.compile(r"(?:[HM][0-9]{8}(?:[0-9]{2})?|[CW](?:[0-9]{8}|[A-Z][0-9]{7}))(?![0-9A-Za-z])", re.IGNORECASE)
_HK_WORDS = words(
    "home return", "home-return", "mainland travel permit", "hong kong and macau", "exit-entry permit",
    "two-way permit", "回乡证", "回鄉證", "来往内地", "來往內地", "港澳居民",
    "往来港澳", "往來港澳", "港澳通行", "通行证", "通行證",
)  # fmt: skip
_TW = re.compile(r"(?:[LT][0-9]{8}|[0-9]{10}(?:\([A-Z]\)|[A-Z])?|[0-9]{8})(?![0-9A-Za-z])", re.IGNORECASE)
_TW_WORDS = words(
    "taiwan compatriot", "taiwan permit", "taiwan residents", "travel permit for taiwan", "mtp", "台胞证", "台胞證",
    "台湾居民", "臺灣居民", "台灣居民", "来往大陆", "來往大陸", "往来台湾", "往來台灣", "大陆居民往来",
    "入台证", "台湾通行",
)  # fmt: skip


def hk_permit(flat: str, at: int) -> Span | None:
    """A permit between the mainland and Hong Kong or Macau, either way (回乡证, 往来港澳通行证)."""
    for start in (at - 1, at - 2):
        if start >= 0 and not _glued(flat, start):
            found = _HK.match(flat, start)
            if found and near(flat, start, _HK_WORDS):
                return Span(start, found.end(), 0.85)
    return None


def tw_permit(flat: str, at: int) -> Span | None:
    """A permit between the mainland and Taiwan, either way (台胞证, 大陆居民往来台湾通行证)."""
    for start in (at, at - 1):
        if start >= 0 and not _glued(flat, start):
            found = _TW.match(flat, start)
            if found and near(flat, start, _TW_WORDS):
                return Span(start, found.end(), 0.85)
    return None


PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
PLATE_TAILS = "挂学警港澳领使"
PLATE_DOTS = "·•・"
PLATE_START = re.compile(f"[{PROVINCES}](?=[A-HJ-NP-Za-hj-np-z])")
# a small letter may be followed by a space in prose only, so that a stream can be cut there
_PLATE = re.compile(
    rf"[{PROVINCES}](?:[A-HJ-NP-Z][{PLATE_DOTS} -]?|[a-hj-np-z][{PLATE_DOTS}-]?)"
    rf"(?:([A-HJ-NP-Za-hj-np-z0-9]{{5}})|[A-HJKa-hjk][A-HJ-NP-Za-hj-np-z0-9][0-9]{{4}}|[0-9]{{5}}[A-HJKa-hjk]"
    rf"|[A-HJ-NP-Za-hj-np-z0-9]{{4}}[{PLATE_TAILS}])"
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
