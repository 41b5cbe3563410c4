"""Find and mask personal data and secrets, in English and Chinese, by form, checksum and context words.

One pass over the anchors (digit runs, `@`, plate heads, known prefixes); every detector then reads a bounded
number of characters, so the time is linear in the text. Names and addresses need a model and are not found
here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from luodi.guard import contact, credential, identity, money
from luodi.guard.item import PersonalItem, Span, flatten

Detector = Callable[[str, int], Span | None]
Replace = Callable[[PersonalItem], str]

# In order of trust: where two overlap, the earlier kind wins. An 18-digit ID passes Luhn once in ten.
KINDS = (
    "secret", "cn_id_card", "uscc", "iban", "bank_card", "us_ssn", "email", "passport", "hk_permit", "tw_permit",
    "landline", "phone", "cn_plate", "ip",
)  # fmt: skip
_RANK = {kind: rank for rank, kind in enumerate(KINDS)}

_BY_DIGITS: tuple[tuple[str, Detector], ...] = (
    ("cn_id_card", identity.cn_id_card),
    ("uscc", identity.uscc),
    ("iban", money.iban),
    ("bank_card", money.bank_card),
    ("us_ssn", identity.us_ssn),
    ("passport", identity.passport),
    ("hk_permit", identity.hk_permit),
    ("tw_permit", identity.tw_permit),
    ("landline", contact.landline),
    ("phone", contact.phone),
    ("ip", contact.ip),
)
# A run of digits that can be part of any value: another sign of a number follows it closely.
_DIGITS = re.compile(r"[0-9]+")
_ENOUGH = re.compile(r"[0-9][0-9A-Za-z]{5}|[0-9]{1,5}[ .():-]{1,2}[0-9A-Za-z:]")
_AT = re.compile(r"(?<=[A-Za-z0-9._%+-])@(?=[A-Za-z0-9])")
_ANCHOR = re.compile(rf"[0-9@]|eyJ|{credential.PEM_MARK}|://")


def _spans(flat: str, start: int) -> Iterator[tuple[str, Span]]:
    for span in credential.secrets(flat, start):
        yield "secret", span
    for sign in _AT.finditer(flat, start):
        if span_or_none := contact.email(flat, sign.start()):
            yield "email", span_or_none
    for run in _DIGITS.finditer(flat, start):
        at = run.start()
        if _ENOUGH.match(flat, at):
            for kind, detect in _BY_DIGITS:
                if span_or_none := detect(flat, at):
                    yield kind, span_or_none
    for head in identity.PLATE_START.finditer(flat, start):
        if span_or_none := identity.cn_plate(flat, head.start()):
            yield "cn_plate", span_or_none


def candidates(text: str, start: int = 0) -> list[PersonalItem]:
    """Every value that begins at or after `start`, by place, overlapping ones too; the rest is context."""
    flat = flatten(text)
    if not _ANCHOR.search(flat, start):
        return []
    found = {
        (span.start, span.end, kind): PersonalItem(kind, span.start, span.end, text[span.start : span.end], span.score)
        for kind, span in _spans(flat, start)
        if span.start >= start
    }
    return [found[key] for key in sorted(found)]


def resolve(found: Iterable[PersonalItem]) -> list[PersonalItem]:
    """Of overlapping values, the kind trusted most, then the longest. `found` is in order of place."""
    kept: list[PersonalItem] = []
    cluster: list[PersonalItem] = []
    end = -1
    for item in found:
        if item.start >= end:
            kept += _best(cluster)
            cluster = []
        cluster.append(item)
        end = max(end, item.end)
    return kept + _best(cluster)


def _best(cluster: list[PersonalItem]) -> list[PersonalItem]:
    if len(cluster) < 2:
        return cluster
    chosen: list[PersonalItem] = []
    for item in sorted(cluster, key=lambda item: (_RANK.get(item.kind, len(KINDS)), item.start - item.end, item.start)):
        if all(item.end <= other.start or other.end <= item.start for other in chosen):
            chosen.append(item)
    return sorted(chosen, key=lambda item: item.start)


def find_personal(text: str) -> list[PersonalItem]:
    """Personal data and secrets of `text`, without overlap, by place. Linear in `len(text)`; never raises."""
    return resolve(candidates(text))


def named(item: PersonalItem) -> str:
    """The kind of a value in brackets: `[EMAIL]`, `[CN_ID_CARD]`."""
    return f"[{item.kind.upper()}]"


def mask(
    text: str, items: Iterable[PersonalItem] | None = None, replace: Replace = named
) -> tuple[str, list[PersonalItem]]:
    """`text` with each value replaced, by its kind if nothing else is said, and the values.

    Args:
        items: values of this very text, without overlap and by place; found here if None.
    """
    chosen = find_personal(text) if items is None else list(items)
    parts: list[str] = []
    done = 0
    for item in chosen:
        parts += (text[done : item.start], replace(item))
        done = item.end
    return "".join([*parts, text[done:]]), chosen
