"""What the label of generated content is worth."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from luodi.gateway.admin.asked import Asked, Body
from luodi.gateway.labels import Labels


class Label(Body):
    ProduceID: str = Field(max_length=200)
    ReservedCode1: str = Field(max_length=200)
    ContentProducer: str = Field("", max_length=200)


def check(asked: Asked) -> dict[str, Any]:
    body: Label = asked.body
    return Labels(asked.store).check(body.model_dump()).as_dict()
