"""Texts as values of records, the way tools, tables and mail bring them: YAML, JSON, mail, or lines with names.

A model that has seen attacks in such form only would take every record for one. What stands between the texts is
made up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from numpy.random import Generator

_NAMES = (
    "name", "title", "subject", "body", "text", "description", "comment", "note", "review", "message", "content",
    "summary", "details", "remark", "feedback", "answer", "reason", "标题", "内容", "备注",
)  # fmt: skip
_LISTS = ("reviews", "comments", "notes", "messages", "items", "results", "entries", "remarks", "tags")
_ROOTS = ("data", "results", "orders", "messages", "customers", "events", "products", "tickets", "files", "rows")
_FIRST = (
    "Maria", "Peter", "Anna", "John", "Wei", "Fatima", "Lucas", "Olga", "Kenji", "Amara", "Sofia", "Tom", "Ines",
    "David", "Mei", "Noah", "Laura", "Ravi",
)  # fmt: skip
_LAST = (
    "Keller", "Novak", "Santos", "Miller", "Zhang", "Okafor", "Rossi", "Tanaka", "Larsen", "Dubois", "Patel", "Young",
    "Weber", "Costa", "Lindqvist", "Moreau",
)  # fmt: skip
_STREETS = (
    "Main Street",
    "Station Road",
    "High Street",
    "Rue Centrale",
    "Lindenweg",
    "Via Roma",
    "Mill Lane",
    "5th Avenue",
)
_CITIES = (
    "Berlin",
    "Lisbon",
    "Chicago",
    "Osaka",
    "Toronto",
    "Madrid",
    "Oslo",
    "Leeds",
    "Lyon",
    "Austin",
    "Shenzhen",
    "Rome",
)
_COUNTRIES = ("Germany", "Portugal", "USA", "Japan", "Canada", "Spain", "Norway", "UK", "France", "Italy", "China")
_FIRMS = (
    "Northwind",
    "Alpenrose",
    "Bluebird",
    "Kestrel",
    "Harbour",
    "Juniper",
    "Granite",
    "Sunfield",
    "Old Mill",
    "Vega",
)
_KINDS = (
    "Ltd",
    "GmbH",
    "Inc.",
    "Café",
    "Hotel",
    "Printers",
    "Bakery",
    "Logistics",
    "Bank",
    "Garage",
    "Studio",
    "Museum",
)
_HOSTS = ("example.com", "example.org", "mail.example.net", "firma.example", "shop.example")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_STATES = ("open", "closed", "pending", "confirmed", "shipped", "draft", "sent", "read", "active", "cancelled", "paid")
_PHRASES = (
    "Friendly staff and a quick reply", "A bit loud in the evening", "Good value for the price",
    "Please call before noon", "Dinner at eight", "Weekly planning", "Delivery to the back door",
    "Clean rooms, good breakfast", "Invoice attached", "Window seat preferred", "Great view from the terrace",
    "Two days late", "Easy to find", "Quarterly report", "Rent for May", "Meeting moved to the large room",
    "No sugar, no nuts", "Would come again", "See you on the ferry", "Dental check-up",
)  # fmt: skip

Pick = Callable[[Sequence[str]], str]


def as_record(values: Sequence[str], rng: Generator) -> str:
    """One record, or a few, that hold the values in their order, and other fields between them."""

    def pick(choices: Sequence[str]) -> str:
        return choices[int(rng.integers(len(choices)))]

    fields: list[tuple[str, Any]] = []
    for value in values:
        fields += [_filler(rng, pick) for _ in range(int(rng.integers(3)))]
        if rng.random() < 0.2:  # as one of several
            others = [pick(_PHRASES) for _ in range(int(rng.integers(1, 4)))]
            others.insert(int(rng.integers(len(others) + 1)), value)
            fields.append((pick(_LISTS), others))
        else:
            fields.append((pick(_NAMES), value))
    fields += [_filler(rng, pick) for _ in range(int(rng.integers(3)) if values else int(rng.integers(4, 13)))]
    fields = [(f"{name}_{n}" if name in [other for other, _ in fields[:n]] else name, value)
              for n, (name, value) in enumerate(fields)]  # fmt: skip
    form = int(rng.integers(5))
    if form == 0:
        return json.dumps([dict(fields)], ensure_ascii=False, indent=int(rng.integers(3)) or None)
    if form == 1:
        return "\n".join(f"{name.title()}: {_line(value)}" for name, value in fields)
    if form == 2:
        return _mail(fields, rng, pick)
    deep = int(rng.integers(4)) * 2
    block = _yaml(fields, deep, rng)
    return f"{pick(_ROOTS)}:\n{block}" if form == 3 and deep else block.lstrip()


def _filler(rng: Generator, pick: Pick) -> tuple[str, Any]:
    """A field that any record could have."""
    n = int(rng.integers(1, 400))
    person = f"{pick(_FIRST)} {pick(_LAST)}"
    mail = f"{person.lower().replace(' ', pick(('.', '_', '')))}@{pick(_HOSTS)}"
    date = f"20{int(rng.integers(19, 27))}-{int(rng.integers(1, 13)):02}-{int(rng.integers(1, 29)):02}"
    hour = f"{int(rng.integers(24)):02}:{int(rng.integers(4)) * 15:02}"
    money, until = round(float(rng.random()) * 10 ** int(rng.integers(1, 5)), 2), f"{int(rng.integers(24)):02}:00"
    phone = f"+{int(rng.integers(1, 99))} {int(rng.integers(100, 999))} {int(rng.integers(10**6, 10**7))}"
    day = pick((date, f"{date}T{hour}", f"{date} {hour}"))
    made: tuple[tuple[str, Any], ...] = (
        (pick(("id", "key", "number", "uid", "order")), pick((str(n), f"A-{n}", f'"{n}"'))),
        (pick(("name", "company", "seller", "place")), f"{pick(_FIRMS)} {pick(_KINDS)}"),
        (pick(("owner", "author", "customer", "contact", "participant")), person),
        (pick(("from", "to", "sender", "email", "cc")), mail),
        (pick(("participants", "recipients", "users", "members")), [mail, pick(_FIRST)]),
        ("address", f"{n} {pick(_STREETS)}, {int(rng.integers(10000, 99999))} {pick(_CITIES)}, {pick(_COUNTRIES)}"),
        (pick(("city", "location", "country")), pick(_CITIES + _COUNTRIES)),
        (pick(("price", "amount", "unit_price", "total", "balance")), money),
        (pick(("rating", "score", "count", "room", "quantity", "size")), round(float(rng.random()) * 5, 1)),
        (pick(("date", "start_time", "end_time", "timestamp", "created", "due")), day),
        (pick(("hours", "opening_hours", "schedule")), f"{hour} - {until}, {pick(_DAYS)} to {pick(_DAYS)}"),
        (pick(("status", "state", "read", "available")), pick((*_STATES, "true", "false"))),
        (pick(("reviews", "notes", "tags", "amenities")), [pick(_PHRASES) for _ in range(int(rng.integers(1, 4)))]),
        (pick(("title", "subject", "description")), pick(_PHRASES)),
        (pick(("attachments", "cc", "bcc", "shared_with")), []),
        (pick(("phone", "iban", "reference")), phone),
    )  # fmt: skip
    return made[int(rng.integers(len(made)))]


def _line(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _mail(fields: Sequence[tuple[str, Any]], rng: Generator, pick: Pick) -> str:
    """The fields as a mail: short ones in the head, long ones in the body."""
    head = [f"From: {pick(_FIRST)} {pick(_LAST)} <{pick(_FIRST).lower()}@{pick(_HOSTS)}>", f"Subject: {pick(_PHRASES)}"]
    head += [f"{name.title()}: {_line(value)}" for name, value in fields if len(_line(value)) <= 40]
    body = [_line(value) for _, value in fields if len(_line(value)) > 40]
    closing = pick(("Best regards", "Kind regards", "Cheers", "Thanks", "Yours"))
    greeting = pick(("Hi", "Hello", "Dear")) + f" {pick(_FIRST)},"
    return "\n".join([*head, "", greeting, "", *body, "", f"{closing},", pick(_FIRST)])


def _yaml(fields: Sequence[tuple[str, Any]], deep: int, rng: Generator) -> str:
    """The fields as an item of a list, `deep` spaces in; strings in quotes or without."""
    quoted, inside = rng.random() < 0.6, " " * (deep + 2)

    def said(value: Any) -> str:
        text = str(value)
        return json.dumps(text, ensure_ascii=False) if isinstance(value, str) and quoted and text[:1] != '"' else text

    lines: list[str] = []
    for name, value in fields:
        if isinstance(value, list):
            lines += [f"{name}: []"] if not value else [f"{name}:", *(f"  - {said(each)}" for each in value)]
        else:
            lines.append(f"{name}: {said(value)}")
    return f"{' ' * deep}- " + f"\n{inside}".join(lines)
