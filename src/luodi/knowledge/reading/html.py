"""Web pages: what a browser would show of them, without navigation. By lxml, which fetches nothing."""

from __future__ import annotations

import re
from typing import Any

from luodi.errors import require
from luodi.knowledge.reading.reading import Builder, Reading, Unreadable

_SKIPPED = frozenset("script style noscript template svg math iframe object embed head nav button select".split())
_BLOCKS = frozenset(
    "address article aside blockquote body dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5"
    " h6 header hr html li main ol p pre section summary table tbody td tfoot th thead tr ul".split()
)
_UNSEEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0*)?\s*(?:;|$)|font-size\s*:\s*0*\.?0*(?:px|pt|em|%)?\s*(?:;|$)"
    r"|(?:left|top|text-indent)\s*:\s*-\d{3,}|clip\s*:\s*rect\(\s*0",
    re.I,
)
_PAINT = re.compile(r"(?<![\w-])(color|background(?:-color)?)\s*:\s*([^;]+)", re.I)
_WHITE = re.compile(
    r"white|#f{3}(?:f{3})?|#f[4-9a-f]f[4-9a-f]f[4-9a-f]|rgba?\(\s*25[0-5]\s*,\s*25[0-5]\s*,\s*25[0-5].*", re.I
)
_MAX_DEPTH = 400


def read_html(data: bytes) -> Reading:
    """Raises: Unreadable."""
    html = require("lxml.html", extra="documents")
    try:
        # Encodings: what the page says of itself, else UTF-8 if it is, else as browsers guess.
        declared = re.search(rb"charset\s*=\s*[\"']?([\w-]+)", data[:4096])
        try:
            text: Any = data.decode(declared[1].decode() if declared else "utf-8-sig")
            text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)
        except (UnicodeDecodeError, LookupError):
            text = data
        root = html.document_fromstring(text)
    except Exception as error:
        raise Unreadable(f"not a web page: {error}") from error
    made = Builder("html")
    made.title = " ".join((root.findtext(".//title") or "").split())
    for name in ("article:modified_time", "dcterms.modified", "date", "article:published_time"):
        for meta in root.xpath("//meta[@content]"):
            if name in (meta.get("name"), meta.get("property")) and re.match(r"\d{4}-\d\d-\d\d", meta.get("content")):
                made.date = made.date or meta.get("content")[:10]
    _Page(made).walk(root)
    return made.done()


class _Page:
    def __init__(self, made: Builder) -> None:
        self._made = made
        self._inline: list[str] = []
        self._line = 1

    def _flush(self, kind: Any = "paragraph", level: int = 0) -> None:
        text = " ".join("".join(self._inline).split())
        self._inline.clear()
        if text:
            self._made.place("line", self._line)
            self._made.add(f"- {text}" if kind == "list" else text, kind, level)

    def walk(self, element: Any, kind: Any = "paragraph", depth: int = 0) -> None:
        """Add what `element` shows; text between block elements becomes a block of `kind`."""
        tag = element.tag if isinstance(element.tag, str) else ""
        if not tag:
            return
        if tag in _SKIPPED or depth > _MAX_DEPTH:
            return
        if _hidden(element):
            if tag in _BLOCKS:
                self._flush(kind)
            self._made.hide(element.text_content(), "marked-hidden")
            return
        if tag == "br":
            self._inline.append("\n")
            return
        block = tag in _BLOCKS
        if block:
            self._flush(kind)
            self._line = element.sourceline or self._line
        level = int(tag[1]) if re.fullmatch("h[1-6]", tag) else 0
        if tag == "pre":
            self._made.place("line", self._line)
            self._made.add(element.text_content(), "code")
            return
        if tag == "table" and element.find(".//table") is None:
            self._table(element)
            return
        inner = "heading" if level else "list" if tag == "li" else kind if kind == "list" or not block else "paragraph"
        self._inline.append(element.text or "")
        for child in element:
            self.walk(child, inner, depth + 1)
            self._inline.append(child.tail or "")
        if block:
            self._flush(inner, level)

    def _table(self, table: Any) -> None:
        lines = []
        for row in table.iter("tr"):
            cells = [" ".join(c.text_content().split()) for c in row if isinstance(c.tag, str) and not _hidden(c)]
            if any(cells):
                lines.append(" | ".join(cells))
        self._made.place("line", self._line)
        self._made.add("\n".join(lines), "table")


def _hidden(element: Any) -> bool:
    if element.get("hidden") is not None:
        return True
    style = element.get("style") or ""
    if not style:
        return False
    if _UNSEEN.search(style):
        return True
    paint = {name.lower().partition("-")[0]: value.strip() for name, value in _PAINT.findall(style)}
    ground = paint.get("background", "white")
    return "color" in paint and bool(_WHITE.match(paint["color"])) and bool(_WHITE.match(ground))
