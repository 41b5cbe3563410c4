"""Texts of files, whatever they are: what a search reads of artifacts, caches and a project's folder."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

_NUMBERS = {".gguf", ".safetensors", ".npy", ".npz", ".onnx", ".bin", ".png", ".jpg", ".woff2", ".slots", ".arrow"}
_UNPACKED = 256 << 20  # bytes of one packed text
_BLOCK = 8 << 20  # characters of a file that are looked at together
_OVERLAP = 4096


def texts_of(path: Path) -> Iterator[str]:
    """What stands in a file. Numbers hold no text, and of tables each cell is one."""
    suffix = path.suffix.lower()
    if suffix in _NUMBERS:
        return
    if suffix == ".parquet":
        yield from _parquet(path)
    elif suffix == ".zlib":
        with suppress(OSError, zlib.error):
            yield _plain(zlib.decompressobj().decompress(path.read_bytes(), _UNPACKED).decode("utf-8", "replace"))
    elif suffix in (".sqlite", ".db"):
        yield from _sqlite(path)
    else:
        yield from _text(path)


def _text(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        rest = ""
        while block := file.read(_BLOCK):
            if "\0" in block[:4096]:
                return
            yield _plain(rest + block)
            rest = block[-_OVERLAP:]


def _plain(text: str) -> str:
    """JSON's escapes as what they stand for, as far as a search needs it."""
    if "\\" not in text:
        return text
    if "\\u" in text:
        with suppress(ValueError):
            return json.dumps(json.loads(text), ensure_ascii=False).replace("\\n", "\n").replace('\\"', '"')
    return text.replace("\\n", "\n").replace('\\"', '"')


def _parquet(path: Path) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        names = [f.name for f in file.schema_arrow if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
        for batch in file.iter_batches(batch_size=512, columns=names) if names else ():
            for column in batch.columns:
                yield from (_plain(text) for text in column.to_pylist() if text)


def _sqlite(path: Path) -> Iterator[str]:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            database.text_factory = lambda raw: raw.decode("utf-8", "replace")
            tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type='table'")]
            for table in tables:
                with suppress(sqlite3.DatabaseError):  # a table of an extension that is not there
                    for row in database.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - a name of the file's own
                        yield from _cells(row)
    except sqlite3.DatabaseError:
        return


def _cells(row: tuple[Any, ...]) -> Iterator[str]:
    for cell in row:
        if isinstance(cell, str):
            yield cell
        elif isinstance(cell, bytes) and cell[:1] == b"x":  # packed by zlib
            with suppress(zlib.error):
                yield zlib.decompressobj().decompress(cell, _UNPACKED).decode("utf-8", "replace")
