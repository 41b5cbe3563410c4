from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from luodi.errors import ProjectError
from luodi.project import Project, load
from luodi.project.reading import read_yaml


def mistakes(tmp_path: Path, text: str | bytes, file: str = "luodi.yaml") -> list[str]:
    (tmp_path / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ProjectError) as caught:
        load(tmp_path)
    return caught.value.message.splitlines()


def test_least_project(tmp_path: Path) -> None:
    (tmp_path / "luodi.yaml").write_text("name: helpdesk\n")
    assert load(tmp_path).project == Project(name="helpdesk")


def test_byte_order_mark_and_windows_lines(tmp_path: Path) -> None:
    (tmp_path / "luodi.yaml").write_bytes(b"\xef\xbb\xbfname: helpdesk\r\nseed: 3\r\n")
    assert load(tmp_path).project == Project(name="helpdesk", seed=3)


def test_anchors_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "luodi.yaml").write_text("name: &n helpdesk\ncompliance: [*n, *n]\n")
    assert load(tmp_path).project.compliance.packs == ["helpdesk", "helpdesk"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: x\nserv:\n  port: 1\n", "2: serv is not an option; did you mean 'serve'?"),
        ("name: x\nserve:\n  prt: 1\n", "3: serve.prt is not an option; did you mean 'port'?"),
        (
            "name: x\ndata:\n- source: file:a\n- licnce: MIT\n  source: file:b\n",
            "4: data.1.licnce is not an option; did you mean 'licence'?",
        ),
        (
            "name: x\nscrub: {zzz: 1}\n",
            "2: scrub.zzz is not an option; known are disposition, kinds, engines, check_sample",
        ),
        ("seed: 1\n", "1: name is missing"),
        ("\n\nseed: 1\n", "3: name is missing"),
        ("name: x\n\nname: y\n", "3: 'name' is said twice"),
        ("name: x\nserve:\n  port: 1\n  port: 1\n", "4: 'port' is said twice"),
        ("name: X\n", "1: name: 'X': string should match pattern '^[a-z][a-z0-9-]{0,62}$'"),
        ("name: 5\n", "1: name: 5: input should be a valid string"),
        ("name: 2024-01-01\n", "1: name: datetime.date(2024, 1, 1): input should be a valid string"),
        ("name: x\nserve:\n  port: yes\n", "3: serve.port: True: input should be a valid integer"),
        ("name: x\nserve:\n  port: '80'\n", "3: serve.port: '80': input should be a valid integer"),
        ("name: x\nserve:\n  port: 70000\n", "3: serve.port: 70000: input should be less than or equal to 65535"),
        ("name: x\ntrain:\n  epochs: yes\n", "3: train.epochs: True: input should be a valid number"),
        ("name: x\ntrain:\n  alpha: .inf\n", "3: train.alpha: inf: input should be a finite number"),
        ("name: x\ntrain:\n  alpha: .nan\n", "3: train.alpha: nan: input should be a finite number"),
        ("name: x\ntrain:\n  budget: 4\n", "3: train.budget: 4 has no unit; write for instance '4 s' or '4 min'"),
        ("name: x\ntrain:\n  budget: soon\n", "3: train.budget: 'soon' is not a duration; write for instance '4 min'"),
        ("name: x\ntrain:\n", "2: train: None: expected names with values"),
        ("name: x\ntrain: fast\n", "2: train: 'fast': expected names with values"),
        ("name: x\ndata: [[1]]\n", "2: data.0: [1]: expected names with values"),
        ("name: x\nlanguages: en\n", "2: languages: 'en': input should be a valid list"),
        ("name: x\nlanguages: []\n", "2: languages: []: list should have at least 1 item after validation, not 0"),
        ("name: x\nlanguages: [no]\n", "2: languages.0: False: input should be 'en' or 'zh'"),
        ("name: x\nlanguages:\n- en\n- fr\n", "4: languages.1: 'fr': input should be 'en' or 'zh'"),
        (
            "name: x\nbase: foo\n",
            "2: base.source: 'foo' has no known scheme; write one of package:…, hf:…, file:…, gguf:…",
        ),
        (
            "name: x\ndata:\n- {source: file:a, basis: foo}\n",
            "3: data.0.basis: 'foo': input should be 'open-source', 'contract', 'consent', 'legitimate-interest', "
            "'public-domain', 'own' or 'unknown'",
        ),
        ("1: x\n", "1: 1 is not a name; put it in quotes"),
        ("- a\n", "1: expected names with values, found list"),
        ("just text\n", "1: expected names with values, found str"),
        ("name: x\nseed: [\n", "3: not YAML: did not find expected node content"),
        ("name: x\n---\nname: y\n", "2: not YAML: but found another document"),
        ("name: x\n? [a]\n: 1\n", "2: not YAML: a list or mapping can't be a name"),
        ("name: x\n<<: {seed: 1}\n", "2: not YAML: '<<' (merge) can't be used here"),
        ("name: !!python/name:os.system x\n", "1: not YAML: 'x' (python/name:os.system) can't be used here"),
        ("name: x\nseed: !!binary aGk=\n", "2: not YAML: 'aGk=' (binary) can't be used here"),
        ("name: x\nseed: 2024-99-99\n", "2: not YAML: '2024-99-99' is not a valid timestamp"),
        ("name: x\nseed: 0x_\n", "2: not YAML: '0x_' is not a valid int"),
        ("name: x\nseed: !!bool maybe\n", "2: not YAML: 'maybe' is not a valid bool"),
        ("name: x\nseed: !!int ''\n", "2: not YAML: '' is not a valid int"),
        ("name: x\nseed: 0x" + "f" * 8000 + "\n", "2: not YAML: a number of more than 64 bits"),
        ("é: 1\n\nname: \a\n", "3: not YAML: control characters are not allowed"),
    ],
)
def test_mistake_has_its_line_and_what_was_expected(tmp_path: Path, text: str, expected: str) -> None:
    assert f"luodi.yaml:{expected}" in mistakes(tmp_path, text)


def test_every_mistake_is_told_in_order(tmp_path: Path) -> None:
    text = "seed: -1\nserve:\n  port: x\nfoo: 1\ntrain:\n  rank: 0\n"
    assert [m.split(":")[1] for m in mistakes(tmp_path, text)] == ["1", "1", "3", "4", "6"]


def test_long_values_are_shown_short(tmp_path: Path) -> None:
    assert all(len(m) < 300 for m in mistakes(tmp_path, f"name: {'x' * 9000}\n{'y' * 900}: 1\ndata: {'z' * 9000}\n"))


@pytest.mark.parametrize("text", ["", "\n\n", "# only a remark\n", "---\n"])
def test_empty_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "luodi.yaml").write_text(text)
    with pytest.raises(ProjectError) as caught:
        load(tmp_path)
    assert text == "---\n" or "is empty" in caught.value.message


def test_no_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="there is no luodi") as caught:
        load(tmp_path)
    assert "luodi new" in caught.value.hint


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"name: x\n\xff: 1\n", "luodi.yaml:2: not UTF-8 (byte 0xff)"),
        (b"\xef\xbb\xbfname: x\nab: \xe9\n", "luodi.yaml:2: not UTF-8 (byte 0xe9)"),
        ("name: x\n".encode("utf-16"), "luodi.yaml:1: not UTF-8 (byte 0xff)"),
    ],
)
def test_other_encodings(tmp_path: Path, raw: bytes, expected: str) -> None:
    assert mistakes(tmp_path, raw) == [expected]


def test_two_megabytes(tmp_path: Path) -> None:
    assert mistakes(tmp_path, b"# " + b"x" * (2 << 20)) == ["luodi.yaml is larger than 1 MB"]


def test_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "luodi.yaml").mkdir()
    with pytest.raises(ProjectError, match="Is a directory"):
        load(tmp_path)


def test_project_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("")
    with pytest.raises(ProjectError, match="Not a directory"):
        load(tmp_path / "p")


def laughs(key: bool = False) -> str:
    """Nine to the ninth power values in half a kilobyte."""
    lines = ["a: &a [ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"{new}: &{new} [{', '.join(['*' + old] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    return "\n".join(lines) + "\n" if not key else "? [" + ", ".join(line.split(": ")[1] for line in lines) + "]\n: 1\n"


BOMBS = {
    "laughs": laughs(),
    "laughing key": laughs(key=True),
    "itself": "a: &a [*a]\n",
    "itself as a key": "&a {*a : 1}\n",
    "lists": "a: " + "[" * 500_000,
    "closed lists": "a: " + "[" * 5_000 + "]" * 5_000,
    "mappings": "a: " + "{a: " * 200_000,
    "indented": "".join(" " * depth + "a:\n" for depth in range(1200)),
    "dashes": "a: \n" + "- " * 400_000,
    "keys": "".join(f"k{number}: 1\n" for number in range(80_000)),
    "repeated bytes": f"a: &a !!binary {'A' * 400_000}\nb: [{'*a, ' * 100_000}]\n",
    "repeated number": f"a: &a 0x{'f' * 400_000}\nb: [{'*a, ' * 100_000}]\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_cost_little(tmp_path: Path, name: str) -> None:
    # In a process of its own: the C loader would take the whole interpreter with it.
    (tmp_path / "luodi.yaml").write_text(BOMBS[name])
    code = (
        "import sys, resource; from pathlib import Path\n"
        "from luodi.project import load; from luodi.errors import ProjectError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (15, 15))\n"
        "try: load(Path(sys.argv[1]))\n"
        "except ProjectError as error: print(len(error.message))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert 0 < int(done.stdout) < 1_000


fragments = st.sampled_from(
    [
        "name",
        "train",
        "serve",
        "port",
        "budget",
        "data",
        ": ",
        ":",
        "\n",
        "\n  ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&a ",
        "*a",
        "!!int ",
        "!!bool ",
        "!!timestamp ",
        "!!float ",
        "!x ",
        "'",
        '"',
        "|\n",
        "? ",
        "<<: ",
        "=",
        "~",
        "yes",
        "0x_",
        "1e999",
        ".nan",
        "2024-13-01",
        "1:60",
        "#",
        "---",
        "%YAML 1.1",
    ]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
options = st.sampled_from([*Project.model_fields, "port", "source", "rank", "budget", "typo"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(options, inner, max_size=3), max_leaves=8
)


def reads_or_explains(folder: Path, data: bytes) -> None:
    path = folder / "luodi.yaml"
    path.write_bytes(data)
    try:
        read_yaml(path, Project)
    except ProjectError as error:
        assert "luodi.yaml" in error.message


@given(st.lists(fragments | st.text(max_size=3), max_size=25).map("".join))
@example("? &a [*a]\n: 1")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
def test_no_text_raises_anything_else(tmp_path: Path, text: str) -> None:
    reads_or_explains(tmp_path, text.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_raise_anything_else(tmp_path: Path, data: bytes) -> None:
    reads_or_explains(tmp_path, data)


@given(st.dictionaries(options, values, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_no_values_raise_anything_else(tmp_path: Path, value: dict[str, object]) -> None:
    import yaml

    reads_or_explains(tmp_path, yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass"))
