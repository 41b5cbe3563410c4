"""Pictures of pages: their text by RapidOCR, whose small models come inside its package (Apache-2.0)."""

from __future__ import annotations

import io
import logging
import threading
from functools import cache
from typing import Any

from luodi.errors import require
from luodi.knowledge.reading.reading import Builder, Reading, Unreadable

MAX_PIXELS = 60_000_000
_LOCK = threading.Lock()


@cache
def _engine() -> Any:
    rapid = require("rapidocr", extra="ocr")
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)
    return rapid.RapidOCR(params={"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": 1})


def recognise(picture: Any) -> str:
    """Lines of a picture (height x width x 3, uint8, BGR), top to bottom; an empty line where there is a gap."""
    with _LOCK:
        found = _engine()(picture)
    if found.boxes is None:
        return ""
    lines = sorted(
        (float(box[:, 1].min()), float(box[:, 0].min()), float(box[:, 1].max()), text)
        for box, text in zip(found.boxes, found.txts, strict=True)
    )
    rows: list[list[tuple[float, float, float, str]]] = []
    for line in lines:
        last = rows[-1][0] if rows else None
        if last is not None and line[0] < (last[0] + last[2]) / 2:
            rows[-1].append(line)
        else:
            rows.append([line])
    out, bottom = "", 0.0
    for row in rows:
        height = row[0][2] - row[0][0]
        out += "\n\n" if out and row[0][0] - bottom > 0.9 * height else "\n" if out else ""
        out += " ".join(part[3] for part in sorted(row, key=lambda part: part[1]))
        bottom = max(part[2] for part in row)
    return out


def read_scan(data: bytes) -> Reading:
    """A picture file (PNG, JPEG, TIFF with its pages, WebP, BMP). Raises: Unreadable."""
    require("rapidocr", extra="ocr")
    from numpy import asarray

    image = require("PIL.Image", extra="ocr")
    made = Builder("scan")
    try:
        with image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise Unreadable(
                    f"{picture.width:,} x {picture.height:,} pixels; at most {MAX_PIXELS // 10**6} million"
                )
            for number in range(min(getattr(picture, "n_frames", 1), 1000)):
                picture.seek(number)
                made.place("page", number + 1)
                for part in recognise(asarray(picture.convert("RGB"))[:, :, ::-1]).split("\n\n"):
                    made.add(part)
    except (OSError, SyntaxError, ValueError, image.DecompressionBombError) as error:
        raise Unreadable(f"not a picture that can be read: {error}") from error
    return made.done()
