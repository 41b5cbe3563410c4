"""new, check, run --dry-run, doctor, and how mistakes are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def test_new(run: Any, tmp_path: Path) -> None:
    done = run("new", "help-desk")
    assert done.code == 0 and "luodi.yaml" in done.out and "luodi check" in done.out and done.err == ""
    text = (tmp_path / "help-desk" / "luodi.yaml").read_text("utf-8")
    assert "\nname: help-desk\n" in text
    assert (tmp_path / "help-desk" / ".gitignore").is_file() and not (tmp_path / "help-desk" / "gitignore").exists()
    assert run("-p", "help-desk", "check").code == 0


def test_new_in_a_folder_below(run: Any, tmp_path: Path) -> None:
    assert run("new", "a/b/desk").code == 0 and (tmp_path / "a/b/desk/luodi.yaml").is_file()


@pytest.mark.parametrize("name", ["Help", "help desk", "1help", "-", "帮助", "", "a" * 64, "a_b", "..", "."])
def test_bad_names(run: Any, tmp_path: Path, name: str) -> None:
    done = run("new", "--", name)
    assert done.code == 2 and "can't be a project's name" in done.err and "lower-case" in done.err
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays(run: Any, tmp_path: Path) -> None:
    (tmp_path / "desk").mkdir()
    assert run("new", "desk").code == 0, "an empty folder is taken"
    before = (tmp_path / "desk" / "luodi.yaml").read_bytes()
    (tmp_path / "desk" / "luodi.yaml").write_bytes(before + b"# mine\n")
    done = run("new", "desk")
    assert done.code == 2 and "is already there" in done.err
    assert (tmp_path / "desk" / "luodi.yaml").read_bytes() == before + b"# mine\n"
    (tmp_path / "file").write_text("x")
    assert run("new", "file").code == 2
    done = run("new", "file/desk")
    assert done.code == 2 and "could not be made" in done.err
    assert run("new", "x", "--template", "nosuch").code == 2


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("seed: yes", "seed"),
        ("train: {epochs: 0}", "epochs"),
        ("nosuch: 1", "nosuch"),
        ("serve: {port: 99999}", "port"),
    ],
)
def test_check_names_the_file_and_the_line(run: Any, project: Path, line: str, told: str) -> None:
    path = project / "luodi.yaml"
    text = "\n".join(t for t in path.read_text("utf-8").splitlines() if not t.startswith(line.split(":")[0] + ":"))
    path.write_text(f"{text}\n{line}\n", "utf-8")
    number = text.count("\n") + 2
    done = run("check")
    assert done.code == 2 and f"luodi.yaml:{number}" in done.err and told in done.err and done.out == ""


def test_check_tells_what_will_run(run: Any, project: Path) -> None:
    done = run("check")
    assert (
        done.code == 0 and "helpdesk: no mistakes found" in done.out and "collect: will run: never ran here" in done.out
    )
    lines = run("check", "--json").lines()
    assert lines[0] == {"project": "helpdesk", "mistakes": 0} and lines[-1]["stage"] == "release"
    assert lines[1:] == run("run", "--dry-run", "--json").lines()
    assert not (project / ".luodi" / "actions").exists(), "nothing was run"


def test_check_reads_the_rules(run: Any, project: Path) -> None:
    pytest.importorskip("cel_expr_python")
    (project / "rules.yaml").write_text(
        "rules:\n  - {id: a, if: 'no_such_thing > 1', then: block, message: No.}\n", "utf-8"
    )
    ran = run("check")
    assert ran.code == 2 and "rules.yaml" in ran.err and "no_such_thing" in ran.err
    (project / "rules.yaml").write_text("rules:\n  - {id: a, if: 'hour > 1', then: block, message: No.}\n", "utf-8")
    assert run("check").code == 0


def test_check_refuses_a_watermark_that_the_engine_cannot_write(run: Any, project: Path) -> None:
    file = project / "luodi.yaml"
    text = file.read_text("utf-8") + "\nlabels: {watermark: kgw}\n"
    file.write_text(text, "utf-8")
    ran = run("check")
    assert ran.code == 2 and "labels.watermark" in ran.err and "openvino" in ran.err
    file.write_text(text.replace("engine: openvino", "engine: llama"), "utf-8")
    assert run("check").code == 0


def test_schema(run: Any) -> None:
    for which in ("project", "gates"):
        assert json.loads(run("check", "--schema", which).out)["type"] == "object"


def test_errors_in_chinese_and_as_json(run: Any) -> None:
    for words in (["--lang", "zh", "check"], ["check", "--lang", "zh"], ["check", "--lang=zh"]):
        done = run(*words)
        assert done.code == 2 and done.err.startswith("错误: ")
    assert run("check").err.startswith("error: ")
    done = run("check", "--json")
    assert done.code == 2 and done.out == "" and set(json.loads(done.err)) == {"error", "hint"}
    done = run("key", "make", "--json")
    assert done.code == 2 and "owner" in json.loads(done.err)["error"]


def test_the_locale_gives_the_language(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert run("check").err.startswith("错误: ")
    assert run("check", "--lang", "en").err.startswith("error: ")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert run("check").err.startswith("error: ")


def test_the_output_in_chinese(run: Any, project: Path) -> None:
    assert "未发现错误" in run("check", "--lang", "zh").out


@pytest.mark.parametrize("words", [["nosuch"], ["check", "--nosuch"], ["run", "--to"], ["--lang", "fr", "check"], []])
def test_wrong_words(run: Any, words: list[str]) -> None:
    done = run(*words)
    assert done.code == 2 and done.out == "" and done.err


def test_no_project_here(run: Any) -> None:
    for words in (
        ["check"],
        ["ask", "x"],
        ["release", "ls"],
        ["store", "ls"],
        ["key", "ls"],
        ["lineage", "abcd"],
        ["run"],
    ):
        assert run(*words).code == 2, words


def test_commands_find_the_project_above(run: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "documents" / "deep").mkdir()
    monkeypatch.chdir(project / "documents" / "deep")
    assert run("check").code == 0


def test_doctor(run: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = run("doctor", "--json").lines()
    assert {line["check"] for line in lines[:-1]} >= {"python", "disk", "memory", "project file", "uvicorn"}
    from luodi.cli import doctor

    monkeypatch.setitem(doctor._NEEDED, "serve", ["no-such-library"])
    done = run("doctor")
    assert done.code == 2 and "pip install 'luodi[serve]'" in done.out and "missing" in done.out
    monkeypatch.setattr(doctor, "_NEEDED", {})
    monkeypatch.setattr(doctor, "_FREE_GB", 0)
    assert run("doctor").code == 0
