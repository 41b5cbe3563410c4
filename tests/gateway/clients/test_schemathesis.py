"""Schemathesis against the OpenAPI document that the gateway serves, with requests that keep to it and that don't."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[3] / ".venv-clients" / "bin" / "schemathesis"
CHECKS = [
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "negative_data_rejection", "missing_required_header", "unsupported_method", "ignored_auth",
]  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PROGRAM.exists(), reason="the clients are not installed (scripts/clients installs them)"),
]


def test_the_document_holds(fresh_server: Any, tmp_path: Path) -> None:
    # A body of more items than are allowed is refused by its size before it is read as JSON.
    config = tmp_path / "schemathesis.toml"
    refusals = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]
    config.write_text(f"[checks]\nnegative_data_rejection.expected-statuses = {refusals}\n", "utf-8")
    command = [
        str(PROGRAM), "--config-file", str(config), "run", f"{fresh_server.url}/openapi.json", "--header", f"Authorization: Bearer {fresh_server.key}",
        "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--max-examples", "25", "--seed", "7",
        "--request-timeout", "30", "--continue-on-failure", "--no-color", "--suppress-health-check", "all",
        "--warnings", "off",
    ]  # fmt: skip
    env = {k: v for k, v in os.environ.items() if "proxy" not in k.lower() and not k.startswith("PYTHON")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=env, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout[-16000:] + done.stderr[-2000:]
