"""An adapter put on at run time answers as the merged weights do."""

from __future__ import annotations

import shutil
from pathlib import Path

import gguf
import peft
import pytest
import torch

from luodi.engine import Message, Request, Sampling, answer_all, quiet
from luodi.engine.folder import read_about, write_about
from luodi.engine.gguf_file import METADATA, write_gguf
from luodi.engine.llama import LlamaEngine
from luodi.engine.lora_file import LORA, write_lora
from luodi.errors import EngineError

ASK = Request((Message("user", "Set required=False on the field"),), Sampling(max_tokens=4))


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter on every kind of layer, large enough to change the answer."""
    folder = tmp_path_factory.mktemp("adapter")
    base = quiet.transformers().AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"]
    model = peft.get_peft_model(
        base, peft.LoraConfig(r=4, lora_alpha=16, target_modules=targets, task_type="CAUSAL_LM")
    )
    torch.manual_seed(11)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(folder)
    write_lora(folder, tiny_model, folder / LORA)
    return folder


def weights(folder: Path, tiny_model: Path, adapter: Path) -> Path:
    """The merged model in `folder`, as f16."""
    base = quiet.transformers().AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    peft.PeftModel.from_pretrained(base, adapter).merge_and_unload().save_pretrained(folder)
    shutil.copy(tiny_model / METADATA, folder / METADATA)
    write_gguf(folder, folder / METADATA, folder / "large.gguf", "f16")
    write_about(folder, **read_about(tiny_model))
    return folder


def answer(engine: LlamaEngine) -> str:
    text = answer_all(engine, [ASK])[0].text
    engine.close()
    return text


def test_an_adapter_at_run_time_answers_as_the_merged_weights(tiny_model: Path, adapter: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    write_gguf(tiny_model, tiny_model / METADATA, base / "large.gguf", "f16")
    write_about(base, **read_about(tiny_model))
    (tmp_path / "merged").mkdir()
    merged = answer(LlamaEngine(weights(tmp_path / "merged", tiny_model, adapter), threads=1))
    assert answer(LlamaEngine(base, threads=1, lora=adapter / LORA)) == merged
    assert answer(LlamaEngine(base, threads=1)) != merged


def test_the_file_has_both_matrices_of_every_layer(adapter: Path) -> None:
    names = {t.name for t in gguf.GGUFReader(adapter / LORA).tensors}
    assert len(names) == 2 * 6 * 4
    assert {"blk.0.attn_q.weight.lora_a", "blk.3.ffn_down.weight.lora_b"} <= names


def test_a_tensor_that_is_no_lora_matrix_is_refused(tiny_model: Path, adapter: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    shutil.copy(adapter / "adapter_config.json", tmp_path)
    save_file({"something.else": torch.zeros(2, 2)}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(EngineError, match=r"something\.else"):
        write_lora(tmp_path, tiny_model, tmp_path / LORA)
