"""What people say of an answer."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from luodi.gateway.admin.asked import Asked, Body
from luodi.gateway.experiment.feedback import LONGEST
from luodi.gateway.experiment.feedback import give as mark


class Mark(Body):
    good: bool
    note: str = Field("", max_length=LONGEST)


def give(asked: Asked) -> dict[str, Any]:
    body: Mark = asked.body
    note = body.note if asked.gateway.options.keep_content else ""
    return mark(asked.store, asked.row["id"], body.good, actor=asked.who.actor, note=note)
