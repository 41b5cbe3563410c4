"""`kill -9` at random moments: nothing half-made is ever in the store, and the resumed run ends as an unbroken one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from luodi.store import Store

SCRIPT = Path(__file__).with_name("kill_pipeline.py")


def start(root: Path) -> subprocess.Popen[str]:
    root.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, SCRIPT, root], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(root: Path) -> dict[str, str]:
    process = start(root)
    out, problem = process.communicate(timeout=60)
    assert process.returncode == 0, problem
    outputs: dict[str, str] = json.loads(out)
    return outputs


def began(root: Path) -> list[int]:
    """The steps at which the long stage began, attempt by attempt."""
    path = root / "began.txt"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def check(root: Path) -> None:
    if not (root / ".luodi").exists():
        return
    store = Store(root / ".luodi")
    assert {a.digest: store.artifacts.problems(a) for a in store.artifacts.all() if store.artifacts.problems(a)} == {}
    assert [action.stage for action in store.actions.all() if action.output not in store.artifacts] == []
    records = list(store.actions.root.glob("*.json"))
    assert len(records) == len(list(store.actions.all())), "a record is damaged"


def tell(killed: int) -> None:
    """Count for the benchmark each kill after which the store was whole."""
    if "LUODI_KILLS_TOLD" in os.environ:
        with Path(os.environ["LUODI_KILLS_TOLD"]).open("a") as file:
            file.write(f"{killed}\n")


@dataclass(frozen=True)
class Unbroken:
    outputs: dict[str, str]
    seconds: float


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Unbroken:
    times = []
    for _ in range(2):
        begin = time.monotonic()
        outputs = finish(tmp_path_factory.mktemp("unbroken"))
        times.append(time.monotonic() - begin)
    return Unbroken(outputs, min(times))


def kills(unbroken: Unbroken, folder: Path, number: int, seed: int) -> list[list[int]]:
    """Kill `number` runs, each going on where the last was killed; returns the long stage's first steps by store."""
    moments = random.Random(seed)
    killed = turn = 0
    root = folder / "0"
    while killed < number:
        process = start(root)
        try:
            # A wait that ends early is a run that ended early; the next one starts on an empty store.
            out, problem = process.communicate(timeout=moments.uniform(0, unbroken.seconds))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            # It may have ended in the moment of the kill; that is no kill.
            check(root)
            if process.returncode == -signal.SIGKILL:
                killed += 1
                tell(killed)
        else:
            assert process.returncode == 0, problem
            assert json.loads(out) == unbroken.outputs
            check(root)
            turn += 1
            root = folder / str(turn)
    assert finish(root) == unbroken.outputs
    check(root)
    return [began(folder / str(i)) for i in range(turn + 1)]


def test_eight_kills(unbroken: Unbroken, tmp_path: Path) -> None:
    for starts in kills(unbroken, tmp_path, 8, seed=1):
        assert starts == sorted(starts)


@pytest.mark.slow
def test_fifty_kills(unbroken: Unbroken, tmp_path: Path) -> None:
    starts = kills(unbroken, tmp_path, 50, seed=2)
    assert all(attempts == sorted(attempts) for attempts in starts)
    assert any(attempts[-1] > 0 for attempts in starts)  # several were killed in the long stage


def test_long_stage_goes_on_from_its_checkpoint(unbroken: Unbroken, tmp_path: Path) -> None:
    process = start(tmp_path)
    while (
        not (reached := [json.loads(p.read_bytes())["step"] for p in tmp_path.glob(".luodi/state/*/checkpoint.json")])
        or reached[0] < 5
    ):
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert finish(tmp_path) == unbroken.outputs
    first, second = began(tmp_path)
    assert first == 0 and second >= 5


def test_nothing_of_the_attempts_is_left(unbroken: Unbroken, tmp_path: Path) -> None:
    process = start(tmp_path)
    while not list(tmp_path.glob(".luodi/state/*/checkpoint.json")):
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.communicate()
    finish(tmp_path)
    assert list((tmp_path / ".luodi" / "work").iterdir()) == []
    assert list((tmp_path / ".luodi" / "state").iterdir()) == []
