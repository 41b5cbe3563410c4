"""Keys, tokens and passwords: known prefixes, JSON web tokens, PEM private keys, and named random strings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from math import log2

from luodi.guard.item import LEFT, PEM_LIMIT, Span

_TOKENS = (
    ("sk-", r"sk-[A-Za-z0-9_-]{20,200}"),
    ("sk_", r"sk_(?:live|test)_[A-Za-z0-9]{16,200}"),
    ("rk_", r"rk_live_[A-Za-z0-9]{16,200}"),
    ("gh", r"gh[pousr]_[A-Za-z0-9]{30,255}"),
    ("github_pat_", r"github_pat_[A-Za-z0-9_]{30,255}"),
    ("glpat-", r"glpat-[A-Za-z0-9_-]{20,64}"),
    ("AKIA", r"AKIA[0-9A-Z]{16}"),
    ("ASIA", r"ASIA[0-9A-Z]{16}"),
    ("AKID", r"AKID[A-Za-z0-9]{32}"),
    ("LTAI", r"LTAI[A-Za-z0-9]{12,30}"),
    ("AIza", r"AIza[0-9A-Za-z_-]{35}"),
    ("xox", r"xox[abeoprs]-[0-9A-Za-z-]{10,200}"),
    ("hf_", r"hf_[A-Za-z0-9]{30,64}"),
    ("npm_", r"npm_[A-Za-z0-9]{36}"),
    ("pypi-", r"pypi-AgE[A-Za-z0-9_-]{40,250}"),
    ("SG.", r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{30,64}"),
    ("dop_v1_", r"dop_v1_[0-9a-f]{64}"),
    ("ALTAK", r"ALTAK[A-Za-z0-9]{21,40}"),
    ("dckr_pat_", r"dckr_pat_[A-Za-z0-9_-]{27,64}"),
    ("gsk_", r"gsk_[A-Za-z0-9]{40,64}"),
    ("nvapi-", r"nvapi-[A-Za-z0-9_-]{60,80}"),
    ("shpat_", r"shpat_[0-9a-fA-F]{32}"),
    ("whsec_", r"whsec_[A-Za-z0-9+/=]{24,80}"),
    ("xapp-", r"xapp-[0-9]-[0-9A-Za-z-]{20,200}"),
    ("ya29.", r"ya29\.[A-Za-z0-9_-]{40,400}"),
    ("AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    # claims may be longer than the bound; what is left over is no valid token
    ("eyJ", r"eyJ[A-Za-z0-9_-]{8,300}\.[A-Za-z0-9_-]{8}[A-Za-z0-9_.-]{7,1699}[A-Za-z0-9_-]"),
)
_PREFIXES = tuple((mark, re.compile(rf"(?<![A-Za-z0-9_-]){form}")) for mark, form in _TOKENS)
_URL = re.compile(r"://[A-Za-z0-9._~%$&*+,;=-]{0,40}:([!-.0-?A-~]{3,64})@")

PEM_MARK = "-----BEGIN"
PEM_HEAD = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----")
_PEM_TAIL = re.compile(r"-----END (?:[A-Z0-9]{1,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----")
_PEM_LINE = re.compile(r"(?:[ \t\r\n]|\\n){0,8}[A-Za-z0-9+/=]{40,120}(?:(?:\\n|[\r\n])[A-Za-z0-9+/=]{1,39}(?=\s|\Z))?")

_NAMES = re.compile(
    r"(?=((api[_ -]?key|apikey|access[_ -]?key(?:[_ -]?id)?|secret(?:[_ -]?key)?|auth[_ -]?token"
    r"|access[_ -]?token|token"
    r"|client[_ -]?secret|private[_ -]?key|bearer|密钥|令牌|口令|密码|passwd|password|passphrase|pwd)"
    r"[\"'`]? ?(?:[:=]{1,2}|is|are|是|为|=>)? ?[\"'`]?))",
    re.IGNORECASE,
)
_HAS_NAME = re.compile(r"key|token|secret|passw|passp|pwd|bearer|密|令|口", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z_0-9]{0,60}\.[A-Za-z_][A-Za-z_0-9.]{0,60}\Z")  # user.new_hash2
_VALUE = re.compile(r"[A-Za-z0-9_+/=.~!@#$%^&*-]{6,128}")


def pem_open(text: str, start: int) -> bool:
    """Whether a PEM head stands at `start` whose tail may still come, within PEM_LIMIT characters."""
    if len(text) - start >= PEM_LIMIT or not PEM_HEAD.match(text, start):
        return False
    return _PEM_TAIL.search(text, start, start + PEM_LIMIT) is None


def _pem(flat: str, begin: int) -> Iterator[Span]:
    start = flat.find(PEM_MARK, begin)
    while start >= 0:
        stop = start + PEM_LIMIT
        head = PEM_HEAD.match(flat, start, stop)
        end = start + len(PEM_MARK)
        if head:
            if tail := _PEM_TAIL.search(flat, head.end(), stop):
                yield Span(start, tail.end(), 0.99)
                end = tail.end()
            else:  # cut off: the head and the lines of Base64 that follow
                end = head.end()
                while line := _PEM_LINE.match(flat, end, stop):
                    end = line.end()
                if end > head.end():
                    yield Span(start, end, 0.95)
        start = flat.find(PEM_MARK, end)


def entropy(text: str) -> float:
    """Bits a character, from the text's own counts."""
    return -sum(count / len(text) * log2(count / len(text)) for count in Counter(text).values())


def _random(value: str, *, password: bool) -> bool:
    digits = sum(sign.isdigit() for sign in value)
    letters = sum(sign.isalpha() for sign in value)
    if not digits or not letters or _ATTRIBUTE.match(value):
        return False
    if password:  # chosen by people: short, but never only a word
        return entropy(value) >= 2.3
    return len(value) >= 12 and digits >= 2 and entropy(value) >= 3.2


def _named(flat: str, begin: int) -> Iterator[Span]:
    if not _HAS_NAME.search(flat, begin):
        return
    for name in _NAMES.finditer(flat, begin):
        value = _VALUE.match(flat, name.end(1))
        if not value or name.end(1) == name.end(2):
            continue
        shown = value[0].rstrip(".!=" if value[0][-1] != "=" else ".!")
        chosen = name[2].lower().startswith(("passw", "passp", "pwd", "密码", "口令"))
        if len(shown) >= 6 and _random(shown, password=chosen):
            yield Span(value.start(), value.start() + len(shown), 0.7)


def secrets(flat: str, start: int = 0) -> Iterator[Span]:
    """Every secret of `flat` that begins at or after `start`, in no order."""
    begin = max(0, start - LEFT)
    yield from _pem(flat, start)
    for mark, form in _PREFIXES:
        if mark in flat:
            for found in form.finditer(flat, start):
                if any(sign.isdigit() for sign in found[0]):
                    yield Span(found.start(), found.end(), 0.97)
    if "://" in flat:
        for found in _URL.finditer(flat, begin):
            if found[1].strip("<>{}*$x") and found[1].lower() not in ("password", "pass", "secret", "pwd"):
                yield Span(found.start(1), found.end(1), 0.8)
    yield from (span for span in _named(flat, begin) if span.start >= start)
