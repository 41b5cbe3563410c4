"""A stage: a function from artifacts and a typed config to one artifact."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from luodi.pipeline.measurement import Measurement
from luodi.pipeline.rows import Link, Row, read_rows, write_lineage, write_rows
from luodi.store import Store

ShardFunction = Callable[[list[Row], BaseModel], tuple[list[Row], list[Link]]]
MEASUREMENTS = "measurements.json"


@dataclass(frozen=True, slots=True)
class Stage:
    """What the runner needs to know of a stage.

    Attributes:
        run: does the work; writes its content into `ctx.out`. "module:function" is imported only when it runs, so
            that seeing that nothing has to be done costs no imports.
        params: typed config, or the values for the module's own `Params`; every value is part of the key. Values
            left to `Params` are defaults in the code, which is part of the key too.
        inputs: name by which the stage knows an input -> the stage that makes it.
        libraries: distributions whose versions are part of the key.
        fingerprint: digest of what the stage reads from outside the store (files of the project), if anything.
    """

    name: str
    run: Callable[[Context], None] | str
    params: BaseModel | Mapping[str, Any]
    inputs: Mapping[str, str] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()
    fingerprint: Callable[[], str] | None = None

    @property
    def module(self) -> str:
        """The module whose code is the stage's."""
        return self.run.partition(":")[0] if isinstance(self.run, str) else self.run.__module__

    def values(self) -> dict[str, Any]:
        """The params as plain values."""
        plain = dict(self.params) if isinstance(self.params, Mapping) else self.params
        loaded: dict[str, Any] = to_jsonable_python(plain)
        return loaded

    def load(self) -> tuple[Callable[[Context], None], Any]:
        """The function and its typed config, imported now."""
        if not isinstance(self.run, str):
            return self.run, self.params
        module = import_module(self.module)
        params = module.Params.model_validate(self.params) if isinstance(self.params, Mapping) else self.params
        return getattr(module, self.run.partition(":")[2]), params


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
    store: Store
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
