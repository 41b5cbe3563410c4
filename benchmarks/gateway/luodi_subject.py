"""The gateway under test: a tiny signed release with a really trained guard, whose engine is the mock.

    python -m benchmarks.gateway.luodi_subject prepare FOLDER   makes the store and a key, prints model and key
    python -m benchmarks.gateway.luodi_subject serve FOLDER PORT UPSTREAM [cached]

With `cached` it keeps answers and gives them again; without, every call goes to the upstream and nothing is kept.

Two processes, so that what trains the guard is not in the memory of what serves.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.gateway.subject import ROOT, Command, Unavailable
from benchmarks.gateway.wire import Target

MODEL = "mock"
_ME = [sys.executable, "-m", "benchmarks.gateway.luodi_subject"]


def luodi_command(work: Path, port: int, mock_port: int, *, cached: bool = False) -> Command:
    """Raises: Unavailable if the release can't be made."""
    folder = work / "luodi"
    done = subprocess.run([*_ME, "prepare", str(folder)], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"the release was not made: {(done.stderr.splitlines() or [''])[-1][:300]}")
    made = json.loads(done.stdout.splitlines()[-1])
    arguments = [*_ME, "serve", str(folder), str(port), f"http://127.0.0.1:{mock_port}/v1"]
    arguments += ["cached"] if cached else []
    return Command(arguments, Target(port, made["model"], made["key"]), about="Luodi, governed, 1 worker")


def prepare(folder: Path) -> dict[str, str]:
    """A store with a release, and a key whose limits and budgets are all counted and never reached."""
    from benchmarks.gateway.attacks import trained

    from luodi.gateway import ApiKeys
    from luodi.gateway.ledger.limits import set_limits
    from luodi.store import Store
    from luodi.testing import bundle, tiny_release

    model = trained()
    vars(bundle)["AttackModel"] = lambda *_: model  # a tiny release has one without weights
    store = Store(folder / "store")
    tiny_release(store)
    key_id, key = ApiKeys(store).create("benchmark")
    much = 10**15
    set_limits(
        store,
        f"key:{key_id}",
        {
            "requests_minute": 10**9, "tokens_minute": 10**12, "concurrent": 10_000,
            "day_nano_usd": much, "month_nano_usd": much,
        },
    )  # fmt: skip
    return {"model": MODEL, "key": key}


def serve(folder: Path, port: int, upstream: str, *, cached: bool) -> None:
    """Serve it until SIGTERM: a model behind the gateway, with a price, and room for all the streams of a frontier."""
    from luodi.gateway import App, Gateway, GatewayOptions, open_release
    from luodi.gateway.server import listen
    from luodi.gateway.server import serve as serve_app
    from luodi.release import Registry, verify
    from luodi.store import Store

    store = Store(folder / "store")
    behind = {"url": upstream, "model": "mock", "price": {"input": 0.1, "output": 0.4}}
    models = [{"name": MODEL, "upstreams": [behind]}]
    served = open_release(verify(Registry(store).find("helpdesk"), store), engine=upstream, models=models)
    gateway = Gateway(served, store, GatewayOptions(in_flight=4096, exact_cache=cached))
    try:
        serve_app(App(gateway), listen("127.0.0.1", port), store, "", lambda url: print(url, flush=True))
    finally:
        gateway.close()


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        print(json.dumps(prepare(Path(sys.argv[2]))))
    else:
        serve(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4], cached=sys.argv[5:] == ["cached"])
