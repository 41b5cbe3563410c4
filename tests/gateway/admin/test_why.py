"""Why an answer is what it is: on answers of a real small release."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from desks import ANSWER, QUESTION

from luodi.gateway.call import Outcome
from luodi.gateway.why import of_outcome, of_record, training
from luodi.guard import Verdict
from luodi.store.audit import LogRow, append, check, erase
from luodi.store.audit.log import COLUMNS
from luodi.store.tx import tx_of


def why(desk: Any, record: str, role: str = "user") -> Any:
    return desk.get(f"/v1/records/{record}/why", role=role)


def test_everything_of_an_answer(desk: Any) -> None:
    record = desk.ask()
    desk.checkpoint()
    told = why(desk, record)
    assert (told["question"], told["answer"], told["reason"]) == (QUESTION, ANSWER, None)
    assert told["route"]["upstream"] == "fake/large" and told["route"]["cost_usd"] > 0 and told["origin"] is None
    source = told["sources"][0]
    assert (source["path"], source["line"], source["title"]) == ("doc0.md", 1, "Forms › Field arguments")
    assert ANSWER.removesuffix(" [1]") in source["text"] and len(source["digest"]) == 64
    assert told["checks"] == {
        "sentences": [
            {"checks": {"numbers": True, "names": True, "negation": True, "words": True}, "coverage": 1.0, "passage": 0}
        ],
        "dropped": 0,
    }
    assert told["rules"]["fired"] == [] and told["rules"]["not_run"] == []
    assert {v["check"] for v in told["rules"]["verdicts"]} >= {"personal", "rules", "injection", "leak"}
    assert told["confidence"] == {"value": 1.0, "reason": "the coverage of its weakest sentence, number 1 of 1"}
    release = desk.gateway.served
    assert told["release"] == {
        "name": "helpdesk@1", "digest": release.digest, "policy_digest": release.policy_digest,
    }  # fmt: skip
    assert told["experiment"] is None and told["review"] is None
    rows = told["training"]["rows"]
    assert [r["row_id"] for r in rows] == ["pair0001"], "the nearest first; the gold question is no training row"
    assert rows[0]["question"] == "How are form fields made optional?" and rows[0]["score"] > 0
    assert (rows[0]["path"], rows[0]["line"], rows[0]["text"]) == ("doc1.md", 1, ANSWER.removesuffix(" [1]"))
    assert desk.log("content.read") == [], "one's own content"


def test_routes_in_dollars_and_the_arm_of_an_experiment(desk: Any) -> None:
    first = desk.ask()
    assert why(desk, desk.ask())["route"]["saved_usd"] == why(desk, first)["route"]["cost_usd"] > 0
    row = desk.log("call")[0]
    body = {k: v for k, v in json.loads(row["body"]).items() if k not in (*COLUMNS, "content")}
    body["route"] = {
        "model": "answers",
        "reason": "easy",
        "gain": -12_500,
        "estimated_nano_usd": 700,
        "saved_nano_usd": 5,
    }
    body["experiment"] = {"id": "exp_1", "arm": "helpdesk@2", "stage": 0}
    with desk.store.database.begin() as connection:
        made = LogRow("rec_made", 1, "call", desk.ids["user"], "helpdesk@1", "generated", 900, body)
        append(tx_of(connection), [made])
    told = why(desk, "rec_made")
    expected = {"reason": "easy", "gain": -0.0125, "estimated_usd": 7e-7, "saved_usd": 5e-9, "cost_usd": 9e-7}
    assert told["route"].items() >= expected.items()
    assert told["experiment"] == body["experiment"] and told["reason"] == "it was erased, or never kept"


def test_the_proof_holds_without_the_server(desk: Any) -> None:
    record = desk.ask()
    assert why(desk, record)["audit"]["proof"] is None, "no checkpoint covers it yet"
    assert desk.send("GET", f"/v1/records/{record}/proof", role="user").status == 409
    desk.checkpoint()
    audit = why(desk, record)["audit"]
    proof = desk.get(audit["proof"], role="user")
    body, signer = check(proof, desk.store.keys.trusted())
    assert (body["id"], body["seq"], signer) == (record, audit["seq"], desk.store.keys.owner())
    assert audit["checkpoint"]["size"] == proof["size"] and len(audit["leaf"]) == 64
    _, other = desk.gateway.keys.create("another user")
    assert desk.send("GET", audit["proof"], key=other).status == 404


def test_who_sees_what(desk: Any) -> None:
    record = desk.ask()
    _, other = desk.gateway.keys.create("another user")
    assert desk.send("GET", f"/v1/records/{record}/why", key=other).status == 404
    for role in ("admin", "auditor"):
        told = why(desk, record, role)
        assert (told["question"], told["answer"], told["training"]["rows"]) == (None, None, None)
        assert "not shown" in told["reason"] and told["sources"] and told["confidence"]["value"] == 1.0
    desk.change("POST", f"/v1/records/{record}/review", {}, role="user")
    assert desk.log("content.read") == []
    for n, role in enumerate(("admin", "reviewer"), 1):
        assert why(desk, record, role)["answer"] == ANSWER
        assert [r["actor"] for r in desk.log("content.read")][n - 1] == desk.ids[role]
    assert why(desk, record, "auditor")["answer"] is None


def test_after_the_content_was_erased(desk: Any) -> None:
    record = desk.ask()
    erase(desk.store, ids=[record], reason="asked for", actor="test")
    told = why(desk, record)
    assert (told["question"], told["answer"], told["reason"]) == (None, None, "it was erased, or never kept")
    assert told["training"]["rows"] is None and told["training"]["reason"] == told["reason"]
    assert told["sources"][0]["text"] and told["confidence"]["value"] == 1.0


def test_of_a_refusal_and_of_a_failure(open_desk: Callable[..., Any]) -> None:
    def boom(request: Any) -> str:
        raise RuntimeError("gone")

    desk = open_desk(text=boom)
    body = {"model": "helpdesk", "messages": [{"role": "user", "content": QUESTION}]}
    reply = desk.send("POST", "/v1/chat/completions", role="user", body=body)
    assert reply.status >= 500
    told = why(desk, reply.headers["x-request-id"])
    assert told["error"] and told["confidence"]["value"] is None and told["training"]["rows"] is None
    assert desk.send("GET", "/v1/models", role="user").status == 200


def test_a_call_that_was_refused_before_a_release_was_chosen(desk: Any) -> None:
    body = {"model": "helpdesk", "messages": [{"role": "user", "content": QUESTION}]}
    reply = desk.send("POST", "/v1/chat/completions", key="luodi-wrong", body=body)
    record = reply.headers["x-request-id"]
    told = why(desk, record, "auditor")
    assert told["release"]["digest"] == "" and told["training"]["reason"] == "the release is not in the store"
    assert desk.send("GET", f"/v1/records/{record}/why", role="user").status == 404


def test_of_an_abstention(desk: Any) -> None:
    told = why(desk, desk.ask("What is the capital of France?"))
    assert told["outcome"] == "abstained" and told["confidence"]["value"] is None and told["sources"] == []


def test_when_the_data_set_is_gone(desk: Any) -> None:
    record = desk.ask()
    digest = why(desk, record)["training"]["data_set"]
    training._opened.cache_clear()
    shutil.rmtree(desk.store.artifacts.path(digest))
    told = why(desk, record)["training"]
    assert told == {"data_set": digest, "rows": None, "reason": "the data set is not in the store any more"}
    desk.store.actions.remove("0" * 64)
    assert "no record of how" in why(desk, record)["training"]["reason"]


def test_the_data_set_is_indexed_once(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    training._opened.cache_clear()
    built: list[Any] = []
    real = training.build
    monkeypatch.setattr(training, "build", lambda path, chunks: built.append(path) or real(path, chunks))
    record = desk.ask()
    first = why(desk, record)["training"]
    training._opened.cache_clear()
    assert why(desk, record)["training"] == first and len(built) == 1
    assert [p.suffix for p in desk.store.folder("cache").iterdir()] == [".sqlite"]


def test_chinese_answers_find_chinese_rows(open_desk: Callable[..., Any]) -> None:
    desk = open_desk(text="运行 collectstatic 命令收集静态文件。[1]")
    told = why(desk, desk.ask("怎样收集静态文件？"))
    assert told["training"]["rows"][0]["row_id"] == "pair0005"


def verdict(check: str, ran: bool = True) -> Verdict:
    return Verdict(check, "1", ran, 0.0, 0.5, "allow", "")


@pytest.mark.parametrize(
    ("kind", "coverages", "not_run", "value", "reason"),
    [
        ("generated", [1.0, 0.8, 0.9], [], 0.8, "number 2 of 3"),
        ("extracted", [1.0], [], 1.0, "number 1 of 1"),
        ("generated", [1.0, 0.8], ["leak"], 0.0, "not run: leak"),
        ("generated", [], [], None, "no sentence"),
        ("abstained", [], ["leak"], None, "no sentence"),
        ("refused", [0.9], [], None, "no sentence"),
        ("", [], [], None, "no sentence"),
    ],
)
def test_confidence_says_the_same_of_a_call_and_of_its_record(
    kind: Any, coverages: list[float], not_run: list[str], value: float | None, reason: str
) -> None:
    verdicts = [verdict("rules"), *(verdict(name, ran=False) for name in not_run)]
    outcome = Outcome(kind=kind, verdicts=verdicts, checks=[{"coverage": c} for c in coverages])
    body = {"grounding": [{"coverage": round(c * 1e6)} for c in coverages], "checks_not_run": not_run}
    assert of_outcome(outcome) == of_record(kind, body)
    assert of_outcome(outcome).value == value and reason in of_outcome(outcome).reason
