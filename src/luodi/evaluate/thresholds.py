"""The thresholds stage: the gates, signed before the model is measured.

Every stage that measures a model takes this artifact as an input. So a threshold that is edited afterwards makes
everything be measured again, and no figure can be older than the bound it is judged by.
"""

from __future__ import annotations

import time

from pydantic import BaseModel

from luodi.pipeline import Context
from luodi.project import Gate
from luodi.store import canonical_json

FILE = "thresholds.json"


class Params(BaseModel):
    gates: list[Gate]


def run(ctx: Context) -> None:
    """No inputs. Writes the gates, the time and the signature of the store's key over both."""
    gates = [g.model_dump(mode="json") for g in ctx.params.gates]
    statement = {"gates": gates, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    signature = ctx.store.keys.sign(canonical_json(statement)).as_dict()
    ctx.write_json(FILE, statement | {"signature": signature})
    ctx.summary = f"{len(gates)} gates signed before measuring"
