"""How a run tells what it does: a listener is told, and shows it as it likes."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """Told of every stage. `why` is "" when the stage comes from the store."""

    def stage_started(self, stage: str, why: str) -> None: ...
    def stage_progress(self, stage: str, done: float, total: float, note: str) -> None: ...
    def stage_finished(self, stage: str, summary: str, seconds: float, cached: bool) -> None: ...
    def stage_failed(self, stage: str, message: str) -> None: ...


class Silent:
    """A listener that shows nothing."""

    def stage_started(self, stage: str, why: str) -> None:
        pass

    def stage_progress(self, stage: str, done: float, total: float, note: str) -> None:
        pass

    def stage_finished(self, stage: str, summary: str, seconds: float, cached: bool) -> None:
        pass

    def stage_failed(self, stage: str, message: str) -> None:
        pass
