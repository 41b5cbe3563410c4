"""`make bench-audit`: the audit log's figures, in benchmarks/results/audit.json and audit.md.

Appending is measured in interleaved rounds with its peers, in one process and one thread, on a fresh SQLite file with
the settings of the gateway's writer: a plain insert of the same rows without a tree, and a bare hash chain.
"""

from __future__ import annotations

import json
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from luodi.store import Store
from luodi.store.audit import LogRow, PayloadKeys, append, make_checkpoint, prove, seal, verify
from luodi.store.audit.canonical import canonical
from luodi.store.audit.log import COLUMNS, encode
from luodi.store.tx import Tx

RESULTS = Path(__file__).resolve().parent / "results"
ROWS, GROUP, ROUNDS = 20_000, 64, 5
LARGE = 200_000
_INSERT = f"INSERT INTO log ({', '.join(COLUMNS)}, body, leaf) VALUES (?,?,?,?,?,?,?,?,?,?)"


def call_row(n: int) -> LogRow:
    """A row as the gateway writes one: a body of about 600 bytes."""
    body = {
        "owner": "shop backend", "team": "support", "surface": "chat", "task": "answer", "model": "helpdesk",
        "release_digest": "ab" * 32, "policy_digest": "cd" * 16, "finish": "stop", "prompt_tokens": 412,
        "completion_tokens": 57, "estimated": False, "price_known": True, "cached": "", "experiment": "",
        "route": {"pick": "large", "reason": "fixed"}, "checks_not_run": [],
        "verdicts": [{"check": "attack", "version": "3", "ran": True, "score_micro": 1234 + n, "action": "pass"}],
        "first_us": 231_000, "duration_us": 812_345 + n, "error": "", "content": f"{n:064x}",
    }  # fmt: skip
    return LogRow(f"rec_{n:024x}", 1_790_000_000_000 + n, "call", f"k{n % 50}", "helpdesk@1", "generated", 3900, body)


def writer(path: Path) -> tuple[sqlite3.Connection, Tx]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection, Tx(connection.cursor(), postgres=False)


def with_tree(tx: Tx, rows: list[LogRow], _: dict[str, Any]) -> None:
    append(tx, rows)


def plain(tx: Tx, rows: list[LogRow], state: dict[str, Any]) -> None:
    """The peer: the same columns, the same JSON, no hash."""
    start = state.get("size", 0)
    tx.many(_INSERT, [(n, *row[:7], encode(row, n).decode(), b"") for n, row in enumerate(rows, start)])
    state["size"] = start + len(rows)


def chain(tx: Tx, rows: list[LogRow], state: dict[str, Any]) -> None:
    """The usual design: each row carries the hash of the one before."""
    start, before = state.get("size", 0), state.get("before", b"")
    values = []
    for n, row in enumerate(rows, start):
        data = encode(row, n)
        before = sha256(before + data).digest()
        values.append((n, *row[:7], data.decode(), before))
    tx.many(_INSERT, values)
    state.update(size=start + len(rows), before=before)


def append_rate(way: Callable[[Tx, list[LogRow], dict[str, Any]], None], rows: int, group: int, folder: Path) -> float:
    """Rows a second, in transactions of `group` rows; rows are made before the clock starts."""
    store = Store(folder)
    path = Path(str(store.database.engine.url.database))
    store.database.close()
    made = [call_row(n) for n in range(rows)]
    connection, tx = writer(path)
    state: dict[str, Any] = {}
    began = time.perf_counter()
    for low in range(0, rows, group):
        connection.execute("BEGIN IMMEDIATE")
        way(tx, made[low : low + group], state)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return rows / seconds


def figure(name: str, values: list[float], unit: str, target: str, met: bool, peer: str = "") -> dict[str, Any]:
    return {
        "figure": name, "value": round(statistics.median(values), 4), "low": round(min(values), 4),
        "high": round(max(values), 4), "unit": unit, "n": len(values), "target": target, "met": met, "peer": peer,
        "command": "make bench-audit",
    }  # fmt: skip


def appending(work: Path) -> list[dict[str, Any]]:
    rates: dict[str, list[float]] = {"tree": [], "plain": [], "chain": []}
    for n in range(ROUNDS):
        for name, way in (("tree", with_tree), ("plain", plain), ("chain", chain)):
            rates[name].append(append_rate(way, ROWS, GROUP, work / f"{name}-{n}"))
    middle = {name: statistics.median(found) for name, found in rates.items()}
    peer = f"plain insert {middle['plain']:,.0f}, hash chain {middle['chain']:,.0f} rows/s, same run"
    share = middle["tree"] / middle["plain"]
    size = statistics.mean(len(canonical(call_row(n).body)) for n in range(100))
    single = [append_rate(with_tree, 4000, 1, work / f"single-{n}") for n in range(3)]
    big = [append_rate(with_tree, ROWS, 512, work / f"big-{n}") for n in range(3)]
    return [
        figure(f"appended in groups of {GROUP}, bodies of {size:.0f} bytes", rates["tree"], "rows/s", "≥ 20000",
               middle["tree"] >= 20_000, peer),
        figure("share of a plain insert's rate", [share], "", "–", True),
        figure("appended in groups of 512", big, "rows/s", "≥ 20000", statistics.median(big) >= 20_000),
        figure("appended one by one", single, "rows/s", "–", True),
    ]  # fmt: skip


def sealing() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        key = PayloadKeys(Path(folder)).current()
        payload = {"messages": [["user", "x" * 500]], "answer": "y" * 450}
        took = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            for n in range(5000):
                seal(f"rec_{n}", payload, key)
            took.append((time.perf_counter() - began) / 5000 * 1e6)
    return [figure("sealing 1 kB of content", took, "µs", "≈ 10", statistics.median(took) <= 20)]


def reading(work: Path) -> list[dict[str, Any]]:
    store = Store(work / "large")
    with store.database.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO releases VALUES ('helpdesk', 1, '{'ab' * 32}', 'pass', 1)")
    writer_connection, tx = writer(Path(str(store.database.engine.url.database)))
    for low in range(0, LARGE, 1000):
        rows = [call_row(n)._replace(body=call_row(n).body | {"content": ""}) for n in range(low, low + 1000)]
        writer_connection.execute("BEGIN IMMEDIATE")
        append(tx, rows)
        writer_connection.execute("COMMIT")
        make_checkpoint(store)
    writer_connection.close()
    verified, proved, checkpointed = [], [], []
    for n in range(3):
        report = verify(store)
        assert report.ok and report.rows == LARGE + n and report.checkpoints == LARGE // 1000 + n, report.problems[:3]
        verified.append(report.rows_per_second)
        began = time.perf_counter()
        hashes = len(prove(store, f"rec_{LARGE // 2 + n:024x}")["proof"])
        proved.append(time.perf_counter() - began)
        with store.database.begin() as connection:
            store.database.log(connection, "me", "test", "x")
        began = time.perf_counter()
        make_checkpoint(store)
        checkpointed.append((time.perf_counter() - began) * 1000)
    store.database.close()
    return [
        figure(f"verified, {LARGE:,} rows with {LARGE // 1000} checkpoints", verified, "rows/s", "–", True),
        figure(f"proof of one of {LARGE:,} rows, {hashes} hashes", proved, "s", "–", True),
        figure("making a checkpoint", checkpointed, "ms", "–", True),
    ]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-audit-") as folder:
        rows = [*appending(Path(folder)), *sealing(), *reading(Path(folder))]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True, cwd=RESULTS.parent
    ).stdout.strip()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for row in rows:
        row["commit"] = commit
    (RESULTS / "audit.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    lines = ["| figure | value | range | n | target | met | peer |", "|--|--|--|--|--|--|--|"]
    for r in rows:
        lines.append(
            f"| {r['figure']} | {r['value']} {r['unit']} | {r['low']} – {r['high']} | {r['n']} | {r['target']} |"
            f" {'yes' if r['met'] else 'no'} | {r['peer']} |"
        )
    about = f"SQLite {sqlite3.sqlite_version}, Python {platform.python_version()}, one thread"
    (RESULTS / "audit.md").write_text(
        f"Measured at {commit} by `make bench-audit` ({about}).\n\n" + "\n".join(lines) + "\n"
    )
    print("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
