"""What a response puts out: a message and function calls, as items that grow with every piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from luodi.gateway.call import Piece

Event = tuple[str, dict[str, Any]]


class Items:
    """The items of one response. Each stays open until the end, since the guard may let go of text at the very last.

    Attributes:
        annotations: of the message's text.
        status: of every item, once they are done.
    """

    def __init__(self, record: str) -> None:
        self._id = record.removeprefix("rec_")
        self._said: list[str] = []
        self._logprobs: list[dict[str, Any]] = []
        self._items: list[dict[str, Any]] = []  # in the order in which they began
        self._message: dict[str, Any] | None = None
        self._calls: dict[int, dict[str, Any]] = {}
        self.annotations: list[dict[str, Any]] = []
        self.status = "completed"

    @property
    def text(self) -> str:
        return "".join(self._said)

    def feed(self, piece: Piece) -> Iterator[Event]:
        """The events of a piece."""
        if piece.text or piece.logprobs:
            if self._message is None:
                yield from self._begin_message()
            assert self._message is not None
            self._said.append(piece.text)
            logprobs = list((piece.logprobs or {}).get("content") or [])
            self._logprobs += logprobs
            yield "response.output_text.delta", self._place(self._message) | {
                "content_index": 0, "delta": piece.text, "logprobs": logprobs,
            }  # fmt: skip
        if piece.tool is not None:
            yield from self._call(piece.tool)

    def _begin_message(self) -> Iterator[Event]:
        item = {"id": f"msg_{self._id}", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        self._message = item
        yield self._added(item)
        place = self._place(item) | {"content_index": 0}
        yield (
            "response.content_part.added",
            place | {"part": {"type": "output_text", "text": "", "annotations": [], "logprobs": []}},
        )

    def _call(self, tool: dict[str, Any]) -> Iterator[Event]:
        item = self._calls.get(tool["index"])
        if item is None:
            item = self._calls[tool["index"]] = {
                "id": f"fc_{self._id}_{tool['index']}", "type": "function_call", "status": "in_progress",
                "call_id": tool["id"] or f"call_{self._id}_{tool['index']}", "name": tool["name"], "arguments": "",
            }  # fmt: skip
            yield self._added(item)
        if tool["arguments"]:
            item["arguments"] += tool["arguments"]
            yield "response.function_call_arguments.delta", self._place(item) | {"delta": tool["arguments"]}

    def _added(self, item: dict[str, Any]) -> Event:
        self._items.append(item)
        return "response.output_item.added", {"output_index": len(self._items) - 1, "item": dict(item)}

    def _place(self, item: dict[str, Any]) -> dict[str, Any]:
        return {"item_id": item["id"], "output_index": self._items.index(item)}

    def done(self) -> list[dict[str, Any]]:
        """The whole items."""
        return [self._whole(item) for item in self._items]

    def _whole(self, item: dict[str, Any]) -> dict[str, Any]:
        if item["type"] == "message":
            return item | {"status": self.status, "content": [self._part()]}
        return item | {"status": self.status}

    def _part(self) -> dict[str, Any]:
        return {
            "type": "output_text", "text": self.text, "annotations": self.annotations, "logprobs": self._logprobs,
        }  # fmt: skip

    def finish(self) -> Iterator[Event]:
        """The events that close every item."""
        for index, item in enumerate(self._items):
            place = {"item_id": item["id"], "output_index": index}
            if item["type"] == "message":
                text = place | {"content_index": 0}
                for n, note in enumerate(self.annotations):
                    yield "response.output_text.annotation.added", text | {"annotation_index": n, "annotation": note}
                yield "response.output_text.done", text | {"text": self.text, "logprobs": self._logprobs}
                yield "response.content_part.done", text | {"part": self._part()}
            else:
                yield "response.function_call_arguments.done", place | {
                    "name": item["name"], "arguments": item["arguments"],
                }  # fmt: skip
            yield "response.output_item.done", {"output_index": index, "item": self._whole(item)}
