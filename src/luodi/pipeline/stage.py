"""A stage: a function from artifacts and a typed config to one artifact."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from luodi.pipeline.measurement import Measurement
from luodi.pipeline.rows import Link, Row, read_rows, write_lineage, write_rows

ShardFunction = Callable[[list[Row], BaseModel], tuple[list[Row], list[Link]]]
MEASUREMENTS = "measurements.json"


@dataclass(frozen=True, slots=True)
class Stage:
    """What the runner needs to know of a stage.

    Attributes:
        run: does the work; writes its content into `ctx.out`.
        params: typed config; every value is part of the key.
        inputs: name by which the stage knows an input -> the stage that makes it.
        libraries: distributions whose versions are part of the key.
        fingerprint: digest of what the stage reads from outside the store (files of the project), if anything.
    """

    name: str
    run: Callable[[Context], None]
    params: BaseModel
    inputs: Mapping[str, str] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()
    fingerprint: Callable[[], str] | None = None


@dataclass(slots=True)
class Context:
    """What a running stage may use.

    `out` is this attempt's own folder and starts empty. `state` survives attempts, so that a long stage goes on
    where a killed one stopped; it is removed when the stage completes.
    """

    stage: str
    params: Any
    inputs: Mapping[str, Path]
    out: Path
    state: Path
    seed: int
    project: Path
    downloads: Path
    map_shards: Callable[[ShardFunction, Sequence[list[Row]], Any], list[tuple[list[Row], list[Link]]]]
    report: Callable[[float, float, str], None]
    summary: str = ""
    made_from: dict[str, Any] = field(default_factory=dict)  # stage -> its action, for stages that tell of the run
    measurements: list[Measurement] = field(default_factory=list)

    def progress(self, done: float, total: float, note: str = "") -> None:
        self.report(done, total, note)

    def part(self, number: int, of: int, note: str = "") -> Callable[[float, float], None]:
        """A callback for the progress of part `number` (from 0) of `of` parts."""
        return lambda done, total: self.report(number + done / max(total, 1), of, note)

    def measure(self, measurement: Measurement) -> None:
        self.measurements.append(measurement)

    def rows(self, name: str = "rows") -> list[Row]:
        """The rows of an input."""
        return read_rows(self.inputs[name])

    def json(self, name: str, file: str) -> Any:
        """A JSON file of an input."""
        return json.loads((self.inputs[name] / file).read_bytes())

    def write_rows(self, rows: Iterable[Row], links: Iterable[Link] = ()) -> int:
        count = write_rows(self.out, rows)
        write_lineage(self.out, links)
        return count

    def write_json(self, file: str, value: Any) -> None:
        text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
        (self.out / file).write_text(text + "\n", "utf-8")

    def map(self, function: ShardFunction, shards: Sequence[list[Row]]) -> list[tuple[list[Row], list[Link]]]:
        """Apply `function` to every shard, here or on other machines; finished shards are kept."""
        return self.map_shards(function, shards, self.params)


def read_measurements(folder: Path) -> list[Measurement]:
    """The measurements a stage left in its artifact."""
    path = folder / MEASUREMENTS
    return [Measurement.from_dict(m) for m in json.loads(path.read_bytes())] if path.is_file() else []
