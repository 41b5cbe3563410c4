"""`make bench-gateway`: writes benchmarks/results/gateway.json and gateway.md.

Mock upstream and load generator share core 1, one subject at a time runs on core 0, rounds are interleaved.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.gateway.bench import BARE, CACHED, LITELLM, LUODI, QUICK, Bench, Size
from benchmarks.gateway.figures import LEFT_OUT, Row, table, write
from benchmarks.gateway.memory import memory
from benchmarks.gateway.relay import frontier, stream
from benchmarks.gateway.subject import HARNESS_CORE
from benchmarks.gateway.whole import cpu, hit, latency, rate, sweep

CELLS: dict[str, Callable[[Bench], list[Row]]] = {
    "rate": rate, "cpu": cpu, "latency": latency, "stream": stream, "frontier": frontier, "memory": memory,
    "hit": hit, "sweep": sweep,
}  # fmt: skip


def about() -> str:
    """The machine and the conditions, for the table."""
    cpus = Path("/proc/cpuinfo").read_text()
    model = next((line.partition(":")[2].strip() for line in cpus.splitlines() if line.startswith("model name")), "?")
    loop = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio's own loop"
    return (
        f"{os.cpu_count()} cores ({model}), Python {platform.python_version()}. The server under test has core 0 to"
        f" itself, one worker; mock upstream and load generator share core 1. Luodi and the bare proxy run on {loop},"
        " LiteLLM on the loop that it installs. A value is the median of its rounds, the range is of the lowest and"
        " the highest; ratios and differences are taken within a round. 100-character prompts, no two alike."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the gateway beside a bare proxy and LiteLLM.")
    parser.add_argument("--quick", action="store_true", help="one short round of each, nothing is written")
    parser.add_argument("--only", action="append", choices=list(CELLS), help="this cell; may be given several times")
    parser.add_argument("--skip-litellm", action="store_true")
    parser.add_argument("--skip-luodi", action="store_true")
    asked = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        sys.exit("two cores are needed: one for the server under test, one for the rest")
    os.sched_setaffinity(0, {HARNESS_CORE})
    skipped = {
        n: LEFT_OUT
        for n, out in ((LITELLM, asked.skip_litellm), (LUODI, asked.skip_luodi), (CACHED, asked.skip_luodi))
        if out
    }
    names = [n for n in (BARE, LUODI, CACHED, LITELLM) if n not in skipped]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory(prefix="bench-gateway-") as work,
        Bench(Path(work), names, skipped, QUICK if asked.quick else Size()) as bench,
    ):
        for name in asked.only or CELLS:
            began = time.monotonic()
            print(f"{name} …", flush=True)
            rows += CELLS[name](bench)
            print(f"{name} took {time.monotonic() - began:.0f} s", flush=True)
    print(table(rows))
    if not asked.quick:
        write(rows, about())


if __name__ == "__main__":
    main()
