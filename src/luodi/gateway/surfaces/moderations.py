"""OpenAI's moderations, judged by the guard's own checks; no category is claimed that nothing looked for.

Where the policy moderates, the categories are OpenAI's own and those of GB/T 45654 and MLCommons that were found; every
other check that ran is a category of its name.
"""

from __future__ import annotations

from typing import Any

from luodi.engine import Sampling
from luodi.gateway.call import Call, Reply
from luodi.gateway.problem import has_half, invalid
from luodi.gateway.surfaces.base import Base, gather, luodi_part
from luodi.gateway.surfaces.checks import check_fields, no_model, object_of
from luodi.guard import GuardResult
from luodi.guard.moderation import CATEGORIES, openai_scores

_MOST = 256  # texts of a request
_SURE = 0.5  # score from which a category counts


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
    categories: dict[str, bool] = {}
    scores: dict[str, float] = {}
    for v in judged.verdicts:
        if not v.ran:
            continue
        if v.check == "moderation":
            found = openai_scores(v.scores) | dict(v.scores)
            scores |= found
            categories |= {name: score >= max(v.threshold, _SURE) for name, score in found.items()}
        else:
            scores[v.check] = v.score
            categories[v.check] = v.score > 0 and v.score >= v.threshold
    return {
        "flagged": any(categories.values()) or judged.stops,
        "categories": categories,
        "category_scores": scores,
        "category_applied_input_types": {name: ["text"] for name in categories},
        "luodi": {
            "action": judged.action,
            "checks_not_run": [v.check for v in judged.verdicts if not v.ran],
            "names": {n: {"en": c.en, "zh": c.zh} for n, c in CATEGORIES.items() if n in scores},
        },
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
