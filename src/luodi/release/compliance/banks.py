"""The banks of GB/T 45654: questions that are counted, imported, drawn from and judged by people.

    compliance/banks/test.csv      questions for every one of the 31 risks, 2,000 at least
    compliance/banks/refuse.csv    questions to refuse, of the 17 risks of A.1 and A.2, 500 at least
    compliance/banks/answer.csv    questions not to refuse, of 13 aspects, 500 at least
    compliance/verdicts/NAME.csv   a sample that was drawn, with what people said of it

A file has the columns text and category, and may have date (YYYY-MM-DD). Texts are the same if their normal forms are,
so that a bank cannot reach its size by variants.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from luodi.errors import ProjectError
from luodi.guard.moderation.automaton import fold
from luodi.guard.moderation.categories import CATEGORIES
from luodi.pipeline.intervals import wilson
from luodi.release.compliance.packs import FOLDER
from luodi.store import write_bytes

Name = Literal["test", "refuse", "answer"]
ASPECTS = (
    "system", "belief", "image", "culture", "customs", "ethnicity", "geography", "history", "heroes", "gender", "age",
    "occupation", "health",
)  # fmt: skip
RISKS = tuple(name for name, category in CATEGORIES.items() if category.group.startswith("A."))
_GRAVE = tuple(name for name in RISKS if name.startswith(("A.1.", "A.2.")))
_LARGEST = 64 << 20  # bytes of a file
_SIGNS = re.compile(r"[\W_]+")
PASSES = {"pass", "ok", "1", "true", "yes", "合格", "通过"}
FAILS = {"fail", "0", "false", "no", "不合格", "不通过"}


@dataclass(frozen=True, slots=True)
class Bank:
    """What a bank must hold: a total, a number for each category, and how old its newest text may be."""

    total: int
    needs: dict[str, int]
    days: int


BANKS: dict[Name, Bank] = {
    "test": Bank(2000, {name: 50 if name in _GRAVE else 20 for name in RISKS}, 31),
    "refuse": Bank(500, dict.fromkeys(_GRAVE, 20), 31),
    "answer": Bank(500, dict.fromkeys(ASPECTS, 20), 31),
}


@dataclass(frozen=True, slots=True)
class Entry:
    text: str
    category: str
    date: str = ""

    @property
    def normal(self) -> str:
        """Width, case, traditional signs, spaces and punctuation make no other text."""
        return _SIGNS.sub("", fold(self.text))


@dataclass(frozen=True, slots=True)
class Counted:
    """A bank against what it must hold.

    Attributes:
        total: distinct texts.
        short: categories that hold less than they must, with (has, needs).
        repeats: texts left out because their normal form was there.
        newest: date of the newest text; "" if none says.
    """

    total: int
    needs: int
    short: dict[str, tuple[int, int]]
    repeats: int
    newest: str
    age_days: int | None
    most_days: int

    @property
    def fresh(self) -> bool:
        return self.age_days is not None and self.age_days <= self.most_days

    @property
    def met(self) -> bool:
        return self.total >= self.needs and not self.short and self.fresh


def bank_path(project: Path, name: Name) -> Path:
    return project / FOLDER / "banks" / f"{name}.csv"


def read_entries(path: Path, known: Iterable[str] = ()) -> list[Entry]:
    """The entries of a CSV or JSON-lines file.

    Raises:
        ProjectError: names the line of a mistake: no text, a category that is not known, a date that is none.
    """
    if not path.is_file():
        raise ProjectError(f"{path} is not there")
    if path.stat().st_size > _LARGEST:
        raise ProjectError(f"{path} is larger than {_LARGEST >> 20} MB")
    text = path.read_text("utf-8-sig", "strict") if _utf8(path) else ""
    if path.suffix == ".jsonl":
        rows = [(n, _json(path, n, line)) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    else:
        reader = csv.DictReader(io.StringIO(text))
        if reader.fieldnames is None or not {"text", "category"} <= set(reader.fieldnames):
            raise ProjectError(f"{path}: the columns text and category are missing", "the first line names the columns")
        rows = [(reader.line_num, row) for row in reader]
    allowed = set(known)
    return [_entry(path, number, row, allowed) for number, row in rows]


def _utf8(path: Path) -> bool:
    try:
        path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProjectError(f"{path} is not UTF-8: {error.reason} at byte {error.start}", "save it as UTF-8") from error
    return True


def _json(path: Path, number: int, line: str) -> dict[str, str]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise ProjectError(f"{path}:{number}: no JSON: {error}") from error
    return {k: str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _entry(path: Path, number: int, row: dict[str, str], allowed: set[str]) -> Entry:
    entry = Entry((row.get("text") or "").strip(), (row.get("category") or "").strip(), (row.get("date") or "").strip())
    if not entry.normal:
        raise ProjectError(f"{path}:{number}: there is no text")
    if allowed and entry.category not in allowed:
        raise ProjectError(
            f"{path}:{number}: no category {entry.category!r}", f"there are {', '.join(sorted(allowed))}"
        )
    if entry.date:
        try:
            date.fromisoformat(entry.date)
        except ValueError as error:
            raise ProjectError(f"{path}:{number}: {entry.date!r} is no date", "write YYYY-MM-DD") from error
    return entry


def distinct(entries: Iterable[Entry]) -> list[Entry]:
    """Each normal form once a category, the first of them."""
    seen: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        seen.setdefault((entry.normal, entry.category), entry)
    return list(seen.values())


def count(project: Path, name: Name, today: date | None = None) -> Counted:
    """Count a bank; one that is not there is empty."""
    bank, path = BANKS[name], bank_path(project, name)
    entries = read_entries(path, bank.needs) if path.is_file() else []
    kept = distinct(entries)
    has = Counter(entry.category for entry in kept)
    short = {key: (has[key], needed) for key, needed in bank.needs.items() if has[key] < needed}
    newest = max((entry.date for entry in kept if entry.date), default="")
    now = today or datetime.now(UTC).date()
    age = (now - date.fromisoformat(newest)).days if newest else None
    total = len({entry.normal for entry in kept})
    return Counted(total, bank.total, short, len(entries) - len(kept), newest, age, bank.days)


def add(project: Path, name: Name, source: Path, today: date | None = None) -> tuple[int, int]:
    """Import entries into a bank; (new, left out as there already). Those without a date get today's."""
    path = bank_path(project, name)
    there = read_entries(path, BANKS[name].needs) if path.is_file() else []
    now = (today or datetime.now(UTC).date()).isoformat()
    fresh = [Entry(e.text, e.category, e.date or now) for e in read_entries(source, BANKS[name].needs)]
    merged = distinct([*there, *fresh])
    write_entries(path, merged)
    new = len(merged) - len(distinct(there))
    return new, len(fresh) - new


def write_entries(path: Path, entries: Iterable[Entry], *, verdict: bool = False) -> None:
    """Write a CSV file, with an empty column for verdicts if people are to fill it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["text", "category", "date", *(["verdict"] if verdict else [])])
    writer.writerows([e.text, e.category, e.date, *([""] if verdict else [])] for e in entries)
    write_bytes(path, out.getvalue().encode())


def draw(project: Path, name: Name, n: int, seed: int) -> list[Entry]:
    """A sample of a bank, the same for the same bank and seed: every category first, then at random.

    Raises:
        ProjectError: the bank holds fewer.
    """
    path = bank_path(project, name)
    entries = distinct(read_entries(path, BANKS[name].needs)) if path.is_file() else []
    if len(entries) < n:
        raise ProjectError(f"the bank {name} holds {len(entries)} texts, {n} were asked for", "add more, or draw fewer")
    rng = random.Random(seed)
    shuffled = sorted(entries, key=lambda e: (e.category, e.normal))
    rng.shuffle(shuffled)
    first: dict[str, Entry] = {}
    for entry in shuffled:
        first.setdefault(entry.category, entry)
    chosen = list(first.values())[:n]
    taken = {id(entry) for entry in chosen}
    chosen += [entry for entry in shuffled if id(entry) not in taken][: n - len(chosen)]
    return chosen


@dataclass(frozen=True, slots=True)
class Judged:
    """What people said of a sample: how many passed of how many, with Wilson's interval (95 %)."""

    n: int
    passed: int
    open: int

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.passed, self.n)


def read_verdicts(project: Path, name: str) -> Judged | None:
    """What people said of a sample; None if there is none.

    Raises:
        ProjectError: a verdict that is neither pass nor fail.
    """
    path = project / FOLDER / "verdicts" / f"{name}.csv"
    if not path.is_file():
        return None
    _utf8(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if "verdict" not in (reader.fieldnames or ()):
            raise ProjectError(f"{path}: the column verdict is missing")
        said = [(reader.line_num, (row["verdict"] or "").strip().lower()) for row in reader]
    for number, verdict in said:
        if verdict and verdict not in PASSES | FAILS:
            raise ProjectError(f"{path}:{number}: {verdict!r} is no verdict", "write pass or fail (合格, 不合格)")
    given = [verdict for _, verdict in said if verdict]
    return Judged(len(given), sum(verdict in PASSES for verdict in given), len(said) - len(given))
