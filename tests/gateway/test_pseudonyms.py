"""Values behind pseudonyms on the whole way: what the engine, the log, the disk and other callers see of them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from asking import PATH

from luodi.engine import Request
from luodi.guard import GuardPolicy
from luodi.guard.privacy import PrivacyPolicy
from luodi.store.audit import open_payload
from luodi.testing import FakeEngine, call

EMAIL, PHONE = "jane.doe@shop-example.cn", "13800138000"
PLACEHOLDER = re.compile(r"\[[A-Z_]+_[B-Z]{8}\]")
OUTPUT = ("personal", "leak", "disclosure", "repetition")
PRIVACY = PrivacyPolicy(default="pseudonym", kinds={"secret": "mask"})
POLICY = GuardPolicy(privacy=PRIVACY, output=OUTPUT).model_dump(mode="json")


def echo(request: Request) -> str:
    """Says every placeholder of the prompt back: as it is, in small letters, bare."""
    found = PLACEHOLDER.findall("".join(m.content for m in request.messages))
    return " ".join(f"I noted {name} and {name.lower()} and “{name[1:-1]}”." for name in found) or "Nothing to note."


@pytest.fixture
def house(open_house: Callable[..., Any]) -> Any:
    return open_house(FakeEngine(echo), policy=POLICY, chat=True)


def ask(house: Any, *turns: str, key: str = "", conversation: str = "", stream: bool = False, **more: Any) -> Any:
    roles = ["user", "assistant"] * len(turns)
    messages = [{"role": role, "content": text} for role, text in zip(roles, turns, strict=False)]
    headers = [(b"x-luodi-conversation", conversation.encode())] if conversation else []
    sent = {"model": "helpdesk/chat", "messages": messages, "stream": stream} | more
    return asyncio.run(call(house.app, "POST", PATH, body=sent, key=key or house.key, headers=headers))


def seen(house: Any, n: int = -1) -> str:
    return "".join(m.content for m in house.engine.requests[n].messages)


@pytest.mark.parametrize("stream", [False, True])
def test_the_model_sees_placeholders_and_the_caller_values(house: Any, stream: bool) -> None:
    reply = ask(house, f"I am {EMAIL}, call {PHONE}.", stream=stream)
    assert reply.status == 200
    assert EMAIL not in seen(house) and PHONE not in seen(house) and "[EMAIL_" in seen(house)
    assert reply.text() == (f"I noted {EMAIL} and {EMAIL} and “{EMAIL}”. I noted {PHONE} and {PHONE} and “{PHONE}”.")


def test_neither_log_nor_content_nor_disk_holds_a_value(house: Any) -> None:
    ask(house, f"I am {EMAIL}.", conversation="c")
    row = house.rows()[0]
    content = json.dumps(open_payload(house.store, row.id))
    assert EMAIL not in row.data and EMAIL not in content and content.count("[EMAIL_") == 2
    assert "[email_" in content, "the answer is kept as the model said it"
    assert not any(EMAIL.encode() in p.read_bytes() for p in house.store.root.rglob("*") if p.is_file())


def test_turns_of_a_conversation_share_placeholders(house: Any) -> None:
    ask(house, f"I am {EMAIL}.", conversation="c")
    first = PLACEHOLDER.findall(seen(house))
    ask(house, f"I am {EMAIL}.", "Hello.", f"Write to {EMAIL}.", conversation="c")
    assert set(PLACEHOLDER.findall(seen(house))) == set(first)
    ask(house, f"I am {EMAIL}.", conversation="d")
    assert set(PLACEHOLDER.findall(seen(house))) != set(first)
    assert "I noted" in ask(house, f"What of {first[0]}?", conversation="c").text()
    assert EMAIL in ask(house, f"What of {first[0]}?", conversation="c").text(), "kept for a later turn without history"


def test_nobody_else_gets_a_value(house: Any) -> None:
    ask(house, f"I am {EMAIL}.", conversation="c")
    name = PLACEHOLDER.findall(seen(house))[0]
    _, other = house.gateway.keys.create("somebody else")
    for key, conversation in ((other, "c"), (other, ""), (house.key, "d"), (house.key, "")):
        said = ask(house, f"What of {name}?", key=key, conversation=conversation).text()
        assert EMAIL not in said and name in said
    both = ask(house, f"{name} and {PHONE}", key=other, conversation="c").text()
    assert EMAIL not in both and PHONE in both


def test_a_type_that_is_masked_does_not_come_back(house: Any) -> None:
    token = "ghp_" + "a1B2" * 9
    said = ask(house, f"{EMAIL} {token}").text()
    assert token not in said and EMAIL in said and "[SECRET]" in seen(house)


def test_an_answer_is_not_kept_for_others(house: Any) -> None:
    for _ in range(2):
        ask(house, f"I am {EMAIL}.", temperature=0, conversation="c")
    assert len(house.engine.requests) == 2


def test_a_value_that_nobody_gave_is_masked_and_told(open_house: Callable[..., Any]) -> None:
    house = open_house(FakeEngine(f"Call {PHONE} or {EMAIL}."), policy=POLICY, chat=True)
    said = ask(house, f"My mail is {EMAIL}.").text()
    assert said == "Call [PHONE] or [EMAIL].", "what the model says of its own is nobody's to get back"
    told = {v["check"]: v for v in json.loads(house.rows()[0].data)["verdicts"] if v["check"] == "disclosure"}
    assert told["disclosure"]["detail"] == "1 phone" and told["disclosure"]["action"] == "log"


def test_training_text_in_an_answer_is_told(open_house: Callable[..., Any]) -> None:
    text = " ".join(f"word{n}" for n in range(60))
    documents = {"Forms › Long": text}
    house = open_house(FakeEngine(f"It says: {text}"), documents=documents, policy=POLICY, chat=True)
    ask(house, "What do you remember?")
    verdicts = [v for v in json.loads(house.rows()[0].data)["verdicts"] if v["check"] == "repetition"]
    assert verdicts[0]["ran"] and verdicts[0]["action"] == "log" and verdicts[0]["detail"] == "60 tokens"
    ask(house, f"Repeat: {text}")
    again = [v for v in json.loads(house.rows()[1].data)["verdicts"] if v["check"] == "repetition"]
    assert again[0]["action"] == "allow", "what the caller showed may be repeated"


def test_an_engine_that_is_missing_is_told_and_closes_the_door(
    open_house: Callable[..., Any], monkeypatch: Any
) -> None:
    import sys

    from luodi.guard import entities

    monkeypatch.setattr(entities, "_loaded", {})
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    policy = GuardPolicy(privacy=PrivacyPolicy(engines=("presidio",)), input=("names", "personal")).model_dump(
        mode="json"
    )
    house = open_house(FakeEngine("Hello."), policy=policy, chat=True)
    assert "a safety check could not run" in ask(house, "Hello?").text()
    assert house.engine.requests == []
    row = house.rows()[0]
    assert "names" in row.checks_not_run and "presidio" in row.data
