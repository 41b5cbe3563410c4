"""The compress stage: merge the adapter, quantise, and export one GGUF file per pick."""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import BaseModel

from luodi.engine import quiet
from luodi.engine.folder import read_about, write_about
from luodi.engine.gguf_file import METADATA, write_gguf
from luodi.errors import require
from luodi.pipeline import Context, Measurement


class Params(BaseModel):
    """`picks` maps a pick ("large", "small") to its quantisation."""

    picks: dict[str, str]
    measure: bool = True


_KEPT = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def run(ctx: Context) -> None:
    """Inputs: `base` (a model's folder) and, if it was trained, `train` (an adapter)."""
    params: Params = ctx.params
    base = ctx.inputs["base"]
    for name in _KEPT:
        if (base / name).is_file():
            shutil.copy(base / name, ctx.out / name)
    adapter = ctx.inputs.get("train")
    if adapter is not None and (adapter / "adapter_model.safetensors").is_file():
        ctx.progress(0, 1, "merging the adapter")
        _merge(base, adapter, ctx.out)
    else:
        for path in base.glob("*.safetensors"):
            shutil.copy(path, ctx.out / path.name)
    sizes = {}
    for number, (pick, quantisation) in enumerate(params.picks.items()):
        report = ctx.part(number, len(params.picks), f"{pick} {quantisation}")
        sizes[pick] = write_gguf(ctx.out, base / METADATA, ctx.out / f"{pick}.gguf", quantisation, report)
    write_about(ctx.out, **read_about(base) | {"picks": params.picks})
    full = sum(p.stat().st_size for p in ctx.out.glob("*.safetensors"))
    for pick, size in sizes.items() if params.measure else ():
        ctx.measure(
            Measurement(
                f"{pick}_model_mb",
                "cost",
                round(size / 1e6, 1),
                "MB",
                1,
                "lower",
                note=f"{params.picks[pick]}; bf16 weights are {full / 1e6:.0f} MB",
            )
        )
    ctx.summary = ", ".join(f"{pick} {params.picks[pick]} {size / 1e6:.0f} MB" for pick, size in sizes.items())


def _merge(base: Path, adapter: Path, out: Path) -> None:
    """Write base + adapter as plain weights. The sum is made in fp32 and rounded once."""
    peft = require("peft", extra="train")
    transformers = quiet.transformers()
    torch = require("torch", extra="train")
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, local_files_only=True)
    merged = peft.PeftModel.from_pretrained(model, adapter).merge_and_unload()
    merged.to(torch.bfloat16).save_pretrained(out)
