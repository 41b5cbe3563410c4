"""The report of some packs: one HTML file that needs nothing else, PDF, and JSON."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from luodi.errors import require
from luodi.release.compliance.assess import Assessment
from luodi.release.compliance.evidence import Found
from luodi.release.report import SCRIPT, Language, words
from luodi.store import write_bytes

Format = Literal["html", "pdf", "json"]
SCHEMA = 1
_HERE = Path(__file__).parent
_FONT = "STSong-Light"  # a font that readers of PDF have, for Chinese and Latin letters


def write(
    assessments: Sequence[Assessment], about: dict[str, Any], path: Path, kind: Format, language: Language = "en"
) -> None:
    """Write the report to `path`.

    Args:
        about: release, created, signer, digest, time.
        language: that is shown first in HTML, and the only one in PDF.

    Raises:
        MissingExtraError: PDF without the extra `pdf`.
    """
    if kind == "json":
        body = {"schema": SCHEMA, **about, "packs": [each.as_dict() for each in assessments]}
        write_bytes(path, json.dumps(body, ensure_ascii=False, indent=1).encode() + b"\n")
    elif kind == "html":
        write_bytes(path, render(assessments, about, language).encode("utf-8", "replace"))
    else:
        _pdf(assessments, about, path, language)


def listed(assessments: Sequence[Assessment]) -> list[Found]:
    """Every piece of evidence that was found in the release, once, in the order in which it is first named."""
    found = {f.anchor: f for a in assessments for c in a.controls for f in c.found if f.automatic}
    return list(found.values())


def render(assessments: Sequence[Assessment], about: dict[str, Any], language: Language = "en") -> str:
    environment = Environment(
        loader=ChoiceLoader([FileSystemLoader(_HERE), FileSystemLoader(_HERE.parent)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        assessments=assessments,
        evidence=listed(assessments),
        language=language,
        words=words,
        script=Markup(SCRIPT),  # noqa: S704  our own constant
        **about,
    )


def _pdf(assessments: Sequence[Assessment], about: dict[str, Any], path: Path, language: Language) -> None:
    platypus = require("reportlab.platypus", extra="pdf")
    styles = require("reportlab.lib.styles", extra="pdf")
    pages = require("reportlab.lib.pagesizes", extra="pdf")
    colors = require("reportlab.lib.colors", extra="pdf")
    require("reportlab.pdfbase.pdfmetrics", extra="pdf").registerFont(
        require("reportlab.pdfbase.cidfonts", extra="pdf").UnicodeCIDFont(_FONT)
    )
    plain = styles.ParagraphStyle("plain", fontName=_FONT, fontSize=8, leading=11, wordWrap="CJK")
    head = styles.ParagraphStyle("head", parent=plain, fontSize=13, leading=18, spaceBefore=10, spaceAfter=6)

    def text(value: str, style: Any = plain) -> Any:
        return platypus.Paragraph(html.escape(value), style)

    title = {"en": "Compliance report", "zh": "合规报告"}[language]
    story = [text(f"{title}: {about['release']}", head)]
    story += [text(f"{key}: {about[key]}") for key in ("time", "created", "signer", "digest")]
    for each in assessments:
        story.append(text(getattr(each.pack.title, language), head))
        counts = ", ".join(f"{words(f'status_{s}').of(language)}: {n}" for s, n in each.counts.items() if n)
        story.append(text(counts))
        rows = []
        for c in each.controls:
            found = "\n".join(f"{f.title.of(language)}: {f.text.of(language)}" for f in c.found)
            status = words(f"status_{c.status}").of(language) + (f"\n{c.reason}" if c.reason else "")
            basis = "" if c.control.basis == "text" else f"\n{words('basis_general').of(language)}"
            rows.append(
                [
                    text(f"{c.control.clause}\n{c.control.id}{basis}"),
                    text(getattr(c.control.requirement, language)),
                    text(status),
                    [text(line) for line in found.split("\n")],
                ]
            )
        table = platypus.Table(rows, colWidths=[90, 160, 70, 220], splitInRow=1)
        table.setStyle(
            platypus.TableStyle(
                [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEABOVE", (0, 0), (-1, -1), 0.4, colors.lightgrey)]
            )
        )
        story += [platypus.Spacer(1, 6), table]
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    margins = {"leftMargin": 28, "rightMargin": 28, "topMargin": 32, "bottomMargin": 32}
    platypus.SimpleDocTemplate(str(temporary), pagesize=pages.A4, title=f"{title} {about['release']}", **margins).build(
        story
    )
    temporary.replace(path)
