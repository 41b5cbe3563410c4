"""Checksums of numbers that people and banks carry. Pure functions; a wrong form is False, never an error."""

from __future__ import annotations

from datetime import date
from string import ascii_uppercase

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECK = "10X98765432"
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_PROVINCES = frozenset({
    "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41", "42",
    "43", "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "71", "81", "82",
    "83",
})  # fmt: skip
_IBAN_VALUES = {letter: str(10 + place) for place, letter in enumerate(ascii_uppercase)}

IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27,
    "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24,
    "RS": 22, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TN": 24, "TR": 26, "UA": 29, "VA": 22,
    "VG": 24, "XK": 20,
}  # fmt: skip


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B, over ASCII digits only."""
    if not (digits.isascii() and digits.isdigit()):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def luhn_digit(body: str) -> str:
    """The digit that makes `body` + digit pass `luhn`."""
    return next(digit for digit in "0123456789" if luhn(body + digit))


def _date(year: str, month: str, day: str) -> bool:
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True


def id_check_digit(body: str) -> str:
    """The 18th character of an ID number, from the first 17 digits (GB 11643, MOD 11-2)."""
    return _ID_CHECK[sum(int(digit) * weight for digit, weight in zip(body, _ID_WEIGHTS, strict=True)) % 11]


def cn_id_card(number: str) -> bool:
    """GB 11643-1999: province code, a birth date that exists (1900 to 2099), check character."""
    number = number.upper()
    if len(number) != 18 or not number.isascii() or not number[:17].isdigit() or number[:2] not in _PROVINCES:
        return False
    if number[6:8] not in ("19", "20") or not _date(number[6:10], number[10:12], number[12:14]):
        return False
    return id_check_digit(number[:17]) == number[17]


def cn_id_card_15(number: str) -> bool:
    """The form before 1999: 15 digits, birth year of two digits, no check digit."""
    if len(number) != 15 or not (number.isascii() and number.isdigit()) or number[:2] not in _PROVINCES:
        return False
    return _date("19" + number[6:8], number[8:10], number[10:12])


def uscc_check_digit(body: str) -> str:
    """The 18th character of a unified social credit code, from the first 17 (GB 32100, MOD 31-3)."""
    total = sum(_USCC_ALPHABET.index(sign) * weight for sign, weight in zip(body, _USCC_WEIGHTS, strict=True))
    return _USCC_ALPHABET[-total % 31]


def uscc(code: str) -> bool:
    """GB 32100-2015: department, kind, six digits of a region, nine of the body, check character."""
    if len(code) != 18 or any(sign not in _USCC_ALPHABET for sign in code):
        return False
    if code[0] not in "123456789ANY" or not code[2:8].isdigit():
        return False
    # 10 and 99 are used by national offices instead of a province
    if code[2:4] not in _PROVINCES and code[2:4] not in ("10", "99"):
        return False
    return uscc_check_digit(code[:17]) == code[17]


def _mod97(text: str) -> int:
    return int("".join(_IBAN_VALUES.get(sign, sign) for sign in text)) % 97


def iban(number: str) -> bool:
    """ISO 13616: length of the country and ISO 7064 MOD 97-10; no spaces, upper case."""
    if len(number) != IBAN_LENGTHS.get(number[:2], -1) or not (number.isascii() and number.isalnum()):
        return False
    return number.isupper() and number[2:4].isdigit() and _mod97(number[4:] + number[:4]) == 1


def iban_check_digits(country: str, body: str) -> str:
    """The two digits between `country` (two letters) and `body` (upper case and digits)."""
    return f"{98 - _mod97(body + country + '00'):02d}"
