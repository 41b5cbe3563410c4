"""What the command `llm` does with the gateway, set up as its manual says for servers in OpenAI's form."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness import ANSWER, CITY, SAID, WORDS, Q, run

LLM = str(Path(sys.executable).with_name("llm"))


def llm(url: str, key: str, *args: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """One command, with the gateway's models written down where it looks for them."""
    with tempfile.TemporaryDirectory() as folder:
        named = [("chat", True), ("helpdesk", False), ("slow", False), ("failing", False), ("broken", False)]
        lines = "".join(
            f"- model_id: {name}\n  model_name: {name}\n  api_base: {url}/v1\n  api_key_name: luodi\n"
            f"  supports_tools: {str(able).lower()}\n  supports_schema: {str(able).lower()}\n"
            for name, able in named
        )
        Path(folder, "extra-openai-models.yaml").write_text(lines, "utf-8")
        Path(folder, "keys.json").write_text(json.dumps({"luodi": key}), "utf-8")
        env = os.environ | {"LLM_USER_PATH": folder, "LLM_LOAD_PLUGINS": ""}
        return subprocess.run(
            [LLM, *args], capture_output=True, text=True, env=env, timeout=60, stdin=subprocess.DEVNULL, **more
        )


def chat(url: str, key: str) -> None:
    for name, asked, said in (("helpdesk", Q, ANSWER), ("chat", WORDS, SAID)):
        done = llm(url, key, "-m", name, "--no-stream", asked)
        assert done.stdout.strip() == said, done
    assert (
        llm(url, key, "-m", "chat", "-s", "be kind", "-o", "temperature", "0.5", "--no-stream", WORDS).stdout.strip()
        == SAID
    )


def stream(url: str, key: str) -> None:
    done = llm(url, key, "-m", "chat", "-u", WORDS)
    assert done.stdout.strip() == SAID and "Token usage: 4 input, 6 output" in done.stderr, done


def tools(url: str, key: str) -> None:
    code = "def weather(city: str) -> str:\n    'd'\n    return 'cold in ' + city"
    done = llm(url, key, "-m", "chat", "--functions", code, "Weather?")
    assert done.stdout.strip() == "The tool said: cold in example", done


def schema(url: str, key: str) -> None:
    done = llm(url, key, "-m", "chat", "--schema", json.dumps(CITY), "Where?")
    assert json.loads(done.stdout) == {"city": "example"}, done


def errors(url: str, key: str) -> None:
    for name, with_key, told in (("failing", key, "failing"), ("chat", "luodi-wrong", "not valid")):
        done = llm(url, with_key, "-m", name, "--no-stream", WORDS)
        assert done.returncode and told in done.stderr, done
    done = llm(url, key, "-m", "broken", "a long text " * 20)
    assert done.returncode and "out of memory" in done.stderr, done


def cancel(url: str, key: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        line = f"- model_id: slow\n  model_name: slow\n  api_base: {url}/v1\n  api_key_name: luodi\n"
        Path(folder, "extra-openai-models.yaml").write_text(line, "utf-8")
        Path(folder, "keys.json").write_text(json.dumps({"luodi": key}), "utf-8")
        env = os.environ | {"LLM_USER_PATH": folder, "LLM_LOAD_PLUGINS": ""}
        command = [LLM, "-m", "slow", "a long text " * 50]
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
        with subprocess.Popen(command, env=env, **pipes) as process:
            assert process.stdout is not None and process.stdout.read(3) == b"You"
            process.send_signal(signal.SIGINT)


if __name__ == "__main__":
    run([chat, stream, tools, schema, errors, cancel])
