"""Canaries, A/B tests and shadows."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from luodi.errors import LuodiError
from luodi.gateway.admin.asked import Asked, Body, Said
from luodi.gateway.experiment import STEPS, Plan, all_plans, find, findings, read_store, start, stop
from luodi.gateway.experiment.plan import Kind
from luodi.gateway.problem import Problem


class Arm(Body):
    release: str = Field(max_length=200)
    share: float = Field(0.0, ge=0, le=1)


class New(Body):
    """`arms` are the releases to be compared with the live one; of a canary the shares are its `steps`."""

    kind: Kind
    arms: list[Arm] = Field(min_length=1, max_length=20)
    steps: list[float] = Field(list(STEPS), max_length=50)
    calls: int = Field(200, ge=1, le=10**9)
    minutes: float = Field(0.0, ge=0, le=10**6)
    alpha: float = Field(0.05, gt=0, lt=0.5)


def ls(asked: Asked) -> dict[str, Any]:
    asked.only()
    return {"data": [p.as_dict() for p in all_plans(asked.store)]}


def show(asked: Asked) -> dict[str, Any]:
    plan = _named(asked)
    return plan.as_dict() | {"findings": [f.as_dict() for f in findings(plan, read_store(asked.store, plan.id))]}


def begin(asked: Asked) -> Said:
    body: New = asked.body
    arms = [(a.release, a.share) for a in body.arms]
    plan = start(
        asked.store, body.kind, arms, actor=asked.who.actor, steps=body.steps, calls=body.calls, minutes=body.minutes,
        alpha=body.alpha,
    )  # fmt: skip
    return Said(plan.as_dict(), 201)


def end(asked: Asked) -> dict[str, Any]:
    plan = _named(asked)
    stop(asked.store, plan, actor=asked.who.actor)
    return find(asked.store, plan.id).as_dict()


def _named(asked: Asked) -> Plan:
    try:
        return find(asked.store, asked.path["experiment"])
    except LuodiError as error:
        raise Problem(404, "not_found_error", error.message, code="experiment_not_found") from error
