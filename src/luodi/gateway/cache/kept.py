"""An answer as bytes: what is kept of it, and how it is said again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from luodi.gateway.call import Call, Outcome, Piece
from luodi.guard import Verdict
from luodi.knowledge import Citation

LARGEST = 1 << 20  # bytes of an answer that is kept
_WHOLE = ("stop", "length", "tool_calls")


def copy(piece: Piece) -> Piece:
    """A piece of one's own: those further out change text and arguments in place."""
    return replace(piece, tool=dict(piece.tool) if piece.tool is not None else None)


def whole(outcome: Outcome, pieces: Sequence[Piece]) -> bool:
    """Whether an answer may be given again: it ended by itself, and was neither refused nor broken."""
    return (
        outcome.finish in _WHOLE
        and outcome.kind not in ("", "refused", "embedded", "moderated")
        and not outcome.error
        and all(not p.finish or p.finish in _WHOLE for p in pieces)
    )


def _joined(pieces: Sequence[Piece]) -> list[list[Any]]:
    """The pieces with neighbouring text of one choice as one: [text, index, tool, logprobs, finish]."""
    out: list[list[Any]] = []
    texts: list[str] = []
    for p in pieces:
        plain = p.tool is None and not p.logprobs
        if plain and out and out[-1][1] == p.index and not out[-1][4] and out[-1][2] is None and not out[-1][3]:
            texts.append(p.text)
            out[-1][4] = p.finish
            continue
        if texts and out:
            out[-1][0] = "".join(texts)
        texts = [p.text]
        out.append([p.text, p.index, p.tool, p.logprobs, p.finish])
    if out:
        out[-1][0] = "".join(texts)
    return out


def encode(key: str, record: str, outcome: Outcome, verdicts: Sequence[Verdict], pieces: Sequence[Piece]) -> bytes:
    """The answer as JSON; b"" if it can't be kept. `verdicts` are those of the steps below."""
    o = outcome
    try:
        data = orjson.dumps(
            {
                "key": key, "record": record, "pieces": _joined(pieces), "kind": o.kind, "finish": o.finish,
                "citations": o.citations, "nearest": o.nearest, "checks": o.checks, "dropped": o.dropped,
                "confidence": o.confidence, "missing": o.missing, "conflicts": o.conflicts,
                "verdicts": verdicts, "prompt_tokens": o.prompt_tokens, "completion_tokens": o.completion_tokens,
                "estimated": o.estimated, "cost": o.cost_nano_usd, "route": o.route,
                "watermarked": o.watermarked,
            }
        )  # fmt: skip
    except TypeError:
        return b""
    return data if len(data) <= LARGEST else b""


def decode(data: bytes, call: Call, key: str, how: str, similarity: float = 1.0) -> tuple[Outcome, list[Piece]] | None:
    """The answer again, for `call`; None if `data` is not what was kept under `key`."""
    try:
        kept = orjson.loads(data)
        if kept["key"] != key:  # never somebody else's answer, whatever the store mixes up
            return None
        route: dict[str, Any] = {k: v for k, v in kept["route"].items() if k in ("model", "upstream")}
        route |= {"reason": "answered before", "record": kept["record"], "saved_nano_usd": kept["cost"] or 0}
        if how == "semantic":
            route |= {"reason": "a question that means the same was answered before", "similarity": similarity}
        outcome = Outcome(
            kind=kept["kind"],
            finish=kept["finish"],
            citations=tuple([Citation(**c) for c in kept["citations"]]),
            nearest=tuple([Citation(**c) for c in kept["nearest"]]),
            verdicts=[Verdict(**v) for v in kept["verdicts"]],
            checks=kept["checks"],
            confidence=kept.get("confidence"),
            missing=tuple(kept.get("missing", ())),
            conflicts=tuple(kept.get("conflicts", ())),
            dropped=kept["dropped"],
            prompt_tokens=kept["prompt_tokens"],
            completion_tokens=kept["completion_tokens"],
            estimated=kept["estimated"],
            cost_nano_usd=0,
            cached=how,
            watermarked=kept.get("watermarked", False),
            route=route,
            first_ms=(time.monotonic() - call.started) * 1000,
        )
        return outcome, [Piece(*p) for p in kept["pieces"]]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
