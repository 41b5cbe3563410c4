"""What Anthropic's own client does with the gateway."""

from __future__ import annotations

from typing import Any

import anthropic
from harness import ANSWER, CITY, SAID, WORDS, Q, run

TOOL: Any = {"name": "weather", "description": "d", "input_schema": CITY}


def client(url: str, key: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=url, api_key=key, max_retries=0)


def asked(text: str = WORDS, model: str = "chat") -> dict[str, Any]:
    return {"model": model, "max_tokens": 200, "messages": [{"role": "user", "content": text}]}


def chat(url: str, key: str) -> None:
    with client(url, key) as c:
        answer: Any = c.messages.create(**asked(Q, "helpdesk"))
        assert answer.content[0].text == ANSWER and answer.stop_reason == "end_turn"
        said: Any = c.messages.create(**asked(), system="be kind", stop_sequences=["these"], metadata={"user_id": "u"})
        assert said.content[0].text == "You said: please repeat " and said._request_id.startswith("rec_")
        assert (said.usage.input_tokens, said.usage.output_tokens) == (6, 5), said.usage
        assert c.messages.create(**asked() | {"max_tokens": 2}).stop_reason == "max_tokens"


def stream(url: str, key: str) -> None:
    with client(url, key) as c:
        for model, text, expected in (("chat", WORDS, SAID), ("helpdesk", Q, ANSWER)):
            with c.messages.stream(**asked(text, model)) as events:
                assert "".join(events.text_stream) == expected
                final: Any = events.get_final_message()
            assert final.content[0].text == expected and final.stop_reason == "end_turn"
            assert final.usage.output_tokens > 0
        kinds = [e.type for e in c.messages.create(**asked(), stream=True)]
        assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]


def tools(url: str, key: str) -> None:
    with client(url, key) as c:
        first: Any = c.messages.create(**asked("Weather?"), tools=[TOOL], tool_choice={"type": "any"})
        use = first.content[0]
        assert (first.stop_reason, use.type, use.name, use.input) == (
            "tool_use",
            "tool_use",
            "weather",
            {"city": "example"},
        )
        messages = [
            *asked("Weather?")["messages"],
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "cold"}]},
        ]
        second: Any = c.messages.create(**asked() | {"messages": messages}, tools=[TOOL])
        assert second.content[0].text == "The tool said: cold"
        with c.messages.stream(**asked("Weather?"), tools=[TOOL]) as events:
            made: Any = events.get_final_message()
        assert made.content[0].input == {"city": "example"} and made.stop_reason == "tool_use"


def schema(url: str, key: str) -> None:
    with client(url, key) as c:
        wanted = {"format": {"type": "json_schema", "schema": CITY}}
        told: Any = c.messages.create(**asked("Where?"), extra_body={"output_config": wanted})
        assert told.content[0].text == '{"city": "example"}'


def count_tokens(url: str, key: str) -> None:
    with client(url, key) as c:
        sent = {k: v for k, v in asked().items() if k != "max_tokens"}
        few = c.messages.count_tokens(**sent).input_tokens
        assert 0 < few < c.messages.count_tokens(**sent, tools=[TOOL]).input_tokens


def errors(url: str, key: str) -> None:
    with client(url, key) as c:
        for kind, sent, name in (
            (anthropic.NotFoundError, asked(model="claude"), "not_found_error"),
            (anthropic.BadRequestError, asked() | {"extra_body": {"top_k": 3}}, "invalid_request_error"),
            (anthropic.InternalServerError, asked(model="failing"), "api_error"),
        ):
            try:
                c.messages.create(**sent)
                raise AssertionError(f"{sent} was answered")
            except kind as error:
                body: Any = error.body
                assert body["type"] == "error" and body["error"]["type"] == name and error.request_id
    with client(url, "luodi-wrong") as stranger:
        try:
            stranger.messages.create(**asked())
            raise AssertionError("a wrong key was taken")
        except anthropic.AuthenticationError as error:
            assert "key" in str(error)


def error_in_a_stream(url: str, key: str) -> None:
    with client(url, key) as c:
        try:
            list(c.messages.create(**asked("a long text " * 20, "broken"), stream=True))
            raise AssertionError("the stream ended well")
        except anthropic.APIStatusError as error:
            assert "out of memory" in str(error)


def cancel(url: str, key: str) -> None:
    with client(url, key) as c:
        events = c.messages.create(**asked("a long text " * 50, "slow"), stream=True)
        next(iter(events))
        events.close()


def models(url: str, key: str) -> None:
    with client(url, key) as c:
        assert {"helpdesk", "chat"} <= {m.id for m in c.models.list()}


if __name__ == "__main__":
    run([chat, stream, tools, schema, count_tokens, errors, error_in_a_stream, cancel, models])
