from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from luodi.errors import ProjectError
from luodi.project import Gate, load


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "luodi.yaml").write_text("name: helpdesk\n")
    return tmp_path


def test_no_file_means_no_gates(project: Path) -> None:
    assert load(project).gates.gates == []


def test_gates_are_read(project: Path) -> None:
    (project / "gates.yaml").write_text(
        "gates:\n- measure: recall\n  at_least: 1\n- {measure: cost, at_most: 0.5, required: false}\n"
    )
    assert load(project).gates.gates == [
        Gate(measure="recall", at_least=1.0),
        Gate(measure="cost", at_most=0.5, required=False),
    ]


def test_waivers_are_read(project: Path) -> None:
    (project / "gates.yaml").write_text(
        "gates:\n- {measure: r, at_least: 1}\n"
        "waivers:\n- {measure: r, role: head of safety, person: Li Wei, reason: a pilot, expires: 2027-01-31}\n"
    )
    (waiver,) = load(project).gates.waivers
    assert (waiver.person, waiver.expires) == ("Li Wei", date(2027, 1, 31))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gates:\n- measure: recall\n", "2: gates.0: a gate needs at_least, at_most or margin"),
        ("gates:\n- at_least: 1\n", "2: gates.0.measure is missing"),
        ("gates:\n- measure: r\n  atleast: 1\n", "3: gates.0.atleast is not an option; did you mean 'at_least'?"),
        ("gates:\n- measure: r\n  at_least: .nan\n", "3: gates.0.at_least: nan: input should be a finite number"),
        ("gates:\n- measure: r\n  at_most: .inf\n", "3: gates.0.at_most: inf: input should be a finite number"),
        ("gates:\n- measure: r\n  at_least: '0.9'\n", "3: gates.0.at_least: '0.9': input should be a valid number"),
        ("gates:\n- measure: r\n  margin: -1\n", "3: gates.0.margin: -1: input should be greater than or equal to 0"),
        (
            "gates:\n- {measure: r, at_least: 1, judge: mean}\n",
            "2: gates.0.judge: 'mean': input should be 'interval' or 'value'",
        ),
        (
            "gates:\n- {measure: r, at_least: 1}\nwaivers:\n- {measure: s, role: a, person: b, reason: c, expires: 2027-01-31}\n",
            "1: a waiver of 's', for which there is no gate",
        ),
        (
            "gates:\n- {measure: r, at_least: 1}\nwaivers:\n- {measure: r, role: a, person: b, expires: 2027-01-31}\n",
            "4: waivers.0.reason is missing",
        ),
        ("gates: {recall: 1}\n", "1: gates: {'recall': 1}: input should be a valid list"),
        ("gate: []\n", "1: gate is not an option; did you mean 'gates'?"),
    ],
)
def test_mistakes(project: Path, text: str, expected: str) -> None:
    (project / "gates.yaml").write_text(text)
    with pytest.raises(ProjectError) as caught:
        load(project)
    assert f"gates.yaml:{expected}" in caught.value.message.splitlines()


def test_empty_file_is_a_mistake(project: Path) -> None:
    (project / "gates.yaml").write_text("")
    with pytest.raises(ProjectError, match="is empty"):
        load(project)


def test_link_to_nothing_does_not_mean_no_gates(project: Path) -> None:
    (project / "gates.yaml").symlink_to("absent.yaml")
    with pytest.raises(ProjectError, match="there is no gates"):
        load(project)


def test_folder_in_the_place_of_the_file(project: Path) -> None:
    (project / "gates.yaml").mkdir()
    with pytest.raises(ProjectError, match="Is a directory"):
        load(project)
