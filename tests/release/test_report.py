from __future__ import annotations

import csv
import re
from importlib.resources import files
from pathlib import Path

import pytest

from luodi.release.report import render_report, write_report
from passport_sample import EVIL, bare, passport


def test_the_report_is_one_file_that_asks_for_nothing_else(tmp_path: Path) -> None:
    write_report(passport(), tmp_path / "r.html")
    html = (tmp_path / "r.html").read_text("utf-8")
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", html)
    assert "@import" not in html
    assert "<svg" in html


def test_every_measurement_and_verdict_is_in_it() -> None:
    html = render_report(passport())
    for rows in passport()["promises"].values():
        for m in rows:
            if m.get("gate"):
                assert m["gate"]["bound"].replace("≥", "").replace("≤", "").strip(" 0123456789.,%") in html
    assert "too few" in html
    assert "样本不足" in html


@pytest.mark.parametrize("language", ["en", "zh"])
def test_text_of_documents_and_models_never_becomes_markup(language: str) -> None:
    html = render_report(passport(), language)  # type: ignore[arg-type]
    assert EVIL not in html
    assert "&lt;script&gt;" in html


def test_a_passport_with_nothing_optional_is_rendered() -> None:
    assert "<html" in render_report(bare())


def test_words_have_both_languages() -> None:
    with files("luodi.release").joinpath("words.csv").open(encoding="utf-8") as file:
        assert all(row["en"] and row["zh"] for row in csv.DictReader(file))
