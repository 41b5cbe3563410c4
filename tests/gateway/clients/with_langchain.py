"""What LangChain's OpenAI classes do with the gateway."""

from __future__ import annotations

import os
from typing import Any

os.environ["LANGSMITH_TRACING"] = "false"

import openai
from harness import ANSWER, CITY, SAID, WORDS, Q, run
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import BaseModel

TOOL = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": CITY}}


class Place(BaseModel):
    """Where it is."""

    city: str
    degrees: int


def model(url: str, key: str, name: str = "chat", **more: Any) -> ChatOpenAI:
    return ChatOpenAI(base_url=f"{url}/v1", api_key=key, model=name, max_retries=0, **more)


def chat(url: str, key: str) -> None:
    assert model(url, key, "helpdesk").invoke(Q).content == ANSWER
    told = model(url, key, temperature=0.3).invoke([("system", "be kind"), ("user", WORDS)])
    assert told.content == SAID and told.usage_metadata is not None and told.usage_metadata["total_tokens"] == 12
    assert told.response_metadata["finish_reason"] == "stop"


def stream(url: str, key: str) -> None:
    chunks = list(model(url, key, stream_usage=True).stream(WORDS))
    assert "".join(str(k.content) for k in chunks) == SAID
    assert [k.usage_metadata["output_tokens"] for k in chunks if k.usage_metadata] == [6]


def tools(url: str, key: str) -> None:
    bound = model(url, key).bind_tools([TOOL])
    asked = HumanMessage("Weather?")
    first: Any = bound.invoke([asked])
    assert first.tool_calls[0]["args"] == {"city": "example"}
    again = bound.invoke([asked, first, ToolMessage("cold", tool_call_id=first.tool_calls[0]["id"])])
    assert again.content == "The tool said: cold"
    whole: Any = None
    for chunk in bound.stream([asked]):
        whole = chunk if whole is None else whole + chunk
    assert whole.tool_calls[0]["args"] == {"city": "example"}


def schema(url: str, key: str) -> None:
    for method in ("json_schema", "function_calling"):
        made = model(url, key).with_structured_output(Place, method=method).invoke("Where?")  # type: ignore[arg-type]
        assert made == Place(city="example", degrees=3)


def errors(url: str, key: str) -> None:
    for kind, sent in (
        (openai.NotFoundError, model(url, key, "gpt-5")),
        (openai.AuthenticationError, model(url, "luodi-wrong")),
        (openai.InternalServerError, model(url, key, "failing")),
    ):
        try:
            sent.invoke(WORDS)
            raise AssertionError("it was answered")
        except kind:
            pass
    try:
        list(model(url, key, "broken").stream("a long text " * 20))
        raise AssertionError("the stream ended well")
    except openai.APIError as error:
        assert "out of memory" in str(error)


def cancel(url: str, key: str) -> None:
    events = model(url, key, "slow").stream("a long text " * 50)
    next(events)
    events.close()  # type: ignore[attr-defined]


def responses(url: str, key: str) -> None:
    by = model(url, key, use_responses_api=True)
    assert by.invoke(WORDS).text == SAID
    assert "".join(k.text for k in by.stream(WORDS)) == SAID
    first: Any = by.bind_tools([TOOL]).invoke("Weather?")
    assert first.tool_calls[0]["args"] == {"city": "example"}


def embeddings(url: str, key: str) -> None:
    made = OpenAIEmbeddings(base_url=f"{url}/v1", api_key=key, model="chat", check_embedding_ctx_length=False)
    assert [len(v) for v in made.embed_documents(["one", "two"])] == [8, 8]


def completions(url: str, key: str) -> None:
    old = OpenAI(base_url=f"{url}/v1", api_key=key, model="chat", max_retries=0)
    assert old.batch([WORDS, "hello"]) == [SAID, "You said: hello"]
    assert "".join(old.stream(WORDS)) == SAID


if __name__ == "__main__":
    run([chat, stream, tools, schema, errors, cancel, responses, embeddings, completions])
