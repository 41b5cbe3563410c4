"""Five small stages that test_kill.py runs and kills: `python kill_pipeline.py STORE`."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from pydantic import BaseModel

from luodi.pipeline import Context, Link, Measurement, Row, Runner, Stage, shard
from luodi.store import Store, digest_file, write_json

STEPS = 20


class Params(BaseModel):
    rounds: int = 1


def work(text: str, rounds: int) -> str:
    """A few milliseconds of computing."""
    value = text.encode()
    for _ in range(rounds):
        value = hashlib.sha256(value * 40).digest()
    return value.hex()


def collect(ctx: Context) -> None:
    rows = [
        Row(f"{i:032x}", "document", f"text {i} 文 " * 20, "toy", f"{i % 40}.txt", meta={"i": i}) for i in range(240)
    ]
    ctx.write_rows(rows, [Link(row.id, (), "collect") for row in rows])


def hashed(rows: list[Row], params: BaseModel) -> tuple[list[Row], list[Link]]:
    made = [row.child("section", "0", text=work(row.text, 60)) for row in rows]
    return made, [Link(new.id, (old.id,), "hash") for new, old in zip(made, rows, strict=True)]


def clean(ctx: Context) -> None:
    done = ctx.map(hashed, shard(ctx.rows(), 8))
    ctx.write_rows([row for rows, _ in done for row in rows], [link for _, links in done for link in links])


def train(ctx: Context) -> None:
    """Twenty steps with a checkpoint after each; where it began is noted beside the store."""
    checkpoint = ctx.state / "checkpoint.json"
    state = json.loads(checkpoint.read_bytes()) if checkpoint.exists() else {"step": 0, "weights": "start"}
    with (ctx.project / "began.txt").open("a") as file:
        file.write(f"{state['step']}\n")
    for step in range(state["step"], STEPS):
        state = {
            "step": step + 1,
            "weights": work(state["weights"] + digest_file(ctx.inputs["rows"] / "rows.parquet"), 15000),
        }
        write_json(checkpoint, state)
        ctx.progress(step + 1, STEPS)
    for layer in range(4):
        (ctx.out / f"layer-{layer}.bin").write_bytes((state["weights"] + str(layer)).encode() * 20_000)


def evaluate(ctx: Context) -> None:
    share = sum((ctx.inputs["weights"] / f"layer-{layer}.bin").read_bytes().count(b"7") for layer in range(4)) / 1e6
    ctx.measure(Measurement("sevens", "fit", share, "share", 4, "higher"))
    ctx.write_json("figures.json", {"sevens": share, "rows": len(ctx.rows())})


def report(ctx: Context) -> None:
    (ctx.out / "report.md").write_text(f"# Report\n\n{ctx.json('figures', 'figures.json')}\n")


def stages() -> list[Stage]:
    return [
        Stage("collect", collect, Params()),
        Stage("clean", clean, Params(), {"rows": "collect"}),
        Stage("train", train, Params(), {"rows": "clean"}),
        Stage("evaluate", evaluate, Params(), {"rows": "clean", "weights": "train"}),
        Stage("report", report, Params(), {"figures": "evaluate"}),
    ]


if __name__ == "__main__":
    root = Path(sys.argv[1])
    done = Runner(Store(root / ".luodi"), stages(), project=root, seed=7).run()
    print(json.dumps({name: action.output for name, action in done.items()}))
