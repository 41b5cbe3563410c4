"""The LiteLLM proxy, in an environment of its own, as its documentation says to run it in production.

One worker, a master key and no database, so a call costs it a key comparison and no bookkeeping. Debug output,
telemetry, callbacks, retries and the download of prices are off. `httptools` is added: LiteLLM runs on uvicorn, which
is faster with it than with what LiteLLM installs.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.gateway.subject import ROOT, Command, Unavailable
from benchmarks.gateway.wire import Target

VERSION = "1.108.7"
HTTPTOOLS = "0.9.0"
FOLDER = ROOT / "benchmarks" / ".venvs" / "litellm"
_KEY = "sk-benchmark-0123456789"
_ENV = {
    "LITELLM_LOG": "ERROR",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_DONT_SHOW_FEEDBACK_BOX": "True",
}


def install() -> None:
    """Make the environment, unless it is there. Raises: Unavailable if it can't be made."""
    ready = FOLDER / ".ready"
    if ready.is_file() and ready.read_text() == VERSION:
        return
    FOLDER.parent.mkdir(exist_ok=True)
    (FOLDER.parent / ".gitignore").write_text("*\n")
    shutil.rmtree(FOLDER, ignore_errors=True)
    pip = [str(FOLDER / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    wanted = [f"litellm[proxy]=={VERSION}", f"httptools=={HTTPTOOLS}"]
    for command in ([sys.executable, "-m", "venv", str(FOLDER)], [*pip, *wanted]):
        print(" ".join(command), flush=True)
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise Unavailable(f"litellm {VERSION} can't be installed: {done.stderr.strip().splitlines()[-1:]}")
    ready.write_text(VERSION)


def about() -> dict[str, object]:
    """Version, packages, size in 10^6 bytes, and the loop it runs on."""
    code = (
        "import json; from importlib.metadata import distributions as d; import importlib.util as u;"
        "print(json.dumps([{x.metadata['name']: x.version for x in d()}, bool(u.find_spec('uvloop'))]))"
    )
    told = subprocess.run([str(FOLDER / "bin" / "python"), "-c", code], capture_output=True, text=True, check=True)
    packages, uvloop = json.loads(told.stdout)
    size = sum(p.stat().st_size for p in FOLDER.rglob("*") if p.is_file() and not p.is_symlink())
    return {
        "version": packages["litellm"],
        "packages": len(packages) - len({"pip", "setuptools", "httptools"} & set(packages)),
        "mb": round(size / 1e6),
        "loop": "uvloop" if uvloop else "asyncio",
    }


def litellm_command(work: Path, port: int, mock_port: int) -> Command:
    """Raises: Unavailable if it is not there and can't be installed."""
    install()
    config = {
        "model_list": [
            {
                "model_name": "mock",
                "litellm_params": {
                    "model": "openai/mock", "api_base": f"http://127.0.0.1:{mock_port}/v1", "api_key": "none",
                },
            }
        ],
        "litellm_settings": {
            "callbacks": [], "num_retries": 0, "request_timeout": 600, "set_verbose": False, "telemetry": False,
        },
        "general_settings": {"master_key": _KEY},
    }  # fmt: skip
    path = work / "litellm.yaml"
    path.write_text(json.dumps(config))  # JSON is YAML
    arguments = [
        str(FOLDER / "bin" / "litellm"), "--config", str(path), "--host", "127.0.0.1", "--port", str(port),
        "--num_workers", "1",
    ]  # fmt: skip
    found = about()
    text = f"LiteLLM {found['version']} ({found['packages']} packages, {found['mb']} MB), 1 worker, {found['loop']}"
    return Command(arguments, Target(port, "mock", _KEY), _ENV, text)
