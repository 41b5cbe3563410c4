"""OpenVINO GenAI: continuous batching and a prefix cache on processors without a GPU."""

from __future__ import annotations

import json
import queue
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luodi.engine.base import Cancel, Delta, Emit, EngineInfo, Finish, Request, TextStream
from luodi.engine.folder import gguf_file, read_about
from luodi.engine.template import render
from luodi.errors import EngineError, require

_CACHE_GB = 1  # of KV cache; 1 GB holds some 40,000 tokens of a 135M model


@dataclass(slots=True)
class _Running:
    """A request in the pipeline."""

    emit: Emit
    handle: Any
    prompt_tokens: int
    text: TextStream
    tokens: list[int] = field(default_factory=list)
    decoded: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)


class OpenVinoEngine:
    """Runs a GGUF file of `folder`. One thread of its own steps the batch; answers come from that thread."""

    def __init__(self, folder: Path, *, pick: str = "large", threads: int = 0) -> None:
        genai = require("openvino_genai", extra="serve")
        self._about = read_about(folder)
        self._genai = genai
        scheduler = genai.SchedulerConfig()
        scheduler.enable_prefix_caching = True
        scheduler.cache_size = _CACHE_GB
        options = {"INFERENCE_NUM_THREADS": threads} if threads else {}
        path = gguf_file(folder, pick)
        try:
            self._pipeline = genai.ContinuousBatchingPipeline(str(path), scheduler, "CPU", options)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO can't load {path.name}: {error}", "try `serve: {engine: llama}`") from error
        self._tokenizer = self._pipeline.get_tokenizer()
        self._new: queue.SimpleQueue[tuple[Request, Emit, threading.Event] | None] = queue.SimpleQueue()
        self._count_lock = threading.Lock()
        self._thread = threading.Thread(target=self._loop, name="openvino", daemon=True)
        self._thread.start()

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("openvino", self._about["name"], self._about["context"])

    def submit(self, request: Request, emit: Emit) -> Cancel:
        cancelled = threading.Event()
        self._new.put((request, emit, cancelled))
        return cancelled.set

    def count(self, text: str) -> int:
        with self._count_lock:
            encoded = self._tokenizer.encode(text, add_special_tokens=False)
        return int(encoded.input_ids.get_shape()[1])

    def close(self) -> None:
        self._new.put(None)
        self._thread.join(timeout=30)

    def _config(self, request: Request) -> Any:
        s = request.sampling
        config = self._genai.GenerationConfig()
        config.max_new_tokens = s.max_tokens
        config.eos_token_id = self._tokenizer.get_eos_token_id()
        config.stop_token_ids = {config.eos_token_id}
        if s.temperature > 0:
            config.do_sample = True
            config.temperature = s.temperature
            config.top_p = s.top_p
            config.rng_seed = s.seed
        if s.json_schema is not None:
            config.structured_output_config = self._genai.StructuredOutputConfig(json_schema=json.dumps(s.json_schema))
        return config

    def _start(self, number: int, request: Request, emit: Emit, cancelled: threading.Event) -> _Running | None:
        try:
            prompt = render(self._about["template"], request.messages, bos=self._about["bos"], eos=self._about["eos"])
            with self._count_lock:
                ids = self._tokenizer.encode(prompt, add_special_tokens=False).input_ids
            length = int(ids.get_shape()[1])
            if length + request.sampling.max_tokens > self._about["context"]:
                raise EngineError(
                    f"{length} tokens of prompt and {request.sampling.max_tokens} of answer are more than the model's"
                    f" {self._about['context']}"
                )
            handle = self._pipeline.add_request(number, ids, self._config(request))
        except Exception as error:  # whatever is wrong with one request must not end the others
            emit(Delta(finish="error", error=getattr(error, "message", str(error))))
            return None
        return _Running(emit, handle, length, TextStream(request.sampling.stop), cancelled=cancelled)

    def _loop(self) -> None:
        running: dict[int, _Running] = {}
        number = 0
        while True:
            while True:
                try:
                    item = self._new.get(block=not running)
                except queue.Empty:
                    break
                if item is None:
                    for left in running.values():
                        left.handle.cancel()
                        left.emit(
                            Delta(
                                finish="cancelled", prompt_tokens=left.prompt_tokens, completion_tokens=len(left.tokens)
                            )
                        )
                    return
                number += 1
                started = self._start(number, *item)
                if started:
                    running[number] = started
            try:
                self._pipeline.step()
            except RuntimeError as error:
                for broken in running.values():
                    broken.emit(Delta(finish="error", error=str(error)))
                running.clear()
                continue
            for key, current in list(running.items()):
                if self._advance(current):
                    del running[key]

    def _advance(self, current: _Running) -> bool:
        """Pass on what is new of one request; True when it has ended."""
        if current.cancelled.is_set():
            current.handle.cancel()
            current.emit(
                Delta(finish="cancelled", prompt_tokens=current.prompt_tokens, completion_tokens=len(current.tokens))
            )
            return True
        reason = None
        while current.handle.can_read():
            for output in current.handle.read().values():
                current.tokens.extend(output.generated_ids)
                reason = output.finish_reason
        whole = self._tokenizer.decode(current.tokens) if current.tokens else ""
        # Text already passed on never changes, except for a last character whose bytes are not all there.
        stable = whole.rstrip("�")
        piece, current.decoded = stable[len(current.decoded) :], max(current.decoded, stable, key=len)
        text = current.text.feed(piece)
        done = self._genai.GenerationFinishReason
        ended = current.text.stopped or reason in (done.STOP, done.LENGTH)
        if ended:
            text += current.text.finish()
            if current.text.stopped:
                current.handle.stop()
        if text:
            current.emit(Delta(text))
        if ended:
            finish: Finish = "length" if reason == done.LENGTH and not current.text.stopped else "stop"
            current.emit(
                Delta(finish=finish, prompt_tokens=current.prompt_tokens, completion_tokens=len(current.tokens))
            )
        return ended
