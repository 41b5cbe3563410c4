"""Any OpenAI-compatible server: vLLM, SGLang, llama-server, a cloud."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
from typing import Any
from urllib.parse import urlsplit

from luodi.engine.base import Cancel, Delta, Emit, EngineInfo, Request
from luodi.errors import EngineError, require

_CONNECT_S = 10.0
_SILENCE_S = 120.0  # between two pieces of an answer
_KEEP_S = 2.0  # an idle connection; less than servers wait (uvicorn 5 s), so that none is used as it is being closed


class RemoteEngine:
    """Speaks to `url` (ending in /v1). The key, if one is needed, comes from LUODI_ENGINE_KEY."""

    def __init__(
        self,
        url: str,
        *,
        model: str = "",
        context: int = 8192,
        connect_s: float = _CONNECT_S,
        silence_s: float = _SILENCE_S,
    ) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise EngineError(f"{url!r} is not the address of a server", "write for instance http://host:8000/v1")
        self._aiohttp: Any = require("aiohttp", extra="serve")
        self._url = url.rstrip("/")
        self._context = context
        self._timeout = self._aiohttp.ClientTimeout(total=None, connect=connect_s, sock_read=silence_s)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="remote", daemon=True)
        self._thread.start()
        self._session: Any = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        try:
            self._model = model or asyncio.run_coroutine_threadsafe(self._first_model(), self._loop).result()
        except EngineError:
            self.close()
            raise

    async def _open(self) -> Any:
        key = os.environ.get("LUODI_ENGINE_KEY")
        return self._aiohttp.ClientSession(
            connector=self._aiohttp.TCPConnector(keepalive_timeout=_KEEP_S, limit=0),
            timeout=self._timeout,
            headers={"authorization": f"Bearer {key}"} if key else {},
        )

    async def _shut(self) -> None:
        """Cancel what is under way, so that every answer gets its last delta, then hang up."""
        await asyncio.sleep(0)  # their first step
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._session.close()

    async def _first_model(self) -> str:
        try:
            async with self._session.get(f"{self._url}/models") as reply:
                body = await reply.json(content_type=None)
                return str(body["data"][0]["id"])
        except Exception as error:
            raise EngineError(
                f"{self._url} does not answer as an OpenAI-compatible server: {type(error).__name__}: {error}",
                "check the address, that it ends in /v1, and LUODI_ENGINE_KEY",
            ) from error

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("remote", self._model, self._context)

    def submit(self, request: Request, emit: Emit) -> Cancel:
        running: list[asyncio.Task[None]] = []

        def start() -> None:
            running.append(self._loop.create_task(self._answer(request, emit)))
            self._tasks.add(running[0])
            running[0].add_done_callback(self._tasks.discard)

        def cancel() -> None:
            # One turn of the loop later than its start: a task that is cancelled before its first step emits nothing.
            with contextlib.suppress(RuntimeError):  # the engine is closed
                self._loop.call_soon_threadsafe(lambda: self._loop.call_soon(running[0].cancel))

        self._loop.call_soon_threadsafe(start)
        return cancel

    def count(self, text: str) -> int:
        """An estimate, since only the server has the tokenizer: 4 bytes a token, as for English text."""
        return len(text.encode()) // 4 + 1

    def close(self) -> None:
        if self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(timeout=10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=10)
            self._loop.close()

    async def _answer(self, request: Request, emit: Emit) -> None:
        s = request.sampling
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            "max_tokens": s.max_tokens,
            "temperature": s.temperature,
            "top_p": s.top_p,
            "seed": s.seed,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if s.stop:
            body["stop"] = list(s.stop)
        if s.json_schema is not None:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": s.json_schema},
            }
        finish, prompt, completion, pieces, size = "", 0, 0, 0, 0
        try:
            async with self._session.post(f"{self._url}/chat/completions", json=body) as reply:
                if reply.status != 200:
                    raise EngineError(f"{self._url} answered {reply.status}: {(await reply.text())[:300]}")
                async for line in reply.content:
                    if not line.startswith(b"data:") or line.strip() == b"data: [DONE]":
                        continue
                    chunk = json.loads(line[5:])
                    if "error" in chunk:
                        raise EngineError(f"{self._url}: {chunk['error']}")
                    for choice in chunk.get("choices", []):
                        piece = (choice.get("delta") or {}).get("content") or ""
                        if piece:
                            pieces, size = pieces + 1, size + len(piece.encode())
                            emit(Delta(piece))
                        finish = choice.get("finish_reason") or finish
                    usage = chunk.get("usage") or {}
                    prompt = usage.get("prompt_tokens", prompt)
                    completion = usage.get("completion_tokens", completion)
            if not finish:
                raise EngineError(f"{self._url} ended the stream before the answer was finished")
        except asyncio.CancelledError:
            emit(Delta(finish="cancelled", prompt_tokens=prompt, completion_tokens=completion or pieces))
            raise
        except EngineError as error:
            emit(Delta(finish="error", error=error.message, completion_tokens=pieces))
        except Exception as error:  # network and protocol errors of many kinds: the caller is told, whatever it was
            emit(Delta(finish="error", error=f"{self._url}: {type(error).__name__}: {error}", completion_tokens=pieces))
        else:
            prompt = prompt or sum(self.count(m.content) for m in request.messages)
            emit(
                Delta(
                    finish="length" if finish == "length" else "stop",
                    prompt_tokens=prompt,
                    completion_tokens=completion or max(pieces, size // 4),
                )
            )
