"""Books of the group writer: holding before a call, settling after it. All arithmetic is in whole numbers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from luodi.gateway.ledger.limits import Limits, Scope
from luodi.store import Store
from luodi.store.audit import LogRow, append
from luodi.store.database import now_ms
from luodi.store.tx import Tx, tx_of

_DAY_MS = 86_400_000
_MINUTE_MS = 60_000


@dataclass(slots=True)
class Reservation:
    """What a call asks for: its tokens for the minute's limit, and its worst case in nano-dollars.

    `scopes` are those that have limits.
    """

    worker: str
    scopes: tuple[Scope, ...]
    tokens: int
    nano_usd: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class Room:
    """Whether a call may go on, and what is left of the limit of each sort that has least left.

    `denied` is "", or the limit that is used up; `scope` whose it is; `retry_ms` when to try again (-1: not before
    somebody raises the limit or the day or month ends). Of requests and tokens: limit, remaining, ms until full again;
    a limit of -1 says that there is none.
    """

    denied: str
    scope: str
    retry_ms: int
    requests: tuple[int, int, int]
    tokens: tuple[int, int, int]


@dataclass(slots=True)
class Settlement:
    """The end of a call: what was held is let go, what was used is charged, its row is written.

    `scopes` are the names of all scopes that are charged, `held` those in which money and a place were held.
    """

    worker: str
    scopes: tuple[str, ...]
    held: tuple[str, ...]
    held_nano_usd: int
    held_tokens: int
    tokens: int
    nano_usd: int
    now_ms: int
    row: LogRow
    payload: tuple[str, bytes] | None = None  # subject, sealed content


@dataclass(slots=True)
class _Meter:
    at_ms: int = 0
    requests_milli: int = 0
    tokens_milli: int = 0
    day: int = 0
    day_nano: int = 0
    month: int = 0
    month_nano: int = 0
    calls: int = 0
    tokens: int = 0
    nano: int = 0
    held_nano: int = 0
    held_calls: int = 0

    def refill(self, now_ms: int, limits: Limits) -> None:
        """Bring the minute's buckets up to `now_ms`. Clocks of two machines may differ: time never runs back."""
        passed = max(0, now_ms - self.at_ms)
        self.at_ms = max(self.at_ms, now_ms)
        if limits.requests_minute is not None:
            self.requests_milli = max(0, self.requests_milli - passed * limits.requests_minute * 1000 // _MINUTE_MS)
        if limits.tokens_minute is not None:
            self.tokens_milli = max(0, self.tokens_milli - passed * limits.tokens_minute * 1000 // _MINUTE_MS)

    def turn(self, now_ms: int) -> None:
        """Begin a new day or month, if it is one."""
        day, month = _windows(now_ms)
        if day > self.day:
            self.day, self.day_nano = day, 0
        if month > self.month:
            self.month, self.month_nano = month, 0


_windows_cache: tuple[int, int, int] = (-1, 0, 0)


def _windows(now_ms: int) -> tuple[int, int]:
    """(days since 1970, year * 12 + month) in UTC."""
    global _windows_cache
    day = now_ms // _DAY_MS
    if _windows_cache[0] != day:
        t = time.gmtime(now_ms / 1000)
        _windows_cache = (day, day, t.tm_year * 12 + t.tm_mon)
    return _windows_cache[1], _windows_cache[2]


_COLUMNS = "at_ms, requests_milli, tokens_milli, day, day_nano_usd, month, month_nano_usd, calls, tokens, nano_usd"


_SAVE = (
    f"INSERT INTO meters (scope, {_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (scope) DO UPDATE SET "  # noqa: S608
    + ", ".join(f"{name}=excluded.{name}" for name in _COLUMNS.split(", "))
)


def _load(tx: Tx, names: Iterable[str], *, holds: bool) -> dict[str, _Meter]:
    wanted = sorted(set(names))
    if not wanted:
        return {}
    marks = ",".join("?" * len(wanted))
    meters = {name: _Meter() for name in wanted}
    for row in tx.all(f"SELECT scope, {_COLUMNS} FROM meters WHERE scope IN ({marks})", wanted):  # noqa: S608
        meters[row[0]] = _Meter(*row[1:])
    if holds:
        sql = f"SELECT scope, SUM(nano_usd), SUM(calls) FROM holds WHERE scope IN ({marks}) GROUP BY scope"  # noqa: S608
        for name, nano, calls in tx.all(sql, wanted):
            meters[name].held_nano, meters[name].held_calls = int(nano), int(calls)
    return meters


def _save(tx: Tx, meters: dict[str, _Meter]) -> None:
    tx.many(
        _SAVE,
        [
            (n, m.at_ms, m.requests_milli, m.tokens_milli, m.day, m.day_nano, m.month, m.month_nano, m.calls, m.tokens,
             m.nano)
            for n, m in meters.items()
        ],
    )  # fmt: skip


def _hold(tx: Tx, changes: dict[tuple[str, str], list[int]]) -> None:
    tx.many(
        "INSERT INTO holds (scope, worker, nano_usd, calls) VALUES (?,?,?,?) ON CONFLICT (scope, worker) DO UPDATE SET "
        "nano_usd=holds.nano_usd+excluded.nano_usd, calls=holds.calls+excluded.calls",
        [(scope, worker, nano, calls) for (scope, worker), (nano, calls) in changes.items()],
    )


def reserve(tx: Tx, items: Sequence[Reservation]) -> list[Room]:
    """Hold what each call asks for, in all its scopes or in none."""
    meters = _load(tx, (s.name for r in items for s in r.scopes), holds=True)
    changes: dict[tuple[str, str], list[int]] = {}
    rooms = []
    for r in items:
        limited = r.scopes
        for s in limited:
            meters[s.name].refill(r.now_ms, s.limits)
            meters[s.name].turn(r.now_ms)
        denied = next((d for s in limited if (d := _denied(meters[s.name], s, r))), None)
        if denied is None:
            for s in limited:
                m = meters[s.name]
                m.requests_milli += 1000
                m.tokens_milli += r.tokens * 1000
                m.held_nano += r.nano_usd
                m.held_calls += 1
                change = changes.setdefault((s.name, r.worker), [0, 0])
                change[0] += r.nano_usd
                change[1] += 1
        rooms.append(_room(limited, meters, denied))
    if meters:
        _save(tx, meters)
        _hold(tx, changes)
    return rooms


def _denied(m: _Meter, scope: Scope, r: Reservation) -> tuple[str, str, int] | None:
    """(limit, scope, when to try again) if `r` would go over a limit of the scope."""
    limits = scope.limits
    if limits.requests_minute is not None and (over := m.requests_milli + 1000 - limits.requests_minute * 1000) > 0:
        return "requests_minute", scope.name, _refill_ms(over, limits.requests_minute)
    if limits.tokens_minute is not None and (over := m.tokens_milli + (r.tokens - limits.tokens_minute) * 1000) > 0:
        never = r.tokens > limits.tokens_minute
        return "tokens_minute", scope.name, -1 if never else _refill_ms(over, limits.tokens_minute)
    if limits.concurrent is not None and m.held_calls + 1 > limits.concurrent:
        return "concurrent", scope.name, 1000 if limits.concurrent else -1
    if limits.day_nano_usd is not None and m.day_nano + m.held_nano + r.nano_usd > limits.day_nano_usd:
        return "day_nano_usd", scope.name, -1
    if limits.month_nano_usd is not None and m.month_nano + m.held_nano + r.nano_usd > limits.month_nano_usd:
        return "month_nano_usd", scope.name, -1
    return None


def _refill_ms(milli: int, a_minute: int) -> int:
    return -1 if a_minute == 0 else -(-milli * _MINUTE_MS // (a_minute * 1000))


_NONE = (-1, -1, 0)


def _room(limited: tuple[Scope, ...], meters: dict[str, _Meter], denied: tuple[str, str, int] | None) -> Room:
    requests, tokens = _NONE, _NONE
    for s in limited:
        m = meters[s.name]
        requests = _least(requests, s.limits.requests_minute, m.requests_milli)
        tokens = _least(tokens, s.limits.tokens_minute, m.tokens_milli)
    what, scope, retry = denied or ("", "", 0)
    return Room(what, scope, retry, requests, tokens)


def _least(found: tuple[int, int, int], limit: int | None, used_milli: int) -> tuple[int, int, int]:
    if limit is None:
        return found
    left = max(0, (limit * 1000 - used_milli) // 1000)
    if found[0] >= 0 and found[1] <= left:
        return found
    return limit, left, max(0, _refill_ms(used_milli, limit))


def settle(tx: Tx, items: Sequence[Settlement]) -> list[int]:
    """Charge, let go of what was held, write the rows; the place of each row in the log."""
    meters = _load(tx, (name for s in items for name in s.scopes), holds=False)
    changes: dict[tuple[str, str], list[int]] = {}
    for s in items:
        for name in s.scopes:
            m = meters[name]
            m.turn(s.now_ms)
            m.calls += 1
            m.tokens += s.tokens
            m.nano += s.nano_usd
            m.day_nano += s.nano_usd
            m.month_nano += s.nano_usd
        for name in s.held:
            # What was taken from the minute's tokens by estimate is corrected to what was used.
            meters[name].tokens_milli = max(0, meters[name].tokens_milli + (s.tokens - s.held_tokens) * 1000)
            change = changes.setdefault((name, s.worker), [0, 0])
            change[0] -= s.held_nano_usd
            change[1] -= 1
    if meters:
        _save(tx, meters)
        _hold(tx, changes)
    places = append(tx, [s.row for s in items])
    tx.many(
        "INSERT INTO payloads (id, time_ms, subject, sealed) VALUES (?,?,?,?)",
        [(s.row.id, s.row.time_ms, s.payload[0], s.payload[1]) for s in items if s.payload],
    )
    return places


def used(tx: Tx, scope: str, limits: Limits, now_ms: int) -> dict[str, Any]:
    """What a scope has used and holds now; money in nano-dollars."""
    m = _load(tx, [scope], holds=True)[scope]
    m.refill(now_ms, limits)
    m.turn(now_ms)
    return {
        "calls": m.calls, "tokens": m.tokens, "nano_usd": m.nano, "day_nano_usd": m.day_nano,
        "month_nano_usd": m.month_nano, "held_nano_usd": m.held_nano, "in_flight": m.held_calls,
    }  # fmt: skip


def all_used(store: Store) -> list[dict[str, Any]]:
    """`used` of every scope that has used anything, the project first."""
    now = now_ms()
    with store.database.begin() as connection:
        tx = tx_of(connection)
        scopes = sorted((row[0] for row in tx.all("SELECT scope FROM meters")), key=lambda s: (":" in s, s))
        return [{"scope": scope, **used(tx, scope, Limits(), now)} for scope in scopes]
