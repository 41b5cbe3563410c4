from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from luodi.errors import IntegrityError, SourceError, StageError, StoreError
from luodi.pipeline import Context, Link, Measurement, Row, Runner, Stage, keys, read_measurements, read_rows, shard
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


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path / "project")


ALL = ["collect", "clean", "count", "report", "other"]


def digests(done: dict[str, Action]) -> dict[str, str]:
    return {name: action.output for name, action in done.items()}


def whole(store: Store) -> bool:
    return all(not store.artifacts.problems(a) for a in store.artifacts.all()) and all(
        a.output in store.artifacts for a in store.actions.all()
    )


def test_every_stage_runs_once(toy: Toy) -> None:
    toy.run()
    assert toy.ran == ALL


def test_second_run_takes_all_from_the_store(toy: Toy) -> None:
    first = toy.run()
    assert (toy.run(), toy.ran) == (first, [])


def test_new_runner_takes_all_from_the_store(toy: Toy) -> None:
    first = toy.run()
    again = Toy(toy.project)
    assert (again.run(), again.ran) == (first, [])


def test_two_stores_hold_the_same(toy: Toy, tmp_path: Path) -> None:
    assert digests(Toy(tmp_path / "elsewhere" / "deeper").run()) == digests(toy.run())


def test_run_up_to_a_stage_runs_what_it_needs(toy: Toy) -> None:
    toy.run("clean")
    assert toy.ran == ["collect", "clean"]


def test_unknown_stage_names_the_known(toy: Toy) -> None:
    with pytest.raises(StageError, match="no stage 'claen'") as caught:
        toy.run("claen")
    assert caught.value.hint == "the stages are collect, clean, count, report, other"
    with pytest.raises(StageError):
        toy.runner().plan("claen")


def test_stage_before_its_input_is_a_mistake_of_the_program(toy: Toy) -> None:
    with pytest.raises(ValueError, match="'clean' comes before its input 'collect'"):
        toy.runner(toy.stages()[1:])


def test_option_of_the_last_stage(toy: Toy) -> None:
    toy.run()
    toy.params["report"] = Params(suffix="!")
    toy.run()
    assert toy.ran == ["report"]


def test_changed_input_runs_the_stages_below(toy: Toy) -> None:
    toy.run()
    toy.texts.append("one more")
    toy.run()
    assert toy.ran == ["collect", "clean", "count", "report"]


def test_unchanged_output_stops_the_wave(toy: Toy) -> None:
    toy.run()
    toy.params["clean"] = Params(keep=59)  # an option that makes no difference
    toy.run()
    assert toy.ran == ["clean"]


def test_wave_stops_in_the_middle(toy: Toy) -> None:
    toy.run()
    toy.texts[3] = "changed"  # the count stays
    toy.run()
    assert toy.ran == ["collect", "clean", "count"]


def test_fingerprint_of_what_is_outside(toy: Toy) -> None:
    toy.run()
    toy.outside = "x"
    toy.run()
    assert toy.ran == ["collect"]


def test_seed_is_part_of_every_key(toy: Toy) -> None:
    toy.run()
    toy.seed = 2
    toy.run()
    assert toy.ran == ALL


def test_version_of_a_library_of_one_stage(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.libraries = ("toylib",)
    monkeypatch.setattr(keys, "_version", lambda name: "1.0")
    toy.run()
    monkeypatch.setattr(keys, "_version", lambda name: "2.0" if name == "toylib" else "1.0")
    toy.run()
    assert toy.ran == ["count"]


def test_version_of_what_writes_rows_is_part_of_every_key(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.run()
    monkeypatch.setattr(keys, "_version", lambda name: "0.0")
    toy.run()
    assert toy.ran == ALL


def test_going_back_takes_the_old_result(toy: Toy) -> None:
    first = toy.run()
    toy.params["report"] = Params(suffix="!")
    toy.run()
    toy.params["report"] = Params()
    assert (toy.run(), toy.ran) == (first, [])


def test_changed_row_recomputes_its_shard_only(toy: Toy) -> None:
    toy.run()
    shards = [list(paths) for paths in counted]
    toy.texts[3] = "changed"
    done = toy.run()
    assert counted == [paths for paths in shards if "3.txt" in paths]
    texts = [row.text for row in read_rows(toy.store.artifacts.get(done["clean"].output).files)]
    assert sorted(texts) == sorted(text.upper() for text in toy.texts)


def test_recomputed_shards_give_what_a_fresh_run_gives(toy: Toy, tmp_path: Path) -> None:
    toy.run()
    toy.texts[3] = "changed"
    fresh = Toy(tmp_path / "fresh")
    fresh.texts[3] = "changed"
    assert digests(toy.run()) == digests(fresh.run())


def test_shards_of_a_failed_stage_are_kept(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        toy.run("collect")
        patch.setattr(Context, "write_rows", fails)
        with pytest.raises(StageError):
            toy.run("clean")
    assert counted
    toy.run("clean")
    assert counted == []


def test_plan_of_a_new_project(toy: Toy) -> None:
    assert toy.why() == {
        "collect": "never ran here",
        "clean": "after collect",
        "count": "after clean",
        "report": "after count",
        "other": "never ran here",
    }


def test_plan_of_a_finished_run(toy: Toy) -> None:
    toy.run()
    assert set(toy.why().values()) == {""}


def test_plan_changes_nothing(toy: Toy) -> None:
    toy.runner().plan()
    assert sorted(p.name for p in toy.store.root.iterdir()) == [".gitignore"]


def change_option(toy: Toy, _: pytest.MonkeyPatch) -> None:
    toy.params["count"] = Params(suffix="!")


def change_seed(toy: Toy, _: pytest.MonkeyPatch) -> None:
    toy.seed = 2


def change_library(toy: Toy, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(keys, "_version", lambda name: "0.0")


def change_code(toy: Toy, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(keys, "code_files", lambda module: {"some.helper": "other"})


def lose_artifact(toy: Toy, _: pytest.MonkeyPatch) -> None:
    toy.store.artifacts.remove(toy.store.artifacts.get(toy.store.actions.get(toy.runner().latest()["count"]).output))  # type: ignore[union-attr]


def damage_record(toy: Toy, _: pytest.MonkeyPatch) -> None:
    toy.store.actions.path(toy.runner().latest()["count"]).write_text("{")


@pytest.mark.parametrize(
    ("change", "stage", "why"),
    [
        (change_option, "count", "option changed (suffix: '' → '!')"),
        (change_seed, "count", "seed changed"),
        (change_library, "other", "environment changed (pyarrow)"),
        (change_code, "other", "code changed (some.helper, test_runner)"),
        (lose_artifact, "count", "its result is no longer in the store"),
        (damage_record, "count", "never ran here"),
    ],
)
def test_plan_says_why(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, change: Callable[..., None], stage: str, why: str
) -> None:
    toy.run()
    change(toy, monkeypatch)
    planned = toy.why()
    if planned["collect"]:  # the stages above must run first
        planned["count"] = planned["collect"]
    assert planned[stage] == why


def test_plan_names_the_changed_input(toy: Toy) -> None:
    toy.run()
    toy.texts[3] = "changed"
    toy.run("collect")
    assert toy.why() == {
        "collect": "",
        "clean": "input changed (rows)",
        "count": "after clean",
        "report": "after count",
        "other": "",
    }


def test_plan_names_outside_files(toy: Toy) -> None:
    toy.run()
    toy.outside = "x"
    assert toy.why()["collect"] == "its files changed"


def test_listener_is_told(toy: Toy) -> None:
    toy.run()
    toy.params["count"] = Params(suffix="!")
    toy.run("count")
    assert toy.told == [
        ("cached", "collect", ""),
        ("cached", "clean", ""),
        ("started", "count", "option changed (suffix: '' → '!')"),
        ("finished", "count", "60 rows"),
    ]


def test_lost_artifact_is_made_again(toy: Toy) -> None:
    first = toy.run()
    toy.store.artifacts.remove(toy.store.artifacts.get(first["clean"].output))
    assert digests(toy.run()) == digests(first)
    assert toy.ran == ["clean"]


def test_damaged_record_is_made_again(toy: Toy) -> None:
    first = toy.run()
    toy.store.actions.path(first["clean"].key).write_text("{")
    assert digests(toy.run()) == digests(first)
    assert toy.ran == ["clean"]


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '{"collect": "gone"}'])
def test_damaged_list_of_latest_actions_costs_nothing(toy: Toy, text: str) -> None:
    first = toy.run()
    (toy.store.root / "runs" / "latest.json").write_text(text)
    assert set(toy.why().values()) == {""}
    assert (toy.run(), toy.ran) == (first, [])


def tamper(folder: Path) -> None:
    path = sorted(folder.rglob("*.parquet"))[-1]
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_input_that_was_tampered_with_is_refused(toy: Toy) -> None:
    done = toy.run()
    tamper(toy.store.artifacts.get(done["clean"].output).files)
    toy.params["count"] = Params(suffix="!")
    with pytest.raises(IntegrityError, match=r"rows.parquet: changed"):
        toy.run()
    assert toy.ran == []


def test_shard_that_was_tampered_with_is_refused(toy: Toy) -> None:
    done = toy.run()
    shard_action = toy.store.actions.get(done["clean"].shards[0])
    assert shard_action is not None
    tamper(toy.store.artifacts.get(shard_action.output).files)
    toy.params["clean"] = Params()
    toy.store.actions.remove(done["clean"].key)
    with pytest.raises(IntegrityError):
        toy.run()


def failing(error: BaseException) -> Callable[[Context], None]:
    def run(ctx: Context) -> None:
        (ctx.out / "half").write_text("half")
        raise error

    return run


def test_failure_of_a_stage_writes_a_log(toy: Toy) -> None:
    with pytest.raises(StageError, match="stage broken failed: KeyError: 'what'") as caught:
        toy.runner([Stage("broken", failing(KeyError("what")), Params())]).run()
    [log] = (toy.store.root / "logs").iterdir()
    assert str(log) in caught.value.hint
    assert "Traceback" in log.read_text() and "KeyError: 'what'" in log.read_text()


def test_failure_is_told(toy: Toy) -> None:
    with pytest.raises(StageError):
        toy.runner([Stage("broken", failing(KeyError("what")), Params())]).run()
    assert toy.told[-1] == ("failed", "broken", "'what'")


def test_error_that_explains_itself_stays(toy: Toy) -> None:
    with pytest.raises(SourceError, match="no such file") as caught:
        toy.runner([Stage("broken", failing(SourceError("no such file", "look")), Params())]).run()
    assert caught.value.hint == "look"
    assert toy.told[-1] == ("failed", "broken", "no such file")


def test_full_disk_is_explained(toy: Toy) -> None:
    with pytest.raises(StoreError, match=r"could not write: No space.*\(/some/file\)") as caught:
        toy.runner([Stage("broken", failing(OSError(28, "No space left on device", "/some/file")), Params())]).run()
    assert "gc" in caught.value.hint


@pytest.mark.parametrize(
    "error", [KeyError("what"), SourceError("no"), KeyboardInterrupt()], ids=["bug", "explained", "interrupt"]
)
def test_failure_leaves_a_valid_store(toy: Toy, error: BaseException) -> None:
    stages = toy.stages()
    broken = Stage("count", failing(error), Params(), {"rows": "clean"})
    with pytest.raises((StageError, SourceError, KeyboardInterrupt)):
        toy.runner([*stages[:2], broken]).run()
    assert whole(toy.store)
    assert {a.stage for a in toy.store.actions.all()} == {"collect", "clean", "clean/shard"}
    toy.run()
    assert toy.ran == ["count", "report", "other"]


def test_stage_that_leaves_a_link_is_refused(toy: Toy) -> None:
    def links(ctx: Context) -> None:
        (ctx.out / "model").symlink_to("/etc")

    with pytest.raises(StoreError, match="is a link"):
        toy.runner([Stage("links", links, Params())]).run()
    assert list(toy.store.actions.all()) == []


def stepping(stop: list[int], seen: list[int]) -> Callable[[Context], None]:
    def run(ctx: Context) -> None:
        file = ctx.state / "step"
        begin = int(file.read_text()) if file.exists() else 0
        seen.append(begin)
        for step in range(begin, 10):
            if step in stop:
                raise RuntimeError(f"stopped at {step}")
            file.write_text(str(step + 1))
        ctx.write_json("done.json", 10)

    return run


def test_state_survives_a_failed_attempt(toy: Toy) -> None:
    stop, seen = [4], []
    stage = Stage("long", stepping(stop, seen), Params())
    with pytest.raises(StageError, match="stopped at 4"):
        toy.runner([stage]).run()
    stop.clear()
    toy.runner([stage]).run()
    assert seen == [0, 4]


def test_state_is_removed_after_success(toy: Toy) -> None:
    toy.runner([Stage("long", stepping([], []), Params())]).run()
    assert list((toy.store.root / "state").iterdir()) == []


def test_state_of_another_key_is_not_taken(toy: Toy) -> None:
    seen: list[int] = []
    with pytest.raises(StageError):
        toy.runner([Stage("long", stepping([4], seen), Params())]).run()
    toy.runner([Stage("long", stepping([], seen), Params(suffix="!"))]).run()
    assert seen == [0, 0]


def test_work_of_attempts_is_removed(toy: Toy) -> None:
    toy.run()
    assert list((toy.store.root / "work").iterdir()) == []


def test_measurements_are_kept_in_the_record_and_the_artifact(toy: Toy) -> None:
    action = toy.run()["count"]
    expected = Measurement("rows", "data", 60.0, "rows", 1, "higher")
    assert [Measurement.from_dict(m) for m in action.measurements] == [expected]
    assert read_measurements(toy.store.artifacts.get(action.output).files) == [expected]


def test_stage_may_look_at_what_ran_before(toy: Toy) -> None:
    seen: dict[str, Any] = {}
    done = toy.runner(
        [*toy.stages()[:2], Stage("tell", lambda ctx: seen.update(ctx.made_from), Params(), {"rows": "clean"})]
    ).run()
    assert seen == {"collect": done["collect"], "clean": done["clean"]}


HOLDER = """
import sys
from pathlib import Path
from luodi.pipeline.lease import lease
with lease(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(toy: Toy) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, toy.store.root / "run.lock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_second_run_is_refused(toy: Toy, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(StoreError, match=rf"process {holder.pid}\b") as caught:
        toy.run()
    assert "wait for it" in caught.value.hint
    assert toy.ran == []


def test_killed_run_holds_nothing(toy: Toy, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    toy.run()
    assert toy.ran == ALL


def test_plan_needs_no_lease(toy: Toy, holder: subprocess.Popen[str]) -> None:
    assert toy.why()["collect"] == "never ran here"


def test_run_reads_the_latest_actions_under_its_lease(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    from luodi.pipeline import runner

    other = Toy(toy.project)
    lease = runner.lease

    def slow_lease(path: Path) -> Any:
        monkeypatch.setattr(runner, "lease", lease)
        other.run()  # another run comes first
        return lease(path)

    monkeypatch.setattr(runner, "lease", slow_lease)
    toy.params["other"] = Params(suffix="!")
    toy.run("other")
    assert set(toy.runner().latest()) == set(ALL)


def run_in_child(root: Path) -> None:
    try:
        Toy(root).run()
    except StoreError as error:
        assert "another run" in error.message
        os._exit(3)
    os._exit(0)


def test_runs_at_once_leave_a_valid_store(toy: Toy) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=run_in_child, args=(toy.project,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert {process.exitcode for process in processes} <= {0, 3} and 0 in {process.exitcode for process in processes}
    assert whole(toy.store)
    toy.run()
    assert toy.ran == []


def test_eight_cached_stages_cost_next_to_nothing(tmp_path: Path) -> None:
    def small(ctx: Context) -> None:
        ctx.write_json("a.json", ctx.stage)

    names = [f"s{i}" for i in range(8)]
    stages = [Stage(name, small, Params(), {"before": names[i - 1]} if i else {}) for i, name in enumerate(names)]
    runner = Runner(Store(tmp_path / "store"), stages, project=tmp_path, seed=1)
    runner.run()
    best = 9.0
    for _ in range(3):
        begin = time.perf_counter()
        assert {planned.why for planned in runner.plan()} == {""}
        runner.run()
        best = min(best, time.perf_counter() - begin)
    assert best < 0.2


def test_latest_is_plain_json(toy: Toy) -> None:
    done = toy.run()
    assert json.loads((toy.store.root / "runs" / "latest.json").read_text()) == {
        name: action.key for name, action in done.items()
    }
