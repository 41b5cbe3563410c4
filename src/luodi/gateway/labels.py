"""The metadata of GB 45438 in a reply: bound to its record and its release, found in text, checked against the log.

Beside the code, the text that a label stands in is compared with the record's content, where that is still kept.

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

from luodi.engine.watermark import Detection, tokenizer_of, watermark_of
from luodi.errors import LuodiError, ReleaseError, StoreError
from luodi.gateway.records import read_record
from luodi.guard.vault import PLACEHOLDER
from luodi.release import Registry
from luodi.store import Store
from luodi.store.audit import open_payload

KIND = "luodi1:"
LONGEST = 4 << 20  # characters of a text that is read for its label
_LONGEST_FRONT = 1 << 16

State = Literal["ok", "unsigned", "unknown", "body_gone", "forged", "other_release"]
Same = Literal["same", "changed", "unknown"]


@dataclass(frozen=True, slots=True)
class LabelCheck:
    """What a label is worth.

    Attributes:
        state: ok; unsigned: no code of this product; unknown: the log has no such record; body_gone: retention let
            the record's release go, so the code can't be compared; forged: the code is not of this record and
            release; other_release: the code is right, but the producer named is not the release that answered.
        content: whether the text beside the label is the one that the record commits to; unknown: it can't be told,
            since there is none, the content was erased or never kept, or it holds pseudonyms.
    """

    state: State
    record: str
    release: str = ""
    release_digest: str = ""
    time_ms: int = 0
    content: Same = "unknown"

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

    def metadata(self, record: str, release: str, release_digest: str) -> dict[str, str]:
        """The keys of GB 45438 for an answer."""
        return {
            "Label": "1", "ContentProducer": release, "ProduceID": record,
            "ReservedCode1": self.mac(record, release_digest), "ContentPropagator": release, "PropagateID": record,
        }  # fmt: skip

    def of_row(self, body: dict[str, Any]) -> dict[str, str] | None:
        """The metadata of a row of the log; None if it is of no generated answer."""
        said = body.get("kind") == "call" and body.get("task") in ("answer", "chat") and body.get("finish") != "error"
        if not (said and body.get("release_digest")):
            return None
        return self.metadata(body["id"], body["subject"], body["release_digest"])

    def check(self, label: dict[str, Any], text: str | None = None) -> LabelCheck:
        """Compare a label's code and producer with the record that it names, and `text` with what was answered."""
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
        same = self._same(record, text)  # only for who has the record's label
        return LabelCheck("ok" if label.get("ContentProducer") == row["release"] else "other_release", *about, same)

    def _same(self, record: str, text: str | None) -> Same:
        if text is None:
            return "unknown"
        try:
            said = str(open_payload(self._store, record)["answer"])  # shown to be what the record commits to
        except StoreError:
            return "unknown"
        if _plain(said) == _plain(text):
            return "same"
        return "unknown" if PLACEHOLDER.search(said) else "changed"


def _plain(text: str) -> str:
    """A text as it survives a file: ends of lines and space at either end do not count."""
    return text.replace("\r\n", "\n").strip()


def find_watermark(store: Store, text: str, release: str = "") -> Detection:
    """Look for the store's watermark in a text, as the tokenizer of a release cuts it; by default the newest release's.

    Raises:
        ReleaseError: there is no such release.
        EngineError: it has no tokenizer.
    """
    registry = Registry(store)
    if release:
        found = registry.find(release)
    elif known := registry.all():
        found = max(known, key=lambda each: each.time_ms)
    else:
        raise ReleaseError("there is no release, so no tokenizer to look for a watermark with", "`luodi run` makes one")
    folder = store.artifacts.get(found.digest).files
    return watermark_of(store).detect(text, tokenizer_of(folder / "weights"))


def find_label(text: str) -> dict[str, Any]:
    """The AIGC metadata in a text: a reply's JSON, or YAML front matter.

    Raises:
        LuodiError: the text is too long, or holds none.
    """
    return read_labelled(text)[0]


def read_labelled(text: str) -> tuple[dict[str, Any], str | None]:
    """The label in a text as `find_label`, and the words that it stands beside; None where no form is known.

    Raises:
        LuodiError: as `find_label`.
    """
    if len(text) > LONGEST:
        raise LuodiError(f"the text has {len(text)} characters; at most {LONGEST} are read for a label")
    front, words = "", ""
    if text.startswith("---\n"):
        front, _, rest = text[4:].partition("\n---")
        words = rest.partition("\n")[2]
    if len(front) > _LONGEST_FRONT:
        raise LuodiError(f"the front matter has {len(front)} characters; at most {_LONGEST_FRONT} are read")
    try:
        value: Any = yaml.safe_load(front) if front else json.loads(text)
    except (ValueError, yaml.YAMLError, RecursionError):
        value = None
    found = _inside(value)
    if found is None:
        raise LuodiError("there is no AIGC label", "give a reply's JSON, or text with YAML front matter")
    return found, words if front else _words(value)


def with_label(text: str, label: dict[str, str]) -> str:
    """A text for a file, with its label as YAML front matter."""
    return f"---\n{yaml.safe_dump({'AIGC': label}, sort_keys=False, allow_unicode=True)}---\n{text}\n"


def _words(reply: Any) -> str | None:
    """The text of a reply in OpenAI's or Anthropic's form, or of `luodi ask --json`."""
    if not isinstance(reply, dict):
        return None
    choice = next((c for c in _list(reply.get("choices")) if isinstance(c, dict)), {})
    message = choice.get("message")
    said = [message.get("content") if isinstance(message, dict) else None, choice.get("text"), reply.get("answer")]
    parts = [reply, *(item for item in _list(reply.get("output")) if isinstance(item, dict))]
    texts = [part.get("text") for each in parts for part in _list(each.get("content")) if isinstance(part, dict)]
    said.append("".join(text for text in texts if isinstance(text, str)) if texts else None)
    return next((text for text in said if isinstance(text, str)), None)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


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
