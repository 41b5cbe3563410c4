"""`luodi experiment`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from luodi.cli.context import show_of, store_of

if TYPE_CHECKING:
    from luodi.gateway.experiment import Finding, Plan


@click.group()
def command() -> None:
    """Canaries, A/B tests and shadows of whole releases.

    \b
    Examples:
      luodi experiment canary helpdesk@4
      luodi experiment canary helpdesk@4 --steps 5,25,50 --calls 500
      luodi experiment ab helpdesk@4=20 helpdesk@5=20
      luodi experiment shadow helpdesk@4 --share 10
      luodi experiment show exp_1f
    """


@command.command()
@click.argument("release")
@click.option(
    "--steps", default="1,5,20,50", show_default=True, help="Shares of callers in per cent, one after another."
)
@click.option("--calls", type=click.IntRange(1), default=200, show_default=True, help="Calls a step answers at least.")
@click.option("--minutes", type=click.FloatRange(0), default=0.0, help="Minutes a step lasts at least.")
@click.option(
    "--alpha", type=float, default=0.05, show_default=True, help="How often a good release may be rolled back."
)
@click.pass_context
def canary(ctx: click.Context, release: str, steps: str, calls: int, minutes: float, alpha: float) -> None:
    """Give a release to a growing share of callers. It rolls back by itself when it is shown to be worse.

    Errors, refusals, abstentions, unsupported sentences, bad marks and latency are compared with the live release by
    tests that may be looked at all the time. After its last step it becomes live.
    """
    shares = _shares(steps)
    _start(ctx, "canary", [(release, 0.0)], steps=shares, calls=calls, minutes=minutes, alpha=alpha)


@command.command()
@click.argument("arms", nargs=-1, required=True, metavar="RELEASE=SHARE...")
@click.option("--alpha", type=float, default=0.05, show_default=True, help="Of the intervals that `show` prints.")
@click.pass_context
def ab(ctx: click.Context, arms: tuple[str, ...], alpha: float) -> None:
    """Give each release its share of callers, in per cent; the rest keep the live one. A caller keeps its release."""
    pairs = []
    for arm in arms:
        release, sign, share = arm.partition("=")
        if not sign:
            raise click.UsageError(f"{arm!r} names no share; write {release}=20 for 20 per cent")
        pairs.append((release, _shares(share)[0]))
    _start(ctx, "ab", pairs, alpha=alpha)


@command.command()
@click.argument("release")
@click.option("--share", type=float, default=100.0, show_default=True, help="Share of calls in per cent.")
@click.pass_context
def shadow(ctx: click.Context, release: str, share: float) -> None:
    """Ask a release the same as the live one, after the caller was answered; nobody sees what it says."""
    _start(ctx, "shadow", [(release, share / 100)])


def _shares(text: str) -> list[float]:
    try:
        return [float(part) / 100 for part in text.split(",")]
    except ValueError:
        raise click.UsageError(f"{text!r} are no shares in per cent; write for example 1,5,20,50") from None


def _start(ctx: click.Context, kind: Any, arms: list[tuple[str, float]], **more: Any) -> None:
    from luodi.gateway.experiment import start

    show, store = show_of(ctx), store_of(ctx)
    plan = start(store, kind, arms, actor=store.keys.owner(), **more)
    show.line(show.say("experiment_started", kind=kind, id=plan.id, base=plan.base), **plan.as_dict())


@command.command()
@click.pass_context
def ls(ctx: click.Context) -> None:
    """Experiments, newest first."""
    from luodi.gateway.experiment import all_plans

    show = show_of(ctx)
    plans = all_plans(store_of(ctx))
    if not plans and not show.as_json:
        show.line(show.say("nothing_here"))
        return
    show.table(
        ["id", "kind", "state", "base", "releases"],
        [[p.id, p.kind, p.state, p.base, _arms(p)] for p in plans],
        [p.as_dict() for p in plans],
    )


def _arms(plan: Plan) -> str:
    if plan.kind == "canary":
        step = f" ({plan.stage + 1}/{len(plan.steps)})" if plan.state == "running" else ""
        return f"{plan.arms[0][0]} {plan.share * 100:g} %{step}"
    return ", ".join(f"{release} {share * 100:g} %" for release, share in plan.arms)


@command.command()
@click.argument("experiment")
@click.pass_context
def show(ctx: click.Context, experiment: str) -> None:
    """Every measure against the live release, with an interval that holds at every look. Lower is better."""
    from luodi.gateway.experiment import find, findings, read_store

    out, store = show_of(ctx), store_of(ctx)
    plan = find(store, experiment)
    found = findings(plan, read_store(store, plan.id))
    if out.as_json:
        out.line("", **plan.as_dict(), findings=[f.as_dict() for f in found])
        return
    out.line(f"{plan.kind} {plan.id} · {plan.state} · {plan.base} → {_arms(plan)}")
    if plan.reason:
        out.line(plan.reason)
    columns = ["release", "measure", "calls", "mean", "live", "difference", "interval", ""]
    if found:
        out.table(columns, [_row(f, out) for f in found], [])
    else:
        out.line(out.say("experiment_empty"))
    for step in plan.history:
        out.line(f"{step['did']} ({step['share'] * 100:g} %): {step['why']}")


def _row(f: Finding, out: Any) -> list[str]:
    from math import exp, isfinite

    def shown(x: float, *, ratio: bool = False) -> str:
        if not isfinite(x):
            return "–"
        if f.measure == "latency":
            return f"×{exp(x):.3g}" if ratio else f"{exp(x):.0f} ms"
        return f"{x * 100:.2f} %"

    low, high = (shown(x, ratio=True) for x in (f.interval.low, f.interval.high))
    verdict = out.say("worse") if f.worse else out.say("better") if f.better else ""
    return [
        f.arm, f.measure, f"{f.arm_n} / {f.base_n}", shown(f.arm_mean), shown(f.base_mean),
        shown(f.interval.difference, ratio=True), f"{low} … {high}", verdict,
    ]  # fmt: skip


@command.command()
@click.argument("experiment")
@click.pass_context
def stop(ctx: click.Context, experiment: str) -> None:
    """End an experiment. All callers are given the live release again within some seconds."""
    from luodi.gateway.experiment import find
    from luodi.gateway.experiment import stop as end

    out, store = show_of(ctx), store_of(ctx)
    plan = find(store, experiment)
    end(store, plan, actor=store.keys.owner())
    out.line(out.say("experiment_stopped", id=plan.id), id=plan.id, state="stopped")
