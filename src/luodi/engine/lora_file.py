"""Writing a LoRA adapter as a GGUF file, which llama.cpp puts on top of a base model when it is loaded.

Format: llama.cpp, `general.type` "adapter" with tensors NAME.lora_a (rank x in) and NAME.lora_b (out x rank).
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from luodi.engine.gguf_file import permute
from luodi.errors import EngineError, require

LORA = "adapter.gguf"
_NAME = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")


def write_lora(adapter: Path, model: Path, target: Path) -> int:
    """Write the adapter in the folder `adapter` (as peft saves it) for the base model in `model`; returns tensors.

    Raises:
        EngineError: a tensor that is no LoRA matrix, or that the format has no name for.
    """
    gguf = require("gguf", extra="train")
    safetensors = require("safetensors", extra="train")
    config = json.loads((model / "config.json").read_bytes())
    about = json.loads((adapter / "adapter_config.json").read_bytes())
    architecture = {"llama": "llama", "qwen2": "qwen2"}[config["model_type"]]
    arch = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(arch, config["num_hidden_layers"])
    heads = {
        "attn_q": config["num_attention_heads"],
        "attn_k": config.get("num_key_value_heads", config["num_attention_heads"]),
    }
    writer = gguf.GGUFWriter(target, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(about["lora_alpha"]))
    count = 0
    with safetensors.safe_open(adapter / "adapter_model.safetensors", "pt") as file:
        for key in sorted(file.keys()):
            found = _NAME.fullmatch(key)
            short = names.get_name(found[1]) if found else None
            if found is None or short is None:
                raise EngineError(f"the adapter's tensor {key!r} can't be written as GGUF")
            weight = file.get_tensor(key).float().numpy()
            part = short.split(".")[-1]
            if found[2] == "B" and architecture == "llama" and part in heads:
                weight = permute(weight, heads[part])  # the rows of B are those of the projection
            writer.add_tensor(f"{short}.weight.lora_{found[2].lower()}", np.ascontiguousarray(weight))
            count += 1
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return count
