"""`luodi evaluate`"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from luodi.cli.context import loaded_of, root_of, show_of, store_of

if TYPE_CHECKING:
    from luodi.cli.show import Show
    from luodi.evaluate.suites import Result, Subject, Suite
    from luodi.knowledge import Index
    from luodi.pipeline import Measurement
    from luodi.store import Store


@click.command()
@click.option(
    "--suite", "-s", "suites", multiple=True, metavar="NAME|PATH", help="A suite; may be given several times."
)
@click.option("--release", "-r", help="NAME, NAME@VERSION or NAME@CHANNEL; by default the newest one.")
@click.option("--against", metavar="RELEASE", help="Compare with this release, item by item, on the same suites.")
@click.option(
    "--margin", default=0.02, show_default=True, type=click.FloatRange(0, 1),
    help="By how much it may be worse than the other release.",
)  # fmt: skip
@click.option("--list", "list_", is_flag=True, help="List the suites that need no files, and those of the project.")
@click.pass_context
def command(ctx: click.Context, suites: tuple[str, ...], release: str | None, against: str | None, margin: float,
            list_: bool) -> int:  # fmt: skip
    """Ask a release the questions of suites, and measure. What was asked before is not asked again.

    Ends with 1 if the release is worse than the other one by more than the margin, or too few items can tell.

    \b
    Examples:
      luodi evaluate --list
      luodi evaluate --suite arithmetic --suite suites/faq
      luodi evaluate --suite reading --against helpdesk@live
    """
    show, root = show_of(ctx), root_of(ctx)
    if list_:
        _list(show, root)
        return 0
    loaded = loaded_of(ctx)
    store = store_of(ctx, loaded)
    names = list(suites or loaded.project.evaluate.suites)
    if not names:
        raise click.UsageError("name a suite with --suite, or in luodi.yaml under evaluate.suites; --list shows some")
    from luodi.evaluate.suites import find_suite

    seed, level = loaded.project.seed, loaded.project.evaluate.confidence
    found = [find_suite(name, project=root, downloads=store.folder("downloads"), seed=seed) for name in names]
    results = _run(show, store, root, loaded.project.name, release, found, seed, level)
    if against is None:
        _table(show, results[0], results[1:])
        return 0
    others = _run(show, store, root, loaded.project.name, against, found, seed, level)
    return _compare(show, results, others, margin, level)


def _list(show: Show, root: Path) -> None:
    from luodi.evaluate.suites import BUILTIN, SUITE

    rows = [(name, text) for name, text in BUILTIN.items()]
    for path in sorted(root.glob(f"suites/*/{SUITE}")):
        rows.append((path.parent.relative_to(root).as_posix(), ""))
    show.table([show.say("suite"), show.say("suite_about")], rows, [{"suite": n, "about": t} for n, t in rows])


def _subject(store: Store, name: str, reference: str | None) -> tuple[str, Subject, Index | None]:
    """The release as one that suites ask. Raises: ReleaseError if there is none or it does not verify."""
    import json

    from luodi.engine import open_engine
    from luodi.evaluate.suites import Subject
    from luodi.evaluate.suites.answers import weights_digest
    from luodi.knowledge.vectors import open_index
    from luodi.release import Registry, verify

    registry = Registry(store)
    known = registry.all(name)
    if reference and "@" not in reference and reference != name:
        reference = f"{name}@{reference}"
    checked = verify(registry.find(reference or (str(known[0]) if known else name)), store, allow_failing=True)
    serve = json.loads((checked.folder / "serve.json").read_bytes())
    weights = checked.folder / "weights"
    outputs = {stage["stage"]: stage["output"] for stage in checked.passport.get("stages", [])}
    chooser: Any = None
    if "compress" in outputs and outputs["compress"] in store.artifacts:
        model = store.artifacts.get(outputs["compress"]).files
        if any(model.glob("*.safetensors")):
            chooser = lambda: open_engine("transformers", model, threads=serve["threads"])  # noqa: E731
    index = open_index(checked.folder / "index") if (checked.folder / "index").is_dir() else None
    subject = Subject(
        model=weights_digest(weights),
        engine=f"{serve['engine']} {serve['pick']}",
        open=lambda: open_engine(serve["engine"], weights, pick=serve["pick"], threads=serve["threads"]),
        folder=store.folder("cache") / "evaluate",
        chooser=chooser,
        index=index,
        passages=serve["passages"],
        instructions=(checked.folder / "prompts" / "answer.md").read_text("utf-8"),
    )
    return str(checked.release), subject, index


def _run(show: Show, store: Store, root: Path, name: str, reference: str | None, suites: list[Suite], seed: int,
         level: float) -> list[Any]:  # fmt: skip
    """[the release's name, a result for each suite]."""
    from luodi.cli.bars import listener
    from luodi.evaluate.suites import run_suite
    from luodi.evaluate.suites.judging import judge_of

    release, subject, index = _subject(store, name, reference)
    out: list[Any] = [release]
    try:
        with listener(show) as bars:
            for suite in suites:
                began = time.monotonic()
                bars.stage_started(suite.name, release)
                judge, confusion = judge_of(suite, project=root, downloads=store.folder("downloads"))

                def tell(done: float, total: float, name: str = suite.name) -> None:
                    bars.stage_progress(name, done, total, "")

                result = run_suite(
                    suite, subject, confidence=level, seed=seed, judge=judge, confusion=confusion, progress=tell
                )
                kept = show.say("suite_asked", asked=result.asked, total=result.total)
                bars.stage_finished(suite.name, f"{release}: {kept}", time.monotonic() - began, result.asked == 0)
                out.append(result)
    finally:
        if index is not None:
            index.close()
    return out


def _title(m: Measurement) -> list[str]:
    from luodi.cli.promises import interval, number

    told = m.as_dict()
    return [m.name, f"{number(m.value, m.unit)} {interval(told)}".strip()]


def _table(show: Show, release: str, results: list[Result]) -> None:
    measured = [m for result in results for m in result.measurements]
    show.table(
        [show.say("measurement"), show.say("measured"), show.say("suite_clean"), ""],
        [[*_title(m), _difference(m), m.note] for m in measured],
        [{"event": "measurement", "release": release} | m.as_dict() for m in measured],
        release,
    )


def _difference(m: Measurement) -> str:
    if m.difference is None or m.difference_low is None or m.difference_high is None:
        return ""
    return f"{m.difference * 100:+.1f} [{m.difference_low * 100:+.1f}, {m.difference_high * 100:+.1f}]"


def _compare(show: Show, new: list[Any], old: list[Any], margin: float, level: float) -> int:
    """The verdict on every measurement; the exit code."""
    from luodi.evaluate.gates import Evidence, judge_one, overall
    from luodi.project import Gate

    def gathered(results: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        items: dict[str, Any] = {}
        for result in results[1:]:
            items |= result.items
        return {m.name: m for result in results[1:] for m in result.measurements}, items

    (measured, items), (before, old_items) = gathered(new), gathered(old)
    evidence = Evidence(measured, items, before, old_items, confidence=level)
    judged = [judge_one(Gate(measure=name, margin=margin, judge_recall=0), evidence) for name in measured]
    rows, data = [], []
    for j in judged:
        m = measured[j.measure]
        rows.append([*_title(m), _title(before[j.measure])[1], show.say(j.verdict), j.reason])
        data.append(
            {"event": "gate", "release": new[0], "against": old[0]} | j.as_dict() | {"value": m.value, "n": m.n}
        )
    columns = [show.say("measurement"), new[0], old[0], show.say("verdict"), ""]
    show.table(columns, rows, data, f"{new[0]} – {old[0]}")
    return 0 if overall(judged) == "pass" else 1
