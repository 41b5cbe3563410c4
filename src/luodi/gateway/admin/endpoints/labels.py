"""What the label of generated content is worth, and whether a text carries the watermark."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from luodi.engine.watermark import MEASURED
from luodi.errors import EngineError, ReleaseError
from luodi.gateway.admin.asked import Asked, Body
from luodi.gateway.labels import Labels, find_watermark
from luodi.gateway.problem import Problem


class Label(Body):
    ProduceID: str = Field(max_length=200)
    ReservedCode1: str = Field(max_length=200)
    ContentProducer: str = Field("", max_length=200)
    text: str | None = Field(None, description="what the label stands beside; it is compared with what was answered")


class Marked(Body):
    text: str
    release: str = Field("", max_length=200, description="whose tokenizer cuts the text; by default the newest")


def check(asked: Asked) -> dict[str, Any]:
    body: Label = asked.body
    return Labels(asked.store).check(body.model_dump(exclude={"text"}), body.text).as_dict()


def detect(asked: Asked) -> dict[str, Any]:
    body: Marked = asked.body
    try:
        found = find_watermark(asked.store, body.text, body.release)
    except ReleaseError as error:
        raise Problem(404, "not_found_error", error.message, param="release", code="release_not_found") from error
    except EngineError as error:
        raise Problem(409, "invalid_request_error", error.message, param="release", code="no_tokenizer") from error
    return found.as_dict() | {"measured": MEASURED}
