"""llama.cpp, embedded through xllamacpp: GGUF files, quantised KV cache, LoRA adapters at run time."""

from __future__ import annotations

import json
import secrets
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from luodi.engine.base import Cancel, Delta, Emit, EngineInfo, Request
from luodi.engine.folder import gguf_file, read_about
from luodi.engine.template import render
from luodi.errors import EngineError, LuodiError, require

_SLOTS = 8


class LlamaEngine:
    """Runs a GGUF file of `folder`, `_SLOTS` requests at once.

    `kv_cache` is the type of the KV cache (f16, q8_0, q4_0); `lora` an adapter as `write_lora` writes it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        pick: str = "large",
        threads: int = 0,
        kv_cache: str = "f16",
        context: int = 0,
        lora: Path | None = None,
    ) -> None:
        xllamacpp = require("xllamacpp", extra="serve")
        self._about = read_about(folder)
        path = gguf_file(folder, pick)
        self._context = min(context or 2048, self._about["context"])
        # llama.cpp's server also listens on a loopback port; the key keeps other users of the machine out.
        self._key = secrets.token_hex(16)
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = self._context * _SLOTS
        params.n_parallel = _SLOTS
        params.api_keys = [self._key]
        params.verbosity = -1
        if threads:
            params.cpuparams.n_threads = threads
            params.cpuparams_batch.n_threads = threads
        if kv_cache != "f16":
            params.cache_type_k = params.cache_type_v = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{kv_cache.upper()}")
        if lora is not None:
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(lora), 1.0)]
        try:
            self._server: Any = xllamacpp.Server(params)
        except RuntimeError as error:
            raise EngineError(f"llama.cpp can't load {path.name}: {error}") from error
        self._pool = ThreadPoolExecutor(_SLOTS, thread_name_prefix="llama")

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("llama", self._about["name"], self._context)

    def submit(self, request: Request, emit: Emit) -> Cancel:
        cancelled = threading.Event()
        self._pool.submit(self._answer, request, emit, cancelled)
        return cancelled.set

    def count(self, text: str) -> int:
        body = json.dumps({"content": text}).encode()
        headers = {"content-type": "application/json", "authorization": f"Bearer {self._key}"}
        call = urllib.request.Request(f"{self._server.listening_address}/tokenize", body, headers)  # noqa: S310 - loopback
        with urllib.request.urlopen(call, timeout=30) as reply:  # noqa: S310
            return len(json.load(reply)["tokens"])

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._server = None

    def _payload(self, request: Request) -> dict[str, Any]:
        s = request.sampling
        payload: dict[str, Any] = {
            "prompt": render(self._about["template"], request.messages, bos=self._about["bos"], eos=self._about["eos"]),
            "max_tokens": s.max_tokens,
            "temperature": s.temperature,
            "top_p": s.top_p,
            "seed": s.seed,
            "stop": list(s.stop),
            "cache_prompt": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if s.json_schema is not None:
            payload["json_schema"] = s.json_schema
        return payload

    def _answer(self, request: Request, emit: Emit, cancelled: threading.Event) -> None:
        finish, pieces, error = "", 0, ""
        usage: dict[str, Any] = {}

        def on_chunk(chunk: dict[str, Any]) -> bool:
            nonlocal finish, usage, pieces, error
            if "error" in chunk or ("message" in chunk and "choices" not in chunk):
                error = str(chunk.get("error", chunk))
                return True
            for choice in chunk.get("choices", []):
                if choice.get("text"):
                    pieces += 1
                    emit(Delta(choice["text"]))
                finish = choice.get("finish_reason") or finish
            usage = chunk.get("usage") or usage
            return cancelled.is_set()

        try:
            payload = self._payload(request)
            prompt_tokens = self.count(payload["prompt"])
            if prompt_tokens + request.sampling.max_tokens > self._context:
                raise EngineError(
                    f"{prompt_tokens} tokens of prompt and {request.sampling.max_tokens} of answer are more than the"
                    f" {self._context} this engine was started with"
                )
            self._server.handle_completions(payload, on_chunk)
        except LuodiError as problem:
            emit(Delta(finish="error", error=problem.message))
            return
        except Exception as problem:  # whatever is wrong with one request must not end the others
            emit(Delta(finish="error", error=f"{type(problem).__name__}: {problem}"))
            return
        completion = int(usage.get("completion_tokens", pieces))
        if error:
            emit(Delta(finish="error", error=error))
        elif cancelled.is_set() and not finish:
            emit(Delta(finish="cancelled", prompt_tokens=prompt_tokens, completion_tokens=completion))
        else:
            emit(
                Delta(
                    finish="length" if finish == "length" else "stop",
                    prompt_tokens=prompt_tokens,
                    completion_tokens=completion,
                )
            )
