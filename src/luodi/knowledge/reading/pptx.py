"""Presentations: a section a slide; tables and groups too, speaker's notes apart. By python-pptx."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from luodi.errors import require
from luodi.knowledge.reading.package import open_package
from luodi.knowledge.reading.reading import Builder, Reading, Unreadable

_MAX_DEPTH = 20  # of groups in groups


def read_pptx(data: bytes) -> Reading:
    """Raises: Unreadable."""
    pptx = require("pptx", extra="documents")
    file = open_package(data, "ppt/presentation.xml")
    try:
        return _read(pptx.Presentation(file))
    except Unreadable:
        raise
    except Exception as error:  # damage shows itself in many ways inside the library
        raise Unreadable(f"damaged: {type(error).__name__}: {error}") from error


def _read(presentation: Any) -> Reading:
    made = Builder("pptx")
    made.title = presentation.core_properties.title or ""
    changed = presentation.core_properties.modified
    made.date = changed.date().isoformat() if changed is not None and changed.year > 2013 else ""
    width, height = presentation.slide_width, presentation.slide_height
    for number, slide in enumerate(presentation.slides, 1):
        made.place("slide", number)
        if slide._element.get("show") == "0":
            made.hide("\n".join(_texts(slide.shapes)), "marked-hidden")
            continue
        title = slide.shapes.title
        made.add((title.text_frame.text if title is not None else "").replace("\n", " ").replace("\v", " ")
                 or f"{number}", "heading", 1)  # fmt: skip
        for shape in _flat(slide.shapes):
            if title is not None and shape.shape_id == title.shape_id:
                continue
            if _off(shape, width, height):
                made.hide("\n".join(_texts([shape])), "off-page")
            elif getattr(shape, "has_table", False):
                rows = [" | ".join(" ".join(cell.text.split()) for cell in row.cells) for row in shape.table.rows]
                made.add("\n".join(rows), "table")
            elif shape.has_text_frame:
                for paragraph in shape.text_frame.paragraphs:
                    text = paragraph.text.replace("\v", "\n")
                    made.add(f"- {text}" if paragraph.level else text, "list" if paragraph.level else "paragraph")
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            made.add(slide.notes_slide.notes_text_frame.text, "note")
    return made.done()


def _flat(shapes: Any, depth: int = 0) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            if depth < _MAX_DEPTH:
                yield from _flat(shape.shapes, depth + 1)
        else:
            yield shape


def _texts(shapes: Any) -> list[str]:
    return [shape.text_frame.text for shape in _flat(shapes) if shape.has_text_frame]


def _off(shape: Any, width: int, height: int) -> bool:
    """Whether a shape lies beside the slide."""
    if None in (shape.left, shape.top, shape.width, shape.height):
        return False
    return bool(
        shape.left >= width or shape.top >= height or shape.left + shape.width <= 0 or shape.top + shape.height <= 0
    )
