"""Examples as token ids with the answer's tokens marked, and the order in which they are seen."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from luodi.engine import Message
from luodi.engine.template import render
from luodi.pipeline import Row


@dataclass(frozen=True, slots=True)
class Example:
    """`ids` is prompt then answer; the answer starts at `answer_from` and ends with the end-of-turn token."""

    row_id: str
    ids: tuple[int, ...]
    answer_from: int


def encode(
    rows: Sequence[Row], tokenizer: Any, about: dict[str, Any], max_tokens: int
) -> tuple[list[Example], list[str]]:
    """Examples from pair rows (`meta.messages`, `meta.answer`), and the ids of rows longer than `max_tokens`."""
    examples, too_long = [], []
    for row in rows:
        messages = [Message(m["role"], m["content"]) for m in row.meta["messages"]]
        prompt = render(about["template"], messages, bos=about["bos"], eos=about["eos"])
        before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        answer = tokenizer(row.meta["answer"] + about["eos"], add_special_tokens=False)["input_ids"]
        if len(before) + len(answer) > max_tokens:
            too_long.append(row.id)
        else:
            examples.append(Example(row.id, tuple(before + answer), len(before)))
    return examples, too_long


def batches(examples: Sequence[Example], size: int, epochs: float, seed: int) -> list[list[int]]:
    """Indices of every batch in order, the same for the same seed.

    Within a window of 16 batches, examples of like length go together, so that little is spent on padding.
    """
    result: list[list[int]] = []
    wanted = max(1, round(len(examples) * epochs / size))
    epoch = 0
    while len(result) < wanted:
        rng = random.Random(seed * 1_000_003 + epoch)
        order = list(range(len(examples)))
        rng.shuffle(order)
        made = []
        for at in range(0, len(order), size * 16):
            window = sorted(order[at : at + size * 16], key=lambda i: len(examples[i].ids))
            made += [window[i : i + size] for i in range(0, len(window), size)]
        rng.shuffle(made)
        result += made
        epoch += 1
    return result[:wanted]
