"""`luodi labels check` ends with 1 unless the label is right, and says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_check(run: Any, store: Any, tmp_path: Path) -> None:
    file = tmp_path / "reply.json"
    label = {"Label": "1", "ProduceID": "rec_nothing", "ContentProducer": "a@1", "ReservedCode1": "luodi1:x"}
    file.write_text(json.dumps({"luodi": {"label": {"AIGC": label}}}), "utf-8")
    ran = run("labels", "check", str(file))
    assert ran.code == 1 and "no such record" in ran.out
    file.write_text("plain", "utf-8")
    ran = run("labels", "check", str(file))
    assert ran.code == 2 and "no AIGC label" in ran.err
