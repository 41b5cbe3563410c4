"""`luodi release route`: the curve of a release that routes by difficulty."""

from __future__ import annotations

import json
from typing import Any

from luodi.evaluate.routing import FEATURES, Scored, learn, oracle
from luodi.release import Registry
from luodi.store import Store
from luodi.testing import tiny_release


def test_the_curve_is_shown_with_what_is_in_force(run: Any, store: Store) -> None:
    release = tiny_release(store)
    refused = run("release", "route")
    assert refused.code == 2 and "does not route by difficulty" in refused.err
    scored = [
        Scored((float(n % 2), *[0.0] * (len(FEATURES) - 1)), 0.8 - 0.4 * (n % 2), 0.8, 1e-6, 4e-6) for n in range(40)
    ]
    router, curve = learn(scored, range(40), margin=0.02)
    at = next(p for p in curve if p.threshold == router.threshold)
    folder = store.artifacts.get(Registry(store).find(str(release)).digest).files / "routes"
    folder.parent.chmod(0o755)
    folder.mkdir()
    about = {"n": 40, "saved": 1 - at.usd / curve[0].usd, "at": at.as_dict(), "curve": [p.as_dict() for p in curve]}
    about["oracle"] = oracle(scored).as_dict() | {"threshold": None}
    (folder / "route.json").write_text(json.dumps(router.as_dict() | about))
    shown = run("release", "route").out
    assert "in force" in shown and "n 40" in shown and "50%" in shown
    lines = run("release", "route", "--json").lines()
    assert [x["share_small"] for x in lines if x["in_force"]] == [0.5] and lines[-1]["oracle"]
