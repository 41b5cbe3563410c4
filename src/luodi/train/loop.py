"""The training loop: gradient accumulation, warm-up and cosine decay, clipping, checkpoints that survive a kill."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from luodi.errors import StageError, require
from luodi.project.model import Train
from luodi.train import checkpoint
from luodi.train.checkpoint import Progress
from luodi.train.examples import Example

IGNORED = -100  # label of tokens that are not learned


def learning_rate(step: int, total: int, config: Train) -> float:
    """The rate at optimizer step `step` (from 0): a linear rise, then a cosine to a tenth."""
    rise = max(1, round(total * config.warmup))
    if step < rise:
        return config.learning_rate * (step + 1) / rise
    share = (step - rise) / max(1, total - rise)
    return config.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * share)))


def collate(torch: Any, examples: Sequence[Example], pad: int) -> tuple[Any, Any]:
    """`ids` and `labels`, both (batch, longest), padded on the right.

    No attention mask is made: attention looks to the left only, so padding on the right changes nothing before it,
    and without a mask the fast kernels are used.
    """
    longest = max(len(e.ids) for e in examples)
    ids = torch.full((len(examples), longest), pad)
    labels = torch.full((len(examples), longest), IGNORED)
    for i, e in enumerate(examples):
        ids[i, : len(e.ids)] = torch.tensor(e.ids)
        labels[i, e.answer_from : len(e.ids)] = torch.tensor(e.ids[e.answer_from :])
    return ids, labels


def answer_loss(torch: Any, model: Any, ids: Any, labels: Any) -> Any:
    """Mean cross-entropy of the answers' tokens.

    The output layer, a fifth of a small model's work, is applied to the positions that predict an answer's token
    and to no others.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = inner.model(input_ids=ids, use_cache=False).last_hidden_state  # (batch, length, width)
    at = labels[:, 1:] != IGNORED
    logits = inner.lm_head(hidden[:, :-1][at])  # (answer tokens, vocabulary)
    return torch.nn.functional.cross_entropy(logits.float(), labels[:, 1:][at])


def train(
    model: Any,
    examples: Sequence[Example],
    order: Sequence[Sequence[int]],
    config: Train,
    *,
    pad: int,
    seed: int,
    state: Path,
    report: Callable[[Progress, int], None],
) -> Progress:
    """Train `model` in place on the batches of `order`; goes on from the newest checkpoint in `state`.

    Raises:
        StageError: the loss is no longer a number.
    """
    torch = require("torch", extra="train")
    accelerate = require("accelerate", extra="train")
    accelerator = accelerate.Accelerator(gradient_accumulation_steps=config.accumulate)
    weights = {n: p for n, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(weights.values(), lr=config.learning_rate, weight_decay=0.0)
    total = math.ceil(len(order) / config.accumulate)
    progress = Progress()
    found = checkpoint.load(state)
    if found:
        progress = found[0]
        _restore(torch, weights, optimizer, found[1])
    else:
        torch.manual_seed(seed)
    model, optimizer = accelerator.prepare(model, optimizer)
    model.train()
    began, before = time.monotonic(), progress.seconds
    while progress.step < total and progress.seconds < config.budget:
        at = progress.step * config.accumulate
        micro = order[at : at + config.accumulate]
        loss_sum = 0.0
        for batch in micro:
            ids, labels = collate(torch, [examples[i] for i in batch], pad)
            loss = answer_loss(
                torch, accelerator.unwrap_model(model), ids.to(accelerator.device), labels.to(accelerator.device)
            )
            if not torch.isfinite(loss):
                raise StageError(f"the loss became {loss.item()} at step {progress.step}", "lower train.learning_rate")
            accelerator.backward(loss / len(micro))
            loss_sum += loss.item() / len(micro)
            progress.tokens += sum(len(examples[i].ids) for i in batch)
        accelerator.clip_grad_norm_(list(weights.values()), config.clip)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(progress.step, total, config)
        optimizer.step()
        optimizer.zero_grad()
        progress.step += 1
        progress.losses.append(round(loss_sum, 5))
        progress.seconds = before + time.monotonic() - began
        if progress.step % config.checkpoint_every == 0 and progress.step < total:
            checkpoint.save(state, progress, _snapshot(torch, weights, optimizer))
        report(progress, total)
    return progress


def _snapshot(torch: Any, weights: dict[str, Any], optimizer: Any) -> dict[str, Any]:
    tensors = {f"weight/{n}": p.detach() for n, p in weights.items()}
    states = optimizer.state_dict()["state"]
    for number, name in enumerate(weights):
        for part, value in states.get(number, {}).items():
            tensors[f"{part}/{name}"] = value if torch.is_tensor(value) else torch.tensor(float(value))
    tensors["random"] = torch.get_rng_state()
    return tensors


def _restore(torch: Any, weights: dict[str, Any], optimizer: Any, tensors: dict[str, Any]) -> None:
    state: dict[int, dict[str, Any]] = {}
    with torch.no_grad():
        for number, (name, weight) in enumerate(weights.items()):
            weight.copy_(tensors[f"weight/{name}"])
            parts = {
                k.split("/")[0]: v for k, v in tensors.items() if k.endswith(f"/{name}") and not k.startswith("weight/")
            }
            if parts:
                state[number] = parts
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
    torch.set_rng_state(tensors["random"])
