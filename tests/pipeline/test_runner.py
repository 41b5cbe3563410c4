from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from toy import ALL, Params, Toy, counted, digests

from luodi.errors import IntegrityError, StageError
from luodi.pipeline import Context, keys, read_rows


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path / "project")


def test_every_stage_runs_once(toy: Toy) -> None:
    toy.run()
    assert toy.ran == ALL


def test_second_run_takes_all_from_the_store(toy: Toy) -> None:
    first = toy.run()
    assert (toy.run(), toy.ran) == (first, [])


def test_new_runner_takes_all_from_the_store(toy: Toy) -> None:
    first = toy.run()
    again = Toy(toy.project)
    assert (again.run(), again.ran) == (first, [])


def test_two_stores_hold_the_same(toy: Toy, tmp_path: Path) -> None:
    assert digests(Toy(tmp_path / "elsewhere" / "deeper").run()) == digests(toy.run())


def test_run_up_to_a_stage_runs_what_it_needs(toy: Toy) -> None:
    toy.run("clean")
    assert toy.ran == ["collect", "clean"]


def test_unknown_stage_names_the_known(toy: Toy) -> None:
    with pytest.raises(StageError, match="no stage 'claen'") as caught:
        toy.run("claen")
    assert caught.value.hint == "the stages are collect, clean, count, report, other"
    with pytest.raises(StageError):
        toy.runner().plan("claen")


def test_stage_before_its_input_is_a_mistake_of_the_program(toy: Toy) -> None:
    with pytest.raises(ValueError, match="'clean' comes before its input 'collect'"):
        toy.runner(toy.stages()[1:])


def test_option_of_the_last_stage(toy: Toy) -> None:
    toy.run()
    toy.params["report"] = Params(suffix="!")
    toy.run()
    assert toy.ran == ["report"]


def test_changed_input_runs_the_stages_below(toy: Toy) -> None:
    toy.run()
    toy.texts.append("one more")
    toy.run()
    assert toy.ran == ["collect", "clean", "count", "report"]


def test_unchanged_output_stops_the_wave(toy: Toy) -> None:
    toy.run()
    toy.params["clean"] = Params(keep=59)  # an option that makes no difference
    toy.run()
    assert toy.ran == ["clean"]


def test_wave_stops_in_the_middle(toy: Toy) -> None:
    toy.run()
    toy.texts[3] = "changed"  # the count stays
    toy.run()
    assert toy.ran == ["collect", "clean", "count"]


def test_fingerprint_of_what_is_outside(toy: Toy) -> None:
    toy.run()
    toy.outside = "x"
    toy.run()
    assert toy.ran == ["collect"]


def test_seed_is_part_of_every_key(toy: Toy) -> None:
    toy.run()
    toy.seed = 2
    toy.run()
    assert toy.ran == ALL


def test_version_of_a_library_of_one_stage(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.libraries = ("toylib",)
    monkeypatch.setattr(keys, "_version", lambda name: "1.0")
    toy.run()
    monkeypatch.setattr(keys, "_version", lambda name: "2.0" if name == "toylib" else "1.0")
    toy.run()
    assert toy.ran == ["count"]


def test_version_of_what_writes_rows_is_part_of_every_key(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.run()
    monkeypatch.setattr(keys, "_version", lambda name: "0.0")
    toy.run()
    assert toy.ran == ALL


def test_going_back_takes_the_old_result(toy: Toy) -> None:
    first = toy.run()
    toy.params["report"] = Params(suffix="!")
    toy.run()
    toy.params["report"] = Params()
    assert (toy.run(), toy.ran) == (first, [])


def test_changed_row_recomputes_its_shard_only(toy: Toy) -> None:
    toy.run()
    shards = [list(paths) for paths in counted]
    toy.texts[3] = "changed"
    done = toy.run()
    assert counted == [paths for paths in shards if "3.txt" in paths]
    texts = [row.text for row in read_rows(toy.store.artifacts.get(done["clean"].output).files)]
    assert sorted(texts) == sorted(text.upper() for text in toy.texts)


def test_recomputed_shards_give_what_a_fresh_run_gives(toy: Toy, tmp_path: Path) -> None:
    toy.run()
    toy.texts[3] = "changed"
    fresh = Toy(tmp_path / "fresh")
    fresh.texts[3] = "changed"
    assert digests(toy.run()) == digests(fresh.run())


def test_shards_of_a_failed_stage_are_kept(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        toy.run("collect")
        patch.setattr(Context, "write_rows", fails)
        with pytest.raises(StageError):
            toy.run("clean")
    assert counted
    toy.run("clean")
    assert counted == []


def test_plan_of_a_new_project(toy: Toy) -> None:
    assert toy.why() == {
        "collect": "never ran here",
        "clean": "after collect",
        "count": "after clean",
        "report": "after count",
        "other": "never ran here",
    }


def test_plan_of_a_finished_run(toy: Toy) -> None:
    toy.run()
    assert set(toy.why().values()) == {""}


def test_plan_changes_nothing(toy: Toy) -> None:
    toy.runner().plan()
    assert sorted(p.name for p in toy.store.root.iterdir()) == [".gitignore"]


def change_option(toy: Toy, _: pytest.MonkeyPatch) -> None:
    toy.params["count"] = Params(suffix="!")


def change_seed(toy: Toy, _: pytest.MonkeyPatch) -> None:
    toy.seed = 2


def change_library(toy: Toy, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(keys, "_version", lambda name: "0.0")


def change_code(toy: Toy, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(keys, "code_files", lambda module: {"some.helper": "other"})


def lose_artifact(toy: Toy, _: pytest.MonkeyPatch) -> None:
    toy.store.artifacts.remove(toy.store.artifacts.get(toy.store.actions.get(toy.runner().latest()["count"]).output))  # type: ignore[union-attr]


def damage_record(toy: Toy, _: pytest.MonkeyPatch) -> None:
    toy.store.actions.path(toy.runner().latest()["count"]).write_text("{")


@pytest.mark.parametrize(
    ("change", "stage", "why"),
    [
        (change_option, "count", "option changed (suffix: '' → '!')"),
        (change_seed, "count", "seed changed"),
        (change_library, "other", "environment changed (pyarrow)"),
        (change_code, "other", "code changed (some.helper, toy)"),
        (lose_artifact, "count", "its result is no longer in the store"),
        (damage_record, "count", "never ran here"),
    ],
)
def test_plan_says_why(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, change: Callable[..., None], stage: str, why: str
) -> None:
    toy.run()
    change(toy, monkeypatch)
    planned = toy.why()
    if planned["collect"]:  # the stages above must run first
        planned["count"] = planned["collect"]
    assert planned[stage] == why


def test_plan_names_the_changed_input(toy: Toy) -> None:
    toy.run()
    toy.texts[3] = "changed"
    toy.run("collect")
    assert toy.why() == {
        "collect": "",
        "clean": "input changed (rows)",
        "count": "after clean",
        "report": "after count",
        "other": "",
    }


def test_plan_names_outside_files(toy: Toy) -> None:
    toy.run()
    toy.outside = "x"
    assert toy.why()["collect"] == "its files changed"


def test_listener_is_told(toy: Toy) -> None:
    toy.run()
    toy.params["count"] = Params(suffix="!")
    toy.run("count")
    assert toy.told == [
        ("cached", "collect", ""),
        ("cached", "clean", ""),
        ("started", "count", "option changed (suffix: '' → '!')"),
        ("finished", "count", "60 rows"),
    ]


def test_lost_artifact_is_made_again(toy: Toy) -> None:
    first = toy.run()
    toy.store.artifacts.remove(toy.store.artifacts.get(first["clean"].output))
    assert digests(toy.run()) == digests(first)
    assert toy.ran == ["clean"]


def test_damaged_record_is_made_again(toy: Toy) -> None:
    first = toy.run()
    toy.store.actions.path(first["clean"].key).write_text("{")
    assert digests(toy.run()) == digests(first)
    assert toy.ran == ["clean"]


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '{"collect": "gone"}'])
def test_damaged_list_of_latest_actions_costs_nothing(toy: Toy, text: str) -> None:
    first = toy.run()
    (toy.store.root / "runs" / "latest.json").write_text(text)
    assert set(toy.why().values()) == {""}
    assert (toy.run(), toy.ran) == (first, [])


def tamper(folder: Path) -> None:
    path = sorted(folder.rglob("*.parquet"))[-1]
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_input_that_was_tampered_with_is_refused(toy: Toy) -> None:
    done = toy.run()
    tamper(toy.store.artifacts.get(done["clean"].output).files)
    toy.params["count"] = Params(suffix="!")
    with pytest.raises(IntegrityError, match=r"rows.parquet: changed"):
        toy.run()
    assert toy.ran == []


def test_shard_that_was_tampered_with_is_refused(toy: Toy) -> None:
    done = toy.run()
    shard_action = toy.store.actions.get(done["clean"].shards[0])
    assert shard_action is not None
    tamper(toy.store.artifacts.get(shard_action.output).files)
    toy.params["clean"] = Params()
    toy.store.actions.remove(done["clean"].key)
    with pytest.raises(IntegrityError):
        toy.run()
