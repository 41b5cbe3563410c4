"""Random but valid values in sentences of both languages, to measure recall.

The sentences are written to be told apart from the detectors: where a kind does not need context, most give
none.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from string import ascii_letters, ascii_uppercase, digits

from luodi.guard import checksum
from luodi.guard.identity import PROVINCES

_MOBILE = ("130", "131", "135", "138", "139", "145", "147", "150", "152", "159", "166", "173", "177", "180",
           "186", "188", "189", "191", "198", "199")  # fmt: skip
_NAMES = (
    "li.wei",
    "zhang_san",
    "anna.kowalski",
    "j.doe1990",
    "marie-claire",
    "wangfang88",
    "Peter.Smith",
    "chen",
)
_DOMAINS = ("qq.com", "163.com", "gmail.com", "mail.sjtu.edu.cn", "firma-mueller.de", "shop.co.uk", "luo.io")


def _pick(rng: random.Random, alphabet: str, count: int) -> str:
    return "".join(rng.choices(alphabet, k=count))


def _grouped(text: str, size: int, mark: str) -> str:
    return mark.join(text[place : place + size] for place in range(0, len(text), size))


def _email(rng: random.Random) -> str:
    return f"{rng.choice(_NAMES)}{rng.choice(['', '.' + _pick(rng, digits, 2), '+shop'])}@{rng.choice(_DOMAINS)}"


def _phone(rng: random.Random) -> str:
    head, tail = rng.choice(_MOBILE), _pick(rng, digits, 8)
    us = f"{rng.randint(201, 989)}", f"{rng.randint(200, 999)}", _pick(rng, digits, 4)
    return rng.choice(
        [
            head + tail,
            f"{head} {tail[:4]} {tail[4:]}",
            f"{head}-{tail[:4]}-{tail[4:]}",
            f"+86 {head} {tail[:4]} {tail[4:]}",
            f"+86{head}{tail}",
            f"0086-{head}{tail}",
            f"+1 ({us[0]}) {us[1]}-{us[2]}",
            f"({us[0]}) {us[1]}-{us[2]}",
            "-".join(us),
            f"+44 20 7{_pick(rng, digits, 3)} {_pick(rng, digits, 4)}",
            f"+49 30 {_pick(rng, digits, 7)}",
        ]
    )


def _landline(rng: random.Random) -> str:
    area, head, tail = rng.choice(["10", "21", "755", "571", "28"]), f"{rng.randint(2, 8)}{_pick(rng, digits, 3)}", ""
    tail = _pick(rng, digits, 4)
    return rng.choice(
        [
            f"0{area}-{head}{tail}",
            f"0{area} {head} {tail}",
            f"(0{area}){head}{tail}",
            f"（0{area}）{head}-{tail}",
            f"+86 {area} {head} {tail}",
            f"+86-{area}-{head}{tail}",
        ]
    )


def _hk_permit(rng: random.Random) -> str:
    return rng.choice(["H", "M", "C", "W"]) + _pick(rng, digits, 8)


def _tw_permit(rng: random.Random) -> str:
    return rng.choice(["", "", "L", "T"]) + _pick(rng, digits, 8)


def _cn_id_card(rng: random.Random) -> str:
    born = date(1940, 1, 1) + timedelta(days=rng.randrange(25_000))
    place = rng.choice(["110105", "310115", "440304", "510107", "320583", "650102"])
    body = f"{place}{born:%Y%m%d}{_pick(rng, digits, 3)}"
    return body + checksum.id_check_digit(body)


def _bank_card(rng: random.Random) -> str:
    head, length = rng.choice([("4", 16), ("53", 16), ("622202", 19), ("6217", 19), ("37", 15), ("6228", 16)])
    body = head + _pick(rng, digits, length - len(head) - 1)
    number = body + checksum.luhn_digit(body)
    if length == 15:
        return rng.choice([number, f"{number[:4]} {number[4:10]} {number[10:]}"])
    return rng.choice([number, _grouped(number, 4, " "), _grouped(number, 4, "-")])


def _uscc(rng: random.Random) -> str:
    body = f"{rng.choice(['91', '92', '52', '12', '93'])}{rng.choice(['110108', '310000', '440300'])}"
    body += _pick(rng, "0123456789ABCDEFGHJKLMNPQRTUWXY", 9)
    return body + checksum.uscc_check_digit(body)


def _passport(rng: random.Random) -> str:
    form = rng.choice(["E", "G", "EA", "EJ", "K", ""])
    return form + _pick(rng, digits, 9 - len(form))


def _cn_plate(rng: random.Random) -> str:
    head = rng.choice(PROVINCES) + rng.choice("ABCDEFGH")
    return rng.choice(
        [
            head + _pick(rng, digits, 5),
            f"{head}·{rng.choice('KQTX')}{_pick(rng, digits, 4)}",
            f"{head}{rng.choice('DF')}{_pick(rng, digits, 5)}",
            f"{head}{_pick(rng, digits, 4)}学",
        ]
    )


def _ip(rng: random.Random) -> str:
    if rng.random() < 0.25:
        return f"2409:8a00:{rng.randrange(1, 65536):x}:{rng.randrange(1, 65536):x}::{rng.randrange(1, 65536):x}"
    return ".".join(str(part) for part in (rng.choice([36, 58, 114, 123, 183, 218]), *rng.choices(range(256), k=3)))


def _iban(rng: random.Random) -> str:
    country = rng.choice(["DE", "GB", "FR", "NL", "CH"])
    bank = {"GB": "WEST", "NL": "ABNA"}.get(country, "")
    body = bank + _pick(rng, digits, checksum.IBAN_LENGTHS[country] - 4 - len(bank))
    number = country + checksum.iban_check_digits(country, body) + body
    return rng.choice([number, _grouped(number, 4, " ")])


def _us_ssn(rng: random.Random) -> str:
    area = rng.choice([part for part in range(1, 900) if part != 666])
    return f"{area:03d}-{rng.randint(1, 99):02d}-{rng.randint(1, 9999):04d}"


def _secret(rng: random.Random) -> str:
    word = ascii_letters + digits
    lines = _grouped(_pick(rng, word, 320), 64, "\n")
    return rng.choice(
        [
            f"sk-proj-7{_pick(rng, word, 40)}",
            f"ghp_3{_pick(rng, word, 35)}",
            f"AKIA2{_pick(rng, ascii_uppercase + '234567', 15)}",
            f"xoxb-{_pick(rng, digits, 12)}-{_pick(rng, word, 24)}",
            f"AIza4{_pick(rng, word, 34)}",
            f"LTAI5{_pick(rng, word, 19)}",
            f"eyJhbGciOiJIUzI1NiJ9.eyJ{_pick(rng, word, 60)}.{_pick(rng, word, 43)}",
            f"-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----",
        ]
    )


_MAKERS: dict[str, Callable[[random.Random], str]] = {
    "email": _email, "phone": _phone, "cn_id_card": _cn_id_card, "bank_card": _bank_card, "uscc": _uscc,
    "passport": _passport, "hk_permit": _hk_permit, "tw_permit": _tw_permit, "landline": _landline,
    "cn_plate": _cn_plate, "ip": _ip, "iban": _iban, "us_ssn": _us_ssn, "secret": _secret,
}  # fmt: skip

_PLAIN = (
    "Please update the record to {} before Friday.", "Got it: {}. Thanks!",
    "She wrote {} on the form, then left.",
    "Customer note ({}), second try.", "麻烦帮我登记一下{},谢谢。", "新客户资料:{};请尽快处理",
    "他填的是{}。", "订单备注写着 {} 这一项",
    "请核对“{}”是否正确", "{}", "I typed\t{}\nand nothing happened.", "用户说:{},要求退款。",
)  # fmt: skip
_NEEDS = {
    "passport": (
        "My passport is {}.", "Passport no. {}, issued in Lyon", "护照号{}", "乘机人的护照:{},周五出发",
        "travel document {} (expired)",
    ),
    "hk_permit": (
        "港澳居民来往内地通行证：{}", "回乡证号{}，明天过关", "My home-return permit is {}.",
        "往来港澳通行证号码是{}。",
        "Mainland Travel Permit no. {}",
    ),
    "tw_permit": (
        "台胞证号{}", "台湾居民来往大陆通行证：{}，已核对", "Taiwan compatriot permit {}", "往来台湾通行证号码{}。",
    ),
}  # fmt: skip


def synthesize(kind: str, rng: random.Random) -> str:
    """A random value of `kind` with a right checksum, in one of its usual spellings.

    Raises:
        ValueError: no such kind.
    """
    if kind not in _MAKERS:
        raise ValueError(f"no kind {kind!r}; known: {', '.join(_MAKERS)}")
    return _MAKERS[kind](rng)


def planted(rng: random.Random, n: int) -> list[tuple[str, str, str]]:
    """`n` texts with one value each, as (text, kind, value); kinds in turn, languages mixed."""
    kinds = list(_MAKERS)
    rows = []
    for place in range(n):
        kind = kinds[place % len(kinds)]
        value = synthesize(kind, rng)
        rows.append((rng.choice(_NEEDS.get(kind, _PLAIN)).format(value), kind, value))
    return rows
