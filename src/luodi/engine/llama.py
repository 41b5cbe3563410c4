"""llama.cpp, embedded through xllamacpp: GGUF files, quantised KV cache, LoRA adapters at run time."""

from __future__ import annotations

import codecs
import json
import queue
import secrets
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from luodi.engine.base import Cancel, Delta, Emit, EngineInfo, Finish, Request, TextStream
from luodi.engine.folder import gguf_file, read_about
from luodi.engine.template import render
from luodi.errors import EngineError, LuodiError, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from luodi.engine.watermark import Watermark

_SLOTS = 8
_ENDS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "</s>")
_CANDIDATES = 64  # tokens that a marked answer chooses from at each place


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
        self._idle: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(_SLOTS):
            self._idle.put(slot)
        self._special: tuple[list[int], int] | None = None

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("llama", self._about["name"], self._context, watermark=True)

    def submit(self, request: Request, emit: Emit) -> Cancel:
        cancelled = threading.Event()
        self._pool.submit(self._answer, request, emit, cancelled)
        return cancelled.set

    def count(self, text: str) -> int:
        return len(self._tokens(text))

    def _tokens(self, text: str) -> list[int]:
        body = json.dumps({"content": text}).encode()
        headers = {"content-type": "application/json", "authorization": f"Bearer {self._key}"}
        call = urllib.request.Request(f"{self._server.listening_address}/tokenize", body, headers)  # noqa: S310 - loopback
        with urllib.request.urlopen(call, timeout=30) as reply:  # noqa: S310
            return list(json.load(reply)["tokens"])

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
            ids = self._tokens(payload["prompt"])
            prompt_tokens = len(ids)
            if prompt_tokens + request.sampling.max_tokens > self._context:
                raise EngineError(
                    f"{prompt_tokens} tokens of prompt and {request.sampling.max_tokens} of answer are more than the"
                    f" {self._context} this engine was started with"
                )
            if request.watermark is not None and request.sampling.json_schema is None:
                end, written = self._marked(request, request.watermark, ids, emit, cancelled)
                emit(Delta(finish=end, prompt_tokens=prompt_tokens, completion_tokens=written, watermarked=True))
                return
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

    def _marked(
        self, request: Request, watermark: Watermark, ids: list[int], emit: Emit, cancelled: threading.Event
    ) -> tuple[Finish, int]:
        """Write one token a call, so that it is chosen here; what stands before it stays in the slot's cache.

        Grammars can't be kept over calls, so an answer that is held to a JSON schema is not marked.
        """
        s, written, ids = request.sampling, 0, list(ids)
        rng, text, decoder = np.random.default_rng(s.seed), TextStream(s.stop), codecs.getincrementaldecoder("utf-8")
        decode, finish, slot = decoder("replace").decode, "length", self._idle.get()
        try:
            ends, plain = self._known()
            while written < s.max_tokens:
                if cancelled.is_set():
                    finish = "cancelled"
                    break
                found = self._candidates(ids, slot, plain)
                tokens = np.array([each["id"] for each in found])
                lifted = watermark.lift(ids[-1], tokens) * ~np.isin(tokens, ends)
                logits = np.array([each["logprob"] for each in found]) + lifted
                chosen = found[_pick(logits, s.temperature, s.top_p, rng)]
                if chosen["id"] in ends:
                    finish = "stop"
                    break
                ids.append(chosen["id"])
                written += 1
                if shown := text.feed(decode(bytes(chosen["bytes"]))):
                    emit(Delta(shown))
                if text.stopped:
                    finish = "stop"
                    break
        finally:
            self._idle.put(slot)
        if rest := text.feed(decode(b"", final=True)) + text.finish():
            emit(Delta(rest))
        return finish, written  # type: ignore[return-value]

    def _known(self) -> tuple[list[int], int]:
        """The tokens that end an answer, and a token that is a whole character."""
        if self._special is None:
            marks = [self._tokens(text) for text in {self._about["eos"], *_ENDS} if text]
            self._special = [ids[0] for ids in marks if len(ids) == 1], self._tokens("a")[0]
        return self._special

    def _candidates(self, ids: list[int], slot: int, plain: int) -> list[dict[str, Any]]:
        """The likeliest tokens behind `ids` by the model alone, the likeliest first.

        The server itself is made to write `plain`: it says no probabilities beside half a character.
        """
        told: list[dict[str, Any]] = []
        self._server.handle_completions(
            {"prompt": ids, "max_tokens": 1, "temperature": 0, "logprobs": _CANDIDATES, "stream": False,
             "cache_prompt": True, "id_slot": slot, "logit_bias": [[plain, 1000.0]]},
            lambda chunk: bool(told.append(chunk)),  # type: ignore[func-returns-value]
        )  # fmt: skip
        try:
            found: list[dict[str, Any]] = told[-1]["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
            return found
        except (LookupError, TypeError) as error:
            raise EngineError(f"llama.cpp gives no tokens to choose from: {str(told)[:200]}") from error


def _pick(logits: NDArray[Any], temperature: float, top_p: float, rng: np.random.Generator) -> int:
    if temperature <= 0:
        return int(logits.argmax())
    scaled = np.exp((logits - logits.max()) / temperature)
    order = np.argsort(-scaled)
    ordered = scaled[order] / scaled.sum()
    ordered[np.cumsum(ordered) - ordered > top_p] = 0
    return int(order[rng.choice(len(order), p=ordered / ordered.sum())])
