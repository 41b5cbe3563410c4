"""Where a row came from and what became of it, over the artifacts of the latest run."""

from __future__ import annotations

from dataclasses import dataclass

from luodi.errors import StoreError
from luodi.pipeline.rows import ROWS, Link, Row, read_lineage, read_rows
from luodi.store import Store


@dataclass(frozen=True, slots=True)
class Step:
    """One link of a row's history, with the row itself where it was kept."""

    stage: str
    link: Link
    row: Row | None


class Lineage:
    """Links of every data stage of a run. `latest` maps stage names to action keys, in the order of the run."""

    def __init__(self, store: Store, latest: dict[str, str]) -> None:
        self._links: list[tuple[str, Link]] = []
        self._rows: dict[str, Row] = {}
        for stage, key in latest.items():
            action = store.actions.get(key)
            if action is None or action.output not in store.artifacts:
                continue
            files = store.artifacts.get(action.output).files
            self._links += [(stage, link) for link in read_lineage(files)]
            if (files / ROWS).is_file():
                for row in read_rows(files):
                    self._rows[row.id] = row
        self._made: dict[str, list[tuple[str, Link]]] = {}
        self._used: dict[str, list[tuple[str, Link]]] = {}
        for stage, link in self._links:
            if link.out_id:
                self._made.setdefault(link.out_id, []).append((stage, link))
            for used in dict.fromkeys(link.in_ids):  # a pair may name its section twice
                self._used.setdefault(used, []).append((stage, link))

    def find(self, prefix: str) -> str:
        """The one row id that starts with `prefix`. Raises: StoreError if none or several do."""
        ids = {*self._made, *self._used}
        found = sorted(i for i in ids if i.startswith(prefix)) if len(prefix) >= 4 else []
        if len(found) != 1:
            raise StoreError(
                f"{len(found) or 'no'} rows start with {prefix!r}",
                "give a row's id (four characters or more); `luodi ask --why` shows some",
            )
        return found[0]

    def back(self, row_id: str) -> list[Step]:
        """How a row came to be, nearest step first, down to the file."""
        steps, todo, seen = [], [row_id], set()
        while todo:
            current = todo.pop(0)
            if current in seen:
                continue
            seen.add(current)
            for stage, link in reversed(self._made.get(current, [])):  # a kept row has a link of every stage
                steps.append(Step(stage, link, self._rows.get(current)))
                todo.extend(i for i in link.in_ids if i != current)
        return steps

    def forward(self, row_id: str) -> list[Step]:
        """What was made of a row, and where it was dropped."""
        steps, todo, seen = [], [row_id], set()
        while todo:
            current = todo.pop(0)
            if current in seen:
                continue
            seen.add(current)
            for stage, link in self._used.get(current, []):
                if link.out_id == current:
                    continue
                steps.append(Step(stage, link, self._rows.get(link.out_id)))
                if link.out_id:
                    todo.append(link.out_id)
        return steps
