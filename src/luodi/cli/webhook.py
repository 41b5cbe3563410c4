"""`luodi webhook`"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from luodi.cli.context import loaded_of, show_of, store_of

if TYPE_CHECKING:
    from luodi.gateway.webhooks import Delivery


@click.group()
def command() -> None:
    """Webhooks of the project file: test them, see what was delivered, send it again.

    \b
    Examples:
      luodi webhook ls
      luodi webhook test ops
      luodi webhook deliveries --json
      luodi webhook retry evt_5b1c
    """


@command.command()
@click.pass_context
def ls(ctx: click.Context) -> None:
    """Webhooks, and which events each is sent."""
    show = show_of(ctx)
    found = [w.model_dump(mode="json") for w in loaded_of(ctx).project.serve.webhooks]
    rows = [[w["name"], w["url"], ", ".join(w["events"]) or show.say("all_events"), w["secret"]] for w in found]
    show.table(["name", "url", "events", "secret"], rows, found)


@command.command()
@click.argument("name")
@click.pass_context
def test(ctx: click.Context, name: str) -> None:
    """Send a ping now, from here, and say what the receiver answers. Its secret must be set here, too."""
    import asyncio

    from luodi.errors import LuodiError
    from luodi.gateway.webhooks import Sender, open_hooks
    from luodi.gateway.webhooks.outbox import ping

    show, loaded = show_of(ctx), loaded_of(ctx)
    serve = loaded.project.serve
    specs = [w.model_dump(mode="json") for w in serve.webhooks if w.name == name]
    if not specs:
        known = ", ".join(w.name for w in serve.webhooks) or "none"
        raise LuodiError(f"there is no webhook {name!r} in the project file", f"there is {known}")
    hooks = open_hooks(specs, plain=serve.privacy == "any")
    store = store_of(ctx, loaded)
    delivery = ping(store, name, actor=store.keys.owner())
    status = asyncio.run(Sender(store, hooks).deliver(delivery))
    if not status.startswith("2"):
        raise LuodiError(f"{name} did not take the ping: {status}", f"it is tried again; id {delivery.id}")
    show.line(show.say("webhook_took", name=name, status=status), webhook=name, status=status, id=delivery.id)


@command.command()
@click.argument("name", required=False)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many, the newest first."
)
@click.pass_context
def deliveries(ctx: click.Context, name: str | None, limit: int) -> None:
    """What was sent to webhooks, or waits to be sent; it is forgotten after a week."""
    from luodi.gateway.webhooks import deliveries as list_

    found = list_(store_of(ctx), hook=name or "", most=limit)
    rows = [[d.id, d.kind, d.hook, d.attempts, d.status or "–", _state(d)] for d in found]
    show_of(ctx).table(["id", "event", "webhook", "attempts", "answer", "state"], rows, [d.as_dict() for d in found])


def _state(delivery: Delivery) -> str:
    if not delivery.done_ms:
        wait = max(0, delivery.next_ms - time.time() * 1000) / 1000
        return f"waiting, next in {wait:.0f} s"
    return "delivered" if delivery.status.startswith("2") else "given up"


@command.command()
@click.argument("id")
@click.pass_context
def retry(ctx: click.Context, id: str) -> None:
    """Send an event again to the webhooks that did not take it; the gateway does it within a second."""
    from luodi.gateway.webhooks import retry as again

    show, store = show_of(ctx), store_of(ctx)
    count = again(store, id, actor=store.keys.owner())
    show.line(show.say("webhook_again", count=count), deliveries=count)
