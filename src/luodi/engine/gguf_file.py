"""Writing GGUF files that llama.cpp and OpenVINO both read.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from luodi.errors import EngineError, require

METADATA = "gguf.metadata"  # everything of a GGUF file but its tensors
_SKIPPED = ("general.architecture", "general.file_type", "general.quantization_version")
_FILE_TYPES = {"f16": 1, "q4_0": 2, "q4_1": 3, "q8_0": 7}


def permute(weight: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """Rows of a query or key projection in the order llama.cpp's rotary embedding wants.

    transformers rotates the two halves of a head against each other; llama.cpp rotates neighbours. So the rows of
    each head (`head_dim` x `hidden`) are interleaved.
    """
    rows = weight.shape[0]
    return weight.reshape(heads, 2, rows // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def keep_metadata(source: Path, target: Path) -> None:
    """Copy everything of a GGUF file but its tensors."""
    gguf = require("gguf", extra="train")
    writer = gguf.GGUFWriter(target, _architecture(gguf.GGUFReader(source)))
    _copy_fields(gguf.GGUFReader(source), writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def _architecture(reader: Any) -> str:
    return str(reader.fields["general.architecture"].contents())


def _copy_fields(reader: Any, writer: Any) -> None:
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key not in _SKIPPED:
            writer.add_key_value(
                key, field.contents(), field.types[0], field.types[1] if len(field.types) > 1 else None
            )


def metadata_from_folder(folder: Path, target: Path) -> None:
    """GGUF metadata of a model saved by transformers: Llama and Qwen2 architectures with a byte-level BPE tokenizer.

    Raises:
        EngineError: another architecture or tokenizer.
    """
    gguf = require("gguf", extra="train")
    config = json.loads((folder / "config.json").read_bytes())
    architecture = {"llama": "llama", "qwen2": "qwen2"}.get(config["model_type"])
    tokenizer = json.loads((folder / "tokenizer.json").read_bytes())
    if architecture is None or tokenizer["model"]["type"] != "BPE":
        raise EngineError(
            f"models of type {config['model_type']!r} can't be written as GGUF yet",
            "give a GGUF file of the model: `base: gguf:FILE`",
        )
    writer = gguf.GGUFWriter(target, architecture)
    heads = config["num_attention_heads"]
    writer.add_name(config.get("_name_or_path") or folder.name)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads", heads))
    rope = config.get("rope_parameters") or {}
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0))
    writer.add_rope_dimension_count(config.get("head_dim") or config["hidden_size"] // heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    _add_tokenizer(gguf, writer, folder, config, tokenizer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def _add_tokenizer(gguf: Any, writer: Any, folder: Path, config: dict[str, Any], tokenizer: dict[str, Any]) -> None:
    special = {t["id"]: t["content"] for t in tokenizer["added_tokens"]}
    vocabulary = {i: t for t, i in tokenizer["model"]["vocab"].items()} | special
    size = config["vocab_size"]
    writer.add_tokenizer_model("gpt2")
    # llama.cpp splits words by a rule with a name. Digits one by one is SmolLM's; engine parity shows if it is wrong.
    digits = "individual_digits" in json.dumps(tokenizer.get("pre_tokenizer"))
    writer.add_tokenizer_pre("smollm" if digits else "qwen2" if config["model_type"] == "qwen2" else "default")
    writer.add_token_list([vocabulary.get(i, f"[PAD{i}]") for i in range(size)])
    kinds = gguf.TokenType
    writer.add_token_types(
        [kinds.CONTROL if i in special else kinds.NORMAL if i in vocabulary else kinds.UNUSED for i in range(size)]
    )
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]])
    for name in ("bos", "eos", "pad"):
        token = config.get(f"{name}_token_id")
        if isinstance(token, int):
            getattr(writer, f"add_{name}_token_id")(token)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    template = folder / "chat_template.jinja"
    if template.is_file():
        writer.add_chat_template(template.read_text("utf-8"))


def write_gguf(
    folder: Path,
    metadata: Path,
    target: Path,
    quantisation: str,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write the safetensors weights of `folder` as one GGUF file; returns its size in bytes.

    `quantisation` is f16, q8_0, q4_0 or q4_1, for matrices; norms stay fp32, and the embedding, which is also the
    output layer of tied models and suffers most, is never below q8_0.

    Raises:
        EngineError: a tensor that the format has no name for.
    """
    gguf = require("gguf", extra="train")
    reader = gguf.GGUFReader(metadata)
    architecture = _architecture(reader)
    config = json.loads((folder / "config.json").read_bytes())
    types = gguf.GGMLQuantizationType
    wanted = {"f16": types.F16, "q8_0": types.Q8_0, "q4_0": types.Q4_0, "q4_1": types.Q4_1}[quantisation]
    arch = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(arch, config["num_hidden_layers"])
    writer = gguf.GGUFWriter(target, architecture)
    _copy_fields(reader, writer)
    writer.add_file_type(_FILE_TYPES[quantisation])
    writer.add_quantization_version(2)
    heads = {
        "attn_q": config["num_attention_heads"],
        "attn_k": config.get("num_key_value_heads", config["num_attention_heads"]),
    }
    total = _count_tensors(folder)
    for done, (name, weight) in enumerate(_tensors(folder), 1):
        short = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if short is None:
            raise EngineError(f"GGUF has no name for the tensor {name!r}")
        part = short.split(".")[-2]
        if architecture == "llama" and part in heads:
            weight = permute(weight, heads[part])
        if weight.ndim == 1:
            writer.add_tensor(short, weight)
        else:
            kind = types.Q8_0 if wanted in (types.Q4_0, types.Q4_1) and part in ("token_embd", "output") else wanted
            data = gguf.quants.quantize(np.ascontiguousarray(weight), kind)
            writer.add_tensor(short, data, raw_dtype=kind)
        if progress:
            progress(done, total)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target.stat().st_size


def _count_tensors(folder: Path) -> int:
    safetensors = require("safetensors", extra="train")
    total = 0
    for path in folder.glob("*.safetensors"):
        with safetensors.safe_open(path, "pt") as file:
            total += len(file.keys())
    return total


def _tensors(folder: Path) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Every tensor as float32, one at a time."""
    safetensors = require("safetensors", extra="train")
    torch = require("torch", extra="train")
    for path in sorted(folder.glob("*.safetensors")):
        with safetensors.safe_open(path, "pt") as file:
            for name in sorted(file.keys()):
                yield name, file.get_tensor(name).to(torch.float32).numpy()
