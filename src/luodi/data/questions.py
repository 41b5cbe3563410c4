"""Questions from headings, and the answer a section opens with."""

from __future__ import annotations

import random
from importlib.resources import files

from luodi.knowledge.sentences import sentences
from luodi.pipeline import Row

# Headings that say nothing by themselves.
_GENERIC = frozenset(files("luodi.data").joinpath("generic-headings.txt").read_text("utf-8").splitlines())
_TEMPLATES_TOPIC = ("What is {}?", "What should I know about {}?", "Can you explain {}?", "How does {} work?")
_TEMPLATES_DOING = (
    "What should I know about {}?",
    "How do I go about {}?",
    "What does the documentation say about {}?",
    "Help me with {}.",
)
_MAX_WORDS = 45


def is_question(row: Row) -> bool:
    """Whether a gold section has a heading of its own and an answer below it."""
    return " › " in row.title and bool(opening(row))


def question_for(row: Row, rng: random.Random) -> str:
    """A question that a user with this heading in mind might ask; "" where the heading says too little."""
    titles = row.title.split(" › ")
    own = titles[-1].strip().rstrip(".:")
    if own.endswith("?"):
        return own
    low = own.lower()
    if not own or low in _GENERIC or len(own) < 4 or len(own) > 90 or not any(c.isalpha() for c in own):
        return ""
    first = low.split()[0]
    if low.startswith(("how to ", "when to ", "where to ")):
        start, _, rest = own.partition(" to ")
        return (
            f"{start.capitalize()} do I {rest}?" if start.lower() == "how" else f"{start.capitalize()} should I {rest}?"
        )
    word = own.split()[0]
    topic = own if any(c.isupper() for c in word[1:]) or "." in word or "_" in word else own[0].lower() + own[1:]
    if first in ("how", "why", "what", "when", "where", "which"):
        return f"Can you explain {topic}?"
    if first.endswith("ing") and len(first) > 4:
        return rng.choice(_TEMPLATES_DOING).format(topic)
    if len(titles) > 1 and len(own.split()) == 1 and rng.random() < 0.5:
        topic = f"{topic} in {titles[0]}"
    return rng.choice(_TEMPLATES_TOPIC).format(topic)


def opening(row: Row) -> str:
    """The first one or two sentences of a section's first paragraph; "" if it opens with something else."""
    for block in row.meta["blocks"][:2]:
        if block["kind"] == "definition":
            continue
        if block["kind"] not in ("paragraph", "note"):
            return ""
        text = " ".join(block["text"].split())
        spans = sentences(text)
        chosen = ""
        for start, end in spans[:2]:
            more = f"{chosen} {text[start:end]}".strip()
            if len(more.split()) > _MAX_WORDS:
                break
            chosen = more
        return chosen if chosen and chosen[-1] in ".!?。！？)" and len(chosen.split()) >= 4 else ""
    return ""
