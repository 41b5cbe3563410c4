"""The thresholds stage: the gates, signed and witnessed before the model is measured.

Every stage that measures a model takes this artifact as an input. So a threshold that is edited afterwards makes
everything be measured again, and no figure can be older than the bound it is judged by.

Who holds the key could sign other thresholds with an earlier time. So a note of them goes to a witness: a time-stamping
authority (RFC 3161) or an append-only file, on another host where it is to prove something.
"""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from luodi.errors import IntegrityError, LuodiError, StoreError
from luodi.pipeline import Context
from luodi.project import Gate, Waiver
from luodi.store import Store, canonical_json, digest_bytes
from luodi.store.audit.anchor import open_anchor, read_notes, stamped_at

FILE = "thresholds.json"
SIGNED = ("gates", "waivers", "multiplicity", "time")
_OWN = "store:"
_WITNESS = "thresholds-witness.txt"  # in the store, where none is named or none is reached


class Params(BaseModel):
    """`witness`: file:/path, https://… or rfc3161:https://…, as for the audit log; "" is a file in the store."""

    gates: list[Gate]
    waivers: list[Waiver] = []
    multiplicity: Literal["none", "holm"] = "none"
    witness: str = ""


def run(ctx: Context) -> None:
    """No inputs. Writes the gates, the time, the signature of the store's key over both, and what the witness said."""
    p: Params = ctx.params
    statement: dict[str, Any] = {
        "gates": [g.model_dump(mode="json") for g in p.gates],
        "waivers": [w.model_dump(mode="json") for w in p.waivers],
        "multiplicity": p.multiplicity,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    signature = ctx.store.keys.sign(canonical_json(statement)).as_dict()
    witness = _witness(note_of(statement), p.witness, ctx.store.root)
    ctx.write_json(FILE, statement | {"signature": signature, "witness": witness})
    ctx.summary = f"{len(p.gates)} gates signed before measuring, witnessed by {witness['target']}"
    if witness["problem"]:
        ctx.summary += f" ({witness['problem']})"


def note_of(statement: dict[str, Any]) -> str:
    """The text that a witness keeps of signed thresholds."""
    signed = {name: statement[name] for name in SIGNED if name in statement}
    return f"luodi thresholds\n{signed['time']}\n{digest_bytes(canonical_json(signed))}\n"


def _witness(note: str, target: str, root: Path) -> dict[str, str]:
    """Where the note was put, what came back, and why it is not where it was to go, if so."""
    own = f"{_OWN}{_WITNESS}"
    problem = ""
    if target:
        try:
            return {"target": target, "answer": open_anchor(target).put(note, 0), "problem": ""}
        except LuodiError as error:
            problem = f"{target} was not reached: {error.message}"
    open_anchor(f"file:{root.resolve() / _WITNESS}").put(note, 0)
    return {"target": own, "answer": "", "problem": problem}


def check(thresholds: dict[str, Any], store: Store) -> None:
    """Verify what the thresholds stage wrote.

    Raises:
        IntegrityError: the thresholds are not those that were signed, or not those that the witness has seen.
    """
    edited = "thresholds that were edited after they were signed judge nothing; `luodi run` signs and measures anew"
    signed = {name: thresholds[name] for name in SIGNED if name in thresholds}
    try:
        store.keys.verify(canonical_json(signed), thresholds["signature"])
    except IntegrityError as error:
        raise IntegrityError(f"the thresholds: {error.message}", error.hint or edited) from error
    witness, note = thresholds.get("witness") or {}, note_of(thresholds)
    target = str(witness.get("target", ""))
    if target.startswith("rfc3161:"):
        stamped_at(base64.b64decode(witness["answer"]), note)
    elif target.startswith(("file:", _OWN)):
        own = store.root / target.removeprefix(_OWN)
        try:
            notes = read_notes(own if target.startswith(_OWN) else Path(target.removeprefix("file:")))
        except StoreError as error:
            raise IntegrityError(f"the witness of the thresholds is gone: {error.message}", error.hint) from error
        if note.strip() not in {each.strip() for each in notes}:
            raise IntegrityError(f"the witness {target} has not seen these thresholds", edited)
