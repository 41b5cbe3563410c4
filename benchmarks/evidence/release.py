"""Releases: verifying, exporting and importing one of 500 MB, what its backup drill takes, and what the demo's release
can show for the packs of the EU and China. Times are of whole processes of `luodi`, the median of five; the files were
just written, so they are read from memory. The large release is the tests' small one with random bytes for weights.
Shares of controls are of the template's own release, built into .cache/bench/demo and not served; links are counted in
the HTML.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.guard.demo import FOLDER, built
from benchmarks.parts import row

from luodi.store import Store
from luodi.testing import tiny_release

COMMAND = "make bench-evidence"
LUODI = str(Path(sys.executable).parent / "luodi")
MEGABYTES, TIMES = 500, 5
EU = ("eu-ai-act", "gdpr")
CN = ("genai-cn", "gb45654", "gb45438", "pipl", "security-cn")


def rows() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="bench-release-") as folder:
        out = large(Path(folder))
    return [*out, *controls()]


def run(project: Path, *words: str) -> tuple[float, str]:
    began = time.monotonic()
    done = subprocess.run([LUODI, "-p", str(project), *words], capture_output=True, text=True, check=True)
    return time.monotonic() - began, done.stdout


def large(work: Path) -> list[dict[str, Any]]:
    """Times with a release of 500 MB."""
    build, serve = work / "build", work / "serve"
    for project in (build, serve):
        project.mkdir()
        (project / "luodi.yaml").write_text("name: helpdesk\n")
    store = Store.of(build)
    tiny_release(store, weights_mb=MEGABYTES)
    key, owner = next(iter(store.keys.trusted().values()))
    Store.of(serve).keys.trust(key, owner)
    out = [timed("verify", "s", [run(build, "release", "verify", "helpdesk@1")[0] for _ in range(TIMES)], 2.0)]
    export, bring, drill = [], [], []
    for number in range(TIMES):
        file = work / f"{number}.tar"
        export.append(run(build, "release", "export", "helpdesk@1", str(file))[0])
        bring.append(run(serve, "release", "import", str(file))[0])
        file.unlink()
    for number in range(TIMES):
        file = work / f"backup-{number}.tar"
        run(build, "store", "backup", str(file))
        drill.append(run(build, "store", "drill", str(file))[0])
        file.unlink()
    out.append(timed("export to a .tar file", "s", export, None))
    out.append(timed("import of it", "s", bring, None))
    return [*out, timed("backup drill: restore and verify", "s", drill, None)]


def timed(what: str, unit: str, times: list[float], limit: float | None) -> dict[str, Any]:
    value = statistics.median(times)
    return row(
        f"a release of {MEGABYTES} MB: {what}", round(value, 3), unit, len(times), low=round(min(times), 3),
        high=round(max(times), 3), target=f"≤ {limit:g}" if limit else "", met=value <= limit if limit else None,
        command=COMMAND,
    )  # fmt: skip


def controls() -> list[dict[str, Any]]:
    """Shares of controls with evidence that was found in the demo's release."""
    _, verified = built()
    out = []
    with tempfile.TemporaryDirectory(prefix="bench-release-") as folder:
        words = ["compliance", "report", str(verified.release), "--pack", ",".join((*EU, *CN)), "--to", folder]
        run(FOLDER, *words, "--format", "html,json")
        report = json.loads(next(Path(folder).glob("*.json")).read_bytes())
        page = next(Path(folder).glob("*.html")).read_text("utf-8")
    packs = {pack["pack"]: pack["controls"] for pack in report["packs"]}
    for name, wanted in (("EU", EU), ("China", CN)):
        found = [c for pack in wanted for c in packs[pack] if c["status"] != "not_applicable"]
        hits = sum(any(e["state"] in ("met", "not_met", "unsure") for e in c["evidence"]) for c in found)
        counts = {s: sum(c["status"] == s for c in found) for s in ("conforms", "in_part", "does_not", "no_evidence")}
        out.append(
            row(f"controls with automatic evidence, {name}", round(hits / len(found), 4), "share", len(found),
                target="≥ 0.6", met=hits / len(found) >= 0.6, peer=counts, command=COMMAND)
        )  # fmt: skip
    targets, links = set(re.findall(r'id="([^"]+)"', page)), re.findall(r'href="#([^"]+)"', page)
    opens = sum(link in targets for link in links)
    out.append(
        row("links of the report that open", round(opens / len(links), 4), "share", len(links), target="1",
            met=opens == len(links), command=COMMAND)
    )  # fmt: skip
    return out
