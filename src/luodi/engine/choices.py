"""How likely a model finds each of several continuations of one prompt; the prompt is read once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from luodi.errors import EngineError, require


def log_likelihoods(model: Any, tokenizer: Any, prompt: str, choices: Sequence[str], context: int) -> list[float]:
    """Log-probability of each choice after `prompt`, summed over its tokens, in nats.

    Prompt and choice are tokenised together and parted at the prompt's own length, as lm-evaluation-harness does. What
    all have in common goes through the model once; its keys and values are then shared by the choices, in one batch.

    Raises:
        EngineError: no choices, or a prompt and choice longer than `context` tokens.
    """
    torch = require("torch", extra="train")
    functional = require("torch.nn.functional", extra="train")
    if not choices:
        raise EngineError("there is nothing to choose from")
    bare = prompt.rstrip()
    trailing = prompt[len(bare) :]  # a space belongs to the word that follows it

    def encode(text: str) -> list[int]:
        found: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    start = len(encode(bare))
    whole = [encode(bare + trailing + choice) for choice in choices]
    longest = max(map(len, whole))
    if longest > context:
        raise EngineError(f"{longest} tokens of prompt and choice are more than the model's context of {context}")
    if not all(choices) or start == 0 or min(map(len, whole)) <= start:
        raise EngineError("a prompt and every choice need at least one token")
    shared = start
    while shared and any(ids[:shared] != whole[0][:shared] for ids in whole):
        shared -= 1
    if shared == 0:
        raise EngineError("the choices change how the prompt's first token is read")
    tails = [ids[shared:] for ids in whole]
    width = max(map(len, tails))
    with torch.inference_mode():
        out = model(input_ids=torch.tensor([whole[0][:shared]]), use_cache=True, logits_to_keep=1)
        first = functional.log_softmax(out.logits[0, -1].float(), -1)
        if width > 1:
            past = out.past_key_values
            past.batch_repeat_interleave(len(tails))
            padded = [tail[:-1] + [tail[-1]] * (width - len(tail)) for tail in tails]
            mask = [[1] * (shared + len(tail) - 1) + [0] * (width - len(tail)) for tail in tails]
            more = model(
                input_ids=torch.tensor(padded), past_key_values=past, use_cache=True, attention_mask=torch.tensor(mask)
            )
            rest = functional.log_softmax(more.logits.float(), -1)
    sums = []
    for row, tail in enumerate(tails):
        steps = [float(first[tail[0]])] + [float(rest[row, n, token]) for n, token in enumerate(tail[1:])]
        sums.append(sum(steps[start - shared :]))
    return sums
