"""`luodi review export` writes the three files, also where nothing was decided, and a source of the project reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_nothing_decided(run: Any, store: Any, tmp_path: Path) -> None:
    (told,) = run("review", "export", str(tmp_path / "out"), "--json").lines()
    assert told["guard"] == told["feedback"] == told["gone"] == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "categories.jsonl", "feedback.jsonl", "guard.jsonl",
    ]  # fmt: skip
    assert run("review", "export", str(tmp_path / "out")).code == 0
