"""Bank cards and IBANs, by issuer, length and checksum."""

from __future__ import annotations

import re

from luodi.guard import checksum
from luodi.guard.item import Span, near, words

_CARD = re.compile(
    r"(?:[0-9]{12,19}"
    r"|[0-9]{4} [0-9]{4} [0-9]{4} [0-9]{4}(?: [0-9]{1,3})?"
    r"|[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{4}(?:-[0-9]{1,3})?"
    r"|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5}"
    r"|[0-9]{6}[ -][0-9]{10,13})(?![0-9A-Za-z_])"
)
_ISSUERS = (
    (re.compile("4"), (13, 16, 19)),
    (re.compile("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),
    (re.compile("3[47]"), (15,)),
    (re.compile("62|60|9558"), (16, 17, 18, 19)),
    (re.compile("6011|65|64[4-9]"), (16, 19)),
    (re.compile("35(?:2[89]|[3-8])"), (16, 19)),
    (re.compile("36|38|30[0-5]"), (14,)),
)
_CARD_WORDS = words(
    "card", "cards", "cc", "visa", "mastercard", "amex", "unionpay", "account", "debit", "credit", "pan",
    "卡号", "银行卡", "储蓄卡", "信用卡", "借记卡", "账号", "账户", "帐号", "卡片", "卡尾", "银联", "卡",
)  # fmt: skip


def _issued(digits: str) -> bool:
    return any(prefix.match(digits) and len(digits) in lengths for prefix, lengths in _ISSUERS)


def bank_card(flat: str, at: int) -> Span | None:
    """A card number (ISO/IEC 7812) at `at`: Luhn, and either a known issuer and length or a context word."""
    found = _CARD.match(flat, at)
    if not found or (at and (flat[at - 1] in "-_" or (flat[at - 1].isascii() and flat[at - 1].isalnum()))):
        return None
    if at > 1 and flat[at - 1] in ".," and flat[at - 2].isdigit():
        return None
    shown = found[0]
    # the last short group may be the expiry date that follows: "4111 1111 1111 1111 12/27"
    for end in dict.fromkeys((len(shown), shown.rfind(" ") if shown.count(" ") > 3 else len(shown))):
        digits = re.sub("[ -]", "", shown[:end])
        if len(set(digits)) > 1 and checksum.luhn(digits):
            known = _issued(digits)
            if known or near(flat, at, _CARD_WORDS):
                return Span(at, at + end, 0.9 if known else 0.7)
    return None


_IBAN = re.compile(r"[A-Z]{2}[0-9]{2} ?[A-Z0-9][A-Z0-9 ]{10,38}")


def iban(flat: str, at: int) -> Span | None:
    """An IBAN (ISO 13616) whose check digits begin at `at`, with or without single spaces."""
    start = at - 2
    if start < 0 or (start and flat[start - 1].isascii() and flat[start - 1].isalnum()):
        return None
    length = checksum.IBAN_LENGTHS.get(flat[start:at])
    found = _IBAN.match(flat, start) if length else None
    if not found or not length:
        return None
    seen, end = 0, start
    for place, sign in enumerate(found[0]):
        if sign == " " and found[0][place + 1 : place + 2] == " ":
            break
        seen += sign != " "
        if seen == length:
            end = start + place + 1
            break
    after = flat[end : end + 1]
    if end == start or (after.isascii() and after.isalnum()) or not checksum.iban(flat[start:end].replace(" ", "")):
        return None
    return Span(start, end, 0.98)
