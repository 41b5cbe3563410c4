"""Workers: who holds what, and settling for one that was killed."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from pathlib import Path
from typing import Any

from luodi.gateway.ledger.limits import PROJECT
from luodi.gateway.ledger.meters import Settlement, settle
from luodi.gateway.ledger.slots import HELD, InFlight, Slots, read_slots
from luodi.store import Store
from luodi.store.audit import LogRow
from luodi.store.database import now_ms
from luodi.store.tx import Tx, tx_of

_GONE_MS = 30 * 60_000  # without a sign of life


class Worker:
    """This process as a holder of budgets: a row in the database and a file of calls in flight."""

    def __init__(self, store: Store, *, slots: int = 8192) -> None:
        self._store = store
        self.id = f"w-{secrets.token_hex(8)}"
        self.slots = Slots(store.folder("gateway") / f"{self.id}.slots", slots)
        with store.database.begin() as connection:
            tx_of(connection).run(
                "INSERT INTO workers (id, host, pid, started, slots, seen_ms) VALUES (?,?,?,?,?,?)",
                (self.id, _host(), os.getpid(), _started(os.getpid()), str(self.slots.path), now_ms()),
            )

    def seen(self) -> None:
        """Say that this worker lives."""
        with self._store.database.begin() as connection:
            tx_of(connection).run("UPDATE workers SET seen_ms=? WHERE id=?", (now_ms(), self.id))

    def close(self) -> None:
        """Raises: StoreError if the database can't be used; the worker is then recovered by another."""
        if self.slots.in_use == 0:
            with self._store.database.begin() as connection:
                _forget(tx_of(connection), self.id)
            self.slots.close()


def recover(store: Store) -> list[str]:
    """Settle the calls of workers of this machine that were killed, and of machines long silent; the ids of the calls.

    Safe to run from several processes at once and to be killed itself: all of a worker is settled in one transaction.
    """
    settled: list[str] = []
    with store.database.begin() as connection:
        tx = tx_of(connection)
        if connection.dialect.name == "postgresql":
            tx.all("SELECT pg_advisory_xact_lock(7236521)")
        mine, gone = _host(), now_ms() - _GONE_MS
        for worker, host, pid, started, slots, seen in tx.all(
            "SELECT id, host, pid, started, slots, seen_ms FROM workers"
        ):
            # Of another host only its silence tells: a container that comes back may have another name.
            if (_started(pid) == started) if host == mine else (seen > gone):
                continue
            calls = list(read_slots(Path(slots)))
            known = {row[0] for c in calls for row in tx.all("SELECT id FROM log WHERE id=?", (c.id,))}
            lost = [c for c in calls if c.id not in known]
            if lost:
                settle(tx, [_settlement(worker, c) for c in lost])
            _forget(tx, worker)
            settled += [c.id for c in lost]
    for path in store.folder("gateway").glob("*.slots"):
        _remove_if_forgotten(store, path)
    return settled


def _settlement(worker: str, call: InFlight) -> Settlement:
    now = now_ms()
    prompt = 0 if call.state == HELD else call.prompt_tokens
    body = {
        "release": call.release, "release_digest": call.digest, "surface": call.surface, "team": call.team,
        "prompt_tokens": prompt, "completion_tokens": call.completion_tokens,
        "duration_us": 1000 * max(0, call.last_ms - call.started_ms), "finish": "error",
        "error": "the gateway was killed before a model was asked" if call.state == HELD else "the gateway was killed",
        "checks_not_run": ["output"],
    }  # fmt: skip
    row = LogRow(call.id, now, "call", call.key_id, call.release, "interrupted", call.nano_usd, body)
    scopes = (f"key:{call.key_id}", *([f"team:{call.team}"] if call.team else []), PROJECT)
    # What the worker held is let go with its rows of `holds`, not call by call.
    return Settlement(worker, scopes, (), 0, 0, prompt + call.completion_tokens, call.nano_usd, now, row, None)


def _forget(tx: Tx, worker: str) -> None:
    tx.run("DELETE FROM holds WHERE worker=?", (worker,))
    tx.run("DELETE FROM workers WHERE id=?", (worker,))


def _remove_if_forgotten(store: Store, path: Path) -> None:
    with store.database.begin() as connection:
        known = tx_of(connection).all("SELECT id FROM workers WHERE id=?", (path.stem,))
    if not known and path.stat().st_mtime * 1000 < now_ms() - 60_000:  # a worker that starts makes its file first
        with contextlib.suppress(OSError):
            path.unlink()


def this_process() -> str:
    """Names this process for `runs`: host, process and when it began."""
    return f"{_host()}:{os.getpid()}:{_started(os.getpid())}"


def runs(process: str) -> bool:
    """Whether a process may still run; one of another machine may."""
    host, _, rest = process.rpartition(":")[0].rpartition(":")
    pid, started = rest, process.rpartition(":")[2]
    return host != _host() or not pid.isdecimal() or _started(int(pid)) == started


def _host() -> str:
    return socket.gethostname()


def _started(pid: int) -> str:
    """When the process began, so that a pid used again is not mistaken for it; "" if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]  # a zombie runs no more
    except (OSError, IndexError):
        pass
    if os.path.exists("/proc/self/stat"):  # noqa: PTH110
        return ""
    try:  # a system without /proc tells only whether it is there
        os.kill(pid, 0)
    except OSError:
        return ""
    return "?"


def workers(store: Store) -> list[dict[str, Any]]:
    with store.database.begin() as connection:
        rows = tx_of(connection).all("SELECT id, host, pid, seen_ms FROM workers ORDER BY id")
    return [dict(zip(("id", "host", "pid", "seen_ms"), row, strict=True)) for row in rows]
