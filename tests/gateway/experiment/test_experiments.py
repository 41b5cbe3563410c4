"""A/B tests, shadows and canaries over real releases, with real stores and signatures."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text

from luodi.errors import LuodiError
from luodi.gateway import App, Gateway
from luodi.gateway.experiment import Count, Plan, add, find, findings, look, read_store, start, stop
from luodi.gateway.experiment.fleet import arm_of
from luodi.release import Registry
from luodi.store.audit import verify as verify_log
from luodi.store.tx import tx_of
from luodi.testing import FakeEngine, call


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(work())  # type: ignore[arg-type]


def live(several: Any) -> str:
    return str(Registry(several.store).find("helpdesk@live"))


def kinds(several: Any) -> list[str]:
    with several.store.database.begin() as c:
        return [r[0] for r in c.execute(text("SELECT kind FROM log ORDER BY seq")).all()]


async def settle(gateway: Gateway) -> None:
    await gateway.writer.drain()


def canary(several: Any, release: str = "helpdesk@2", **more: Any) -> Plan:
    return start(several.store, "canary", [(release, 0.0)], actor="test", **({"calls": 5, "steps": (0.5, 0.9)} | more))


@pytest.mark.parametrize(
    ("kind", "arms", "more", "told"),
    [
        ("ab", [("helpdesk@1", 0.5)], {}, "is the live release itself"),
        ("ab", [("helpdesk@4", 0.5)], {}, "did not pass its gates"),
        ("ab", [("helpdesk@9", 0.5)], {}, "there is no release"),
        ("ab", [("helpdesk@2", 0.7), ("helpdesk@3", 0.7)], {}, "100 per cent"),
        ("ab", [("helpdesk@2", 0.0)], {}, "above 0"),
        ("ab", [("helpdesk@2", 0.2), ("helpdesk@2", 0.3)], {}, "named twice"),
        ("canary", [("helpdesk@2", 0.0), ("helpdesk@3", 0.0)], {}, "one release besides"),
        ("canary", [("helpdesk@2", 0.0)], {"steps": (0.5, 0.2)}, "must rise"),
        ("canary", [("helpdesk@2", 0.0)], {"steps": ()}, "must rise"),
        ("canary", [("helpdesk@2", 0.0)], {"steps": (0.5, 1.0)}, "below 100"),
        ("canary", [("helpdesk@2", 0.0)], {"alpha": 0.9}, "alpha"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_not_started(several: Any, kind: Any, arms: Any, more: Any, told: str) -> None:
    with pytest.raises(LuodiError, match=told):
        start(several.store, kind, arms, actor="test", **more)
    with several.store.database.begin() as c:
        assert c.execute(text("SELECT count(*) FROM experiments")).scalar_one() == 0


def test_one_at_a_time(several: Any) -> None:
    first = canary(several)
    with pytest.raises(LuodiError, match="is running"):
        start(several.store, "ab", [("helpdesk@3", 0.5)], actor="test")
    start(several.store, "shadow", [("helpdesk@3", 0.5)], actor="test")
    stop(several.store, first, actor="test")
    start(several.store, "ab", [("helpdesk@3", 0.5)], actor="test")


def test_shares_are_kept_and_callers_keep_their_release(several: Any) -> None:
    plan = start(several.store, "ab", [("helpdesk@2", 0.3), ("helpdesk@3", 0.2)], actor="test")
    people = [f"user:{n}" for n in range(4000)]
    got = Counter(arm_of(plan, who) for who in people)
    assert got["helpdesk@2"] / 4000 == pytest.approx(0.3, abs=0.03)
    assert got["helpdesk@3"] / 4000 == pytest.approx(0.2, abs=0.03)
    growing = canary_plans(several, plan)
    for before, after in pairwise(growing):
        had = {who for who in people if arm_of(before, who) == "helpdesk@2"}
        assert had <= {who for who in people if arm_of(after, who) == "helpdesk@2"}


def canary_plans(several: Any, running: Plan) -> list[Plan]:
    stop(several.store, running, actor="test")
    plan = canary(several, steps=(0.05, 0.2, 0.5))
    return [replace(plan, stage=stage) for stage in range(3)]


def test_an_a_b_test_over_whole_releases(several: Any) -> None:
    several.engines[2] = FakeEngine("Make it optional by setting required=False on the field. [1]")
    gateway = several.open()
    plan = start(several.store, "ab", [("helpdesk@2", 0.5)], actor="test")

    async def work() -> None:
        await gateway.fleet.turn()
        for n in range(40):
            first, second = [await several.ask(gateway, user=f"u{n}") for _ in range(2)]
            assert first.headers["x-luodi-release"] == second.headers["x-luodi-release"], "sticky by user"
            assert first.json()["model"] == first.headers["x-luodi-release"]
        pinned = await several.ask(gateway, user="u1", model="helpdesk@2")
        assert pinned.headers["x-luodi-release"] == "helpdesk@2"
        await settle(gateway)

    run(work)
    tallies = read_store(several.store, plan.id)
    counts = {arm: tallies[arm][0]["error"].n for arm in ("helpdesk@1", "helpdesk@2")}
    assert sum(counts.values()) == 80, "the call that asked for a version is not counted"
    assert min(counts.values()) >= 20
    assert {f.measure for f in findings(plan, tallies)} >= {"error", "refused", "abstained", "dropped", "latency"}
    with several.store.database.begin() as c:
        bodies = [json.loads(r[0]) for r in c.execute(text("SELECT body FROM log WHERE kind='call'")).all()]
    assert Counter(b["experiment"].get("arm") for b in bodies)["helpdesk@2"] == counts["helpdesk@2"]


def test_a_bad_canary_is_rolled_back_by_itself(several: Any) -> None:
    several.engines[2] = FakeEngine(GOOD, fail_after=2)
    gateway = several.open()
    plan = canary(several, calls=1000)
    assert str(Registry(several.store).find("helpdesk@canary")) == "helpdesk@2"

    told: list[tuple[str, str]] = []

    async def work() -> None:
        await gateway.fleet.turn()
        for n in range(300):
            await several.ask(gateway, user=f"u{n}")
            if n % 10 == 9:
                await settle(gateway)
                if look(several.store, lambda connection, kind, data: told.append((kind, data["release"]))):
                    break
        asked = n + 1
        assert asked <= 60, "a release that always fails is found at once"
        await gateway.fleet.turn()
        for n in range(20):
            assert (await several.ask(gateway, user=f"u{n}")).headers["x-luodi-release"] == "helpdesk@1"
        await gateway.fleet.turn()
        assert gateway.fleet.names() == ["helpdesk@1"], "what nobody uses is closed"

    run(work)
    ended = find(several.store, plan.id)
    assert ended.state == "rolled back" and ended.reason.startswith("error is worse: 1 against 0")
    assert live(several) == "helpdesk@1" and look(several.store) == []
    with pytest.raises(LuodiError):
        Registry(several.store).find("helpdesk@canary")
    assert "experiment.rolled_back" in kinds(several)
    assert told == [("release.rolled_back", "helpdesk@2")]
    assert verify_log(several.store).ok


GOOD = "Set required=False on the field to make it optional. [1]"


def test_a_good_canary_rises_step_by_step_and_becomes_live(several: Any) -> None:
    gateway = several.open()
    plan = canary(several, calls=8, steps=(0.2, 0.5, 0.8))

    async def work() -> list[int]:
        await gateway.fleet.turn()
        stages = []
        for n in range(400):
            await several.ask(gateway, user=f"u{n}")
            await settle(gateway)
            for changed in look(several.store):
                stages.append(changed.stage)
                await gateway.fleet.turn()
                if changed.state != "running":
                    reply = await several.ask(gateway, user="somebody")
                    assert reply.headers["x-luodi-release"] == "helpdesk@2"
                    return stages
        raise AssertionError("it never came to an end")

    assert run(work) == [1, 2, 2]
    ended = find(several.store, plan.id)
    assert ended.state == "promoted" and live(several) == "helpdesk@2"
    assert [h["did"] for h in ended.history] == ["advance", "advance", "promote"]
    assert str(Registry(several.store).find("helpdesk@previous")) == "helpdesk@1"


def test_two_workers_look_and_one_acts(several: Any) -> None:
    plan = canary(several, calls=2)
    with several.store.database.begin() as c:
        for arm, error in ((plan.base, 0.0), ("helpdesk@2", 1.0)):
            add(tx_of(c), [Count(plan.id, arm, 0, {"error": error})] * 200)

    async def work() -> list[Any]:
        return await asyncio.gather(*(asyncio.to_thread(look, several.store) for _ in range(4)))

    assert sum(len(changed) for changed in run(work)) == 1
    assert kinds(several).count("experiment.rolled_back") == 1


def test_a_canary_ends_when_somebody_makes_another_release_live(several: Any) -> None:
    plan = canary(several)
    registry = Registry(several.store)
    registry.move(registry.find("helpdesk@3"), "live", "test")
    look(several.store)
    assert (find(several.store, plan.id).state, live(several)) == ("stopped", "helpdesk@3")


def test_a_release_that_becomes_live_is_served_without_a_restart(several: Any) -> None:
    gateway = several.open()
    registry = Registry(several.store)

    async def work() -> None:
        assert (await several.ask(gateway)).headers["x-luodi-release"] == "helpdesk@1"
        registry.move(registry.find("helpdesk@2"), "live", "test")
        await gateway.fleet.turn()
        assert (await several.ask(gateway)).headers["x-luodi-release"] == "helpdesk@2"
        registry.rollback("helpdesk", "test")
        await gateway.fleet.turn()
        assert (await several.ask(gateway)).headers["x-luodi-release"] == "helpdesk@1"

    run(work)


def test_a_release_that_does_not_verify_is_never_served(several: Any) -> None:
    gateway = several.open()
    plan = canary(several)
    bundle = several.store.artifacts.path(Registry(several.store).find("helpdesk@2").digest)
    policy = next(bundle.rglob("policy.json"))
    policy.chmod(0o644)
    policy.write_text(policy.read_text().replace("block", "allow", 1) + " ")

    async def work() -> None:
        await gateway.fleet.turn()
        assert {(await several.ask(gateway, user=f"u{n}")).headers["x-luodi-release"] for n in range(10)} == {
            "helpdesk@1"
        }

    run(work)
    assert find(several.store, plan.id).state == "failed"


def test_a_shadow_answers_unseen(several: Any) -> None:
    several.engines[2] = FakeEngine("Make it optional by setting required=False on the field. [1]")
    several.engines[1] = FakeEngine(GOOD)
    gateway = several.open()
    plan = start(several.store, "shadow", [("helpdesk@2", 1.0)], actor="test")

    async def work() -> None:
        await gateway.fleet.turn()
        for n in range(3):
            reply = await several.ask(gateway, user=f"u{n}")
            assert reply.headers["x-luodi-release"] == "helpdesk@1"
            assert "required=False" in reply.text()
        for _ in range(100):
            await asyncio.sleep(0.02)
            await settle(gateway)
            if read_store(several.store, plan.id).get("helpdesk@2", {}).get(0, {}).get("differs"):
                break
        await gateway.shadows.stop()
        await settle(gateway)

    run(work)
    tallies = read_store(several.store, plan.id)
    assert tallies["helpdesk@1"][0]["error"].n == 3
    assert tallies["helpdesk@2"][0]["differs"].mean == 1.0
    with several.store.database.begin() as c:
        rows = c.execute(text("SELECT actor, subject, body FROM log WHERE kind='call' ORDER BY seq")).all()
    shadows = [r for r in rows if r[0] == "shadow"]
    assert shadows and all(r[1] == "helpdesk@2" for r in shadows)
    assert json.loads(shadows[0][2])["surface"] == "shadow"


def test_what_people_say_counts_for_the_release_that_answered(several: Any) -> None:
    gateway = several.open()
    plan = start(several.store, "ab", [("helpdesk@2", 0.5)], actor="test")

    async def mark(record: str, key: str, **body: Any) -> int:
        reply = await call(App(gateway), "POST", f"/v1/records/{record}/feedback", body=body, key=key)
        return reply.status

    async def work() -> list[str]:
        await gateway.fleet.turn()
        records = []
        for n in range(20):
            records.append((await several.ask(gateway, user=f"u{n}")).headers["x-request-id"])
        await settle(gateway)
        stranger = gateway.keys.create("stranger")[1]
        assert await mark(records[0], stranger, good=False) == 404
        assert await mark(records[0], several.key, good="perhaps") == 400
        for record in records:
            assert await mark(record, several.key, good=False, note="It is wrong.") == 200
        assert await mark(records[0], several.key, good=True) == 200, "a mark may be changed"
        return records

    run(work)
    bad = {arm: read_store(several.store, plan.id)[arm][0]["bad"] for arm in ("helpdesk@1", "helpdesk@2")}
    assert sum(t.n for t in bad.values()) == 20 and sum(t.total for t in bad.values()) == 19
    assert kinds(several).count("feedback") == 21
    with several.store.database.begin() as c:
        bodies = [r[0] for r in c.execute(text("SELECT body FROM log WHERE kind='feedback'")).all()]
    assert not any("wrong" in b for b in bodies), "the note is not in the log"


def test_the_gateway_itself_ends_what_is_compared_with_nothing(several: Any) -> None:
    gateway = several.open()
    plan = canary(several)
    app = App(gateway)

    async def work() -> None:
        app._background.start()
        try:
            registry = Registry(several.store)
            registry.move(registry.find("helpdesk@3"), "live", "test")
            for _ in range(200):
                await asyncio.sleep(0.05)
                if find(several.store, plan.id).state != "running":
                    break
        finally:
            await app._background.stop()

    run(work)
    assert (find(several.store, plan.id).state, gateway.served.release) == ("stopped", "helpdesk@3")


def test_a_shadow_beside_a_canary_sees_the_live_releases_calls(several: Any) -> None:
    gateway = several.open()
    canary(several, steps=(0.5,))
    plan = start(several.store, "shadow", [("helpdesk@3", 1.0)], actor="test")

    async def work() -> int:
        await gateway.fleet.turn()
        live = 0
        for n in range(12):
            reply = await several.ask(gateway, user=f"u{n}")
            live += reply.headers["x-luodi-release"] == "helpdesk@1"
            await asyncio.sleep(0.02)
        for _ in range(100):
            await settle(gateway)
            seen = read_store(several.store, plan.id).get("helpdesk@3", {}).get(0, {}).get("error")
            if seen is not None and seen.n == live:
                break
            await asyncio.sleep(0.02)
        await gateway.shadows.stop()
        return live

    live = run(work)
    assert 0 < live < 12
    tallies = read_store(several.store, plan.id)
    assert tallies["helpdesk@3"][0]["error"].n == tallies["helpdesk@1"][0]["error"].n == live


def test_a_release_that_can_not_be_opened_is_not_tried_all_the_time(several: Any) -> None:
    gateway = several.open()
    tried: list[str] = []

    def opener(release: str) -> Any:
        tried.append(release)
        raise LuodiError("no memory")

    gateway.fleet._opener = opener
    registry = Registry(several.store)
    registry.move(registry.find("helpdesk@2"), "live", "test")

    async def work() -> None:
        for _ in range(3):
            await gateway.fleet.turn()
        assert (await several.ask(gateway)).headers["x-luodi-release"] == "helpdesk@1", "the old one goes on"

    run(work)
    assert tried == ["helpdesk@2"]
