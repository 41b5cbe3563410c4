"""`luodi serve`"""

from __future__ import annotations

from contextlib import ExitStack

import click

from luodi.cli.context import loaded_of, show_of, store_of


@click.command()
@click.argument("release", required=False)
@click.option("--host", help="Address to listen on; by default that of the project file.")
@click.option("--port", type=int, help="Port; 0 takes any that is free.")
@click.option(
    "--engine", help="Another engine than the release was measured with: openvino, llama, transformers, or a URL."
)
@click.option("--threads", type=int, help="CPU threads of the engine.")
@click.pass_context
def command(
    ctx: click.Context, release: str | None, host: str | None, port: int | None, engine: str | None, threads: int | None
) -> None:
    """Serve a release: the live one, or else the newest candidate. Nothing that does not verify is served.

    \b
    Examples:
      luodi serve
      luodi serve helpdesk@2 --port 0
    """
    from luodi.console import Console
    from luodi.gateway import App, Gateway, open_release
    from luodi.gateway.server import listen, serve
    from luodi.release import Registry, verify

    show = show_of(ctx)
    loaded = loaded_of(ctx)
    store = store_of(ctx, loaded)
    verified = verify(Registry(store).find(release or loaded.project.name), store)
    options = loaded.project.serve
    with ExitStack() as stack:  # in this order, so that whatever fails leaves no thread, key or socket behind
        sock = listen(host or options.host, options.port if port is None else port)
        stack.callback(sock.close)
        served = open_release(verified, engine=engine, threads=threads)
        gateway = Gateway(served, store)
        stack.callback(gateway.close)
        key_id, key = gateway.keys.create(f"luodi serve ({verified.release})")
        stack.callback(gateway.keys.revoke, key_id)
        app = App(gateway, None, key)
        info = served.engine.info
        about = {"release": str(verified.release), "engine": info.kind, "pick": served.options["pick"]}

        def ready(url: str) -> None:
            app.pages = Console(verified.passport, serving=about | {"url": url})
            show.line(show.say("serving", **about), event="serving", url=url, key=key, **about)
            if not show.as_json:
                for text in ("serving_page", "serving_api", "serving_key", "stop_hint"):
                    show.line("  " + show.say(text, url=url, key=key))

        serve(app, sock, store, key, ready)
