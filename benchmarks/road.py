"""`make bench-road`: the road's own figures, in benchmarks/results/road.json and road.md.

Set-up and demo are timed in a fresh clone with its own environment, the no-op against DVC in an environment of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
BIN = Path(sys.executable).parent

NOOP = """
import sys
from pathlib import Path
from luodi.pipeline import Row, Runner, Silent, Stage
from luodi.project.model import Scrub
from luodi.store import Store

def first(ctx):
    ctx.write_rows([Row("r1", "document", "text", "s", "p")])

def copy(ctx):
    ctx.write_rows(ctx.rows())

def plan():
    made = [Stage("s0", first, Scrub())]
    return made + [Stage(f"s{i}", copy, Scrub(), {"rows": f"s{i - 1}"}) for i in range(1, 8)]

if __name__ == "__main__":
    Runner(Store(Path("store")), plan(), project=Path("."), seed=1).run()
"""


def run(*command: str, cwd: Path = ROOT, **env: str) -> tuple[float, str]:
    """Seconds and output of a command. Raises: CalledProcessError if it fails."""
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | env, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    seconds = time.monotonic() - began
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:], file=sys.stderr)
        raise subprocess.CalledProcessError(done.returncode, command)
    return seconds, done.stdout


def figure(
    name: str, values: list[float], unit: str, target: str, met: bool, command: str, peer: str = ""
) -> dict[str, Any]:
    commit = run("git", "rev-parse", "--short", "HEAD")[1].strip()
    return {
        "figure": name, "value": round(statistics.median(values), 4),
        "low": round(min(values), 4), "high": round(max(values), 4),
        "unit": unit, "n": len(values), "target": target, "met": met,
        "peer": peer, "command": command, "commit": commit,
    }  # fmt: skip


def starts() -> list[dict[str, Any]]:
    """Import and help: whole processes, median of 15."""
    code = "import luodi, sys; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    imports = [run(sys.executable, "-c", code)[0] * 1000 for _ in range(15)]
    helps = [run(str(BIN / "luodi"), "--help")[0] * 1000 for _ in range(15)]
    return [
        figure(
            "import luodi, no torch",
            imports,
            "ms",
            "< 150",
            statistics.median(imports) < 150,
            "python -c 'import luodi'",
        ),
        figure("luodi --help", helps, "ms", "< 300", statistics.median(helps) < 300, "luodi --help"),
    ]


def no_op(work: Path) -> list[dict[str, Any]]:
    """Eight stages with nothing to do, as a whole process, interleaved with DVC on eight trivial stages."""
    (work / "noop.py").write_text(NOOP)
    run(sys.executable, "noop.py", cwd=work)
    peer = work / "peer"
    run(sys.executable, "-m", "venv", str(peer))
    run(str(peer / "bin" / "pip"), "install", "-q", "dvc==3.67.1")
    dvc = str(peer / "bin" / "dvc")
    repo = work / "dvc"
    repo.mkdir()
    run("git", "init", "-q", cwd=repo)
    run(dvc, "init", "-q", cwd=repo)
    (repo / "o0").write_text("text")
    stages = "".join(f"  s{i}:\n    cmd: cp o{i} o{i + 1}\n    deps: [o{i}]\n    outs: [o{i + 1}]\n" for i in range(8))
    (repo / "dvc.yaml").write_text("stages:\n" + stages)
    run(dvc, "repro", "-q", cwd=repo)
    ours, theirs = [], []
    for _ in range(9):
        ours.append(run(sys.executable, "noop.py", cwd=work)[0])
        theirs.append(run(dvc, "repro", "-q", cwd=repo)[0])
    ratio = statistics.median(theirs) / statistics.median(ours)
    peer_text = f"dvc 3.67.1: {statistics.median(theirs):.2f} s on eight trivial stages, {ratio:.1f} times as long"
    met = statistics.median(ours) < 0.2
    return [
        figure(
            "nothing to do, 8 stages, whole process",
            ours,
            "s",
            "< 0.2",
            met,
            "python noop.py (benchmarks/road.py)",
            peer_text,
        )
    ]


def kills() -> list[dict[str, Any]]:
    """Fifty kills at random moments: the slow test counts them and compares every digest."""
    with tempfile.NamedTemporaryFile("r") as told:
        command = [sys.executable, "-m", "pytest", "-q", "-m", "slow", "tests/pipeline/test_kill.py"]
        run(*command, LUODI_KILLS_TOLD=told.name)
        survived = len(told.read().split())
    text = "pytest -m slow tests/pipeline/test_kill.py"
    return [figure("kills survived with the same digests", [float(survived)], "of 50", "50", survived == 50, text)]


def demo(work: Path) -> list[dict[str, Any]]:
    """A fresh clone: set-up, the road, and the same again from the store."""
    clone = work / "clone"
    run("git", "clone", "-q", str(ROOT), str(clone))
    setup = run("make", "setup", cwd=clone)[0]
    output = run("make", "demo", cwd=clone)[1]
    road = float(re.search(r"the road took (\d+) s", output)[1])  # type: ignore[index]
    again = run("make", "demo", cwd=clone)[1]
    second = float(re.search(r"the road took (\d+) s", again)[1])  # type: ignore[index]
    luodi = str(clone / ".venv" / "bin" / "luodi")
    dry = [run(luodi, "run", "--dry-run", cwd=clone / "demo" / "helpdesk")[0] for _ in range(9)]
    reports = sorted((clone / "demo/helpdesk/.luodi/artifacts").glob("*/*/files/passport.json"))
    passport = json.loads(reports[-1].read_bytes())
    found = {m["name"]: m for rows in passport["promises"].values() for m in rows}
    made = [
        figure(
            "set-up from an empty environment, pip's cache as found", [setup], "s", "≤ 360", setup <= 360, "make setup"
        ),
        figure("the road, 19 stages, 2 cores", [road], "s", "≤ 480", road <= 480, "make demo"),
        figure("the road again, all from the store", [second], "s", "seconds", second <= 10, "make demo"),
        figure(
            "nothing to do, the demo's 19 stages, whole process",
            dry,
            "s",
            "< 0.2 for 8",
            statistics.median(dry) < 0.2,
            "luodi run --dry-run",
        ),
    ]
    for name in ("answer_f1", "cites_right_section"):
        m = found[name]
        entry = figure(
            f"{name}: tuned − base, paired", [m["difference"]], m["unit"], "> 0, interval apart",
            m["difference_low"] > 0,
            "make demo", f"untuned base {m['base']:.3f}, tuned {m['value']:.3f}, {m['n']} questions",
        )  # fmt: skip
        made.append(entry | {"low": round(m["difference_low"], 4), "high": round(m["difference_high"], 4), "n": m["n"]})
    return made


def main() -> None:
    work = Path(tempfile.mkdtemp(prefix="bench-road-"))
    try:
        rows = [*starts(), *no_op(work), *kills(), *demo(work)]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "road.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    lines = ["| figure | value | range | n | target | met | peer |", "|--|--|--|--|--|--|--|"]
    for r in rows:
        lines.append(
            f"| {r['figure']} | {r['value']} {r['unit']} | {r['low']} – {r['high']} | {r['n']} | {r['target']} |"
            f" {'yes' if r['met'] else 'no'} | {r['peer']} |"
        )
    (RESULTS / "road.md").write_text(
        f"Measured at {rows[0]['commit']} by `make bench-road`.\n\n" + "\n".join(lines) + "\n"
    )
    print("\n".join(lines))


if __name__ == "__main__":
    main()
