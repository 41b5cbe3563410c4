"""Prompts from messages, by the model's own chat template, rendered the same for every engine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from luodi.engine.base import Message
from luodi.errors import EngineError


def _refuse(message: str) -> None:
    raise EngineError(f"the model's chat template refuses these messages: {message}")


@lru_cache(maxsize=16)
def _compile(template: str) -> Any:
    # The template comes with the weights and is not trusted: the sandbox keeps it from anything but text.
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = _refuse
    try:
        return environment.from_string(template)
    except TemplateError as error:
        raise EngineError(f"the model's chat template is broken: {error}") from error


def render(template: str, messages: Sequence[Message], *, bos: str = "", eos: str = "") -> str:
    """The prompt for an answer to `messages`. Raises: EngineError if the template can't take them."""
    plain = [{"role": m.role, "content": m.content} for m in messages]
    try:
        text: str = _compile(template).render(messages=plain, add_generation_prompt=True, bos_token=bos, eos_token=eos)
    except TemplateError as error:
        raise EngineError(f"the model's chat template can't take these messages: {error}") from error
    return text
