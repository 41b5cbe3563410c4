"""What the MCP server offers, in the protocol's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luodi.gateway.call import Call, Reply
from luodi.gateway.surfaces.base import luodi_part
from luodi.gateway.tools import Tool

if TYPE_CHECKING:
    from luodi.gateway.served import Served
    from luodi.guard import Guard

ASK, SEARCH = "ask", "search_documents"
LONGEST = 20_000  # characters of a question
Json = dict[str, Any]

_QUESTION: Json = {
    "type": "string",
    "minLength": 1,
    "maxLength": LONGEST,
    "description": "One question, as one asks a person.",
}
_USER: Json = {"type": "string", "maxLength": 190, "description": "Who asks, for whoever asks for several people."}
_INPUT: Json = {
    "type": "object",
    "properties": {"question": _QUESTION, "user": _USER},
    "required": ["question"],
    "additionalProperties": False,
}
_TEXT: Json = {"type": "string"}
_OBJECTS: Json = {"type": "array", "items": {"type": "object"}}
_ANSWER: Json = {
    "type": "object",
    "properties": {
        "answer": _TEXT, "kind": _TEXT, "release": _TEXT, "record": _TEXT, "citations": _OBJECTS, "nearest": _OBJECTS,
        "checks": _OBJECTS, "label": {"type": "object"},
    },
    "required": ["answer", "kind", "release", "record", "citations"],
}  # fmt: skip
_PASSAGES: Json = {
    "type": "object",
    "properties": {"passages": _OBJECTS, "release": _TEXT, "record": _TEXT},
    "required": ["passages", "release", "record"],
}


def own_tools(served: Served) -> list[Json]:
    """The tools of the release itself, as the protocol lists them."""
    reads = {"readOnlyHint": True, "destructiveHint": False, "openWorldHint": False}
    return [
        {
            "name": ASK, "title": f"Ask {served.name}", "inputSchema": _INPUT, "outputSchema": _ANSWER,
            "annotations": reads,
            "description": f"Answers one question from the documents of {served.name}. Every sentence is checked "
            "against a passage and cited; where the documents do not say, the answer says so.",
        },
        {
            "name": SEARCH, "title": f"Search the documents of {served.name}", "inputSchema": _INPUT,
            "outputSchema": _PASSAGES, "annotations": reads,
            "description": f"Finds the passages of the documents of {served.name} that are nearest to a question. "
            "No answer is written.",
        },
    ]  # fmt: skip


def imported(tool: Tool, guard: Guard) -> Json:
    """An imported tool. Descriptions that read like instructions to the reader are left out: a file from elsewhere
    must not steer who reads the list."""
    operation = tool.operation
    reads = operation.method in ("get", "head", "options")
    schema, description = operation.schema, operation.description
    if guard.check_untrusted("\n".join([description, *_prose(schema)])).stops:
        schema, description = _bare(schema), f"{operation.method.upper()} {operation.path}"
    return {
        "name": tool.name, "description": description, "inputSchema": schema,
        "annotations": {"readOnlyHint": reads, "destructiveHint": not reads, "openWorldHint": True},
    }  # fmt: skip


_SAID = ("description", "title", "default")


def _prose(value: Any) -> list[str]:
    """All texts of a schema that are meant for its reader."""
    if isinstance(value, list):
        return [text for part in value for text in _prose(part)]
    if not isinstance(value, dict):
        return []
    own = [v for k, v in value.items() if k in _SAID and isinstance(v, str)]
    return own + [text for part in value.values() for text in _prose(part)]


def _bare(value: Any, *, named: bool = False) -> Any:
    """A schema without such texts. Inside `properties` and `$defs` (`named`) the keys are names."""
    if isinstance(value, list):
        return [_bare(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        k: _bare(v, named=not named and k in ("properties", "$defs", "dependentSchemas"))
        for k, v in value.items()
        if named or k not in _SAID
    }


def answer_of(call: Call, reply: Reply, text: str) -> tuple[list[str], Json]:
    """(texts, structured content) of an answer: with its sources and the label that it is generated."""
    part = luodi_part(call, reply)
    kept = {k: part[k] for k in ("kind", "release", "record", "citations", "nearest", "checks", "label")}
    sources = [f"[{c.number}] {c.title} ({c.path}:{c.line})" for c in reply.outcome.citations]
    label = str(part["label"].get("text", ""))
    return [text, "\n".join([*sources, label]).strip()], {"answer": text} | kept


def passages_of(call: Call) -> tuple[list[str], Json]:
    """(texts, structured content) of a search. The guard has seen the passages: the step that found them asks it."""
    passages = [
        {"number": n, "title": h.chunk.title, "text": h.chunk.text, "source": h.chunk.source, "path": h.chunk.path,
         "line": h.chunk.line, "row_id": h.chunk.row_id, "score": round(h.score, 4)}
        for n, h in enumerate(call.hits, 1)
    ]  # fmt: skip
    texts = [f"[{p['number']}] {p['title']} ({p['path']}:{p['line']})\n{p['text']}" for p in passages]
    found = {"passages": passages, "release": call.release.release, "record": call.id}
    return texts or ["No passage was found."], found
