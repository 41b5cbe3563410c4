"""Which files a release may hold: formats that carry data and no code, told by their content and not by their name.

Pickles, archives and anything not known are refused. A chat template is code of a kind, so what it may reach for is
looked at.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from luodi.errors import IntegrityError
from luodi.store.digest import list_files

_HEAD = 64 << 20  # bytes of a GGUF or safetensors header that are read at most
_TEMPLATE = "tokenizer.chat_template"
_PICKLE = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd")
_CALLED = {"raise_exception", "strftime_now", "range", "namespace", "dict", "joiner", "cycler"}
"""Functions that chat templates in use call by name."""


def check_formats(folder: Path) -> int:
    """How many files were looked at.

    Raises:
        IntegrityError: names the first file that a release may not hold, and why.
    """
    count = 0
    for path, problem in problems(folder):
        count += 1
        if problem:
            raise IntegrityError(f"{path.relative_to(folder)}: {problem}", "a release holds safe formats only")
    return count


def problems(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file below `folder` with what is wrong with it; "" if nothing is."""
    for path in list_files(folder):
        yield path, _problem(path)


def _problem(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        return "is a link or a device"
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(_PICKLE):
        return "is a pickle, which runs code when it is read; safetensors and GGUF don't"
    if head.startswith(_ARCHIVES):
        return "is an archive, whose content can't be seen; unpack it"
    reader = _KNOWN.get(path.suffix)
    if reader is None:
        return f"{path.suffix or 'a file without a suffix'} is no format that a release may hold"
    try:
        return reader(path)
    except (OSError, ValueError, KeyError, struct.error, UnicodeDecodeError, RecursionError) as error:
        return f"is no {path.suffix[1:]} file: {error}"


def _text(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        while piece := file.read(1 << 20):
            if "\0" in piece:
                return "holds NUL bytes, so it is no text"
    return ""


def _json(path: Path) -> str:
    if path.stat().st_size > _HEAD:
        return _text(path)
    value = json.loads(path.read_bytes())
    template = value.get("chat_template") if isinstance(value, dict) else None
    return check_template(template) if isinstance(template, str) else ""


def _jinja(path: Path) -> str:
    return check_template(path.read_text("utf-8"))


def _npy(path: Path) -> str:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _, _, dtype = read(file)
    return "holds Python objects, which are read as a pickle" if dtype.hasobject else ""


def _safetensors(path: Path) -> str:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > min(_HEAD, path.stat().st_size):
            raise ValueError("its header is longer than the file")
        header = json.loads(file.read(length))
    return "" if isinstance(header, dict) else "has no header"


def _sqlite(path: Path) -> str:
    with path.open("rb") as file:
        return "" if file.read(16) == b"SQLite format 3\0" else "is no SQLite database"


def _gguf(path: Path) -> str:
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            return "is no GGUF file"
    template = gguf_strings(path).get(_TEMPLATE)
    return check_template(template) if template else ""


def _xml(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4096)
    if b"<!DOCTYPE" in start or b"<!ENTITY" in start:
        return "declares entities"
    return "" if b"<net" in start else "is no OpenVINO model"


def _bin(path: Path) -> str:
    return "" if path.with_suffix(".xml").is_file() else "belongs to no OpenVINO model beside it"


def _onnx(path: Path) -> str:
    with path.open("rb") as file:
        return "" if file.read(1) == b"\x08" else "is no ONNX model"


_KNOWN: dict[str, Callable[[Path], str]] = {
    ".gguf": _gguf, ".safetensors": _safetensors, ".onnx": _onnx, ".xml": _xml, ".bin": _bin, ".npy": _npy,
    ".sqlite": _sqlite, ".json": _json, ".jinja": _jinja, ".jsonl": _text, ".md": _text, ".txt": _text, ".csv": _text,
    ".html": _text, ".yaml": _text, ".yml": _text,
}  # fmt: skip


def check_template(template: str) -> str:
    """What is wrong with a chat template: it reaches for the inside of objects, or calls what templates don't.

    Chat templates have been used to run code in servers that render them without a sandbox (CVE-2024-34359). Luodi
    renders them in one, but a release may be served by others.
    """
    try:
        tree = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols"]).parse(template)
    except TemplateError as error:
        return f"its chat template is broken: {error}"
    for found in tree.find_all(
        (nodes.Getattr, nodes.Getitem, nodes.Call, nodes.Include, nodes.Import, nodes.FromImport)
    ):
        if isinstance(found, nodes.Getattr):
            if found.attr.startswith("_"):
                return f"its chat template reaches for {found.attr!r}"
        elif isinstance(found, nodes.Getitem):
            inner = found.arg
            if isinstance(inner, nodes.Const) and isinstance(inner.value, str) and inner.value.startswith("_"):
                return f"its chat template reaches for {inner.value!r}"
        elif isinstance(found, nodes.Call):
            name = found.node.name if isinstance(found.node, nodes.Name) else ""
            if name and name not in _CALLED and name not in _macros(tree):
                return f"its chat template calls {name!r}"
        else:
            return "its chat template loads other templates"
    return ""


def _macros(tree: nodes.Template) -> set[str]:
    return {macro.name for macro in tree.find_all(nodes.Macro)} | {"caller"}


_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # bytes of a value, by its type


def gguf_strings(path: Path) -> dict[str, str]:
    """The string values of a GGUF file's metadata, read with bounds and without its tensors.

    Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. A file that ends before its metadata does gives
    what came before.
    """
    found: dict[str, str] = {}
    with path.open("rb") as file:
        data = file.read(min(_HEAD, path.stat().st_size))
    try:
        _, _, _, count = struct.unpack_from("<4sIQQ", data)
        at = 24
        for _ in range(min(count, 10_000)):
            key, at = _string(data, at)
            (kind,) = struct.unpack_from("<I", data, at)
            value, at = _value(data, at + 4, kind)
            if isinstance(value, str):
                found[key] = value
    except (struct.error, ValueError, KeyError):  # an unknown type, or the end of what was read
        return found
    return found


def _string(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<Q", data, at)
    end = at + 8 + length
    if end > len(data):
        raise ValueError("a string longer than the file")
    return data[at + 8 : end].decode("utf-8", "replace"), end


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind == 8:
        return _string(data, at)
    if kind != 9:
        return None, at + _SIZES[kind]
    inner, count = struct.unpack_from("<IQ", data, at)
    at += 12
    if inner != 8:
        return None, at + _SIZES[inner] * count
    for _ in range(count):
        (length,) = struct.unpack_from("<Q", data, at)
        at += 8 + length
        if at > len(data):
            raise ValueError("a string longer than the file")
    return None, at
