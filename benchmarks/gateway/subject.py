"""A server under test: a process of its own on core 0, what it has used of it, and its end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.gateway.wire import Target, get

ROOT = Path(__file__).resolve().parent.parent.parent
SUBJECT_CORE, HARNESS_CORE = 0, 1
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Unavailable(RuntimeError):
    """A subject that can't be measured, and why."""


@dataclass(frozen=True, slots=True)
class Command:
    """How to start a subject, and how to ask it. `about` goes into the report."""

    arguments: list[str]
    target: Target
    env: Mapping[str, str] = field(default_factory=dict)
    about: str = ""


class Subject:
    """A running one. Use as a context manager.

    Raises:
        Unavailable: it ends, or does not answer with a completion in time.
    """

    def __init__(
        self, name: str, command: Command, log: Path, *, core: int = SUBJECT_CORE, wait_s: float = 120
    ) -> None:
        self.name, self.target, self.about = name, command.target, command.about
        self._log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                command.arguments, cwd=ROOT, env=os.environ | dict(command.env), stdout=out, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, {core}),
            )  # fmt: skip
        began = time.monotonic()
        try:
            self._wait(wait_s)
        except BaseException:
            self.stop()
            raise
        self.start_s = time.monotonic() - began

    def _wait(self, wait_s: float) -> None:
        until, last = time.monotonic() + wait_s, "no answer"
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise Unavailable(f"{self.name} ended with {self._process.returncode}: {self.told()}")
            try:
                status, body = get(self.target.port, "/v1/models", key=self.target.key, timeout_s=2)
                if status == 200:
                    return
                last = f"{status} {body[:200]!r}"
            except OSError as error:
                last = str(error)
            time.sleep(0.1)
        raise Unavailable(f"{self.name} did not answer in {wait_s:.0f} s ({last}): {self.told()}")

    def told(self) -> str:
        """The end of what it wrote, on one line."""
        return " ".join(self._log.read_text("utf-8", "replace").split())[-400:]

    def __enter__(self) -> Subject:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it and what it started."""
        if self._process.poll() is None:
            tree = _tree(self._process.pid)
            self.go_on()
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(15)
            for pid in tree[1:]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def pause(self) -> None:
        """Take it off the core, so that what it does while idle is not counted against another."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in _tree(self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def cpu_s(self) -> float:
        """Seconds of processor time, its own and the system's for it, of all its processes."""
        ticks = 0
        for pid in _tree(self._process.pid):
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(map(int, fields[11:15]))  # utime, stime, and those of children that ended
        return ticks / _TICK

    def rss_mb(self) -> float:
        """Resident memory of all its processes, in 10^6 bytes."""
        pages = 0
        for pid in _tree(self._process.pid):
            with contextlib.suppress(OSError):
                pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * _PAGE / 1e6


def _tree(pid: int) -> list[int]:
    """`pid` and its descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, task.read_text().split())
    return found


def core_s(core: int = SUBJECT_CORE) -> float:
    """Seconds that a core was not idle, whoever used it."""
    lines = Path("/proc/stat").read_text().splitlines()
    fields = next(line for line in lines if line.startswith(f"cpu{core} ")).split()[1:9]
    return (sum(map(int, fields)) - int(fields[3]) - int(fields[4])) / _TICK


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
