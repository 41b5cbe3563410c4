"""A tool call is a call of the gateway: judged, limited and recorded; its host and path are fixed."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from shop import ATTACK, Shop

from luodi.gateway.ledger.limits import set_limits
from luodi.gateway.problem import Problem
from luodi.gateway.tools import open_tools
from luodi.gateway.tools import tool as tool_module


def tool_of(shop: Shop, tmp_path: Path, id: str, **more: Any) -> Any:
    return open_tools([shop.spec(tmp_path, id, writes=True, **more)])[f"shop_{id}"]


def test_a_call(shop: Shop, tmp_path: Path, use: Any) -> None:
    done = use(tool_of(shop, tmp_path, "getOrder"), {"id": "A-17"})
    assert json.loads(done.text) == {"order": "A-17", "state": "on its way"}
    assert (shop.asked[0].method, shop.asked[0].target) == ("GET", "/api/orders/A-17")
    row = done.row
    assert (row.kind, row.outcome, row.surface, row.model) == ("tool", "called", "mcp", "shop_getOrder")
    assert row.route == {"tool": "shop", "operation": "getOrder", "status": 200}
    assert "A-17" not in row.data and "on its way" not in row.data


def test_query_headers_and_body(shop: Shop, tmp_path: Path, use: Any) -> None:
    given = {"q": "a&b=c #?/ü", "tag": ["x,y", "z"], "x-trace": "t1", "open": True}
    use(tool_of(shop, tmp_path, "findOrders"), given)
    asked = shop.asked[-1]
    assert asked.target == "/api/orders?q=a%26b%3Dc%20%23%3F%2F%C3%BC&tag=x%2Cy&tag=z&open=true"
    assert asked.headers["x-trace"] == "t1" and asked.headers["host"].startswith("127.0.0.1:")
    use(tool_of(shop, tmp_path, "makeOrder"), {"body": {"item": "tea", "count": 2}})
    asked = shop.asked[-1]
    assert (asked.method, json.loads(asked.body)) == ("POST", {"item": "tea", "count": 2})
    assert asked.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "id",
    ["..", ".", "", "../../admin", "..\\admin", "a/../b", "..%2f..%2fadmin", "%2e%2e", "x/..;/admin", "a\nb", "\0", " ..",
     "x" * 300],
)  # fmt: skip
def test_a_path_parameter_stays_in_its_place(shop: Shop, tmp_path: Path, use: Any, id: str, recorded: Any) -> None:
    with pytest.raises(Problem) as told:
        use(tool_of(shop, tmp_path, "getOrder"), {"id": id})
    assert told.value.status == 400 and shop.asked == []
    assert [r.error != "" for r in recorded()] == [True]


@pytest.mark.parametrize(
    ("id", "target"),
    [("a/b", "/api/orders/a%2Fb"), ("a?b#c", "/api/orders/a%3Fb%23c"), ("@evil.example", "/api/orders/%40evil.example"),
     ("{id}", "/api/orders/%7Bid%7D"), ("订单", "/api/orders/%E8%AE%A2%E5%8D%95"), ("1.5", "/api/orders/1.5")],
)  # fmt: skip
def test_what_is_encoded(shop: Shop, tmp_path: Path, use: Any, id: str, target: str) -> None:
    use(tool_of(shop, tmp_path, "getOrder"), {"id": id})
    assert shop.asked[-1].target == target


@pytest.mark.parametrize(
    "arguments", [{}, {"id": 1}, {"id": "a", "x": 1}, {"id": None}, [], "id", {"id": "x" * 70_000}, {"id": ["a"]}]
)
def test_arguments_that_do_not_fit(shop: Shop, tmp_path: Path, use: Any, arguments: Any) -> None:
    with pytest.raises(Problem) as told:
        use(tool_of(shop, tmp_path, "getOrder"), arguments)
    assert told.value.status == 400 and shop.asked == []


def test_what_does_not_fit_is_not_in_the_log(shop: Shop, tmp_path: Path, use: Any, recorded: Any) -> None:
    for arguments in ({"id": "a", "hush": "hush-hush"}, {"id": ["hush"]}, {"hush": 1}, {"id": "../hush"}):
        with pytest.raises(Problem):
            use(tool_of(shop, tmp_path, "getOrder"), arguments)
    assert len(recorded()) == 4 and not any("hush" in row.data for row in recorded())


def test_a_header_takes_one_line(shop: Shop, tmp_path: Path, use: Any) -> None:
    for value in ("a\r\nx-admin: 1", "ü"):
        with pytest.raises(Problem):
            use(tool_of(shop, tmp_path, "findOrders"), {"x-trace": value})
    assert shop.asked == []


def test_an_attack_in_a_result_is_withheld(shop: Shop, tmp_path: Path, use: Any) -> None:
    done = use(tool_of(shop, tmp_path, "getOrder"), {"id": "attack"})
    assert "withheld" in done.text and "revious instructions" not in done.text
    assert (
        done.row.outcome == "refused"
        and [v["action"] for v in done.row.verdicts if v["check"] == "rules"][-1] == "block"
    )


def test_an_attack_in_the_arguments_is_refused(shop: Shop, tmp_path: Path, use: Any) -> None:
    done = use(tool_of(shop, tmp_path, "findOrders"), {"q": ATTACK})
    assert done.outcome.kind == "refused" and shop.asked == []


def test_personal_data(shop: Shop, tmp_path: Path, use: Any) -> None:
    done = use(tool_of(shop, tmp_path, "getOrder"), {"id": "person"})
    assert "jane.doe" not in done.text and "EMAIL" in done.text.upper()
    use(tool_of(shop, tmp_path, "findOrders"), {"q": "jane.doe@acme-mail.org"})
    assert (
        shop.asked[-1].target == "/api/orders?q=jane.doe%40acme-mail.org"
    )  # what is looked for is looked for as it is


def test_the_key_of_the_other_system(
    shop: Shop, tmp_path: Path, use: Any, monkeypatch: pytest.MonkeyPatch, house: Any
) -> None:
    monkeypatch.setenv("SHOP_KEY", "s3cret-of-the-shop-0815")
    done = use(tool_of(shop, tmp_path, "getOrder", auth="env:SHOP_KEY"), {"id": "echo"})
    assert shop.asked[0].headers["x-shop-key"] == "s3cret-of-the-shop-0815"
    assert "authorization" not in shop.asked[0].headers and "s3cret" not in done.text and "***" in done.text
    assert house.key not in json.dumps(shop.asked[0].headers)  # the caller's own key goes nowhere


@pytest.mark.parametrize(
    ("id", "says"), [("moved", "redirects are not followed"), ("huge", "more than 64 KiB"), ("picture", "no text")]
)
def test_results_that_are_not_taken(shop: Shop, tmp_path: Path, use: Any, id: str, says: str, recorded: Any) -> None:
    with pytest.raises(Problem, match=says) as told:
        use(tool_of(shop, tmp_path, "getOrder"), {"id": id})
    assert told.value.status == 502 and len(shop.asked) == 1
    assert recorded()[0].finish == "error"


def test_a_system_that_hangs_or_is_gone(shop: Shop, tmp_path: Path, use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tool_of(shop, tmp_path, "getOrder")
    monkeypatch.setattr(tool_module, "TIMEOUT_S", 0.1)
    with pytest.raises(Problem, match="did not answer") as told:
        use(tool, {"id": "slow"})
    assert told.value.status == 504
    with pytest.raises(Problem, match="could not be reached"):
        use(tool_of(shop, tmp_path, "getOrder", base_url="http://127.0.0.1:1"), {"id": "a"})


def test_no_step_is_passed_by(shop: Shop, tmp_path: Path, use: Any, house: Any, recorded: Any) -> None:
    tool = tool_of(shop, tmp_path, "getOrder")
    for secret in ("", "luodi-wrong"):
        with pytest.raises(Problem) as told:
            use(tool, {"id": "a"}, secret=secret)
        assert told.value.status == 401
    set_limits(house.store, f"key:{house.key_id}", {"requests_minute": 0})
    with pytest.raises(Problem) as told:
        use(tool, {"id": "a"})
    assert told.value.status == 429 and shop.asked == [] and len(recorded()) == 3
    house.gateway.keys.revoke(house.key_id)


def test_a_status_of_failure_is_told(shop: Shop, tmp_path: Path, use: Any) -> None:
    done = use(tool_of(shop, tmp_path, "getOrder"), {"id": "gone"})
    assert done.outcome.route["status"] == 404 and done.row.route["status"] == 404


def test_a_shadow_does_nothing_twice(shop: Shop, tmp_path: Path, use: Any, house: Any) -> None:
    """A release that answers copies of calls, unseen, answers none of tools: what they do would be done twice."""
    fleet = house.gateway.fleet
    fleet._shadow = SimpleNamespace(id="exp_1", arms=(("helpdesk@1", 1.0),), base="helpdesk@1")
    use(tool_of(shop, tmp_path, "makeOrder"), {"body": {"item": "tea", "count": 2}})
    assert len(shop.asked) == 1
    assert fleet.shadows(SimpleNamespace(served=fleet.live, task="answer", id="rec_1")) is not None
    assert fleet.shadows(SimpleNamespace(served=fleet.live, task="tool", id="rec_1")) is None
