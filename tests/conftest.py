"""What several rooms' tests share: a tiny model of a real architecture, and a store in a fresh folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from luodi.store import Store

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CORPUS = [
    "Set required=False on the field to make it optional. The documents do not say.",
    "Answer the question from the passages, in their words, and cite the passage like [1].",
    "A form field is required by default. 你好，世界。文档中没有说明。 0 1 2 3 4 5 6 7 8 9",
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder: a Llama of 4 layers with random weights, its tokenizer, and both GGUF files."""
    from luodi.engine import quiet
    from luodi.engine.folder import write_about
    from luodi.engine.gguf_file import METADATA, metadata_from_folder, write_gguf

    transformers = quiet.transformers()
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    folder = tmp_path_factory.mktemp("tiny-model")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
    )
    fast.chat_template = TEMPLATE
    config = transformers.LlamaConfig(
        vocab_size=len(fast), hidden_size=128, intermediate_size=256, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
        pad_token_id=2, initializer_range=0.2,
    )  # fmt: skip
    torch.manual_seed(7)
    model = transformers.LlamaForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    metadata_from_folder(folder, folder / METADATA)
    for pick, quantisation in (("large", "q8_0"), ("small", "q4_0")):
        write_gguf(folder, folder / METADATA, folder / f"{pick}.gguf", quantisation)
    write_about(
        folder,
        name="tiny",
        licence="Apache-2.0",
        source="test",
        context=512,
        template=TEMPLATE,
        bos="",
        eos="<|im_end|>",
    )
    return folder
