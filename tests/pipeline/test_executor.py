from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import BaseModel

from luodi.errors import StageError
from luodi.pipeline import Context, Link, Row, Runner, Stage, executor, shard
from luodi.pipeline.executor import Executor, LocalExecutor, RayExecutor, executor_for
from luodi.store import Store

BIG = [Row(f"{i:032x}", "document", f"{i} 文 " * 70_000, "toy", f"{i}.txt") for i in range(8)]  # 2.4 M characters


class Where(BaseModel):
    fails: bool = False
    dies: bool = False


def reverse(rows: list[Row], params: BaseModel) -> tuple[list[Row], list[Link]]:
    made = [row.child("section", "0", text=row.text[::-1]) for row in rows]
    return made, [Link(new.id, (old.id,), "reverse") for new, old in zip(made, rows, strict=True)]


def process_id(rows: list[Row], params: BaseModel) -> tuple[list[Row], list[Link]]:
    return [rows[0].child("section", "0", text=str(os.getpid()))], []


def trouble(rows: list[Row], params: Where) -> tuple[list[Row], list[Link]]:
    if params.dies:
        os.kill(os.getpid(), signal.SIGKILL)
    raise ZeroDivisionError("in a worker")


def turned(ctx: Context) -> None:
    done = ctx.map(reverse, shard(BIG, 4))
    ctx.write_rows([row for rows, _ in done for row in rows], [link for _, links in done for link in links])


def digest(root: Path, with_: Executor) -> str:
    stage = Stage("turned", turned, Where())
    return Runner(Store(root), [stage], project=root, seed=1, executor=with_).run()["turned"].output


def pids(with_: Executor, rows: list[Row]) -> set[int]:
    return {int(made[0].text) for _, (made, _) in with_.run(process_id, [[row] for row in rows], Where())}


def test_small_work_stays_in_this_process() -> None:
    assert pids(LocalExecutor(2), [Row(str(i), "document", "small", "toy", "") for i in range(4)]) == {os.getpid()}


def test_one_worker_is_this_process() -> None:
    assert pids(LocalExecutor(1), BIG) == {os.getpid()}


def test_big_work_goes_to_other_processes() -> None:
    assert os.getpid() not in pids(LocalExecutor(2), BIG)


def test_processes_make_the_same(tmp_path: Path) -> None:
    assert digest(tmp_path / "a", LocalExecutor(2)) == digest(tmp_path / "b", LocalExecutor(1))


def test_error_in_a_process_is_told() -> None:
    with pytest.raises(ZeroDivisionError, match="in a worker"):
        list(LocalExecutor(2).run(trouble, [[row] for row in BIG], Where()))  # type: ignore[arg-type]


def test_process_that_dies_is_told() -> None:
    with pytest.raises(StageError, match="a worker process died") as caught:
        list(LocalExecutor(2).run(trouble, [[row] for row in BIG], Where(dies=True)))  # type: ignore[arg-type]
    assert "memory" in caught.value.hint


PARENT = """
import importlib, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from luodi.pipeline.executor import LocalExecutor
from luodi.pipeline.rows import Row
waits = importlib.import_module("waits_for_ever")
if __name__ == "__main__":
    rows = [[Row(str(i), "document", "x" * 1_000_000, sys.argv[1], "")] for i in range(4)]
    list(LocalExecutor(2).run(waits.wait, rows, None))
"""
WAITS = """
import os, threading
from pathlib import Path
def wait(rows, params):
    Path(rows[0].source, f"pid-{os.getpid()}").write_text("")
    threading.Event().wait()
"""


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_with_a_killed_run(tmp_path: Path) -> None:
    (tmp_path / "waits_for_ever.py").write_text(WAITS)
    (tmp_path / "parent.py").write_text(PARENT)
    process = subprocess.Popen([sys.executable, tmp_path / "parent.py", tmp_path], stderr=subprocess.DEVNULL)
    while len(workers := list(tmp_path.glob("pid-*"))) < 2:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    ids = [int(path.name.removeprefix("pid-")) for path in workers]
    give_up = time.monotonic() + 10
    while (left := [pid for pid in ids if lives(pid)]) and time.monotonic() < give_up:
        time.sleep(0.01)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def test_executor_of_the_runner_line() -> None:
    assert isinstance(executor_for("local"), LocalExecutor)
    for line, address in (("ray", ""), ("ray://head:10001", "ray://head:10001")):
        made = executor_for(line)
        assert isinstance(made, RayExecutor) and made.address == address


def test_ray_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    from luodi.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError) as caught:
        list(RayExecutor().run(reverse, [[BIG[0]]], Where()))
    assert caught.value.hint == "pip install 'luodi[ray]'"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_ray_makes_the_same() -> None:
    """With a stage's own function: workers import it from the package, as they would on another machine."""
    ray = pytest.importorskip("ray")
    from luodi.data.clean import Params, clean_shard

    text = "Title\n=====\n\nA paragraph that is long enough to be kept as a section, number {}.\n"
    shards = [[Row(f"r{i}", "document", text.format(i), "s", f"p{i}.txt")] for i in range(6)]
    try:
        over_ray = sorted(RayExecutor().run(clean_shard, shards, Params()), key=lambda pair: pair[0])
    finally:
        ray.shutdown()
    assert over_ray == list(LocalExecutor(1).run(clean_shard, shards, Params()))


def test_work_worth_a_process_is_what_this_file_takes_for_big() -> None:
    assert sum(len(row.text) for row in BIG) > executor._WORTH_A_PROCESS
