"""Running the gateway as a server."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from luodi.errors import LuodiError, require
from luodi.gateway.app import App
from luodi.gateway.tls import Certificate
from luodi.store import Store, write_bytes

SERVING = "serving.json"


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises: LuodiError if the address is taken or not of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(2048)  # from here on a caller waits in line and is not refused
    except OSError as error:
        sock.close()
        raise LuodiError(
            f"{host}:{port} can't be listened on: {error.strerror}",
            "choose another with --port, or 0 for any that is free",
        ) from error
    return sock


def url_of(sock: socket.socket, tls: object = None) -> str:
    """Where a socket is asked."""
    host, port = sock.getsockname()[:2]
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def serve(
    app: App,
    sock: socket.socket,
    store: Store,
    key: str,
    ready: Callable[[str], Any],
    *,
    note: bool = True,
    tls: Certificate | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; calls in flight are finished. `ready` is told the URL.

    With `note`, other commands find this server by the store. With `tls`, only over TLS.
    """
    uvicorn = require("uvicorn", extra="serve")
    url = url_of(sock, tls)
    path = store.root / SERVING
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=30, lifespan="on", proxy_headers=False,
        server_header=False, timeout_keep_alive=75, callback_notify=tls.look if tls else None, timeout_notify=1,
    )  # fmt: skip
    if tls is not None:
        config.load()
        config.ssl = tls.context
    server = uvicorn.Server(config)
    logging.getLogger("luodi").setLevel(logging.WARNING)
    about = {"url": url, "release": app.gateway.served.release, "key": key, "pid": os.getpid()}
    if tls is not None:
        about["cert"] = str(tls.cert)
    if note:
        write_bytes(path, json.dumps(about).encode(), mode=0o600)
    _tune()
    # uvicorn raises the signal that stopped it once more; SIGTERM must not end us before what follows is done.
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _leave) if main else None
    try:
        ready(url)
        server.run(sockets=[sock])
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)
        with contextlib.suppress(OSError, ValueError):
            if json.loads(path.read_bytes())["pid"] == os.getpid():
                path.unlink()
        sock.close()


def _tune() -> None:
    """For a process that does nothing else: what is there now is not looked at by the collector again, which then
    runs less often; and a thread that comes back from the disk gets its turn sooner.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    sys.setswitchinterval(0.001)


def _leave(number: int, frame: object) -> None:
    raise SystemExit(0)


def find_server(root: Path) -> dict[str, Any] | None:
    """The server that runs for a store: url, release, key, with TLS cert; None if there is none or it is gone."""
    try:
        about: dict[str, Any] = json.loads((root / SERVING).read_bytes())
        os.kill(int(about["pid"]), 0)
    except (OSError, ValueError, KeyError):
        return None
    return about
