from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from luodi.engine.gguf_file import METADATA, keep_metadata, metadata_from_folder, permute, write_gguf
from luodi.errors import EngineError


def test_permute_interleaves_the_halves_of_each_head() -> None:
    weight = np.arange(8.0).reshape(8, 1)
    assert permute(weight, 2).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_written_weights_are_read_back_within_their_quantisation(tiny_model: Path) -> None:
    ours = load_file(next(tiny_model.glob("*.safetensors")))
    reader = gguf.GGUFReader(tiny_model / "large.gguf")
    found = {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in reader.tensors}
    down = ours["model.layers.0.mlp.down_proj.weight"].to(torch.float32).numpy()
    assert np.abs(found["blk.0.ffn_down.weight"] - down).max() < np.abs(down).max() / 100
    query = ours["model.layers.1.self_attn.q_proj.weight"].to(torch.float32).numpy()
    assert np.abs(found["blk.1.attn_q.weight"] - permute(query, 4)).max() < np.abs(query).max() / 100


def test_the_small_file_is_smaller_and_keeps_the_embedding_in_eight_bits(tiny_model: Path) -> None:
    small = gguf.GGUFReader(tiny_model / "small.gguf")
    kinds = {t.name: t.tensor_type for t in small.tensors}
    assert kinds["token_embd.weight"] == gguf.GGMLQuantizationType.Q8_0
    assert kinds["blk.0.ffn_up.weight"] == gguf.GGMLQuantizationType.Q4_0
    assert (tiny_model / "small.gguf").stat().st_size < (tiny_model / "large.gguf").stat().st_size


def test_metadata_survives_a_copy(tiny_model: Path, tmp_path: Path) -> None:
    keep_metadata(tiny_model / "large.gguf", tmp_path / METADATA)
    copied, original = gguf.GGUFReader(tmp_path / METADATA), gguf.GGUFReader(tiny_model / METADATA)
    for key in ("llama.block_count", "llama.rope.freq_base", "tokenizer.ggml.tokens", "tokenizer.chat_template"):
        assert copied.fields[key].contents() == original.fields[key].contents()
    assert not copied.tensors


def test_the_same_weights_give_the_same_bytes(tiny_model: Path, tmp_path: Path) -> None:
    write_gguf(tiny_model, tiny_model / METADATA, tmp_path / "again.gguf", "q8_0")
    assert (tmp_path / "again.gguf").read_bytes() == (tiny_model / "large.gguf").read_bytes()


def test_an_unknown_architecture_is_refused_with_a_way_out(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((tiny_model / "tokenizer.json").read_bytes())
    config = json.loads((tiny_model / "config.json").read_bytes()) | {"model_type": "mamba"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(EngineError, match="mamba") as caught:
        metadata_from_folder(tmp_path, tmp_path / METADATA)
    assert "gguf:" in caught.value.hint
