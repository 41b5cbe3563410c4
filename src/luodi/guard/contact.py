"""E-mail, telephone and IP addresses.

Software documentation is full of addresses of nobody: reserved domains (RFC 2606), loopback, private and
documentation networks (RFC 5737, RFC 3849) and version numbers of four parts are left alone.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network

from luodi.guard.item import Span, near, words

_LOCAL = re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9_][A-Za-z0-9._%+-]{0,63}\Z")
_DOMAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{1,120}")
_RESERVED = frozenset({"example", "test", "invalid", "localhost", "local", "internal", "lan"})
_RESERVED_DOMAINS = frozenset({"example.com", "example.org", "example.net", "example.edu", "domain.com"})
_FILES = frozenset({
    "png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "py", "html", "json", "yaml", "yml", "txt", "md",
    "rb", "sh", "ts",
})  # fmt: skip
_NOBODY = frozenset({"git", "noreply", "no-reply", "donotreply", "hg", "svn"})


def email(flat: str, at: int) -> Span | None:
    """The address around an `@` between two signs of one; RFC 5321 lengths for the local part, ASCII only."""
    local = _LOCAL.search(flat, max(0, at - 66), at)
    domain = _DOMAIN.match(flat, at + 1)
    if not local or not domain or local[0].endswith(".") or ".." in local[0]:
        return None
    name = domain[0].rstrip(".-")
    labels = name.lower().split(".")
    if len(labels) < 2 or "" in labels or not labels[-1].isalpha() or len(labels[-1]) < 2:
        return None
    if labels[-1] in _RESERVED or ".".join(labels[-2:]) in _RESERVED_DOMAINS or labels[-1] in _FILES:
        return None
    # example.com.cn and example.co.uk are used as sample domains too, though no RFC reserves them
    if labels[-3:-2] == ["example"] or local[0].lower() in _NOBODY:
        return None
    return Span(local.start(), at + 1 + len(name), 0.95)


_CN_MOBILE = re.compile(
    r"(?:(?:\+|00)?86\)?[ -]?)?(?:13[0-9]|14[5-9]|15[0-35-9]|16[2567]|17[0-8]|18[0-9]|19[0-35-9])"
    r"(?:[0-9]{8}|-[0-9]{4}-[0-9]{4}| [0-9]{4} [0-9]{4})(?![0-9])"
)
_CN_AREA = r"(?:10|2[0-9]|[3-9][0-9]{2})"
# (0755)8888 8888 or, from abroad, +86 755 8888 8888
_CN_LANDLINE = re.compile(
    rf"((?:(?:\+|00)86\)?[ -]?)\(?0?{_CN_AREA}|0{_CN_AREA})(\)[ -]?|[ -]?)"
    r"[2-8][0-9]{2}[0-9 -]{4,6}(?<=[0-9])(?![0-9])"
)
_EXT = r"(?: ?x[0-9]{1,5})?(?![0-9A-Za-z]|-[0-9])"
_US = re.compile(rf"(?:1[ .-])?[2-9][0-9]{{2}}(?:\) ?|[ .-])[2-9][0-9]{{2}}[ .-][0-9]{{4}}{_EXT}")
_WITH_EXT = re.compile(r"[0-9]{3}(?:\) ?|[ .-])[0-9]{3}[ .-][0-9]{4} ?x[0-9]{1,5}(?![0-9A-Za-z]|-[0-9])")
_TAIL = re.compile(" ?x[0-9]{1,5}(?![0-9A-Za-z])")
# a trunk prefix and at least one more group: 0731 40 44 23, (07700) 977 058, 06-77872060
_NATIONAL = re.compile(
    r"0[1-9][0-9]{0,3}(?![.-][0-9]{2}[.-](?:19|20)[0-9]{2})(?:\)[ -]?|[ .-])"
    r"[0-9]{2,8}(?:[ .-][0-9]{2,4}){0,4}(?![0-9A-Za-z]|[.:/][0-9])"
)
_ABROAD = re.compile(r"\+[1-9][0-9 ().-]{5,24}")
_ANY = re.compile(r"\(?[0-9][0-9 ().-]{5,22}")
_PHONE = words(
    "tel", "telephone", "phone", "phones", "mobile", "cell", "call", "fax", "whatsapp", "dial",
    "text me at", "number is", "sms", "desk", "office", "answering at", "messages to",
    "reach me (?:at|on)", "ring", "电话", "手机", "手機", "电话", "致电", "拨打", "联系方式", "号码",
    "热线", "传真", "座机", "微信",
)  # fmt: skip
_GLUED = re.compile(r"(?:tel|phone|mobile|mob|cell|call|fax|ph)\Z", re.IGNORECASE)


def _word(sign: str) -> bool:
    return sign.isascii() and sign.isalnum()


def _free(flat: str, start: int) -> bool:
    """Not the tail of a longer number, a decimal or a word (but `tel138...` is a phone)."""
    before = flat[max(0, start - 8) : start]
    if not before:
        return True
    if before[-1] in ".,-/_=" and before[-2:-1].isalnum() and before[-1] not in "/=":
        return False
    return not _word(before[-1]) or _GLUED.search(before) is not None


def _groups(run: str, most: int) -> tuple[int, int]:
    """Length and digits of the longest start of `run` with single separators and at most `most` digits."""
    digits = end = kept = opened = 0
    for place, sign in enumerate(run):
        if sign.isdigit():
            digits += 1
            if digits > most:
                break
            if not run[place + 1 : place + 2].isdigit() and not opened:
                end, kept = place + 1, digits
        elif sign == "(":
            if opened or run[place - 1 : place].isdigit():
                break
            opened = 1
        elif sign == ")":
            if not opened or not run[place - 1].isdigit():
                break
            opened = 0
        elif sign != "+" and not (run[place - 1].isdigit() or run[place - 1] == ")"):
            break
    return end, kept


def _widen(flat: str, start: int, end: int) -> int:
    inside = flat[start:end]
    return start - 1 if ")" in inside and "(" not in inside and flat[start - 1 : start] == "(" else start


def phone(flat: str, at: int) -> Span | None:
    """A telephone number whose first run of digits begins at `at`."""
    start = at - 1 if flat[at - 1 : at] == "+" else at
    if not _free(flat, start):
        return None
    if found := _CN_MOBILE.match(flat, start):
        return Span(_widen(flat, start, found.end()), found.end(), 0.9)
    if start < at:
        return _abroad(flat, start)
    if found := _US.match(flat, at) or _WITH_EXT.match(flat, at):
        return Span(_widen(flat, at, found.end()), found.end(), 0.75)
    if found := _NATIONAL.match(flat, at):
        inside = found[0]
        if 9 <= sum(map(str.isdigit, inside)) <= 11 and (")" not in inside or flat[at - 1 : at] == "("):
            return Span(_widen(flat, at, found.end()), found.end(), 0.6)
    return _in_context(flat, at)


def landline(flat: str, at: int) -> Span | None:
    """A Chinese landline number, with its area code, whose first run of digits begins at `at`."""
    start = at - 1 if flat[at - 1 : at] == "+" else at
    if not _free(flat, start):
        return None
    found = _CN_LANDLINE.match(flat, start)
    if not found:
        return None
    length, digits = _groups(flat[found.end(2) : found.end()], 8)
    if digits in (7, 8) and (found[2] or start < at or near(flat, at, _PHONE)):
        end = found.end(2) + length
        return Span(_widen(flat, start, end), end, 0.85 if start < at else 0.8)
    return None


def _abroad(flat: str, start: int) -> Span | None:
    found = _ABROAD.match(flat, start)
    if not found:
        return None
    most = {"+1": 11}.get(found[0][:2], 13 if found[0].startswith("+86") else 15)
    length, digits = _groups(found[0], most)
    if digits < (11 if found[0][1] == "1" else 8) or found[0][1:length].count(".") == 1:
        return None  # one dot is a signed decimal
    tail = _TAIL.match(flat, start + length)
    return Span(start, tail.end() if tail else start + length, 0.85)


def _in_context(flat: str, at: int) -> Span | None:
    if flat[at - 1 : at] == " " and flat[at - 2 : at - 1].isdigit():
        return None  # inside a row of numbers: never the first group
    start = at - 1 if flat[at - 1 : at] == "(" else at
    found = _ANY.match(flat, start)
    if not found or not near(flat, at, _PHONE):
        return None
    length, digits = _groups(found[0], 15)
    run = found[0][:length]
    least = 6 if any(sign in run for sign in " -)") else 7
    if not least <= digits <= 15 or run.count(".") == 1 or _word(flat[start + length : start + length + 1]):
        return None
    # a year range or a date is not a number to call
    if re.fullmatch(r"(?:19|20)[0-9]{2}[-. ](?:19|20)?[0-9]{2}(?:[-. ][0-9]{1,2})?", run):
        return None
    return Span(start, start + length, 0.6)


_V4 = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9A-Za-z_]|\.[0-9]|-[0-9A-Za-z])")
_V6 = re.compile(r"[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2,36}")
_V6_WHOLE = re.compile(r"(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}(?![0-9A-Za-z_:])")
_HEX = "0123456789ABCDEFabcdef:"
_IP_WORDS = words(
    "ip", "ips", "ipv4", "address", "addresses", "host", "server", "from", "client", "login",
    "地址", "服务器", "主机", "登录", "来自",
)  # fmt: skip
_VERSION = re.compile(
    r"(?:version|versions|release|ver|v|python|django|firmware|driver|build|版本|[=<>~^])[ :=]{0,2}\Z",
    re.IGNORECASE,
)
_DOCUMENTATION, _UNIQUE_LOCAL = IPv6Network("2001:db8::/32"), IPv6Network("fc00::/7")
_PUBLIC_SERVICES = frozenset({"1.1.1.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "114.114.114.114", "1.2.3.4"})


def ip(flat: str, at: int) -> Span | None:
    """A global address (RFC 6890) of one host; not loopback, private, documentation or a version number.

    One of eight written groups is taken from any range that is not reserved for such uses.
    """
    before = flat[max(0, at - 16) : at]
    last = before[-1:]
    if last.isascii() and last.isalnum():
        return _whole_v6(flat, at) if ":" in flat[max(0, at - 4) : at + 5] else None
    if last and last in ".-_" and before[-2:-1].isalnum():
        return None
    if found := _V4.match(flat, at):
        try:
            four = IPv4Address(found[0])
        except AddressValueError:
            return None
        if not four.is_global or four.is_multicast or found[0] in _PUBLIC_SERVICES or _VERSION.search(before):
            return None
        if last == "/" and before[-2:] != "//":
            return None  # Chrome/91.0.4472.124
        small = max(four.packed) < 30
        if small and not near(flat, at, _IP_WORDS):
            return None
        return Span(at, found.end(), 0.6 if small else 0.8)
    found = _V6.match(flat, at)
    if not found:
        return _whole_v6(flat, at) if ":" in flat[max(0, at - 4) : at + 5] else None
    try:
        six = IPv6Address(found[0].rstrip(":") if not found[0].endswith("::") else found[0])
    except AddressValueError:
        return None
    # fewer than three groups set: an example such as 2001::1, not a host
    groups = sum(part != "0000" for part in six.exploded.split(":"))
    return Span(at, at + len(found[0].rstrip(":")), 0.8) if six.is_global and groups > 2 else None


def _whole_v6(flat: str, at: int) -> Span | None:
    """An address of eight written groups around the digit at `at`."""
    before = flat[max(0, at - 40) : at]
    start = at - len(before) + len(before.rstrip(_HEX))
    if start and (flat[start - 1].isalnum() or flat[start - 1] in "_.-"):
        return None
    found = _V6_WHOLE.match(flat, start)
    if not found or sum(len(group) > 2 for group in found[0].split(":")) < 4:
        return None
    six = IPv6Address(found[0])
    if six.is_link_local or six.is_multicast or six in _DOCUMENTATION or six in _UNIQUE_LOCAL:
        return None
    return Span(start, found.end(), 0.8)
