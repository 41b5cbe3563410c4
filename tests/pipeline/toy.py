"""A small pipeline whose every part can be changed: what the runner's tests work on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel

from luodi.pipeline import Context, Link, Measurement, Row, Runner, Stage, shard
from luodi.store import Action, Store

TEXTS = [f"text {i}" for i in range(60)]
counted: list[list[str]] = []


class Params(BaseModel):
    suffix: str = ""
    keep: int = 60


def shout(rows: list[Row], params: BaseModel) -> tuple[list[Row], list[Link]]:
    counted.append([row.path for row in rows])
    made = [row.child("section", "0", text=row.text.upper()) for row in rows]
    return made, [Link(new.id, (old.id,), "shout") for new, old in zip(made, rows, strict=True)]


class Toy:
    """collect → clean → count → report, and `other`, which reads nothing. Keeps which stages ran."""

    def __init__(self, root: Path) -> None:
        self.project = root
        self.store = Store(root / ".luodi")
        self.texts = list(TEXTS)
        self.params = {name: Params() for name in ("collect", "clean", "count", "report", "other")}
        self.seed = 1
        self.outside = ""
        self.libraries: tuple[str, ...] = ()
        self.ran: list[str] = []
        self.told: list[tuple[str, ...]] = []

    def _noted(self, run: Callable[[Context], None]) -> Callable[[Context], None]:
        def noted(ctx: Context) -> None:
            self.ran.append(ctx.stage)
            run(ctx)

        return noted

    def _collect(self, ctx: Context) -> None:
        rows = [Row(f"{i:032x}", "document", text, "toy", f"{i}.txt") for i, text in enumerate(self.texts)]
        ctx.write_rows(rows, [Link(row.id, (), "collect", row.path) for row in rows])

    def _clean(self, ctx: Context) -> None:
        done = ctx.map(shout, shard(ctx.rows(), 8))
        ctx.write_rows([row for rows, _ in done for row in rows], [link for _, links in done for link in links])

    def _count(self, ctx: Context) -> None:
        ctx.write_json("count.json", len(ctx.rows()))
        ctx.measure(Measurement("rows", "data", float(len(ctx.rows())), "rows", 1, "higher"))
        ctx.summary = f"{len(ctx.rows())} rows"

    def _report(self, ctx: Context) -> None:
        (ctx.out / "report.md").write_text(f"{ctx.json('count', 'count.json')}{ctx.params.suffix}")

    def _other(self, ctx: Context) -> None:
        ctx.write_json("other.json", ctx.params.suffix)

    def stages(self) -> list[Stage]:
        return [
            Stage(
                "collect",
                self._noted(self._collect),
                self.params["collect"],
                fingerprint=lambda: str(self.texts) + self.outside,
            ),
            Stage("clean", self._noted(self._clean), self.params["clean"], {"rows": "collect"}),
            Stage("count", self._noted(self._count), self.params["count"], {"rows": "clean"}, libraries=self.libraries),
            Stage("report", self._noted(self._report), self.params["report"], {"count": "count"}),
            Stage("other", self._noted(self._other), self.params["other"]),
        ]

    def runner(self, stages: list[Stage] | None = None) -> Runner:
        return Runner(self.store, stages or self.stages(), project=self.project, seed=self.seed, listener=self)

    def run(self, to: str | None = None) -> dict[str, Action]:
        self.ran.clear()
        self.told.clear()
        counted.clear()
        return self.runner().run(to)

    def why(self) -> dict[str, str]:
        return {p.stage: p.why for p in self.runner().plan()}

    def stage_started(self, stage: str, why: str) -> None:
        self.told.append(("started", stage, why))

    def stage_progress(self, stage: str, done: float, total: float, note: str) -> None:
        self.told.append(("progress", stage, f"{done:g}/{total:g}"))

    def stage_finished(self, stage: str, summary: str, seconds: float, cached: bool) -> None:
        self.told.append(("cached" if cached else "finished", stage, summary))

    def stage_failed(self, stage: str, message: str) -> None:
        self.told.append(("failed", stage, message))


ALL = ["collect", "clean", "count", "report", "other"]


def digests(done: dict[str, Action]) -> dict[str, str]:
    return {name: action.output for name, action in done.items()}


def whole(store: Store) -> bool:
    return all(not store.artifacts.problems(a) for a in store.artifacts.all()) and all(
        a.output in store.artifacts for a in store.actions.all()
    )
