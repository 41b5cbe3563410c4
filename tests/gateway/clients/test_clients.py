"""Other people's clients, each in the environment that `scripts/clients` makes, against a running gateway."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PYTHON = Path(__file__).parents[3] / ".venv-clients" / "bin" / "python"
CLIENTS = ["anthropic", "litellm", "langchain", "llm", "openai"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="the clients are not installed (scripts/clients installs them)"),
]


@pytest.mark.parametrize("client", CLIENTS)
def test_client(fresh_server: Any, client: str) -> None:
    server = fresh_server
    server.upstream.left.clear()
    command = [str(PYTHON), str(HERE / f"with_{client}.py"), server.url, server.key]
    env = {k: v for k, v in os.environ.items() if "proxy" not in k.lower() and not k.startswith("PYTHON")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=env, cwd=HERE)
    assert done.returncode == 0 and done.stdout, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    failed = {name: result for name, result in told.items() if result != "ok"}
    assert failed == {}, "\n".join(f"{name}: {result}" for name, result in failed.items())
    assert "cancel" in told and server.upstream.left.wait(10), "the client left, and the model went on"
