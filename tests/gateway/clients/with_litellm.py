"""What LiteLLM, as a client, does with the gateway in OpenAI's and in Anthropic's form."""

from __future__ import annotations

import json
import os
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would fetch its prices from the net

import litellm
from harness import ANSWER, CITY, SAID, WORDS, Q, run

litellm.suppress_debug_info = True
TOOL = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": CITY}}


def ask(url: str, key: str, text: str = WORDS, model: str = "chat", **more: Any) -> Any:
    return litellm.completion(
        model=f"openai/{model}", api_base=f"{url}/v1", api_key=key, messages=[{"role": "user", "content": text}],
        num_retries=0, max_retries=0, **more,
    )  # fmt: skip


def by_messages(url: str, key: str, text: str = WORDS, model: str = "chat", **more: Any) -> Any:
    return litellm.completion(
        model=f"anthropic/{model}", api_base=url, api_key=key, messages=[{"role": "user", "content": text}],
        max_tokens=200, num_retries=0, **more,
    )  # fmt: skip


def chat(url: str, key: str) -> None:
    assert ask(url, key, Q, "helpdesk").choices[0].message.content == ANSWER
    told = ask(url, key)
    assert told.choices[0].message.content == SAID and told.usage.total_tokens == 10


def stream(url: str, key: str) -> None:
    chunks = list(ask(url, key, stream=True, stream_options={"include_usage": True}))
    assert "".join(k.choices[0].delta.content or "" for k in chunks if k.choices) == SAID
    assert [k.usage.completion_tokens for k in chunks if getattr(k, "usage", None)][-1] == 6


def tools(url: str, key: str) -> None:
    first = ask(url, key, "Weather?", tools=[TOOL])
    call = first.choices[0].message.tool_calls[0]
    assert call.function.name == "weather" and json.loads(call.function.arguments) == {"city": "example"}
    built = litellm.stream_chunk_builder(list(ask(url, key, "Weather?", tools=[TOOL], stream=True)))
    made: Any = built
    assert json.loads(made.choices[0].message.tool_calls[0].function.arguments) == {"city": "example"}


def schema(url: str, key: str) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "place", "schema": CITY, "strict": True}}
    told = ask(url, key, "Where?", response_format=wanted)
    assert json.loads(told.choices[0].message.content) == {"city": "example"}


def errors(url: str, key: str) -> None:
    for kind, more in (
        (litellm.NotFoundError, {"model": "gpt-x"}),
        (litellm.BadRequestError, {"model": "helpdesk", "n": 2}),
        (litellm.exceptions.BadGatewayError, {"model": "failing"}),
        (litellm.AuthenticationError, {"key": "luodi-wrong"}),
    ):
        asked: dict[str, Any] = {"url": url, "key": key} | more
        try:
            ask(**asked)
            raise AssertionError(f"{more} was answered")
        except kind:
            pass


def error_in_a_stream(url: str, key: str) -> None:
    try:
        list(ask(url, key, "a long text " * 20, "broken", stream=True))
        raise AssertionError("the stream ended well")
    except (litellm.APIError, litellm.exceptions.MidStreamFallbackError, litellm.APIConnectionError) as error:
        assert "out of memory" in str(error)


def cancel(url: str, key: str) -> None:
    events = ask(url, key, "a long text " * 50, "slow", stream=True)
    next(events)
    events.completion_stream.close()


def anthropic_chat(url: str, key: str) -> None:
    told = by_messages(url, key)
    assert told.choices[0].message.content == SAID and told.usage.total_tokens == 10
    chunks = list(by_messages(url, key, stream=True))
    assert "".join(k.choices[0].delta.content or "" for k in chunks if k.choices) == SAID


def anthropic_tools(url: str, key: str) -> None:
    call = by_messages(url, key, "Weather?", tools=[TOOL]).choices[0].message.tool_calls[0]
    assert json.loads(call.function.arguments) == {"city": "example"}
    made: Any = litellm.stream_chunk_builder(list(by_messages(url, key, "Weather?", tools=[TOOL], stream=True)))
    assert json.loads(made.choices[0].message.tool_calls[0].function.arguments) == {"city": "example"}


def responses(url: str, key: str) -> None:
    told: Any = litellm.responses(model="openai/chat", input=WORDS, api_base=f"{url}/v1", api_key=key)
    assert told.output[0].content[0].text == SAID
    events = list(litellm.responses(model="openai/chat", input=WORDS, api_base=f"{url}/v1", api_key=key, stream=True))
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == SAID


def embeddings(url: str, key: str) -> None:
    told = litellm.embedding(model="openai/chat", input=["one", "two"], api_base=f"{url}/v1", api_key=key)
    assert len(told.data) == 2 and len(told.data[0]["embedding"]) == 8


def completions(url: str, key: str) -> None:
    told: Any = litellm.text_completion(
        model="text-completion-openai/chat", prompt=WORDS, api_base=f"{url}/v1", api_key=key, max_tokens=50
    )
    assert told.choices[0].text == SAID


if __name__ == "__main__":
    run([
        chat, stream, tools, schema, errors, error_in_a_stream, cancel, anthropic_chat, anthropic_tools, responses,
        embeddings, completions,
    ])  # fmt: skip
