"""Serves a tiny release with a fake engine in a process of its own; prints URL and key.

python serving.py STORE DELAY [TEXT]      LUODI_TEST_OPTIONS: options of the gateway, as JSON
                                          LUODI_TEST_TLS: files of certificate and key, as JSON
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from luodi.gateway import App, Gateway, GatewayOptions, open_release
from luodi.gateway.server import listen, serve
from luodi.gateway.tls import Certificate
from luodi.release import Registry, verify
from luodi.store import Store
from luodi.testing import FakeEngine, engine_kinds


def main() -> None:
    store = Store(Path(sys.argv[1]))
    text = sys.argv[3] if len(sys.argv) > 3 else "Set required=False on the field to make it optional. [1]"
    engine = FakeEngine(text, delay=float(sys.argv[2]))
    with engine_kinds(fake=lambda folder, *, pick, threads: engine):
        served = open_release(verify(Registry(store).find("helpdesk"), store))
    options = GatewayOptions(**json.loads(os.environ.get("LUODI_TEST_OPTIONS", "{}")))
    gateway = Gateway(served, store, options)
    files = [Path(path) for path in json.loads(os.environ.get("LUODI_TEST_TLS", "[]"))]
    tls = Certificate(*files) if files else None
    key_id, key = gateway.keys.create("test")
    try:
        serve(App(gateway), listen("127.0.0.1", 0), store, key, lambda url: print(url, key, flush=True), tls=tls)
    finally:
        gateway.keys.revoke(key_id)
        gateway.close()
        print("left in order", flush=True)


if __name__ == "__main__":
    main()
