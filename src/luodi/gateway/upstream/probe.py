"""Asking a server, before anything is served, which model it has."""

from __future__ import annotations

import json
import os
import urllib.request

from luodi.errors import EngineError


def first_model(url: str, key: str = "", timeout_s: float = 10.0) -> str:
    """The first model of the server at `url` (ending in /v1).

    Raises:
        EngineError: it does not answer as an OpenAI-compatible server.
    """
    request = urllib.request.Request(f"{url.rstrip('/')}/models")  # noqa: S310  the scheme is checked by the caller
    if key:
        request.add_header("authorization", f"Bearer {os.environ[key.removeprefix('env:')]}")
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as reply:  # noqa: S310
            return str(json.loads(reply.read())["data"][0]["id"])
    except Exception as error:  # network, protocol and JSON errors of many kinds mean the same to the user
        raise EngineError(
            f"{url} does not answer as an OpenAI-compatible server: {type(error).__name__}: {error}",
            "check the address, that it ends in /v1, and LUODI_ENGINE_KEY",
        ) from error
