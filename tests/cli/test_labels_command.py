"""`luodi labels check` ends with 1 unless the label is right, and says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from luodi.engine.watermark import SCHEME, Detection
from luodi.testing import FakeEngine, engine_kinds, tiny_release


def test_check(run: Any, store: Any, tmp_path: Path) -> None:
    file = tmp_path / "reply.json"
    label = {"Label": "1", "ProduceID": "rec_nothing", "ContentProducer": "a@1", "ReservedCode1": "luodi1:x"}
    file.write_text(json.dumps({"luodi": {"label": {"AIGC": label}}}), "utf-8")
    ran = run("labels", "check", str(file))
    assert ran.code == 1 and "no such record" in ran.out
    file.write_text("plain", "utf-8")
    ran = run("labels", "check", str(file))
    assert ran.code == 2 and "no AIGC label" in ran.err


def test_an_answer_in_a_file_and_a_row_of_an_export_carry_their_label(
    run: Any, store: Any, tmp_path: Path, tiny_model: Path
) -> None:
    tiny_release(store, tokenizer=tiny_model / "tokenizer.json", engine_kind="fake")
    file, said = tmp_path / "answer.md", FakeEngine("Set required=False on the field to make it optional. [1]")
    with engine_kinds(fake=lambda folder, *, pick, threads: said):
        assert run("ask", "How do I make a form field optional?", "-o", str(file)).code == 0
    text = file.read_text("utf-8")
    assert text.startswith("---\nAIGC:") and "required=False" in text
    ran = run("labels", "check", str(file))
    assert ran.code == 0 and "is right" in ran.out and "the one that was answered" in ran.out
    assert "too short to judge" in ran.out
    file.write_text(text.replace("optional", "required"), "utf-8")
    (told,) = run("labels", "check", str(file), "--json").lines()
    assert told["ok"] and told["content"] == "changed" and told["watermark"]["verdict"] == "too_short"
    assert run("audit", "export", "-o", str(tmp_path / "log.jsonl")).code == 0
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    (labelled,) = [row for row in rows if "AIGC" in row]
    assert labelled["AIGC"]["ProduceID"] == told["record"]
    (tmp_path / "row.json").write_text(json.dumps(labelled), "utf-8")
    assert run("labels", "check", str(tmp_path / "row.json")).code == 0


def test_marked_text_without_a_label_is_told(run: Any, store: Any, tmp_path: Path, monkeypatch: Any) -> None:
    found = Detection("found", SCHEME, "0" * 16, 150, 90, 9.9, 1e-20)
    monkeypatch.setattr("luodi.gateway.labels.find_watermark", lambda store, text, release="": found)
    (tmp_path / "plain.txt").write_text("plain words", "utf-8")
    ran = run("labels", "check", str(tmp_path / "plain.txt"))
    assert ran.code == 1 and "there is no label" in ran.out and "z 9.9" in ran.out
    (told,) = run("labels", "check", str(tmp_path / "plain.txt"), "--json").lines()
    assert told["ok"] is False and told["watermark"]["verdict"] == "found"
