"""Files → text with a map back to the file. Each format has a reader; what can't be read says why, alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from luodi.knowledge.reading.markdown import read_markdown
from luodi.knowledge.reading.reading import Hidden, Reading, Unreadable, place_of, sections
from luodi.knowledge.reading.rst import Block, Section, read_sections

__all__ = [
    "FORMATS", "Block", "Hidden", "Reading", "Section", "Unreadable", "format_of", "is_file_format", "place_of",
    "read_file", "reader_of", "sections_of",
]  # fmt: skip

FORMATS = {
    "pdf": (".pdf",),
    "docx": (".docx", ".docm", ".dotx"),
    "pptx": (".pptx", ".pptm"),
    "xlsx": (".xlsx", ".xlsm"),
    "html": (".html", ".htm", ".xhtml"),
    "csv": (".csv", ".tsv"),
    "scan": (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"),
}
VERSION = "1"  # of the readers here; raised when one of them reads otherwise
_LIBRARIES = {
    "pdf": ("pypdfium2", "rapidocr"), "docx": ("python-docx",), "pptx": ("python-pptx",), "xlsx": ("openpyxl",),
    "html": ("lxml",), "scan": ("rapidocr",),
}  # fmt: skip
_MODULES = {
    "pypdfium2": "pypdfium2", "rapidocr": "rapidocr", "python-docx": "docx", "python-pptx": "pptx",
    "openpyxl": "openpyxl", "lxml": "lxml",
}  # fmt: skip
_BY_SUFFIX = {suffix: format for format, suffixes in FORMATS.items() for suffix in suffixes}
_OLD = {".doc": "docx", ".ppt": "pptx", ".xls": "xlsx"}


def _suffix(path: str) -> str:
    name = path.rpartition("/")[2]
    return f".{name.rpartition('.')[2].lower()}" if "." in name else ""


def is_file_format(path: str) -> bool:
    """Whether a file of this name is read by `read_file` and not as plain text, Markdown or reStructuredText."""
    return _suffix(path) in _BY_SUFFIX or _suffix(path) in _OLD


def format_of(path: str) -> str:
    """The format that a file's name says: a key of FORMATS, or text."""
    return _BY_SUFFIX.get(_suffix(path), "text")


def read_file(path: str, data: bytes) -> Reading:
    """The text of a file whose name says its format.

    Raises:
        Unreadable: encrypted, damaged, a bomb, without text, or of a format that no reader is built for.
        MissingExtraError: the extra `documents` (for pictures `ocr`) is not installed.
    """
    suffix = _suffix(path)
    if suffix in _OLD:
        raise Unreadable(f"a binary format of before 2007; save it as {_OLD[suffix]}")
    if data.startswith(b"%PDF") and suffix != ".pdf":
        raise Unreadable("a PDF under another name")
    format = _BY_SUFFIX[suffix]
    return _READERS[format](data)


def reader_of(path: str) -> str:
    """What a file of this name is read by, with its version: another reader may read it otherwise."""
    format = _BY_SUFFIX.get(_suffix(path), "")
    found = [f"{name} {version(name)}" for name in _LIBRARIES.get(format, ()) if find_spec(_MODULES[name]) is not None]
    return " ".join([_suffix(path), VERSION, *found])


def _pdf(data: bytes) -> Reading:
    from luodi.knowledge.reading.pdf import read_pdf

    if b"%PDF" not in data[:1024]:
        raise Unreadable("not a PDF")
    if find_spec("rapidocr") is None:
        return read_pdf(data)
    from luodi.knowledge.reading.scan import recognise

    return read_pdf(data, recognise)


def _docx(data: bytes) -> Reading:
    from luodi.knowledge.reading.docx import read_docx

    return read_docx(data)


def _pptx(data: bytes) -> Reading:
    from luodi.knowledge.reading.pptx import read_pptx

    return read_pptx(data)


def _xlsx(data: bytes) -> Reading:
    from luodi.knowledge.reading.table import read_xlsx

    return read_xlsx(data)


def _html(data: bytes) -> Reading:
    from luodi.knowledge.reading.html import read_html

    return read_html(data)


def _csv(data: bytes) -> Reading:
    from luodi.knowledge.reading.table import read_csv

    for encoding in ("utf-8-sig", "gb18030"):  # what spreadsheets write where Chinese is spoken
        try:
            return read_csv(data.decode(encoding))
        except UnicodeDecodeError:
            continue
    raise Unreadable("neither UTF-8 nor GB 18030")


def _scan(data: bytes) -> Reading:
    from luodi.knowledge.reading.scan import read_scan

    return read_scan(data)


_READERS: dict[str, Callable[[bytes], Reading]] = {
    "pdf": _pdf, "docx": _docx, "pptx": _pptx, "xlsx": _xlsx, "html": _html, "csv": _csv, "scan": _scan,
}  # fmt: skip


def sections_of(path: str, text: str, marks: Sequence[Sequence[Any]] | None = None) -> Iterator[Section]:
    """Sections of a document: by the marks of its reading, or as Markdown or reStructuredText by its name."""
    if marks is not None:
        yield from sections(text, marks)
    elif path.lower().endswith((".md", ".markdown")):
        yield from read_markdown(text)
    else:
        yield from read_sections(text)
