"""What a release may hold is told by content; nothing that runs code when it is read."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile

import numpy as np
import pytest

from luodi.errors import IntegrityError
from luodi.release.formats import check_formats, check_template, gguf_strings

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def gguf(**strings: str) -> bytes:
    """A GGUF file with strings, and one array of strings before them."""

    def text(value: str) -> bytes:
        data = value.encode()
        return struct.pack("<Q", len(data)) + data

    out = struct.pack("<4sIQQ", b"GGUF", 3, 0, len(strings) + 2)
    out += text("tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b")
    out += text("scores") + struct.pack("<IIQ", 9, 6, 3) + struct.pack("<3f", 1, 2, 3)
    for key, value in strings.items():
        out += text(key.replace("__", ".")) + struct.pack("<I", 8) + text(value)
    return out


def zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", data)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


GOOD = {
    "large.gguf": gguf(tokenizer__chat_template=CHATML),
    "model.safetensors": struct.pack("<Q", 2) + b"{}",
    "vectors.npy": npy(np.zeros(3)),
    "policy.json": b'{"a": 1}',
    "answer.md": "答".encode(),
    "rules.yaml": b"a: 1",
}
BAD = {
    "weights.bin": (pickle.dumps({}), "is a pickle"),
    "large.gguf": (pickle.dumps({}), "is a pickle"),  # whatever its name says
    "model.safetensors": (zipped(pickle.dumps({})), "is an archive"),
    "weights.pt": (zipped(pickle.dumps({})), "is an archive"),
    "vectors.npy": (npy(np.array([{}], dtype=object)), "Python objects"),
    "run.py": (b"print(1)", "no format"),
    "tool": (b"\x7fELF", "no format"),
    "empty.gguf": (b"", "no GGUF"),
    "short.safetensors": (struct.pack("<Q", 99) + b"{}", "longer than the file"),
    "list.safetensors": (struct.pack("<Q", 2) + b"[]", "has no header"),
    "text.md": (b"a\0b", "NUL"),
    "latin.txt": (b"caf\xe9", "no txt file"),
    "broken.json": (b"{", "no json file"),
    "deep.json": (b"[" * 100_000, "no json file"),
    "x.sqlite": (b"hello", "no SQLite"),
    "ov.xml": (b'<!DOCTYPE net [<!ENTITY x SYSTEM "file:///etc/passwd">]><net/>', "entities"),
    "lone.bin": (b"\0" * 80, "belongs to no OpenVINO"),
    "evil.jinja": (b"{{ messages.__class__ }}", "__class__"),
    "tokenizer_config.json": (json.dumps({"chat_template": "{{ lipsum() }}"}).encode(), "calls 'lipsum'"),
    "t.gguf": (gguf(tokenizer__chat_template="{{ ''['__class__'] }}"), "__class__"),
}


def test_safe_formats_pass(tmp_path):
    for name, data in GOOD.items():
        (tmp_path / name).write_bytes(data)
    assert check_formats(tmp_path) == len(GOOD)


@pytest.mark.parametrize("name", BAD)
def test_what_may_hold_code_is_refused(tmp_path, name):
    data, reason = BAD[name]
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / name).write_bytes(data)
    with pytest.raises(IntegrityError, match=reason) as raised:
        check_formats(tmp_path)
    assert f"sub/{name}" in raised.value.message


def test_a_link_is_refused(tmp_path):
    (tmp_path / "a.md").symlink_to("/etc/passwd")
    with pytest.raises(IntegrityError, match="link"):
        check_formats(tmp_path)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (CHATML, ""),
        ("{% macro f(x) %}{{ x }}{% endmacro %}{{ f(1) }}{% set ns = namespace(a=1) %}{{ raise_exception('no') }}", ""),
        ("{{ messages[0]['content'].strip() }}{% for i in range(3) %}{% break %}{% endfor %}", ""),
        ("{{ cycler.__init__.__globals__.os.popen('id').read() }}", "__globals__"),
        ("{% include '/etc/passwd' %}", "loads other templates"),
        ("{% import 'x' as y %}", "loads other templates"),
        ("{{ open('/etc/passwd') }}", "calls 'open'"),
        ("{% for %}", "is broken"),
    ],
)
def test_chat_templates(template, problem):
    found = check_template(template)
    assert (problem in found) if problem else not found


def test_metadata_that_is_cut_off_or_lies_about_its_size_ends_quietly(tmp_path):
    whole = gguf(general__name="m", tokenizer__chat_template=CHATML)
    path = tmp_path / "x.gguf"
    path.write_bytes(whole)
    assert gguf_strings(path)["tokenizer.chat_template"] == CHATML
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        assert set(gguf_strings(path)) <= {"general.name", "tokenizer.chat_template"}
    path.write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, 0, 1 << 60) + struct.pack("<Q", 1 << 60))
    assert gguf_strings(path) == {}
