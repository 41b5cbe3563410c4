"""All built-in suites asked of the template's release, built into .cache/bench/demo: with nothing kept, and then from
what was kept. Times are of the whole command, once each, on a machine that was shared.
"""

from __future__ import annotations

import json
import shutil
from typing import Any

from benchmarks.evidence.release import run
from benchmarks.guard.demo import FOLDER, built
from benchmarks.parts import row

COMMAND = "make bench-evidence"


def rows() -> list[dict[str, Any]]:
    store, verified = built()
    listed = [json.loads(line) for line in run(FOLDER, "--json", "evaluate", "--list")[1].splitlines()]
    names = [each["suite"] for each in listed]
    words = [word for name in names for word in ("--suite", name)]
    shutil.rmtree(store.root / "cache" / "evaluate", ignore_errors=True)
    out = []
    for what, limit in (("nothing kept", 600.0), ("from what was kept", 5.0)):
        seconds, _ = run(FOLDER, "evaluate", "--release", str(verified.release), *words)
        out.append(
            row(f"{len(names)} suites asked of the demo's release, {what}", round(seconds, 2), "s", 1,
                target=f"≤ {limit:g}", met=seconds <= limit, command=COMMAND)
        )  # fmt: skip
    return out
