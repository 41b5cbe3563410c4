"""Word documents: paragraphs, headings, lists and tables in their order, notes behind them. By python-docx."""

from __future__ import annotations

import re
from typing import Any

from luodi.errors import require
from luodi.knowledge.reading.package import open_package
from luodi.knowledge.reading.reading import Builder, Reading, Unreadable

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_HEADING = re.compile(r"(?:heading|标题|überschrift|titre)\s*(\d)", re.I)
_TINY_HALF_POINTS = 4  # 2 pt
_LIST_STYLE = re.compile(r"list|列表", re.I)


def read_docx(data: bytes) -> Reading:
    """Raises: Unreadable."""
    docx = require("docx", extra="documents")
    file = open_package(data, "word/document.xml")
    try:
        document = docx.Document(file)
        return _read(document)
    except Unreadable:
        raise
    except Exception as error:  # damage shows itself in many ways inside the library
        raise Unreadable(f"damaged: {type(error).__name__}: {error}") from error


def _read(document: Any) -> Reading:
    made = Builder("docx")
    made.title = document.core_properties.title or ""
    changed = document.core_properties.modified
    made.date = changed.date().isoformat() if changed is not None and changed.year > 2013 else ""
    for number, item in enumerate(document.iter_inner_content(), 1):
        made.place("paragraph", number)
        if hasattr(item, "rows"):
            _table(made, item)
        else:
            _paragraph(made, item)
    for part in document.part.package.iter_parts():
        name = str(part.partname)
        if name in ("/word/footnotes.xml", "/word/endnotes.xml"):
            for note in _parsed(part).iter(f"{_W}footnote", f"{_W}endnote"):
                made.add(_visible(made, note))
        elif name == "/word/comments.xml":
            for comment in _parsed(part).iter(f"{_W}comment"):
                made.hide("".join(t.text or "" for t in comment.iter(f"{_W}t")), "comment")
    return made.done()


def _parsed(part: Any) -> Any:
    etree = require("lxml.etree", extra="documents")
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return part.element if hasattr(part, "element") else etree.fromstring(part.blob, parser)


def _paragraph(made: Builder, paragraph: Any) -> None:
    text = _visible(made, paragraph._p)
    style = paragraph.style.name if paragraph.style is not None else ""
    heading = _HEADING.match(style or "")
    if style in ("Title", "标题"):
        made.add(text.replace("\n", " "), "heading", 1)
    elif heading:
        made.add(text.replace("\n", " "), "heading", int(heading[1]) + 1)
    else:
        listed = _LIST_STYLE.search(style or "") or paragraph._p.find(f"{_W}pPr/{_W}numPr") is not None
        made.add(f"- {text}" if listed and text.strip() else text, "list" if listed else "paragraph")


def _table(made: Builder, table: Any) -> None:
    lines = []
    for row in table._tbl.iter(f"{_W}tr"):
        cells = []
        for cell in row.iterchildren(f"{_W}tc"):
            cells.append(" ".join(" ".join(_visible(made, p).split()) for p in cell.iter(f"{_W}p")).strip())
        if any(cells):
            lines.append(" | ".join(cells))
    made.add("\n".join(lines), "table")


def _visible(made: Builder, element: Any) -> str:
    """The text of a paragraph that a reader sees: without what was deleted in tracked changes or is formatted away."""
    out: list[str] = []
    for run in element.iter(f"{_W}r"):
        if any(parent.tag in (f"{_W}del", f"{_W}moveFrom") for parent in run.iterancestors()):
            continue
        text = "".join(
            "\t" if x.tag == f"{_W}tab" else "\n" if x.tag in (f"{_W}br", f"{_W}cr") else (x.text or "")
            for x in run
            if x.tag in (f"{_W}t", f"{_W}tab", f"{_W}br", f"{_W}cr")
        )
        why = _hidden(run.find(f"{_W}rPr"))
        if why:
            made.hide(text, why)
        else:
            out.append(text)
    return "".join(out)


def _hidden(style: Any) -> str:
    if style is None:
        return ""
    for tag in ("vanish", "webHidden", "specVanish"):
        found = style.find(f"{_W}{tag}")
        if found is not None and found.get(f"{_W}val") not in ("0", "false", "off"):
            return "marked-hidden"
    size = style.find(f"{_W}sz")
    if size is not None and (size.get(f"{_W}val") or "").isdigit() and int(size.get(f"{_W}val")) <= _TINY_HALF_POINTS:
        return "tiny"
    colour, shade = style.find(f"{_W}color"), style.find(f"{_W}shd")
    value = (colour.get(f"{_W}val") or "").lower() if colour is not None else ""
    behind = (shade.get(f"{_W}fill") or "auto").lower() if shade is not None else "auto"
    marked = style.find(f"{_W}highlight") is not None
    if not marked and value and value != "auto" and _white(value) and (behind == "auto" or _white(behind)):
        return "invisible"
    return ""


def _white(colour: str) -> bool:
    """Whether RRGGBB can't be told from white paper."""
    return bool(re.fullmatch("[0-9a-f]{6}", colour)) and all(int(colour[i : i + 2], 16) >= 0xF4 for i in (0, 2, 4))
