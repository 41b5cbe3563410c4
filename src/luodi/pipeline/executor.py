"""Where shards run: in this process, in processes beside it, or on Ray. All call the same function."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from luodi.errors import StageError, require
from luodi.pipeline.rows import Link, Row
from luodi.pipeline.stage import ShardFunction

ShardResult = tuple[list[Row], list[Link]]
_WORTH_A_PROCESS = 2_000_000  # characters; below this starting processes costs more than it saves


def call(function: ShardFunction, rows: list[Row], params: Any) -> ShardResult:
    """The one function every executor runs."""
    return function(rows, params)


def _end_with_parent() -> None:
    """End this worker when the run is killed: a pool's workers hold both ends of their queue and would never end."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Executor(Protocol):
    """Runs shards and yields (index, result) as they finish, in any order."""

    def run(
        self, function: ShardFunction, shards: Sequence[list[Row]], params: Any
    ) -> Iterator[tuple[int, ShardResult]]: ...


class LocalExecutor:
    """Processes on this machine; small work stays in this one."""

    def __init__(self, workers: int = 0) -> None:
        self.workers = workers or os.cpu_count() or 1

    def run(
        self, function: ShardFunction, shards: Sequence[list[Row]], params: Any
    ) -> Iterator[tuple[int, ShardResult]]:
        size = sum(len(row.text) for rows in shards for row in rows)
        if self.workers == 1 or len(shards) < 2 or size < _WORTH_A_PROCESS:
            for index, rows in enumerate(shards):
                yield index, call(function, rows, params)
            return
        context = multiprocessing.get_context("forkserver")
        with ProcessPoolExecutor(
            min(self.workers, len(shards)), mp_context=context, initializer=_end_with_parent
        ) as pool:
            futures = [pool.submit(call, function, rows, params) for rows in shards]
            try:
                for index, future in enumerate(futures):
                    yield index, future.result()
            except BrokenProcessPool as error:
                raise StageError(
                    "a worker process died", "it may have run out of memory; finished shards are kept"
                ) from error
            finally:
                for future in futures:
                    future.cancel()


class RayExecutor:
    """Tasks on a Ray cluster; `address` as in ray.init, "" for a cluster on this machine."""

    def __init__(self, address: str = "") -> None:
        self.address = address

    def run(
        self, function: ShardFunction, shards: Sequence[list[Row]], params: Any
    ) -> Iterator[tuple[int, ShardResult]]:
        ray = require("ray", extra="ray")
        if not ray.is_initialized():
            ray.init(address=self.address or None, log_to_driver=False, include_dashboard=False)
        task = ray.remote(call)
        waiting = {task.remote(function, rows, params): index for index, rows in enumerate(shards)}
        while waiting:
            done, _ = ray.wait(list(waiting), num_returns=1)
            yield waiting.pop(done[0]), ray.get(done[0])


def executor_for(runner: str) -> Executor:
    """The executor of a project's `runner:` line."""
    if runner == "local":
        return LocalExecutor()
    return RayExecutor(runner if runner != "ray" else "")
