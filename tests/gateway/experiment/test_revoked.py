"""A revoked release answers no more: not the live one, not by its version, not from the cache, not after a restart."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from luodi.errors import ReleaseError
from luodi.release import Registry


def test_a_revoked_release_answers_no_more(several: Any) -> None:
    async def run() -> None:
        gateway = several.open(exact_cache=True)
        assert (await several.ask(gateway)).status == 200
        registry = Registry(several.store)
        registry.revoke(registry.find("helpdesk@1"), "its data had to go", "me")
        await gateway.fleet.turn()
        for model in ("helpdesk", "helpdesk@1"):
            told = await several.ask(gateway, model=model)
            assert told.status == 503 and told.json()["error"]["code"] == "release_withdrawn"
            assert "its data" not in str(told.json()), "why is for the log, not for callers"
        registry.move(registry.find("helpdesk@2"), "live", "me")
        await gateway.fleet.turn()
        assert (await several.ask(gateway)).status == 200
        assert gateway.fleet.live.release == "helpdesk@2"

    asyncio.run(run())


def test_it_can_neither_be_served_nor_promoted_again(several: Any) -> None:
    registry = Registry(several.store)
    registry.revoke(registry.find("helpdesk@2"), "leaks", "me")
    revoked = registry.find("helpdesk@2")
    assert revoked.revoked == "leaks" and revoked.channels == ()
    with pytest.raises(ReleaseError, match="is revoked: leaks"):
        several.opener("helpdesk@2")
    with pytest.raises(ReleaseError, match="is revoked: leaks"):
        registry.move(revoked, "canary", "me")
    # the same bytes under another version stay revoked
    registry.register("helpdesk", 9, revoked.digest, "pass", "me")
    assert registry.find("helpdesk@9").revoked == "leaks"


def test_a_release_that_has_expired_answers_no_more(several: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        gateway = several.open()
        gateway.fleet.live.passport["expires"] = "2999-12-31"
        await gateway.fleet.turn()
        assert (await several.ask(gateway)).status == 200
        gateway.fleet.live.passport["expires"] = "2020-01-01"
        await gateway.fleet.turn()
        told = await several.ask(gateway)
        assert told.status == 503 and told.json()["error"]["code"] == "release_withdrawn"

    asyncio.run(run())
