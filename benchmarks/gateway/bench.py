"""What a run has: the mock on core 1, the subjects on core 0 of which one runs at a time, and rounds that mix them."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from benchmarks.gateway.litellm_subject import litellm_command
from benchmarks.gateway.load import closed
from benchmarks.gateway.luodi_subject import luodi_command
from benchmarks.gateway.subject import HARNESS_CORE, Command, Subject, Unavailable, free_port
from benchmarks.gateway.wire import Target, get

T = TypeVar("T")
DIRECT, BARE, LUODI, LITELLM = "direct", "bare proxy", "governed", "LiteLLM"
CACHED = "governed, with the exact cache"


def bare_command(work: Path, port: int, mock_port: int) -> Command:
    upstream = f"http://127.0.0.1:{mock_port}/v1"
    arguments = [sys.executable, "-m", "benchmarks.gateway.bare", "--port", str(port), "--upstream", upstream]
    return Command(arguments, Target(port), about="bare proxy: raw ASGI, uvicorn, httptools, aiohttp, orjson")


COMMANDS: dict[str, Callable[[Path, int, int], Command]] = {
    BARE: bare_command, LUODI: luodi_command, LITELLM: litellm_command, CACHED: partial(luodi_command, cached=True),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Size:
    """How long everything takes."""

    rounds: int = 5
    seconds: float = 3.0
    streams: int = 3  # one after the other on each connection
    warm: int = 10_000
    requests: int = 100_000


QUICK = Size(rounds=1, seconds=0.5, streams=1, warm=200, requests=500)


class Bench:
    """Starts the mock and the subjects; those that can't be started are in `reasons`."""

    def __init__(self, work: Path, names: Sequence[str], skipped: dict[str, str], size: Size) -> None:
        self.work, self.size = work, size
        self.reasons: dict[str, str] = dict(skipped)
        self.subjects: dict[str, Subject] = {}
        self._stack = ExitStack()
        self._started = 0
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.gateway.mock", "--port", str(port), "--core", str(HARNESS_CORE)]
        self.mock = Subject("mock", Command(command, Target(port)), work / "mock.log", core=HARNESS_CORE)
        self._stack.callback(self.mock.stop)
        try:
            self._start_all(names)
        except BaseException:
            self._stack.close()
            raise

    def _start_all(self, names: Sequence[str]) -> None:
        for name in names:
            try:
                self.subjects[name] = self.start(name)
                self._stack.callback(self.subjects[name].stop)
                closed(self.subjects[name].target, 16, seconds=1).check()  # what is loaded late is loaded now
                self.subjects[name].pause()
            except Exception as error:  # whatever keeps it from starting is the reason its figures are missing
                self.reasons[name] = why(error)
                self.subjects.pop(name, None)
                print(f"{name} can't be measured: {self.reasons[name]}", flush=True)

    def start(self, name: str) -> Subject:
        """A fresh one, running. Raises: Unavailable."""
        if name in self.reasons:
            raise Unavailable(self.reasons[name])
        self._started += 1
        work = self.work / f"{self._started}"
        work.mkdir()
        return Subject(name, COMMANDS[name](work, free_port(), self.mock.target.port), work / "log")

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def running(self, name: str) -> Iterator[Subject]:
        """The subject, the only one that runs meanwhile. `direct` is the mock itself."""
        if name == DIRECT:
            yield self.mock
            return
        subject = self.subjects[name]
        subject.go_on()
        try:
            yield subject
        finally:
            subject.pause()

    def control(self, *, pace_ms: int = 0, deltas: int = 64) -> None:
        """How the mock behaves from now on."""
        get(self.mock.target.port, f"/control?pace_ms={pace_ms}&deltas={deltas}&delay_ms=0", "POST")

    def asked(self) -> int:
        """Requests that came to the mock since `control`."""
        return int(json.loads(get(self.mock.target.port, "/stats")[1])["requests"])

    def mixed(self, names: Sequence[str], measure: Callable[[Subject], T]) -> Measured[T]:
        """Measure each in every round, in another order each time. One that fails is left out from then on."""
        values: dict[str, list[T]] = {name: [] for name in names}
        reasons = {n: self.reasons[n] for n in names if n in self.reasons}
        for number in range(self.size.rounds):
            order = [n for n in names if n not in reasons]
            random.Random(number).shuffle(order)
            for name in order:
                try:
                    with self.running(name) as subject:
                        values[name].append(measure(subject))
                except Exception as error:  # a figure of a server that fails would be none
                    reasons[name] = why(error)
                    print(f"  {name}: {reasons[name]}", flush=True)
        return Measured(values, reasons)


@dataclass(frozen=True, slots=True)
class Measured(Generic[T]):
    """A value a round for each subject, and why some have none."""

    values: dict[str, list[T]]
    reasons: dict[str, str]

    def reason(self, *names: str) -> str | None:
        """Why one of these could not be measured."""
        return next((f"{n}: {self.reasons[n]}" for n in names if n in self.reasons), None)

    def pick(self, name: str, value: Callable[[T], float]) -> list[float]:
        return [value(v) for v in self.values.get(name, [])]

    def pairs(self, name: str, other: str, value: Callable[[T, T], float]) -> list[float]:
        """`value` of what both measured in the same round."""
        if self.reason(name, other):
            return []
        return [value(a, b) for a, b in zip(self.values[name], self.values[other], strict=True)]


def why(error: Exception) -> str:
    """A reason for the table."""
    return str(error) if isinstance(error, (Unavailable, RuntimeError)) else f"{type(error).__name__}: {error}"


def settle(seconds: float) -> None:
    """Let what was just started come to rest."""
    time.sleep(seconds)
