"""A transformer that classifies texts, from a local folder: behind the linear model, where there is time for it.

The folder holds what Hugging Face's tools export: `config.json` (id2label), `tokenizer.json`, and `model.onnx` (or
`onnx/model.onnx`, or a quantised one), or weights that transformers reads. Nothing is fetched.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from luodi.errors import SourceError, require

_TOKENS = 512
_CHARACTERS = 4 * _TOKENS
_BENIGN = {"0", "label_0", "benign", "safe", "legit", "negative", "no_injection", "harmless"}


class DeepModel:
    """One classifier. Safe between threads.

    Attributes:
        version: the folder's name and the size of its weights.

    Raises:
        SourceError: the folder is missing or holds no classifier.
        MissingExtraError: onnxruntime and tokenizers, or transformers, are not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            config = json.loads((folder / "config.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise SourceError(f"no classifier in {str(folder)!r}: {error}", "name a folder with config.json") from error
        labels = {int(k): str(v).lower() for k, v in (config.get("id2label") or {0: "safe", 1: "attack"}).items()}
        self._attack = [place for place, name in sorted(labels.items()) if name not in _BENIGN]
        if not self._attack or len(self._attack) == len(labels):
            raise SourceError(f"{str(folder)!r}: which of {list(labels.values())} means an attack is not clear",
                              "name the harmless label 'safe' in id2label")  # fmt: skip
        files = [folder / name for name in ("model.onnx", "onnx/model.onnx", "model_quantized.onnx")]
        onnx = next((file for file in files if file.is_file()), None)
        weights = onnx or next(iter(sorted(folder.glob("*.safetensors"))), None)
        if weights is None:
            raise SourceError(f"{str(folder)!r} holds no model.onnx and no *.safetensors", "export the classifier")
        self.version = f"{folder.name}:{weights.stat().st_size}"
        self._logits: Callable[[str], Any] = _onnx(folder, onnx) if onnx is not None else _transformers(folder)

    def score(self, text: str) -> tuple[float, float]:
        """(probability of an attack in the first 512 tokens, seconds that it took)."""
        began = time.monotonic()
        whole = text[:_CHARACTERS].encode("utf-8", "replace").decode()  # tokenizers take no half of a surrogate pair
        logits = np.asarray(self._logits(whole), dtype=np.float64).reshape(-1)
        odds = np.exp(logits - logits.max())
        return float(odds[self._attack].sum() / odds.sum()), time.monotonic() - began


def _onnx(folder: Path, file: Path) -> Callable[[str], Any]:
    runtime = require("onnxruntime", extra="privacy")
    tokenizer = require("tokenizers", extra="train").Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(_TOKENS)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(str(file), options, providers=runtime.get_available_providers())
    wanted = {given.name for given in session.get_inputs()}

    def logits(text: str) -> Any:
        found = tokenizer.encode(text)
        given = {
            "input_ids": found.ids, "attention_mask": found.attention_mask, "token_type_ids": found.type_ids,
        }  # fmt: skip
        return session.run(None, {k: np.array([v], dtype=np.int64) for k, v in given.items() if k in wanted})[0]

    return logits


def _transformers(folder: Path) -> Callable[[str], Any]:
    transformers = require("transformers", extra="train")
    torch = require("torch", extra="train")
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(str(folder), local_files_only=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.eval().to(device)

    def logits(text: str) -> Any:
        given = tokenizer(text, truncation=True, max_length=_TOKENS, return_tensors="pt").to(device)
        with torch.no_grad():
            return model(**given).logits.float().cpu().numpy()

    return logits
