"""Chinese texts with one value each, and English ones for types that presidio-evaluator has no templates for.

Written for the benchmark: neither sentences nor spellings are those of `luodi.guard.samples`. Checksums are valid.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from string import ascii_letters, digits

from luodi.guard import checksum

PLACES = ("110101", "120103", "130203", "210102", "310104", "330106", "350203", "370202", "420111", "440106", "500103",
          "510104", "610113", "650102", "810000", "830000")  # fmt: skip
WIDE = {ord(sign): ord(sign) + 0xFEE0 for sign in digits + "ABCDEFGHX-@."}


def some(rng: random.Random, alphabet: str, count: int) -> str:
    return "".join(rng.choice(alphabet) for _ in range(count))


def born(rng: random.Random) -> date:
    return date(1935, 1, 1) + timedelta(days=rng.randrange(31_000))


def maybe_wide(rng: random.Random, text: str) -> str:
    return text.translate(WIDE) if rng.random() < 0.1 else text


def id_card(rng: random.Random) -> str:
    body = f"{rng.choice(PLACES)}{born(rng):%Y%m%d}{some(rng, digits, 3)}"
    number = body + checksum.id_check_digit(body)
    if number.endswith("X") and rng.random() < 0.4:
        number = number[:-1] + "x"
    how = rng.random()
    if how < 0.1:
        return f"{number[:6]} {number[6:14]} {number[14:]}"
    return f"{number[:6]}-{number[6:14]}-{number[14:]}" if how < 0.15 else maybe_wide(rng, number)


def id_card_15(rng: random.Random) -> str:
    return f"{rng.choice(PLACES[:-2])}{born(rng):%y%m%d}{some(rng, digits, 3)}"


def phone(rng: random.Random) -> str:
    head = rng.choice(("132", "134", "137", "148", "151", "158", "167", "175", "183", "187", "193", "195", "199"))
    a, b = some(rng, digits, 4), some(rng, digits, 4)
    return rng.choice(
        (f"{head}{a}{b}", f"{head}{a}{b}", f"{head} {a} {b}", f"{head}-{a}-{b}", f"+86{head}{a}{b}", f"86-{head}{a}{b}",
         maybe_wide(rng, f"{head}{a}{b}"), f"(+86){head}{a}{b}")
    )  # fmt: skip


def landline(rng: random.Random) -> str:
    area = rng.choice(("010", "020", "021", "022", "025", "0311", "0411", "0512", "0591", "0731", "0898", "0991"))
    number = rng.choice("2345678") + some(rng, digits, rng.choice((6, 7)))
    return rng.choice(
        (f"{area}-{number}", f"({area}){number}", f"（{area}）{number}", f"{area} {number}", f"+86-{area[1:]}-{number}",
         maybe_wide(rng, f"{area}-{number}"))
    )  # fmt: skip


def bank_card(rng: random.Random) -> str:
    head, size = rng.choice((("622848", 19), ("621700", 19), ("621226", 19), ("625955", 16), ("6217", 19), ("4392", 16),
                             ("5187", 16), ("436742", 16)))  # fmt: skip
    body = head + some(rng, digits, size - len(head) - 1)
    number = body + checksum.luhn_digit(body)
    spaced = " ".join(number[at : at + 4] for at in range(0, size, 4))
    return rng.choice((number, spaced, spaced.replace(" ", "-"), maybe_wide(rng, number)))


def uscc(rng: random.Random) -> str:
    body = f"{rng.choice(('91', '92', '93', '11', '51', '53'))}{rng.choice(PLACES[:-2])}"
    body += some(rng, "0123456789ABCDEFGHJKLMNPQRTUWXY", 9)
    return body + checksum.uscc_check_digit(body)


def passport(rng: random.Random) -> str:
    return rng.choice(("E", "G", "EB", "EH", "P", "S", "D")).ljust(1) + some(
        rng, digits, 8 if rng.random() < 0.7 else 7
    )


def hk_permit(rng: random.Random) -> str:
    return rng.choice("HMCHM") + some(rng, digits, 8)


def tw_permit(rng: random.Random) -> str:
    return rng.choice(("", "L", "T")) + some(rng, digits, 8)


def plate(rng: random.Random) -> str:
    head = rng.choice("京沪粤浙苏鲁川渝冀豫鄂湘闽皖") + rng.choice("ABCDEFGHJ")
    tail = rng.choice(
        (some(rng, digits, 5), rng.choice("KLMQRSTW") + some(rng, digits, 4), some(rng, digits, 3) + "QF",
         rng.choice("DF") + some(rng, digits, 5), rng.choice("DF") + rng.choice("ABCDE") + some(rng, digits, 4),
         some(rng, digits, 4) + rng.choice("学挂警"))
    )  # fmt: skip
    return head + rng.choice(("", "", "·", "-")) + tail


def email(rng: random.Random) -> str:
    name = rng.choice(("zhaolei", "sunny_2020", "wang.xiaoming", "lin-yu", "a1b2", "q"))
    where = rng.choice(("qq.com", "126.com", "foxmail.com", "sina.cn", "pku.edu.cn", "alibaba-inc.com"))
    return maybe_wide(rng, f"{name}{some(rng, digits, rng.randint(0, 4))}@{where}")


def ip(rng: random.Random) -> str:
    return f"{rng.choice((47, 59, 101, 116, 121, 180, 202, 221))}." + ".".join(
        str(rng.randrange(256)) for _ in range(3)
    )


def secret(rng: random.Random) -> str:
    word = ascii_letters + digits
    return rng.choice(
        (
            "sk-" + some(rng, word, 22) + "9" + some(rng, word, 24),
            "gho_" + some(rng, word, 20) + "4" + some(rng, word, 15),
            "glpat-" + some(rng, word, 19) + "7",
            "LTAI" + some(rng, word, 15) + "3" + some(rng, word, 4),
            "AKIA" + some(rng, "ABCDEFGHIJKLMNOP234567", 15) + "5",
            "hf_" + some(rng, word, 33) + "2",
            "eyJhbGciOiJSUzI1NiJ9.eyJ" + some(rng, word, 80) + "." + some(rng, word, 86),
            "xoxp-" + some(rng, digits, 12) + "-" + some(rng, digits, 12) + "-" + some(rng, word, 24),
        )
    )


PLAIN = (
    "您好，{}，谢谢", "麻烦查一下{}", "这是我的资料：{}", "收到，已登记为{}。", "客户填写的内容是“{}”，请核实。",
    "[{}]", "{}",
    "请问{}这个对吗？", "附言：{} 尽快", "备注栏写了{}，不知道是什么", "A: {}\nB: 好的", "我填的是 {} ，页面报错了",
)  # fmt: skip
ENGLISH = (
    "Here it is: {}", "I pasted {} by mistake, sorry.", "config says {}", "log line\n{}\nend", "use {} for now", "{}",
    "Could you check \"{}\" please?", "(see {})",
)  # fmt: skip
MAKERS: dict[str, tuple[Callable[[random.Random], str], tuple[str, ...]]] = {
    "cn_id_card": (id_card, PLAIN),
    "cn_id_card (15)": (id_card_15, ("身份证号码：{}", "我的身份证号是{}", "旧身份证：{}，已过期", "证件号码{}请核对")),
    "phone": (phone, PLAIN),
    "landline": (landline, PLAIN),
    "bank_card": (bank_card, PLAIN),
    "uscc": (uscc, PLAIN),
    "passport": (passport, ("护照号码是{}", "护照：{}", "本人护照{}，请办理签证", "我的护照号{}有效期到明年")),
    "hk_permit": (
        hk_permit,
        ("港澳居民来往内地通行证号码{}", "回乡证：{}", "往来港澳通行证是{}，快过期了", "港澳通行证号：{}"),
    ),
    "tw_permit": (
        tw_permit,
        ("台胞证：{}", "台胞证号码是{}", "台湾居民来往大陆通行证{}", "大陆居民往来台湾通行证号{}"),
    ),
    "cn_plate": (plate, PLAIN),
    "email": (email, PLAIN),
    "ip": (ip, PLAIN),
    "secret": (secret, PLAIN + ENGLISH),
}
CHECKSUMMED = ("cn_id_card", "bank_card", "uscc", "iban")


def texts(seed: int, each: int) -> list[tuple[str, str, int, int]]:
    """`each` texts of every type: (text, type, start, end)."""
    rng = random.Random(seed)
    out = []
    for kind, (make, sentences) in MAKERS.items():
        for _ in range(each):
            value, sentence = make(rng), rng.choice(sentences)
            start = sentence.index("{}")
            out.append((sentence.replace("{}", value), kind, start, start + len(value)))
    return out
