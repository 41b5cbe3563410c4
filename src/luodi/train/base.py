"""The base stage: the model to start from, as safetensors, whatever it came as."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from luodi.engine import quiet
from luodi.engine.folder import write_about
from luodi.engine.gguf_file import METADATA, keep_metadata, metadata_from_folder
from luodi.engine.sources import find_model
from luodi.errors import SourceError, require
from luodi.pipeline import Context, Measurement
from luodi.project import BaseModelSource


def run(ctx: Context) -> None:
    """No inputs. Writes a model's folder with `luodi-model.json` and the metadata for GGUF export."""
    source: BaseModelSource = ctx.params
    found = find_model(
        source,
        project=ctx.project,
        downloads=ctx.downloads,
        progress=lambda done, total: ctx.progress(done * 0.5 / max(total, 1), 1, "fetching"),
    )
    ctx.progress(0.5, 1, "converting")
    licence = source.licence
    if found.kind == "gguf":
        stated = _convert_gguf(found.path, ctx.out)
        licence = stated if licence == "unknown" else licence
    else:
        _copy_folder(found.path, ctx.out)
    config = json.loads((ctx.out / "config.json").read_bytes())
    about = _about(ctx.out, config)
    write_about(ctx.out, name=about.pop("name"), licence=licence, source=source.source, **about)
    ctx.measure(
        Measurement(
            "base_model_licence_known",
            "compliance",
            float(licence != "unknown"),
            "share",
            1,
            "higher",
            note=f"{source.source}: {licence}",
        )
    )
    ctx.summary = f"{source.source}, {licence}, {_parameters(ctx.out) / 1e6:.0f} M parameters"


def _convert_gguf(path: Path, out: Path) -> str:
    """Dequantise a GGUF file into safetensors; returns the licence that the file states."""
    transformers = quiet.transformers()
    torch = require("torch", extra="train")
    gguf = require("gguf", extra="train")
    folder, name = str(path.parent), path.name
    options: dict[str, Any] = {"gguf_file": name, "local_files_only": True}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
            model = transformers.AutoModelForCausalLM.from_pretrained(
                folder,
                quantization_config=transformers.GgufConfig(gguf_file=name, dequantize=True),
                dtype=torch.bfloat16,
                **options,
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise SourceError(
            f"base: {name} can't be read as a model: {error}", "is it a whole GGUF file of a supported architecture?"
        ) from error
    # The loader still marks the weights as packed, and save_pretrained refuses them until that is cleared.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    fields = gguf.GGUFReader(path).fields
    if tokenizer.chat_template is None and "tokenizer.chat_template" in fields:  # the loader does not always take it
        tokenizer.chat_template = fields["tokenizer.chat_template"].contents()
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    keep_metadata(path, out / METADATA)
    return str(fields["general.license"].contents()) if "general.license" in fields else "unknown"


def _copy_folder(path: Path, out: Path) -> None:
    transformers = quiet.transformers()
    torch = require("torch", extra="train")
    try:
        transformers.AutoModelForCausalLM.from_pretrained(
            path, dtype=torch.bfloat16, local_files_only=True
        ).save_pretrained(out)
        transformers.AutoTokenizer.from_pretrained(path, local_files_only=True).save_pretrained(out)
    except (OSError, ValueError, KeyError) as error:
        raise SourceError(f"base: {path} can't be read as a model: {error}") from error
    metadata_from_folder(out, out / METADATA)


def _about(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    transformers = quiet.transformers()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    template = tokenizer.chat_template
    if not isinstance(template, str):
        raise SourceError("base: the model has no chat template", "take an instruction-tuned model")
    name = str(config.get("_name_or_path") or "model")
    return {
        "name": Path(name).name,
        "context": int(config["max_position_embeddings"]),
        "template": template,
        "bos": tokenizer.bos_token or "",
        "eos": tokenizer.eos_token or "",
    }


def _parameters(folder: Path) -> int:
    safetensors = require("safetensors", extra="train")
    total = 0
    for path in folder.glob("*.safetensors"):
        with safetensors.safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a dict
                size = 1
                for n in file.get_slice(name).get_shape():
                    size *= n
                total += size
    return total
