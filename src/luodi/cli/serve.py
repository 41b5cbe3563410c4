"""`luodi serve`"""

from __future__ import annotations

from contextlib import ExitStack

import click

from luodi.cli.context import loaded_of, root_of, show_of, store_of


@click.command()
@click.argument("release", required=False)
@click.option("--host", help="Address to listen on; by default that of the project file.")
@click.option("--port", type=int, help="Port; 0 takes any that is free.")
@click.option(
    "--engine", help="Another engine than the release was measured with: openvino, llama, transformers, or a URL."
)
@click.option("--threads", type=int, help="CPU threads of the engine.")
@click.option(
    "--workers", type=click.IntRange(1, 64), help="Processes that serve; by default that of the project file."
)
@click.option("--tls-cert", help="Certificate chain in PEM; then only HTTPS is served. Read again when it changes.")
@click.option("--tls-key", help="Private key of the certificate in PEM, without a password.")
@click.pass_context
def command(
    ctx: click.Context,
    release: str | None,
    host: str | None,
    port: int | None,
    engine: str | None,
    threads: int | None,
    workers: int | None,
    tls_cert: str | None,
    tls_key: str | None,
) -> None:
    """Serve a release: the live one, or else the newest candidate. Nothing that does not verify is served.

    \b
    Examples:
      luodi serve
      luodi serve helpdesk@2 --port 0
      luodi serve --workers 4 --engine http://vllm:8000/v1
      luodi serve --host 0.0.0.0 --tls-cert chain.pem --tls-key key.pem
    """
    import json
    import os
    from dataclasses import asdict, replace
    from pathlib import Path

    from luodi.cli.serving import Served, run, run_key, run_many
    from luodi.cli.show import warn
    from luodi.gateway import GatewayOptions
    from luodi.gateway.server import SERVING, listen, url_of
    from luodi.gateway.tls import Certificate
    from luodi.release import Registry, verify
    from luodi.store import write_bytes

    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together")
    tls = None
    if tls_cert and tls_key:
        tls = Certificate(Path(tls_cert).resolve(), Path(tls_key).resolve())  # what can't be used is told at once
    show = show_of(ctx)
    loaded = loaded_of(ctx)
    store = store_of(ctx, loaded)
    found = Registry(store).find(release or loaded.project.name)
    verified = verify(found, store)
    serving = loaded.project.serve
    signed = json.loads((verified.folder / "serve.json").read_bytes())
    written = serving.model_dump(mode="json", include=set(signed))
    if changed := [f"serve.{name}" for name in signed if name in written and written[name] != signed[name]]:
        warn(show.say("serve_changed", release=found, names=", ".join(changed)), show)
    many = workers or serving.workers
    with ExitStack() as stack:  # in this order, so that whatever fails leaves no key or socket behind
        sock = listen(host or serving.host, serving.port if port is None else port)
        stack.callback(sock.close)
        url = url_of(sock, tls)
        options = asdict(GatewayOptions.of(serving, root_of(ctx)))
        what = Served(
            str(store.root), loaded.project.store, str(found), options, release is None, engine, threads, "", url,
            str(tls.cert) if tls else "", str(tls.key) if tls else "",
        )  # fmt: skip

        def ready(about: dict[str, str]) -> None:
            about = {k: about[k] for k in ("release", "engine", "pick", "key")}
            show.line(show.say("serving", **about), event="serving", url=url, **about)
            if not show.as_json:
                for text in ("serving_page", "serving_api", "serving_key", "stop_hint"):
                    show.line("  " + show.say(text, url=url, key=about["key"]))

        if many == 1:
            run(what, sock, ready, note=True)
            return
        key = stack.enter_context(run_key(store, str(found)))
        note = store.root / SERVING
        told = {"url": url, "release": str(found), "key": key, "pid": os.getpid()}
        told |= {"cert": str(tls.cert)} if tls else {}
        write_bytes(note, json.dumps(told).encode(), mode=0o600)
        stack.callback(note.unlink, missing_ok=True)
        about = {"release": str(found), "engine": engine or serving.engine, "pick": serving.pick, "key": key}
        run_many(replace(what, key=key), sock, many, lambda: ready(about))
