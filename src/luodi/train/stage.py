"""The train stage: a LoRA adapter from examples."""

from __future__ import annotations

import json
import math
import os
from typing import Any

from luodi.engine import quiet
from luodi.engine.folder import read_about
from luodi.errors import StageError, require
from luodi.pipeline import Context, Measurement
from luodi.project.model import Train
from luodi.train import loop
from luodi.train.checkpoint import Progress
from luodi.train.examples import batches, encode


def run(ctx: Context) -> None:
    """Inputs: `base` (a model's folder), `rows` (training pairs). Writes an adapter, losses, and the rows consumed."""
    config: Train = ctx.params
    if config.method == "none":
        ctx.summary = "not trained (train.method: none)"
        return
    torch = require("torch", extra="train")
    transformers = quiet.transformers()
    peft = require("peft", extra="train")
    torch.set_num_threads(config.threads or os.cpu_count() or 1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(ctx.inputs["base"], local_files_only=True)
    rows = [r for r in ctx.rows() if r.meta.get("split") == "train"]
    examples, too_long = encode(rows, tokenizer, read_about(ctx.inputs["base"]), config.max_tokens)
    if len(examples) < config.batch:
        raise StageError(f"{len(examples)} examples are too few to train on", "add data, or set train.method to none")
    order = batches(examples, config.batch, config.epochs, ctx.seed)
    if config.steps:
        order = order[: config.steps * config.accumulate]
    torch.manual_seed(ctx.seed)
    dtype = torch.bfloat16 if config.precision == "bf16" else torch.float32
    base = transformers.AutoModelForCausalLM.from_pretrained(ctx.inputs["base"], dtype=dtype, local_files_only=True)
    depth = base.config.num_hidden_layers
    lora = peft.LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=config.targets,
        layers_to_transform=list(range(max(0, depth - config.layers), depth)) if config.layers else None,
        task_type="CAUSAL_LM",
    )
    model = peft.get_peft_model(base, lora)

    def report(progress: Progress, total: int) -> None:
        recent = progress.losses[-10:]
        ctx.progress(progress.step, total, f"loss {progress.losses[0]:.2f} → {sum(recent) / len(recent):.2f}")

    done = loop.train(
        model, examples, order, config, pad=tokenizer.pad_token_id or 0, seed=ctx.seed, state=ctx.state, report=report
    )
    model.save_pretrained(ctx.out)
    (ctx.out / "README.md").unlink(missing_ok=True)  # a model card template; the release has its own card
    # peft writes the path of this machine, and a set whose order differs from run to run.
    adapter = json.loads((ctx.out / "adapter_config.json").read_bytes())
    adapter |= {"base_model_name_or_path": "base", "target_modules": sorted(adapter["target_modules"])}
    ctx.write_json("adapter_config.json", adapter)
    total = math.ceil(len(order) / config.accumulate)
    ctx.write_json("losses.json", done.losses)
    ctx.write_json("consumed.json", _consumed(examples, order[: done.step * config.accumulate], config.accumulate))
    _measure(ctx, done, total, len(too_long))


def _consumed(examples: list[Any], order: list[list[int]], accumulate: int) -> list[list[Any]]:
    """[step, row id] of every example in the order it was learned: who trained this model, and when."""
    return [[at // accumulate, examples[i].row_id] for at, batch in enumerate(order) for i in batch]


def _measure(ctx: Context, done: Progress, total: int, too_long: int) -> None:
    config: Train = ctx.params
    first, last = done.losses[:10], done.losses[-10:]
    ctx.measure(
        Measurement(
            "training_loss_last_10_steps",
            "fit",
            round(sum(last) / len(last), 4),
            "nats a token",
            len(last),
            "lower",
            base=round(sum(first) / len(first), 4),
            seed=ctx.seed,
            note=f"{done.step} of {total} steps, {done.tokens} tokens; base = the first 10 steps",
        )
    )
    stopped = (
        "" if done.step == total else f"; stopped by the budget of {config.budget:g} s at step {done.step} of {total}"
    )
    left = f"; {too_long} rows longer than {config.max_tokens} tokens left out" if too_long else ""
    loss = f"loss {sum(first) / len(first):.2f} → {sum(last) / len(last):.2f}"
    ctx.summary = f"lora r={config.rank}, {done.step} steps, {loss}{stopped}{left}"
