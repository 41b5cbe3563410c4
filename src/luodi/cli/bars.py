"""Progress of a run: bars on a terminal, a line a stage in a pipe, JSON lines with --json."""

from __future__ import annotations

import time
from typing import Any

from luodi.cli.show import Show


class Lines:
    """A line when a stage starts and one when it ends."""

    def __init__(self, show: Show) -> None:
        self._show = show

    def stage_started(self, stage: str, why: str) -> None:
        if self._show.as_json:
            self._show.line("", event="started", stage=stage, why=why)

    def stage_progress(self, stage: str, done: float, total: float, note: str) -> None:
        return

    def stage_finished(self, stage: str, summary: str, seconds: float, cached: bool) -> None:
        mark = "=" if cached else "+"
        self._show.line(
            f"{mark} {stage:<14} {summary}  ({_time(seconds)})",
            event="finished",
            stage=stage,
            summary=summary,
            seconds=seconds,
            cached=cached,
        )

    def stage_failed(self, stage: str, message: str) -> None:
        if self._show.as_json:
            self._show.line("", event="failed", stage=stage, message=message)

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return


class Bars:
    """One bar a stage, with the time it took or will take."""

    def __init__(self, show: Show) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._progress = Progress(
            TextColumn("{task.fields[mark]} [bold]{task.description:<14}"),
            TextColumn("{task.fields[note]}", table_column=_wide()),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[clock]}"),
            console=Console(highlight=False),
        )
        self._tasks: dict[str, Any] = {}
        self._began: dict[str, float] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def stage_started(self, stage: str, why: str) -> None:
        self._began[stage] = time.monotonic()
        self._tasks[stage] = self._progress.add_task(stage, total=None, mark=" ", note=_safe(why), clock="")

    def stage_progress(self, stage: str, done: float, total: float, note: str) -> None:
        task = self._tasks.get(stage)
        if task is None or total <= 0:
            return
        passed = time.monotonic() - self._began[stage]
        left = passed * (total - done) / done if done > 0 else 0
        clock = f"{_clock(passed)}" + (f"  eta {_clock(left)}" if done > 0 and left >= 1 else "")
        fields: dict[str, Any] = {"clock": clock} | ({"note": _safe(note)} if note else {})
        self._progress.update(task, completed=done, total=total, **fields)

    def stage_finished(self, stage: str, summary: str, seconds: float, cached: bool) -> None:
        task = self._tasks.get(stage)
        if task is None:
            task = self._progress.add_task(stage, total=1, mark=" ", note="", clock="")
        mark, clock = ("[dim]=[/]", "[dim]stored[/]") if cached else ("[green]✓[/]", _clock(seconds))
        self._progress.update(task, completed=1, total=1, mark=mark, note=_safe(summary), clock=clock)

    def stage_failed(self, stage: str, message: str) -> None:
        if stage in self._tasks:
            self._progress.update(self._tasks[stage], mark="[red]✗[/]", note=f"[red]{_safe(message)}[/]", clock="")


def _wide() -> Any:
    from rich.table import Column

    return Column(ratio=1, overflow="fold")


def _safe(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else _clock(seconds)


def listener(show: Show) -> Bars | Lines:
    return Bars(show) if show.fancy else Lines(show)
