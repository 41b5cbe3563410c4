"""What decided reviews teach: rows for the guard's models, and good and bad answers.

guard.jsonl       text, label: what a check of attacks stopped; 1 if that was upheld, 0 if it was overturned
categories.jsonl  text, category: what moderation stopped; no category if that was overturned
feedback.jsonl    question, answer, good: answers that people looked at
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from luodi.errors import StoreError
from luodi.gateway.admin.contents import read_content
from luodi.gateway.admin.reviews import Reviews
from luodi.gateway.records import read_record
from luodi.guard import STOPS, mask
from luodi.store import Store, write_bytes

FILES = ("guard", "categories", "feedback")
_ATTACKS = ("rules", "injection", "transformer", "conversation")
_PAGE = 500


def export_decided(store: Store, reviews: Reviews, folder: Path, *, actor: str) -> Counter[str]:
    """Write the rows of all decided reviews into files of `folder`, which are made anew; how many there are of each.

    That content is read is a row in the log for each call. Personal data is masked. Calls whose content is gone are
    counted as `gone`; what neither a model nor a check of attacks or categories decided, as `other`.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in FILES}
    counts: Counter[str] = Counter(dict.fromkeys((*FILES, "gone", "other"), 0))
    for review in _decided(reviews):
        kind, row = _row(store, review, actor)
        counts[kind] += 1
        if row:
            rows[kind].append(row)
    for name, found in rows.items():
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in reversed(found))  # the oldest first
        write_bytes(folder / f"{name}.jsonl", "".join(lines).encode("utf-8", "replace"))
    return counts


def _decided(reviews: Reviews) -> Iterator[dict[str, Any]]:
    after = None
    while page := reviews.page("decided", limit=_PAGE, after=after):
        yield from page
        after = (page[-1]["time_ms"], page[-1]["record"])


def _row(store: Store, review: dict[str, Any], actor: str) -> tuple[str, dict[str, Any]]:
    """The file that a review's row belongs to, and the row."""
    id_, upheld = review["record"], review["decision"] == "upheld"
    try:
        record = read_record(store, id_)
    except StoreError:  # a tool's call
        return "other", {}
    content = read_content(store, id_, actor=actor, purpose="training")
    if content is None or "verdicts" not in record:
        return "gone", {}
    said, _ = mask(next((text for role, text in reversed(content["messages"]) if role == "user"), ""))
    from_ = {"record": id_, "decision": review["decision"], "release": record["release"]}
    if record["outcome"] != "refused":
        return "feedback", {"question": said, "answer": mask(content["answer"])[0], "good": upheld} | from_
    stopped = next((v for v in record["verdicts"] if v["ran"] and v["action"] in STOPS), None)
    if stopped is None or record["completion_tokens"] or not said.strip():  # an answer was stopped, not a question
        return "other", {}
    if stopped["check"] in _ATTACKS:
        return "guard", {"text": said, "label": int(upheld), "check": stopped["check"]} | from_
    if stopped["check"] == "moderation":
        return "categories", {"text": said, "category": stopped["category"] if upheld else ""} | from_
    return "other", {}
