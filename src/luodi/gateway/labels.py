"""The metadata of GB 45438 in a reply: bound to its record and its release, found in text, checked against the log.

ReservedCode1 holds "luodi1:" and 128 bits of HMAC-SHA256 over record id and release digest. Its key is derived from
the store's signing key, so a label can be checked only where the record lies.
"""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

import yaml

from luodi.errors import LuodiError, StoreError
from luodi.gateway.records import read_record
from luodi.store import Store

KIND = "luodi1:"
LONGEST = 4 << 20  # characters of a text that is read for its label
_LONGEST_FRONT = 1 << 16

State = Literal["ok", "unsigned", "unknown", "body_gone", "forged", "other_release"]


@dataclass(frozen=True, slots=True)
class LabelCheck:
    """What a label is worth.

    Attributes:
        state: ok; unsigned: no code of this product; unknown: the log has no such record; body_gone: retention let
            the record's release go, so the code can't be compared; forged: the code is not of this record and
            release; other_release: the code is right, but the producer named is not the release that answered.
    """

    state: State
    record: str
    release: str = ""
    release_digest: str = ""
    time_ms: int = 0

    @property
    def ok(self) -> bool:
        return self.state == "ok"

    def as_dict(self) -> dict[str, Any]:
        return {"ok": self.ok} | asdict(self)


class Labels:
    """Writes and checks the codes of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key = store.keys.derive("labels")

    def mac(self, record: str, release_digest: str) -> str:
        """ReservedCode1 of an answer."""
        code = hmac.digest(self._key, f"{record}\0{release_digest}".encode(), "sha256")[:16]
        return KIND + base64.urlsafe_b64encode(code).decode().rstrip("=")

    def check(self, label: dict[str, Any]) -> LabelCheck:
        """Compare a label's code and producer with the record that it names."""
        record, code = str(label.get("ProduceID", "")), str(label.get("ReservedCode1", ""))
        if not code.startswith(KIND):
            return LabelCheck("unsigned", record)
        try:
            row = read_record(self._store, record)
        except StoreError:
            return LabelCheck("unknown", record)
        if row["id"] != record:  # a prefix is no name
            return LabelCheck("unknown", record)
        digest = str(row.get("release_digest", ""))
        about = (record, str(row["release"]), digest, int(row["time_ms"]))
        if "release_digest" not in row:
            return LabelCheck("body_gone", record)
        if not hmac.compare_digest(self.mac(record, digest).encode(), code.encode("utf-8", "replace")):
            return LabelCheck("forged", record)  # says nothing of the record to who has no label of it
        return LabelCheck("ok" if label.get("ContentProducer") == row["release"] else "other_release", *about)


def find_label(text: str) -> dict[str, Any]:
    """The AIGC metadata in a text: a reply's JSON, or YAML front matter.

    Raises:
        LuodiError: the text is too long, or holds none.
    """
    if len(text) > LONGEST:
        raise LuodiError(f"the text has {len(text)} characters; at most {LONGEST} are read for a label")
    front = text[4:].partition("\n---")[0] if text.startswith("---\n") else ""
    if len(front) > _LONGEST_FRONT:
        raise LuodiError(f"the front matter has {len(front)} characters; at most {_LONGEST_FRONT} are read")
    try:
        value: Any = yaml.safe_load(front) if front else json.loads(text)
    except (ValueError, yaml.YAMLError, RecursionError):
        value = None
    found = _inside(value)
    if found is None:
        raise LuodiError("there is no AIGC label", "give a reply's JSON, or text with YAML front matter")
    return found


def _inside(value: Any) -> dict[str, Any] | None:
    """The first label in a value; each part is looked at once, however often YAML's aliases repeat it."""
    seen: set[int] = set()
    rest = [value]
    while rest:
        part = rest.pop()
        if not isinstance(part, dict | list) or id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, dict):
            label = part.get("AIGC", part if "ProduceID" in part and "Label" in part else None)
            if isinstance(label, dict):
                return label
            part = list(part.values())
        rest.extend(reversed(part))
    return None
