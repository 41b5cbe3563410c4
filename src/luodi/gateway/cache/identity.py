"""When two calls are the same: one digest of everything that the answer depends on, and of who may share it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from luodi.gateway.call import Call
from luodi.store.digest import digest_bytes

if TYPE_CHECKING:
    from luodi.gateway.keys import Principal
    from luodi.gateway.served import Served

_SERVED = 8  # releases whose marks are remembered


@dataclass(frozen=True, slots=True)
class Identity:
    """Of a call.

    Attributes:
        key: digest of all of it; 64 hex digits.
        about: what `scope` is the digest of: everything but the question; empty if the question is not one turn of
            plain text, so that no other question can stand for it.
    """

    key: str
    about: bytes

    @property
    def scope(self) -> str:
        """Digest of who may share it, the release and the parameters; "" if there is none."""
        return digest_bytes(self.about) if self.about else ""


class Marks:
    """One mark for each release that is served: its digest, that of its policy, and its options."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Served, str]] = {}

    def of(self, served: Served) -> str:
        found = self._seen.get(id(served))
        if found is not None and found[0] is served:
            return found[1]
        parts: list[Any] = [served.release, served.digest, served.policy_digest, served.instructions, served.options]
        mark = digest_bytes(json.dumps(parts, sort_keys=True, default=str).encode("utf-8", "surrogatepass"))
        if len(self._seen) >= _SERVED:
            self._seen.pop(next(iter(self._seen)))
        self._seen[id(served)] = (served, mark)
        return mark


def partition(principal: Principal, *, shared: bool) -> str:
    """Who may be given each other's answers: a team, or a key without one; everybody if `shared`."""
    if shared:
        return ""
    return f"team:{principal.team}" if principal.team else f"key:{principal.key_id}"


def identify(call: Call, mark: str, *, shared: bool) -> Identity | None:
    """What makes a call the same as another; None if it can't be put into JSON.

    To be asked behind the guard: questions are compared as masked. An answer from documents depends on what was said
    last only; a chat on all of it.
    """
    principal = call.principal
    assert principal is not None
    who = partition(principal, shared=shared)
    # A call that held personal data may have to stay on own machines: it is never one with a call that may leave.
    if call.task == "answer":
        about: list[Any] = [who, mark, "answer", "", call.personal, call.language, call.sampling]
        last: Any = call.question
        single = True
    else:
        before, end = call.messages[:-1], call.messages[-1]
        about = [who, mark, call.task, call.model, call.personal, before, call.sampling, call.options]
        last = end
        single = (
            end.role == "user" and not end.parts and not call.options.get("tools")
            and all(m.role == "system" and not m.parts for m in before)
        )  # fmt: skip
    try:
        head = orjson.dumps(about, option=orjson.OPT_SORT_KEYS)
        tail = orjson.dumps(last, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # half of a surrogate pair, a number of more than 64 bits
        return None
    # A JSON value says where it ends, so that the two can't run into each other.
    return Identity(digest_bytes(head + tail), head if single else b"")
