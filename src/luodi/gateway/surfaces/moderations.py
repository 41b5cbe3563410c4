"""OpenAI's moderations, judged by the guard's own checks: a category is a check that ran, and no other is claimed."""

from __future__ import annotations

from typing import Any

from luodi.engine import Sampling
from luodi.gateway.call import Call, Reply
from luodi.gateway.problem import has_half, invalid
from luodi.gateway.surfaces.base import Base, gather, luodi_part
from luodi.gateway.surfaces.checks import check_fields, no_model, object_of
from luodi.guard import GuardResult

_MOST = 256  # texts of a request


class Moderations(Base):
    """One request. `model` is a release's name, or left out."""

    def parse(self, body: Any, secret: str, headers: dict[str, str]) -> Call:
        body = object_of(body)
        check_fields(body, {"model", "input"}, {})
        names = {n: t for n, t in self._gateway.names().items() if t == "answer"}
        model = body.get("model")
        if model is None:
            model = self._gateway.served.name
        if not isinstance(model, str):
            raise invalid("'model' must be a string", "model")
        if model not in names:
            raise no_model(model, [n for n in names if "@" not in n])
        return self._gateway.call(
            (), Sampling(), surface="openai.moderations", model=model, task="moderate", secret=secret,
            texts=_texts(body.get("input")),
        )  # fmt: skip

    async def whole(self, call: Call, reply: Reply) -> dict[str, Any]:
        await gather(reply)
        return {
            "id": f"modr_{call.id.removeprefix('rec_')}",
            "model": f"{call.release.release}/guard@{call.release.guard.version}",
            "results": [_result(judged) for judged in call.judged],
            "luodi": luodi_part(call, reply),
        }


def _result(judged: GuardResult) -> dict[str, Any]:
    """`flagged`, too, if the guard would refuse the text because a check could not run; `checks_not_run` names it."""
    ran = [v for v in judged.verdicts if v.ran]
    categories = {v.check: v.score > 0 and v.score >= v.threshold for v in ran}
    return {
        "flagged": any(categories.values()) or judged.action == "block",
        "categories": categories,
        "category_scores": {v.check: v.score for v in ran},
        "category_applied_input_types": {v.check: ["text"] for v in ran},
        "luodi": {"action": judged.action, "checks_not_run": [v.check for v in judged.verdicts if not v.ran]},
    }


def _texts(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    texts = []
    for i, item in enumerate(items):
        if isinstance(item, dict):
            if item.get("type") != "text":
                raise invalid(f"input[{i}]: the guard reads text only", "input", "unsupported_content")
            item = item.get("text")
        if not isinstance(item, str) or not item or has_half(item):
            raise invalid("'input' must be a string or a list of strings that are not empty", "input")
        texts.append(item)
    if not texts or len(texts) > _MOST:
        raise invalid(f"'input' must hold 1 to {_MOST} texts", "input")
    return tuple(texts)
