from __future__ import annotations

from pathlib import Path

import pytest

from luodi.errors import IntegrityError
from luodi.evaluate.items import FILE, Item, clusters_of, items_of, keep, read_items
from luodi.evaluate.pairing import compare


def test_items_come_back(tmp_path: Path) -> None:
    keep(tmp_path, {"f1": [Item("a", 0.5), Item("b", 1.0, "page")]})
    keep(tmp_path, {"recall": items_of(["a"], [1])})
    assert read_items(tmp_path) == {"f1": [Item("a", 0.5), Item("b", 1.0, "page")], "recall": [Item("a", 1.0)]}
    assert read_items(tmp_path / "nowhere") == {}
    assert clusters_of([Item("a", 1)]) is None and clusters_of([Item("a", 1), Item("b", 1, "a")]) == ["i a", "c a"]


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([Item("a", 1.0), Item("a", 0.0)], "there twice"),
        ([Item("a", 1.5)], "between 0 and 1"),
        ([Item("a", float("nan"))], "between"),
    ],
)
def test_what_is_refused(items: list[Item], problem: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=problem):
        keep(tmp_path, {"f1": items})
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"schema": 9, "measures": {}}', '{"schema": 1, "measures": {"x": [["a"]]}}']
)
def test_a_file_of_another_form(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(IntegrityError, match="does not hold items"):
        read_items(tmp_path)


def test_pairs_are_found_by_id() -> None:
    old = items_of("abcd", [1, 1, 0, 0])
    new = items_of("dcbax", [0, 1, 1, 1, 0])
    found = compare(new, old, 0.1)
    assert (found.result.difference, found.result.n, found.missing, found.added) == (0.25, 4, 0, 1)
    flipped = compare(new, old, 0.1, lower_is_better=True)
    assert flipped.result.difference == -0.25


def test_what_was_left_out_counts_as_lost() -> None:
    old = items_of(map(str, range(100)), [1.0] * 100)
    assert compare(old[:90], old, 0.2).result.difference == pytest.approx(-0.1)
    refused = items_of(map(str, range(100)), [0.0] * 100)
    assert compare(refused[:90], refused, 0.2, lower_is_better=True).result.difference == pytest.approx(-0.1)
