"""PDF by pdfium: the text of each page in reading order, headings by size of type, and text that can't be seen."""

from __future__ import annotations

import ctypes
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from luodi.errors import require
from luodi.knowledge.reading.reading import Builder, Reading, Unreadable

MAX_PAGES = 10_000
_LOCK = threading.Lock()  # pdfium is not made for threads
_TINY = 2.5  # points
_PALE = 0.75  # luminance of ink from which it is looked at whether it shows on its ground
_CONTRAST = 10  # of 255, between the lightest and the darkest sign of a place
_SHORTEST = 3  # signs; a single one off the page is an accident of typesetting
_LARGER = 1.15  # of the size most text has: a heading
_MARGIN = 0.08  # of the page's height, where running lines stand
_LONGEST_HEADING = 150
_LEADER = re.compile(r"(?:\. ?){5,}\s*[\divxlc]*\Z")  # of a table of contents, which the headings themselves give
_ONLY_NUMBER = re.compile(r"\W*\d+\W*\Z")
_ITEM = re.compile(r"[•‣▪●–-] |\(?\d{1,2}[.)] ")
_DATE = re.compile(r"D:(\d{4})(\d\d)(\d\d)")

Recognise = Callable[[Any], str]  # a picture (height x width x 3, uint8) to its text


@dataclass(slots=True)
class _Line:
    text: str
    size: float
    bold: bool
    top: float
    bottom: float
    edge: bool  # in the margin at the page's top or bottom


def read_pdf(data: bytes, recognise: Recognise | None = None) -> Reading:
    """`recognise` reads pages that are pictures. Raises: Unreadable."""
    pdfium = require("pypdfium2", extra="documents")
    with _LOCK:
        try:
            document = pdfium.PdfDocument(data)
        except pdfium.PdfiumError as error:
            said = str(error)
            why = "encrypted with a password" if "assword" in said else f"damaged or cut off: {said}"
            raise Unreadable(why) from error
        try:
            return _read(document, recognise)
        except pdfium.PdfiumError as error:
            raise Unreadable(f"damaged: {error}") from error
        finally:
            document.close()


def _read(document: Any, recognise: Recognise | None) -> Reading:
    made = Builder("pdf")
    about = document.get_metadata_dict()
    made.title = about.get("Title", "").strip()
    dated = _DATE.match(about.get("ModDate") or about.get("CreationDate") or "")
    made.date = "-".join(dated.groups()) if dated else ""
    count = len(document)
    if count > MAX_PAGES:
        raise Unreadable(f"{count:,} pages; at most {MAX_PAGES:,} are read, so split it")
    pages: list[tuple[list[_Line], str]] = []
    hidden: list[list[tuple[str, str]]] = []
    blank = []
    for number in range(count):
        page = document[number]
        lines, unseen = _lines(page)
        scanned = ""
        if not lines and any(True for _ in page.get_objects(filter=[3], max_depth=3)):  # pictures and no text
            if recognise is None:
                blank.append(number + 1)
            else:
                scanned = recognise(page.render(scale=2).to_numpy())
        pages.append((lines, scanned))
        hidden.append(unseen)
        page.close()
    if blank:
        which = f"{len(blank)} of {count} pages are pictures without text (the first: page {blank[0]})"
        made.notes.append(f"{which}; the extra ocr reads them")
    body = _body_size(pages)
    repeated = _repeated([[line for line in lines if line.size < _LARGER * body] for lines, _ in pages])
    for number, (lines, scanned) in enumerate(pages, 1):
        made.place("page", number)
        for text, why in hidden[number - 1]:
            made.hide(text, why)
        if scanned:
            for part in scanned.split("\n\n"):
                made.add(part)
        _page(made, [line for line in lines if _key(line) not in repeated], body)
    return made.done()


def _page(made: Builder, lines: list[_Line], body: float) -> None:
    """Lines to paragraphs: a gap, another size or an indented first line begins a new one."""
    run: list[_Line] = []

    def flush() -> None:
        if run:
            text = "\n".join(line.text for line in run)
            alone = run[0].bold and len(run) == 1 and not text.endswith((".", "。", ":", "：", ","))
            if (
                (run[0].size >= _LARGER * body or alone)
                and len(text) <= _LONGEST_HEADING
                and not _ONLY_NUMBER.match(text)
            ):
                level = 1 if run[0].size >= 1.6 * body else 2 if run[0].size >= 1.3 * body else 3
                made.add(text.replace("\n", " "), "heading", level)
            else:
                made.add(text, "list" if _ITEM.match(text) else "paragraph")
            run.clear()

    for line in lines:
        if run:
            last = run[-1]
            height = max(last.size, line.size, 1.0)
            gap = last.bottom - line.top
            other = abs(last.size - line.size) > 0.08 * height or (last.bold != line.bold and line.size > body)
            if other or gap > 0.75 * height or gap < -4 * height or _ITEM.match(line.text):
                flush()
        run.append(line)
    flush()


def _body_size(pages: list[tuple[list[_Line], str]]) -> float:
    sizes: Counter[float] = Counter()
    for lines, _ in pages:
        for line in lines:
            sizes[round(line.size, 1)] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 1.0


def _key(line: _Line) -> tuple[str, int]:
    """A line without its numbers, and its height on the page in steps of ten points."""
    return re.sub(r"\d+", "#", line.text.strip()), round(line.top / 10)


def _repeated(pages: list[list[_Line]]) -> set[tuple[str, int]]:
    """Headers and footers: what stands at the same height of most pages, in their margins."""
    if len(pages) < 4:
        return set()
    seen: Counter[tuple[str, int]] = Counter()
    for lines in pages:
        seen.update({_key(line) for line in lines if line.edge})
    return {key for key, count in seen.items() if count >= max(3, 0.4 * len(pages))}


def _lines(page: Any) -> tuple[list[_Line], list[tuple[str, str]]]:
    """(lines that are seen, (text, why) of what is not)."""
    raw = require("pypdfium2.raw", extra="documents")
    text_page = page.get_textpage()
    count = text_page.count_chars()
    if count <= 0:
        text_page.close()
        return [], []
    width, height = page.get_size()
    seen = _Seen(page, raw)
    lines: list[_Line] = []
    unseen: list[tuple[str, str]] = []
    signs: list[str] = []
    box = [0.0, 0.0]  # top, bottom
    sizes: Counter[float] = Counter()
    bold = 0
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    why = last_why = ""

    def flush() -> None:
        nonlocal bold
        text = "".join(signs).strip()
        if text and not _LEADER.search(text):
            size = sizes.most_common(1)[0][0] if sizes else 1.0
            edge = box[1] > (1 - _MARGIN) * height or box[0] < _MARGIN * height
            lines.append(_Line(text, size, bold > len(text) * 0.6, box[0], box[1], edge))
        signs.clear()
        sizes.clear()
        bold = 0

    handle = text_page.raw
    for place in range(count):
        code = raw.FPDFText_GetUnicode(handle, place)
        sign = chr(code) if code and code < 0x110000 and not 0xD800 <= code < 0xE000 else ""
        if sign in ("\n", "\r"):
            flush()
            continue
        if raw.FPDFText_IsGenerated(handle, place) == 1 or sign.isspace():
            if not last_why:
                signs.append(" ")
            elif unseen:
                unseen[-1] = (unseen[-1][0] + " ", unseen[-1][1])
            continue
        raw.FPDFText_GetCharBox(handle, place, left, right, bottom, top)
        size = raw.FPDFText_GetFontSize(handle, place)
        matrix = raw.FS_MATRIX()
        if raw.FPDFText_GetMatrix(handle, place, matrix):
            size *= abs(matrix.a * matrix.d - matrix.b * matrix.c) ** 0.5
        outside = right.value < 0 or left.value > width or top.value < 0 or bottom.value > height
        area = (left.value, bottom.value, right.value, top.value)
        why = "off-page" if outside else "tiny" if size < _TINY else seen.why(handle, place, area)
        if why:
            same = bool(unseen) and last_why == why
            unseen[-1:] = [(unseen[-1][0] + sign, why)] if same else [*unseen[-1:], (sign, why)]
        else:
            if not signs or not sizes:
                box[0], box[1] = top.value, bottom.value
            box[0], box[1] = max(box[0], top.value), min(box[1], bottom.value)
            signs.append("\u00ad" if sign == "\x02" else sign)
            sizes[round(size, 1)] += 1
            bold += raw.FPDFText_GetFontWeight(handle, place) >= 600
        last_why = why
    flush()
    text_page.close()
    return lines, [(text, why) for text, why in unseen if len(text.strip()) >= _SHORTEST]


class _Seen:
    """Whether signs of a page can be seen: by how they are painted, and, if pale, by what is there when it is drawn."""

    def __init__(self, page: Any, raw: Any) -> None:
        self._page, self._raw = page, raw
        self._pixels: Any = None
        self._modes: dict[int, int] = {}
        self._behind_scan = any(True for _ in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3))
        self._red, self._green, self._blue, self._alpha = (ctypes.c_uint() for _ in range(4))

    def why(self, text: Any, place: int, box: tuple[float, float, float, float]) -> str:
        """Why sign `place` is not seen; "" if it is. `box`: left, bottom, right, top in points."""
        raw = self._raw
        shape = raw.FPDFText_GetTextObject(text, place)
        address = ctypes.cast(shape, ctypes.c_void_p).value or 0
        mode = self._modes.get(address)
        if mode is None:
            mode = self._modes[address] = raw.FPDFTextObj_GetTextRenderMode(shape) if shape else 0
        if mode == raw.FPDF_TEXTRENDERMODE_INVISIBLE:
            return "" if self._behind_scan else "invisible"  # under a scan it is what was recognised in it
        if not raw.FPDFText_GetFillColor(text, place, self._red, self._green, self._blue, self._alpha):
            return ""
        if self._alpha.value < 8:
            return "invisible"
        light = (0.299 * self._red.value + 0.587 * self._green.value + 0.114 * self._blue.value) / 255
        return "invisible" if light > _PALE and not self._shows(box) else ""

    def _shows(self, box: tuple[float, float, float, float]) -> bool:
        if self._pixels is None:
            self._pixels = self._page.render(scale=2, grayscale=True).to_numpy()
        height, width = self._pixels.shape[:2]
        left, bottom, right, top = (2 * value for value in box)
        rows = slice(max(0, int(height - top) - 1), min(height, int(height - bottom) + 2))
        columns = slice(max(0, int(left) - 1), min(width, int(right) + 2))
        part = self._pixels[rows, columns]
        return bool(part.size) and int(part.max()) - int(part.min()) >= _CONTRAST
