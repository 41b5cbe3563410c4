"""`kill -9` of a real gateway at every point at which it writes, and in the middle of streams."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import signal
import threading
import time
from typing import Any

import pytest

from luodi.gateway.ledger.limits import set_limits
from luodi.gateway.ledger.workers import recover
from luodi.store.audit import verify
from luodi.store.tx import tx_of

PROMPT, TOKEN = 1000, 2000  # nano-dollars


def read(response: Any) -> tuple[str, list[str]]:
    """(id of the record, words that were read until the end or until nothing more came)."""
    words: list[str] = []
    with contextlib.suppress(OSError, http.client.HTTPException):  # it was killed in the middle of an event
        for line in response:
            if line.startswith(b"data: {"):
                for choice in json.loads(line[6:]).get("choices", []):
                    words += (choice["delta"].get("content") or "").split()
    return response.headers["x-request-id"], words


def check(site: Any, delivered: dict[str, int], sent: int) -> None:
    """What must hold once a gateway has started again: here its first act, which settles for the one killed."""
    recover(site.store)
    assert recover(site.store) == []
    with site.store.database.begin() as c:
        tx = tx_of(c)
        rows = {
            r[0]: (r[1], json.loads(r[2])) for r in tx.all("SELECT id, cost_nano_usd, body FROM log WHERE kind='call'")
        }
        meters = {r[0]: r[1:] for r in tx.all("SELECT scope, nano_usd, day_nano_usd, calls FROM meters")}
        held = tx.all("SELECT COALESCE(SUM(nano_usd), 0), COALESCE(SUM(calls), 0) FROM holds")[0]
    assert held == (0, 0)
    assert len(rows) <= sent, "one row a call at most"
    for id_, words in delivered.items():
        assert not words or id_ in rows, "whoever was shown a word has a row"
        if words:
            assert rows[id_][1]["completion_tokens"] >= words
    for cost, body in rows.values():
        assert cost == body["prompt_tokens"] * PROMPT + body["completion_tokens"] * TOKEN
    total = sum(cost for cost, _ in rows.values())
    for scope in ("project", "team:shop"):
        assert meters.get(scope, (0, 0, 0)) == (total, total, len(rows)), "charged once, what the rows say"
    report = verify(site.store)
    assert report.ok, report.problems


POINTS = [(where, n) for where in ("before", "inside", "committed", "told") for n in (1, 2, 3, 5)]


@pytest.mark.slow
@pytest.mark.parametrize(("where", "n"), POINTS)
def test_killed_at_a_write(site: Any, where: str, n: int) -> None:
    set_limits(site.store, "team:shop", {"day_nano_usd": 10**12})
    gateway = site.start(f"{where}:{n}")
    delivered: dict[str, int] = {}
    sent = 0
    for turn in range(6):
        sent += 1
        try:
            response = gateway.post(site.key, f"Say the words number {turn} please", stream=True, max_tokens=50)
        except OSError:
            break
        id_, words = read(response)
        delivered[id_] = len(words)
    assert gateway.process.wait(30) == -signal.SIGKILL
    check(site, delivered, sent)
    again = site.start()
    assert again.post(site.key, "And again, all is well").status == 200


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_killed_in_the_middle_of_streams(site: Any, seed: int) -> None:
    rng = random.Random(seed)
    set_limits(site.store, "team:shop", {"day_nano_usd": 10**12})
    gateway = site.start()
    delivered: dict[str, int] = {}
    sent = [0]

    def call(number: int) -> None:
        for turn in range(4):
            sent[0] += 1
            try:
                response = gateway.post(
                    site.key, f"{number} {turn} one two three four five six", "slow", stream=True, max_tokens=50
                )
                id_, words = read(response)
            except OSError:
                return
            delivered[id_] = len(words)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    time.sleep(0.2 + rng.random())
    gateway.process.kill()
    for thread in threads:
        thread.join()
    assert sum(delivered.values()) > 0, "it was killed while it delivered"
    check(site, delivered, sent[0])
