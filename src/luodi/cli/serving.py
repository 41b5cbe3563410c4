"""One process that serves, and several of them behind one socket.

python -m luodi.cli.serving    a worker; reads what it is to serve as JSON from its standard input
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luodi.errors import LuodiError
from luodi.gateway.options import GatewayOptions

if TYPE_CHECKING:
    from luodi.gateway.served import Served as ServedRelease
    from luodi.store import Store

_QUICK_S = 5.0  # a worker that ends sooner failed to start
_GIVE_UP = 5  # failed starts in a row
_RUN = "luodi serve ("  # owner of the key of a run
_WAIT_S = 40.0  # for workers to finish their calls; they themselves wait 30


@dataclass(frozen=True, slots=True)
class Served:
    """What is to be served, and how."""

    root: str
    database_url: str
    release: str
    options: dict[str, Any]
    follow: bool = False  # whether a release that becomes live meanwhile is served from then on
    engine: str | None = None
    threads: int | None = None
    key: str = ""
    url: str = ""
    tls_cert: str = ""
    tls_key: str = ""


def run(what: Served, sock: socket.socket, ready: Callable[[dict[str, Any]], Any], *, note: bool) -> None:
    """Serve in this process until SIGINT or SIGTERM. `note` says whether others may find this server by its store."""
    from luodi.console import Console
    from luodi.gateway import App, Gateway, open_release
    from luodi.gateway.server import serve
    from luodi.gateway.tls import Certificate
    from luodi.release import Registry, verify
    from luodi.store import Store

    store = Store(Path(what.root), what.database_url)

    def opener(release: str) -> ServedRelease:
        verified = verify(Registry(store).find(release), store)
        rules = what.options.get("rules")
        return open_release(verified, rules=Path(rules) if rules else None, engine=what.engine, threads=what.threads)

    tls = Certificate(Path(what.tls_cert), Path(what.tls_key)) if what.tls_cert else None
    with ExitStack() as stack:  # in this order, so that whatever fails leaves no thread behind
        served = opener(what.release)
        gateway = Gateway(served, store, GatewayOptions(**what.options), opener=opener, follow=what.follow)
        stack.callback(gateway.close)
        key = what.key or stack.enter_context(run_key(store, what.release))
        app = App(gateway, None, key)

        def show(served: ServedRelease) -> None:
            app.pages = Console(served.passport, serving=served.about | {"url": what.url})

        show(served)
        gateway.fleet.changed = show
        serve(app, sock, store, key, lambda url: ready(served.about | {"url": url, "key": key}), note=note, tls=tls)


@contextlib.contextmanager
def run_key(store: Store, release: str) -> Iterator[str]:
    """A key that is good until the server ends."""
    from luodi.gateway import ApiKeys
    from luodi.gateway.ledger.workers import runs, this_process

    keys = ApiKeys(store)
    for left in keys.all():  # of servers that were killed
        owner = str(left["owner"])
        if owner.startswith(_RUN) and left["revoked_ms"] is None and not runs(owner.rpartition(" ")[2]):
            keys.revoke(str(left["id"]))
    key_id, key = keys.create(f"{_RUN}{release}) {this_process()}")
    try:
        yield key
    finally:
        keys.revoke(key_id, tell=False)  # its time is over, which is no news


def run_many(what: Served, sock: socket.socket, count: int, ready: Callable[[], Any]) -> None:
    """Serve from `count` processes; one that ends is replaced. Until SIGINT or SIGTERM.

    Raises:
        LuodiError: workers fail to start again and again.
    """
    stopping: list[int] = []
    before = [signal.signal(s, lambda number, _: stopping.append(number)) for s in (signal.SIGTERM, signal.SIGINT)]
    workers = [_start(what, sock) for _ in range(count)]
    began, failed = [time.monotonic()] * count, 0
    try:
        ready()
        while not stopping:
            time.sleep(0.1)
            for place, worker in enumerate(workers):
                if worker.poll() is None or stopping:
                    continue
                failed = failed + 1 if time.monotonic() - began[place] < _QUICK_S else 0
                if failed >= _GIVE_UP:
                    raise LuodiError("the workers end as soon as they are started", "serve with one worker to see why")
                print(f"a worker ended with {worker.returncode} and is replaced", file=sys.stderr)
                workers[place], began[place] = _start(what, sock), time.monotonic()
    finally:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                worker.send_signal(signal.SIGTERM)
        give_up = time.monotonic() + _WAIT_S
        for worker in workers:
            try:
                worker.wait(max(0.1, give_up - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        for number, old in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
            signal.signal(number, old)


def _start(what: Served, sock: socket.socket) -> subprocess.Popen[bytes]:
    spec = asdict(what) | {"socket": sock.fileno()}
    worker = subprocess.Popen(
        [sys.executable, "-m", "luodi.cli.serving"], stdin=subprocess.PIPE, pass_fds=[sock.fileno()],
        start_new_session=True,  # Ctrl-C goes to the parent, which tells its workers once
    )  # fmt: skip
    assert worker.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        worker.stdin.write(json.dumps(spec).encode())
        worker.stdin.close()
    return worker


def main() -> int:
    spec = json.loads(sys.stdin.read())
    sock = socket.socket(fileno=spec.pop("socket"))
    parent = os.getppid()
    what = Served(**spec)
    try:
        _leave_with(parent)
        run(what, sock, lambda about: None, note=False)
    except LuodiError as error:
        print(f"worker: {error.message}", file=sys.stderr)
        return 2
    return 0


def _leave_with(parent: int) -> None:
    """End in order when the parent is gone, even if it was killed."""
    import threading

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


if __name__ == "__main__":
    sys.exit(main())
