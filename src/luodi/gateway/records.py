"""Records of calls: one writer thread commits in groups; what was acknowledged is durable."""

from __future__ import annotations

import json
import queue
import threading
from concurrent.futures import Future
from typing import Any

from sqlalchemy import insert, select

from luodi.errors import StoreError
from luodi.store import Store
from luodi.store.migrations import records

_GROUP = 256  # rows a commit


class Recorder:
    """Writes records in the order they come. `put` returns a future that is done once the row is on disk."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: queue.SimpleQueue[tuple[dict[str, Any], Future[None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name="records")
        self._thread.start()

    def put(self, row: dict[str, Any]) -> Future[None]:
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # a caller that goes away can't cancel it: the row is written
        self._queue.put((row | {"data": json.dumps(row["data"], ensure_ascii=False, sort_keys=True)}, future))
        return future

    def close(self) -> None:
        """Write what is waiting, then stop."""
        self._queue.put(None)
        self._thread.join()

    def _loop(self) -> None:
        while True:
            item = self._queue.get()
            group = []
            while item is not None:
                group.append(item)
                try:
                    item = self._queue.get_nowait() if len(group) < _GROUP else None
                except queue.Empty:
                    break
            ended = item is None and len(group) < _GROUP
            if group:
                self._write(group)
            if ended:
                return

    def _write(self, group: list[tuple[dict[str, Any], Future[None]]]) -> None:
        try:
            with self._store.database.begin() as connection:
                connection.execute(insert(records), [row for row, _ in group])
        except Exception as error:  # every caller of the group must hear of it, whatever it was
            for _, future in group:
                future.set_exception(error)
            return
        for _, future in group:
            future.set_result(None)


def read_record(store: Store, prefix: str) -> dict[str, Any]:
    """The one record whose id starts with `prefix`. Raises: StoreError if none or several do."""
    prefix = prefix.removeprefix("record:").rstrip("…")
    with store.database.begin() as connection:
        found = (
            connection.execute(select(records).where(records.c.id.startswith(prefix, autoescape=True)).limit(2))
            .mappings()
            .all()
        )
    if len(found) != 1 or len(prefix) < 4:
        raise StoreError(
            f"{'several' if len(found) > 1 else 'no'} records start with {prefix!r}", "every answer names its record"
        )
    data: dict[str, Any] = json.loads(found[0]["data"])
    return {k: v for k, v in found[0].items() if k != "data"} | data
