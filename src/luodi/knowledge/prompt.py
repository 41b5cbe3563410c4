"""The one prompt that training, evaluation and serving share."""

from __future__ import annotations

from collections.abc import Sequence

from luodi.engine import Message
from luodi.knowledge.index import Hit

ABSTAIN = {"en": "The documents do not say.", "zh": "文档中没有说明。"}

DEFAULT_PROMPT = """\
Answer the question from the passages, in their words, and cite the passage like [1]. If the passages do not \
answer it, say: The documents do not say.
"""

_TITLE_CHARS = 120
_PASSAGE_CHARS = 360


def passage_text(hit: Hit) -> str:
    """A passage as the model sees it: the last two headings, then the text, cut at a word."""
    title = " › ".join(hit.chunk.title.split(" › ")[-2:])[:_TITLE_CHARS]
    text = " ".join(hit.chunk.text.split())
    if len(text) > _PASSAGE_CHARS:
        text = text[:_PASSAGE_CHARS].rpartition(" ")[0] or text[:_PASSAGE_CHARS]
    return f"{title}\n{text}"


def build_messages(question: str, hits: Sequence[Hit], instructions: str = DEFAULT_PROMPT) -> tuple[Message, ...]:
    """System and user message for a question and its passages, numbered from 1."""
    passages = "\n\n".join(f"[{n}] {passage_text(hit)}" for n, hit in enumerate(hits, 1))
    return (
        Message("system", instructions.strip()),
        Message("user", f"{passages}\n\nQuestion: {question.strip()}"),
    )
