"""transformers: slow, and the reference every other engine is compared with."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from luodi.engine import quiet
from luodi.engine.base import Cancel, Delta, Emit, EngineInfo, Message, Request, TextStream
from luodi.engine.choices import log_likelihoods
from luodi.engine.folder import read_about
from luodi.engine.template import render
from luodi.errors import EngineError, LuodiError, require

if TYPE_CHECKING:
    from luodi.engine.watermark import Watermark


class TransformersEngine:
    """Runs the safetensors weights of `folder`, one request at a time."""

    def __init__(self, folder: Path, *, pick: str = "large", threads: int = 0) -> None:
        transformers = quiet.transformers()
        self._torch = require("torch", extra="train")
        self._about = read_about(folder)
        if threads:
            self._torch.set_num_threads(threads)
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model = transformers.AutoModelForCausalLM.from_pretrained(
                folder, dtype=self._torch.bfloat16, local_files_only=True
            )
        except (OSError, ValueError) as error:
            raise EngineError(f"transformers can't load {folder}: {error}") from error
        self._model.eval()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="transformers")

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("transformers", self._about["name"], self._about["context"], watermark=True)

    def submit(self, request: Request, emit: Emit) -> Cancel:
        cancelled = threading.Event()
        self._pool.submit(self._answer, request, emit, cancelled)
        return cancelled.set

    def choose(self, messages: Sequence[Message], choices: Sequence[str]) -> list[float]:
        """Log-probability of each choice as the whole answer, in nats. Raises: EngineError if they don't fit."""
        prompt = render(self._about["template"], messages, bos=self._about["bos"], eos=self._about["eos"])
        return log_likelihoods(self._model, self._tokenizer, prompt, choices, self._about["context"])

    def count(self, text: str) -> int:
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _answer(self, request: Request, emit: Emit, cancelled: threading.Event) -> None:
        try:
            self._generate(request, emit, cancelled)
        except LuodiError as error:
            emit(Delta(finish="error", error=error.message))
        except Exception as error:  # a request that fails must not leave its caller waiting
            emit(Delta(finish="error", error=f"{type(error).__name__}: {error}"))

    def _generate(self, request: Request, emit: Emit, cancelled: threading.Event) -> None:
        s = request.sampling
        if s.json_schema is not None:
            raise EngineError("the transformers engine can't be held to a JSON schema", "use openvino or llama")
        torch = self._torch
        prompt = render(self._about["template"], request.messages, bos=self._about["bos"], eos=self._about["eos"])
        ids = self._tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
        length = ids.shape[1]
        if length + s.max_tokens > self._about["context"]:
            raise EngineError(
                f"{length} tokens of prompt and {s.max_tokens} of answer are more than the model's context"
            )
        generator = torch.Generator().manual_seed(s.seed)
        text, tokens, decoded, past, finish = TextStream(s.stop), [], "", None, "length"
        with torch.inference_mode():
            for _ in range(s.max_tokens):
                if cancelled.is_set():
                    finish = "cancelled"
                    break
                out = self._model(input_ids=ids, past_key_values=past, use_cache=True, logits_to_keep=1)
                past = out.past_key_values
                logits = out.logits[0, -1].float()
                if request.watermark is not None:
                    logits = logits + self._lift(request.watermark, int(ids[0, -1]), len(logits))
                token = self._choose(logits, s.temperature, s.top_p, generator)
                if token == self._tokenizer.eos_token_id:
                    finish = "stop"
                    break
                tokens.append(token)
                stable = self._tokenizer.decode(tokens).rstrip("�")
                piece, decoded = stable[len(decoded) :], max(decoded, stable, key=len)
                shown = text.feed(piece)
                if shown:
                    emit(Delta(shown))
                if text.stopped:
                    finish = "stop"
                    break
                ids = torch.tensor([[token]])
        rest = text.finish()
        if rest:
            emit(Delta(rest))
        emit(
            Delta(
                finish=finish,  # type: ignore[arg-type]
                prompt_tokens=length,
                completion_tokens=len(tokens),
                watermarked=request.watermark is not None,
            )
        )

    def _lift(self, watermark: Watermark, before: int, size: int) -> Any:
        lifted = watermark.lift(before, np.arange(size))
        lifted[self._tokenizer.eos_token_id] = 0.0  # where an answer ends is no matter of the mark
        return self._torch.from_numpy(lifted)

    def _choose(self, logits: Any, temperature: float, top_p: float, generator: Any) -> int:
        torch = self._torch
        if temperature <= 0:
            return int(torch.argmax(logits))
        probabilities = torch.softmax(logits / temperature, -1)
        ordered, index = torch.sort(probabilities, descending=True)
        ordered[torch.cumsum(ordered, -1) - ordered > top_p] = 0
        return int(index[torch.multinomial(ordered, 1, generator=generator)])
