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
from toy import ALL, Params, Toy, whole

from luodi.errors import SourceError, StageError, StoreError
from luodi.pipeline import Context, Measurement, Runner, Stage, read_measurements
from luodi.store import Store


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path / "project")


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
