"""A gateway in a process of its own: the store's live or newest release, and a model `chat` at a URL.

python running.py STORE URL OPTIONS [WHERE:NUMBER]

OPTIONS is JSON of GatewayOptions. With WHERE:NUMBER it kills itself at the NUMBERth write: WHERE is `before` a group
is written, `inside` its transaction, `committed` but not yet on the disk, or `told` nobody though it is on the disk.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from luodi.gateway import App, Gateway, GatewayOptions, open_release
from luodi.gateway.ledger.prices import Price
from luodi.gateway.server import listen, serve
from luodi.gateway.upstream import HttpUpstream, Pool
from luodi.release import Registry, verify
from luodi.store import Store, group
from luodi.testing import FakeEngine, engine_kinds

PRICE = Price(1_000_000, 2_000_000, source="project")


def kill_at(where: str, number: int) -> None:
    left = number

    def hit() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(owner: Any, name: str, *, first: bool) -> None:
        real = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if first:
                hit()
            result = real(*args, **kwargs)
            if not first:
                hit()
            return result

        setattr(owner, name, wrapped)

    backend = group._Sqlite
    owner, name, first = {
        "before": (backend, "commit", True),
        "inside": (group.GroupWriter, "_apply", False),
        "committed": (backend, "commit", False),
        "told": (backend, "_synced", True),
    }[where]
    around(owner, name, first=first)


def main() -> None:
    store = Store(Path(sys.argv[1]))
    if len(sys.argv) > 4:
        where, _, number = sys.argv[4].partition(":")
        kill_at(where, int(number))
    with engine_kinds(fake=lambda folder, *, pick, threads: FakeEngine("Set required=False. [1]")):
        served = open_release(verify(Registry(store).find("helpdesk"), store))
    for model in ("words", "slow"):
        served.pools[model] = Pool(model, [HttpUpstream(model, sys.argv[2], model, own=True, price=PRICE)])
    gateway = Gateway(served, store, GatewayOptions(**json.loads(sys.argv[3])))
    try:
        serve(App(gateway), listen("127.0.0.1", 0), store, "", lambda url: print(url, flush=True), note=False)
    finally:
        gateway.close()


if __name__ == "__main__":
    main()
