"""The stages from a base model to quantised weights, on a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

from luodi.compress import stage as compress
from luodi.pipeline import Context, Link, Row, Runner, Stage, read_measurements
from luodi.project import BaseModelSource
from luodi.project.model import Train
from luodi.store import Store
from luodi.train import base
from luodi.train import stage as train


def rows(ctx: Context) -> None:
    made = []
    for i in range(24):
        meta = {
            "split": "train",
            "messages": [
                {"role": "system", "content": "Answer."},
                {"role": "user", "content": f"[1] Field {i}\n\nQuestion: what is {i}?"},
            ],
            "answer": "Set required=False on the field. [1]",
        }
        made.append(Row(f"row{i:028d}", "pair", "", "test", f"p{i}", meta=meta))
    ctx.write_rows(made, [Link(r.id, (), "test") for r in made])


def stages(tiny_model: Path, **options: object) -> list[Stage]:
    config = Train(steps=6, batch=2, learning_rate=0.02, threads=1, checkpoint_every=2, max_tokens=200, **options)
    return [
        Stage("rows", rows, Train()),
        Stage("base", base.run, BaseModelSource(source=f"file:{tiny_model}", licence="Apache-2.0")),
        Stage("train", train.run, config, {"base": "base", "rows": "rows"}),
        Stage(
            "compress",
            compress.run,
            compress.Params(picks={"large": "q8_0", "small": "q4_0"}),
            {"base": "base", "train": "train"},
        ),
    ]


def test_from_base_to_quantised_weights_twice_with_the_same_digests(tiny_model: Path, tmp_path: Path) -> None:
    outputs = []
    for name in ("one", "two"):
        done = Runner(Store(tmp_path / name), stages(tiny_model), project=tmp_path, seed=3).run()
        outputs.append({stage: action.output for stage, action in done.items()})
    assert outputs[0] == outputs[1]


def test_what_each_stage_leaves(tiny_model: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    done = Runner(store, stages(tiny_model), project=tmp_path, seed=3).run()
    trained = store.artifacts.get(done["train"].output).files
    losses = json.loads((trained / "losses.json").read_bytes())
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    consumed = json.loads((trained / "consumed.json").read_bytes())
    assert [step for step, _ in consumed] == [s for s in range(6) for _ in range(2)]
    assert not list(trained.glob("*.bin"))
    made = store.artifacts.get(done["compress"].output).files
    assert {p.name for p in made.glob("*.gguf")} == {"large.gguf", "small.gguf"}
    assert {m.name for m in read_measurements(made)} == {"large_model_mb", "small_model_mb"}


def test_the_adapter_is_in_the_merged_weights(tiny_model: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    store = Store(tmp_path / "s")
    done = Runner(store, stages(tiny_model), project=tmp_path, seed=3).run()
    before = load_file(next(store.artifacts.get(done["base"].output).files.glob("*.safetensors")))
    after = load_file(next(store.artifacts.get(done["compress"].output).files.glob("*.safetensors")))
    changed = {name for name in before if not before[name].equal(after[name])}
    assert any("q_proj" in name for name in changed)
    assert not any("norm" in name or "embed" in name for name in changed)


def test_no_training_passes_the_base_through(tiny_model: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    plan = stages(tiny_model)
    plan[2] = Stage("train", train.run, Train(method="none"), {"base": "base", "rows": "rows"})
    done = Runner(store, plan, project=tmp_path, seed=3).run()
    assert "not trained" in done["train"].summary
    assert (store.artifacts.get(done["compress"].output).files / "large.gguf").is_file()


def test_a_gguf_base_is_converted_and_its_licence_read(tiny_model: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    stage = Stage("base", base.run, BaseModelSource(source=f"gguf:{tiny_model}/large.gguf", licence="MIT"))
    done = Runner(store, [stage], project=tmp_path, seed=3).run()
    folder = store.artifacts.get(done["base"].output).files
    assert json.loads((folder / "luodi-model.json").read_bytes())["licence"] == "MIT"
    assert (folder / "model.safetensors").is_file()
