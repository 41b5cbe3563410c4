"""What several rooms' tests share: a tiny model of a real architecture, and a store in a fresh folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

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


def _binaries() -> Path | None:
    """Where the distribution keeps PostgreSQL's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a PostgreSQL server: the one that LUODI_TEST_POSTGRES names, or one started here on loopback."""
    if "LUODI_TEST_POSTGRES" in os.environ:
        yield os.environ["LUODI_TEST_POSTGRES"]
        return
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    # PostgreSQL refuses to run as root, and its user can't look into a folder of root's.
    folder = Path(tempfile.mkdtemp(prefix="luodi-pg-"))
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    data = str(folder / "data")
    try:
        subprocess.run(
            [*as_user, str(binaries / "initdb"), "-D", data, "-A", "trust", "-U", "luodi"],
            check=True,
            capture_output=True,
        )
        start = [
            *as_user,
            str(binaries / "pg_ctl"),
            "-D",
            data,
            "-o",
            options,
            "-l",
            str(folder / "log"),
            "-w",
            "start",
        ]
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL)
        yield f"postgresql://luodi@127.0.0.1:{port}/postgres"
        subprocess.run(
            [*as_user, str(binaries / "pg_ctl"), "-D", data, "-m", "fast", "stop"], check=True, capture_output=True
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of a PostgreSQL database of this test's own, which is dropped after it."""
    at = make_url(postgres_server).set(drivername="postgresql+psycopg")
    name = f"luodi_test_{uuid.uuid4().hex[:12]}"
    admin = create_engine(at, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield at.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """URL of a Redis (or Valkey) server: the one that LUODI_TEST_REDIS names, or one started here on loopback."""
    if "LUODI_TEST_REDIS" in os.environ:
        yield os.environ["LUODI_TEST_REDIS"]
        return
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        pytest.skip("Redis is not installed (apt-get install redis-server)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """URL of an empty Redis database."""
    import redis

    with redis.from_url(redis_server) as client:
        client.flushdb()
    return redis_server
