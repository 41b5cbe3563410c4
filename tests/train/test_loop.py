from __future__ import annotations

from pathlib import Path
from typing import Any

import peft
import pytest
import torch

from luodi.engine import quiet
from luodi.errors import StageError
from luodi.project.model import Train
from luodi.train import checkpoint, loop
from luodi.train.checkpoint import Progress
from luodi.train.examples import Example, batches

CONFIG = Train(steps=12, batch=2, learning_rate=0.01, checkpoint_every=4, budget="10 min", rank=4)


def model_of(folder: Path) -> Any:
    torch.manual_seed(3)
    base = quiet.transformers().AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    return peft.get_peft_model(
        base, peft.LoraConfig(r=4, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM")
    )


def examples() -> list[Example]:
    rng = torch.Generator().manual_seed(1)
    made = []
    for i in range(12):
        ids = torch.randint(10, 250, (20 + i,), generator=rng).tolist()
        made.append(Example(f"row{i}", tuple(ids + ids[:6]), len(ids)))
    return made


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}


def run(model: Any, state: Path, config: Train = CONFIG, stop_at: int = 0) -> Progress:
    def report(progress: Progress, total: int) -> None:
        if stop_at and progress.step == stop_at:
            raise KeyboardInterrupt

    torch.set_num_threads(1)
    rows = examples()
    order = batches(rows, config.batch, 3, seed=5)[: (config.steps or 1) * config.accumulate]
    return loop.train(model, rows, order, config, pad=2, seed=5, state=state, report=report)


def test_loss_falls(tiny_model: Path, tmp_path: Path) -> None:
    progress = run(model_of(tiny_model), tmp_path)
    assert progress.step == 12
    assert sum(progress.losses[-3:]) < sum(progress.losses[:3])


def test_a_run_that_was_cut_ends_with_the_very_same_weights(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    whole = model_of(tiny_model)
    losses = run(whole, tmp_path / "whole").losses
    with pytest.raises(KeyboardInterrupt):
        run(model_of(tiny_model), tmp_path / "cut", stop_at=7)
    resumed = model_of(tiny_model)
    seen: list[int] = []
    progress = loop.train(
        resumed, examples(), batches(examples(), 2, 3, seed=5)[:12], CONFIG, pad=2, seed=5, state=tmp_path / "cut",
        report=lambda p, t: seen.append(p.step),
    )  # fmt: skip
    assert seen[0] == 5, "it goes on after the checkpoint of step 4"
    assert progress.losses == losses
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(resumed)[name]), name


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tiny_model: Path, tmp_path: Path) -> None:
    run(model_of(tiny_model), tmp_path)
    newest = max(tmp_path.glob("*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-10])
    found = checkpoint.load(tmp_path)
    assert found is not None
    assert found[0].step == 4


def test_the_budget_stops_training_and_that_is_seen(tiny_model: Path, tmp_path: Path) -> None:
    progress = run(model_of(tiny_model), tmp_path, CONFIG.model_copy(update={"budget": 1e-6}))
    assert progress.step == 1, "the step that is under way is finished"


def test_accumulated_steps_equal_one_large_batch(tiny_model: Path, tmp_path: Path) -> None:
    rows = [Example(str(i), (5, 6, 7, 8 + i, 9, 10, 11, 12), 4) for i in range(4)]
    found = []
    for batch, accumulate in ((4, 1), (2, 2)):
        model = model_of(tiny_model).float()
        config = CONFIG.model_copy(update={"batch": batch, "accumulate": accumulate, "steps": 1})
        order = [[0, 1, 2, 3]] if batch == 4 else [[0, 1], [2, 3]]
        folder = tmp_path / str(batch)
        folder.mkdir()
        loop.train(model, rows, order, config, pad=2, seed=1, state=folder, report=lambda p, t: None)
        found.append(weights(model))
    for name, value in found[0].items():
        assert torch.allclose(value, found[1][name], atol=1e-5), name


def test_the_loss_is_that_of_the_whole_model_on_the_answers_tokens(tiny_model: Path) -> None:
    model = quiet.transformers().AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    ids, labels = loop.collate(torch, examples()[:3], pad=2)
    ours = loop.answer_loss(torch, model, ids, labels)
    theirs = model(input_ids=ids, labels=labels).loss
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_a_loss_that_is_no_number_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    model = model_of(tiny_model)
    with torch.no_grad():
        next(p for p in model.parameters() if p.requires_grad).fill_(float("nan"))
    with pytest.raises(StageError, match="nan"):
        run(model, tmp_path)


def test_the_rate_rises_then_falls_to_a_tenth() -> None:
    rates = [loop.learning_rate(s, 100, CONFIG) for s in range(100)]
    assert rates[0] < rates[9] == pytest.approx(CONFIG.learning_rate)
    assert rates[-1] == pytest.approx(CONFIG.learning_rate * 0.1, rel=0.05)


def test_batches_are_the_same_for_the_same_seed_and_use_every_row_once_an_epoch() -> None:
    rows = [Example(str(i), tuple(range(i % 7 + 2)), 1) for i in range(200)]
    assert batches(rows, 4, 1, seed=2) == batches(rows, 4, 1, seed=2) != batches(rows, 4, 1, seed=3)
    assert sorted(i for b in batches(rows, 4, 1, seed=2) for i in b) == list(range(200))
