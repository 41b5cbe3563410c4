"""Sources that disagree are shown side by side; those that don't, or that speak of different things, are not."""

from __future__ import annotations

import pytest

from luodi.knowledge.chunks import Chunk
from luodi.knowledge.conflict import Conflict, conflicts
from luodi.knowledge.index import Hit


def hit(number: int, text: str, *, title: str = "Returns", path: str = "", rank: int = 0) -> Hit:
    return Hit(Chunk(number, f"r{number}", "s", rank, path or f"{number}.md", title, text, 0, len(text), 1), 1.0)


def found(question: str, *texts: str) -> list[Conflict]:
    return conflicts(question, [hit(n, text) for n, text in enumerate(texts)])


@pytest.mark.parametrize(
    ("question", "first", "second", "kind"),
    [
        ("When can a parcel be returned?", "A parcel may be returned within 30 days.",
         "A parcel may be returned within 14 days.", "value"),
        ("When can a parcel be returned?", "A parcel may be returned within thirty days.",
         "Parcels may be returned within 14 days of delivery.", "value"),
        ("When does the shop open on Sundays?", "The shop opens on Sundays at the station.",
         "The shop never opens on Sundays at the station.", "negation"),
        ("多少天内可以退货？", "顾客可以在三十天内退货并取回货款。", "顾客可以在15天内退货并取回货款。", "value"),
        ("When was the policy signed?", "The policy was signed on 4 March 2026.", "The policy was signed on 2025-03-04.",
         "value"),
    ],
)  # fmt: skip
def test_disagreement(question: str, first: str, second: str, kind: str) -> None:
    (conflict,) = found(question, first, second)
    assert (conflict.kind, conflict.first.text, conflict.second.text) == (kind, first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("A parcel may be returned within 30 days.", "A parcel may be returned within thirty days."),
        ("A parcel may be returned within 30 days.", "A letter is delivered within 2 days."),
        ("A parcel may be returned within 30 days.", "A parcel may be returned."),
        ("Up to 5 parcels may be returned within 30 days.", "A parcel may be returned within 30 days."),
        ("The fee is 15000 yuan for a parcel.", "The fee is 1.5万 yuan for a parcel."),
    ],
)
def test_no_disagreement(first: str, second: str) -> None:
    assert found("When may a parcel be returned, at what fee?", first, second) == []


def test_one_document_does_not_disagree_with_itself() -> None:
    hits = [
        hit(0, "A parcel may be returned within 30 days.", path="a"),
        hit(1, "A parcel may be returned within 9 days.", path="a"),
    ]
    assert conflicts("parcel returned", hits) == []


def test_the_source_named_first_comes_first() -> None:
    hits = [
        hit(0, "A parcel may be returned within 30 days.", rank=1),
        hit(1, "A parcel may be returned within 9 days.", rank=0),
    ]
    (conflict,) = conflicts("parcel returned", hits)
    assert conflict.first.passage == 1


def test_what_is_not_asked_about_is_left_out() -> None:
    assert (
        found(
            "Who is the director?",
            "A parcel may be returned within 30 days.",
            "A parcel may be returned within 9 days.",
        )
        == []
    )
