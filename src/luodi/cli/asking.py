"""Asking a release: the server that runs, or the release opened in this process."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luodi.cli.show import Show
from luodi.errors import LuodiError

if TYPE_CHECKING:
    from luodi.store import Store


@dataclass(frozen=True, slots=True)
class Answered:
    """A whole answer with Luodi's part of the reply, and how long it took."""

    text: str
    luodi: dict[str, Any]
    usage: dict[str, int]
    seconds: float


class Asker:
    """Asks the running server of the project if it serves `release`, or else opens the release here."""

    def __init__(self, store: Store, release: str) -> None:
        from luodi.gateway.server import find_server
        from luodi.release import Registry, verify

        found = Registry(store).find(release)
        server = find_server(store.root)
        self._server = server if server and server["release"] == str(found) else None
        self._gateway: Any = None
        if self._server is None:
            from luodi.gateway import Gateway, open_release

            self._gateway = Gateway(open_release(verify(found, store)), store)

    def ask(self, question: str) -> Answered:
        """Raises: LuodiError if the call is refused or fails."""
        began = time.monotonic()
        body = self._over_http(question) if self._server else self._gateway.run_alone(self._here(question))
        return Answered(
            body["choices"][0]["message"]["content"], body["luodi"], body["usage"], time.monotonic() - began
        )

    def _over_http(self, question: str) -> dict[str, Any]:
        assert self._server is not None
        body = {"model": self._server["release"], "messages": [{"role": "user", "content": question}]}
        headers = {"authorization": f"Bearer {self._server['key']}", "content-type": "application/json"}
        request = urllib.request.Request(  # noqa: S310 - the address is our own server's
            f"{self._server['url']}/v1/chat/completions", json.dumps(body).encode(), headers
        )
        trust = None
        if cert := self._server.get("cert"):
            from luodi.gateway.tls import own_server

            trust = own_server(cert)
        try:
            opened = urllib.request.urlopen(request, timeout=300, context=trust)  # noqa: S310 - our own server's
            with opened as reply:
                loaded: dict[str, Any] = json.load(reply)
                return loaded
        except urllib.error.HTTPError as error:
            message = json.load(error)["error"]["message"]
            raise LuodiError(f"the server refuses: {message}") from error
        except (urllib.error.URLError, OSError) as error:
            raise LuodiError(
                f"the server at {self._server['url']} does not answer: {error}", "start it again: luodi serve"
            ) from error

    async def _here(self, question: str) -> dict[str, Any]:
        from luodi.engine import Message, Sampling
        from luodi.gateway import LOCAL
        from luodi.gateway.surfaces import Chat

        served = self._gateway.served
        sampling = Sampling(max_tokens=int(served.options["max_answer_tokens"]))
        call = self._gateway.call((Message("user", question),), sampling, surface="cli", principal=LOCAL)
        return await Chat(self._gateway).whole(call, await self._gateway.handle(call))

    def close(self) -> None:
        if self._gateway is not None:
            self._gateway.close()


def show_answer(answered: Answered, show: Show, *, why: bool) -> None:
    """The answer with its sources; with `why`, also what was checked and what it cost."""
    told = answered.luodi
    if show.as_json:
        show.line("", answer=answered.text, seconds=round(answered.seconds, 3), usage=answered.usage, **told)
        return
    show.line(answered.text)
    for c in told["citations"]:
        show.line(f"[{c['number']}] {c['path']}:{c['line']} {c['title'].rpartition(' › ')[2]}: “{_short(c['quote'])}”")
    if told["kind"] == "abstained":
        if told.get("missing"):
            show.line(f"{show.say('not_found')}: {', '.join(told['missing'])}")
        for c in told["nearest"]:
            show.line(f"{show.say('closest')}: {c['path']}:{c['line']} {c['title'].rpartition(' › ')[2]}")
    if why:
        for check in told["checks"]:
            passed = ", ".join(name for name, ok in check["checks"].items() if ok)
            show.line(f"  {show.say('checked')}: {passed} · {check['coverage']:.0%}")
        for v in told["verdicts"]:
            state = v["action"] if v["ran"] else "not run"
            show.line(f"  guard/{v['check']}@{v['version'].split(':')[0]}: {state}, {v['score']:.2f}")
    sure = "" if told.get("confidence") is None else f" · {show.say('confidence')} {told['confidence']:.2f}"
    cached = f" · {show.say('cached')}" if told["cached"] else ""
    tokens = answered.usage["total_tokens"]
    show.line(
        f"{told['kind']} · {told['release']} · {answered.seconds * 1000:.0f} ms · {tokens} tokens{sure}{cached}"
        f" · {show.say('record')} {told['record']}"
    )


def _short(text: str, limit: int = 160) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[:limit].rpartition(" ")[0] + " …"
