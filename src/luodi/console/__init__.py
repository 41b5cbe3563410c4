"""The web page at `/`: the release's promises, and a chat with its sources. Server-rendered, own script, no build."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from luodi.release.report import SCRIPT_HASH, Language, Row, promise_rows, promise_verdict, render_report, words

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_HEADERS = (
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
)
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;"
    " base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
# The report carries its own style and one script: only that very script may run.
_REPORT_POLICY = (
    f"default-src 'none'; style-src 'unsafe-inline'; script-src '{SCRIPT_HASH}'; img-src data:;"
    " base-uri 'none'; frame-ancestors 'none'"
)
# The measurements that head each promise's card, where they were taken.
_HEADLINES = {
    "compliance": ("licences_known", "planted_personal_data_left", "answers_labelled"),
    "security": ("attacks_blocked", "harmless_refused", "guard_checks_ran"),
    "data": ("contamination", "duplicates_removed", "documents_quarantined"),
    "fit": ("answer_f1", "retrieval_recall_at_5", "answers_supported"),
    "cost": ("p95_answer_ms", "usd_per_1000_answers", "memory_mb"),
}


@dataclass(frozen=True, slots=True)
class Page:
    """A whole HTTP answer; `headers` are those beside the content type."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...]


@cache
def strings() -> dict[str, dict[str, str]]:
    """The page's texts by key, each with `en` and `zh`."""
    with files("luodi.console").joinpath("strings.csv").open(encoding="utf-8") as file:
        return {row["key"]: row for row in csv.DictReader(file)}


class Console:
    """Pages for one release. `serving` has release, engine, pick and url."""

    def __init__(self, passport: dict[str, Any], *, serving: dict[str, Any]) -> None:
        self._passport = passport
        self._rows = promise_rows(passport)
        self._serving = serving
        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        source = files("luodi.console").joinpath("page.html.j2").read_text("utf-8")
        self._template = environment.from_string(source)

    def respond(self, path: str, *, language: Language, key: str) -> Page | None:
        """The page at `path`, or None. `key` is an API key the page may use; without one it asks for one."""
        if path == "/":
            return Page(
                200,
                "text/html; charset=utf-8",
                self._page(language, key),
                (*_HEADERS, ("content-security-policy", _POLICY)),
            )
        if path in ("/console.css", "/console.js"):
            body = files("luodi.console").joinpath("static", path[1:]).read_bytes()
            return Page(200, _TYPES[path[path.rindex(".") :]], body, _HEADERS)
        if path == "/passport":
            html = render_report(self._passport, language)
            return Page(
                200, "text/html; charset=utf-8", html.encode(), (*_HEADERS, ("content-security-policy", _REPORT_POLICY))
            )
        if path == "/passport.json":
            body = json.dumps(self._passport, ensure_ascii=False, indent=1).encode()
            return Page(200, "application/json", body, _HEADERS)
        return None

    def _page(self, language: Language, key: str) -> bytes:
        text = {k: row["zh" if language == "zh" else "en"] for k, row in strings().items()}
        data = {"key": key, "model": str(self._serving["release"]), "text": text}
        return self._template.render(
            t=text,
            language=language,
            passport=self._passport,
            serving=self._serving,
            promises=self._promises(language),
            examples=[e["question"] for e in self._passport.get("examples", []) if e.get("answerable", True)][:3],
            verdict=words(self._passport["verdict"]).of(language),
            # "<" is escaped so that no text of the data can end the script element it stands in.
            data=json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
        ).encode()

    def _promises(self, language: Language) -> list[dict[str, Any]]:
        return [
            {
                "name": words(promise).of(language),
                "verdict": (verdict := promise_verdict(rows)),
                "label": words(verdict).of(language),
                "rows": [_shown(row, language) for row in _headlines(promise, rows)],
            }
            for promise, rows in self._rows.items()
        ]


def _headlines(promise: str, rows: Sequence[Row]) -> list[Row]:
    """Up to three rows: what a required gate holds up comes first, then the usual headlines, then what has a gate."""
    usual = _HEADLINES[promise]
    trouble = {"block": 0, "need more": 1}

    def rank(row: Row) -> tuple[int, int, bool]:
        place = usual.index(row.name) if row.name in usual else len(usual)
        return (trouble.get(row.verdict, 2) if row.required else 2, place, not row.verdict)

    return sorted(rows, key=rank)[:3]


def _shown(row: Row, language: Language) -> dict[str, str]:
    """A row in one language; `named` is its verdict for people."""
    return {
        "label": row.label.of(language),
        "value": row.value.of(language),
        "interval": row.interval,
        "n": row.n if row.n != "1" else "",
        "verdict": row.verdict,
        "named": words(row.verdict).of(language),
        "both": row.both.of(language),
        "waiver": row.waiver.of(language),
    }
