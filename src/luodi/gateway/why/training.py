"""The rows that a release's model was trained on, and which of them are nearest to an answer.

The release's signed passport names the action of its train stage, and that action the data set. Its rows are indexed
once by their words (BM25), in `cache/` of the store under the data set's digest.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from luodi.errors import LuodiError
from luodi.knowledge import Index
from luodi.knowledge.chunks import Chunk
from luodi.knowledge.index import build
from luodi.pipeline import Row, read_rows
from luodi.release.verify import PASSPORT
from luodi.store import Store

NEAREST = 5
_CITES = re.compile(r"\[\d{1,2}\]")
_building = threading.Lock()


def nearest(store: Store, release_digest: str, answer: str | None, missing: str = "") -> dict[str, Any]:
    """The training rows nearest to `answer`, best first, each with its score (BM25: higher is nearer).

    `rows` is None, and `reason` says why, if the answer or the data set can't be had. `missing` says why there is
    no answer.
    """
    digest, reason = data_set(store, release_digest)
    told: dict[str, Any] = {"data_set": digest or None, "rows": None, "reason": reason or None}
    if reason:
        return told
    if answer is None:
        return told | {"reason": missing or "there is no answer"}
    try:
        rows, index = _opened(str(store.root), digest)
    except (LuodiError, OSError) as error:
        return told | {"reason": f"the data set can't be read: {error}"}
    if not rows:
        return told | {"reason": "the data set has no training rows"}
    hits = index.search(_CITES.sub("", answer), NEAREST)
    found = [rows[h.chunk.row_id] | {"score": round(h.score, 4)} for h in hits]
    return told | {"rows": [row for row in found if row["score"] > 0]}


def data_set(store: Store, release_digest: str) -> tuple[str, str]:
    """(digest of the rows that a release's model was trained on, "") or ("", why it is not known)."""
    if not release_digest or release_digest not in store.artifacts:
        return "", "the release is not in the store"
    passport = json.loads((store.artifacts.get(release_digest).files / PASSPORT).read_bytes())
    stages = {s["stage"]: s for s in passport.get("stages", [])}
    if "train" not in stages:
        return "", "the release's model was not trained here"
    action = store.actions.get(stages["train"]["key"])
    if action is None:
        return "", "the store has no record of how the model was trained"
    digest = str((action.parts.get("inputs") or {}).get("rows", ""))
    if not digest:
        return "", "the model was trained on no rows"
    if digest not in store.artifacts:
        return digest, "the data set is not in the store any more"
    return digest, ""


@lru_cache(maxsize=4)
def _opened(root: str, digest: str) -> tuple[dict[str, dict[str, Any]], Index]:
    store = Store(Path(root))
    rows = [r for r in read_rows(store.artifacts.get(digest).files) if r.meta.get("split", "train") == "train"]
    path = store.folder("cache") / f"rows-{digest}.sqlite"
    with _building:
        if not path.is_file():
            half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            try:
                build(half, _chunks(rows))
                os.replace(half, path)  # noqa: PTH105 - whole or not there, whoever else makes it
            finally:
                half.unlink(missing_ok=True)
    return {r.id: _shown(r) for r in rows}, Index(path)


def _chunks(rows: list[Row]) -> Iterator[Chunk]:
    for r in rows:
        # Each in a place of its own: for the index, rows of one place are versions of one section.
        yield Chunk(0, r.id, r.source, 0, r.id, r.meta.get("question", r.title), _text(r), r.start, r.end, r.line)


def _text(row: Row) -> str:
    return _CITES.sub("", str(row.meta.get("answer") or row.text))


def _shown(row: Row) -> dict[str, Any]:
    return {
        "row_id": row.id, "question": row.meta.get("question"), "text": _text(row).strip(),
        "source": row.source, "path": row.path, "line": row.line, "title": row.title, "licence": row.licence,
    }  # fmt: skip
