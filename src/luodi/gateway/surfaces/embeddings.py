"""OpenAI's embeddings."""

from __future__ import annotations

import base64
import struct
from typing import Any

from luodi.engine import Sampling
from luodi.gateway.call import Call, Reply
from luodi.gateway.core import Gateway
from luodi.gateway.problem import Problem, has_half, invalid
from luodi.gateway.surfaces.base import Base, luodi_part
from luodi.gateway.surfaces.checks import check_fields, model_of, object_of, user_of

_OWN = {"model", "input", "encoding_format", "user"}
_REFUSED = {"dimensions": "no model behind this gateway is known to shorten its vectors"}
_MOST = 2048  # texts of a request, as OpenAI


class Embeddings(Base):
    """One request. Never a stream."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self._base64 = False

    def parse(self, body: Any, secret: str, headers: dict[str, str]) -> Call:
        body = object_of(body)
        check_fields(body, _OWN, _REFUSED)
        model = model_of(self._gateway, body)
        pool = self._gateway.served.pools.get(model)
        if pool is None or not any("embed" in u.takes for u in pool.upstreams):
            raise invalid(f"{model!r} makes no embeddings", "model", "unsupported_model")
        encoding = body.get("encoding_format")
        if encoding not in (None, "float", "base64"):
            raise invalid("'encoding_format' must be float or base64", "encoding_format")
        self._base64 = encoding == "base64"
        return self._gateway.call(
            (), Sampling(), surface="openai.embeddings", model=model, task="embed", secret=secret,
            texts=_texts(body.get("input")), user=user_of(body),
        )  # fmt: skip

    async def whole(self, call: Call, reply: Reply) -> dict[str, Any]:
        vectors: list[list[float]] = []
        async for piece in reply.pieces:
            vectors += piece.vectors or []
        tokens = reply.outcome.prompt_tokens
        return {
            "object": "list",
            "data": [
                {"object": "embedding", "index": i, "embedding": _packed(v) if self._base64 else v}
                for i, v in enumerate(vectors)
            ],
            "model": call.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            "luodi": luodi_part(call, reply),
        }


def _texts(value: Any) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts:
        raise invalid("'input' must be a string or a list of strings", "input")
    if any(isinstance(t, (int, list)) for t in texts):
        raise invalid(
            "lists of tokens are not taken: the guard reads text, and models do not share their tokens",
            "input", "unsupported_content",
        )  # fmt: skip
    if any(not isinstance(t, str) or not t or has_half(t) for t in texts):
        raise invalid("every text must be a string that is not empty", "input")
    if len(texts) > _MOST:
        raise invalid(f"at most {_MOST} texts are taken in a request", "input")
    return tuple(texts)


def _packed(vector: list[float]) -> str:
    """Little-endian floats of 32 bits, as OpenAI's clients unpack them. Raises: Problem if one is too large."""
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except (OverflowError, struct.error) as error:
        raise Problem(502, "upstream_error", "the model's vectors are no numbers of 32 bits",
                      code="invalid_model_output") from error  # fmt: skip
