"""Reading a YAML file into a typed model, so that every mistake comes with its file, line and what was expected."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from luodi.errors import ProjectError

Model = TypeVar("Model", bound=BaseModel)
Place = tuple[str | int, ...]
_LIMIT = 1 << 20  # bytes; a project file is written by people
_VALUES = 50_000  # values in one file; aliases can make a small file expand to billions
_DEPTH = 100  # the C loader composes recursively and would overflow the stack
_TAG = "tag:yaml.org,2002:"
_TAGS = {_TAG + kind for kind in ("str", "int", "float", "bool", "null", "timestamp")}
_SHOWN = 80  # characters of a wrong value in a message

try:
    _Loader: Any = yaml.CSafeLoader
except AttributeError:
    _Loader = yaml.SafeLoader


def _mistake(problem: str, at: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=at.start_mark)


def _compose(text: str) -> yaml.Node | None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            raise _mistake(f"nested more than {_DEPTH} deep", event)
    node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    return node


def _build(
    node: yaml.Node, place: Place, lines: dict[Place, int], problems: list[tuple[int, str]], scalars: Any
) -> Any:
    """Plain values from a YAML node, noting the line of each place: its name's line, where it has one."""
    lines.setdefault(place, node.start_mark.line + 1)
    if len(lines) > _VALUES:
        raise yaml.YAMLError(f"more than {_VALUES} values")
    if isinstance(node, yaml.MappingNode):
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _mistake("a list or mapping can't be a name", key_node)
            key = _scalar(key_node, scalars)
            if not isinstance(key, str):
                problems.append((key_node.start_mark.line + 1, f"{_short(key)} is not a name; put it in quotes"))
                key = str(key)
            if key in result:
                problems.append((key_node.start_mark.line + 1, f"{_short(key)} is said twice"))
            lines[(*place, key)] = key_node.start_mark.line + 1
            result[key] = _build(value_node, (*place, key), lines, problems, scalars)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*place, i), lines, problems, scalars) for i, item in enumerate(node.value)]
    return _scalar(node, scalars)


def _scalar(node: yaml.Node, scalars: Any) -> Any:
    kind = node.tag.removeprefix(_TAG)
    if node.tag not in _TAGS:
        raise _mistake(f"{_short(node.value)} ({kind}) can't be used here", node)
    try:
        value = scalars.construct_object(node)
    except (ValueError, KeyError, IndexError, OverflowError, AttributeError) as error:
        raise _mistake(f"{_short(node.value)} is not a valid {kind}", node) from error
    if isinstance(value, int) and value.bit_length() > 64:
        raise _mistake("a number of more than 64 bits", node)
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _known(model: type[BaseModel], place: Place) -> list[str]:
    """The keys that are allowed where `place`'s last part stands."""
    current: Any = model
    for part in place[:-1]:
        if isinstance(part, int):
            continue
        field = getattr(current, "model_fields", {}).get(part)
        if field is None:
            return []
        current = _inner_model(field.annotation)
    return list(getattr(current, "model_fields", {}))


def _inner_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _inner_model(argument)
        if found is not None:
            return found
    return None


def _explain(model: type[BaseModel], error: Any, place: Place) -> str:
    where = ".".join(str(p)[:_SHOWN] for p in place)
    if error["type"] == "extra_forbidden":
        known = _known(model, place)
        close = difflib.get_close_matches(str(place[-1]), known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
        return f"{where} is not an option; {hint}"
    if error["type"] == "missing":
        return f"{where} is missing"
    if error["type"] in ("model_type", "model_attributes_type"):
        return f"{where}: {_short(error['input'])}: expected names with values"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{where}: {message}" if where else message
    return f"{where}: {_short(error['input'])}: {message[0].lower() + message[1:]}"


def read_yaml(path: Path, model: type[Model]) -> Model:
    """Read `path` as `model`.

    Raises:
        ProjectError: names every mistake as FILE:LINE: PLACE: what is wrong and what was expected.
    """
    name = path.name
    try:
        if path.stat().st_size > _LIMIT:
            raise ProjectError(
                f"{name} is larger than {_LIMIT >> 20} MB", "a project file is short; keep data in files of its own"
            )
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise ProjectError(
            f"there is no {name} in {path.parent.resolve()}", "`luodi new NAME --template support` makes a project"
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ProjectError(
            f"{name}:{line}: not UTF-8 (byte {error.object[error.start]:#04x})", "save the file as UTF-8"
        ) from error
    except OSError as error:
        raise ProjectError(f"{name} can't be read: {error.strerror}") from error
    lines: dict[Place, int] = {}
    problems: list[tuple[int, str]] = []
    try:
        node = _compose(text)
        if node is None:
            raise ProjectError(f"{name} is empty", "the least it can say is: name: helpdesk")
        data = _build(node, (), lines, problems, yaml.SafeLoader(""))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        if isinstance(error, yaml.reader.ReaderError):  # it knows the byte only
            line += text.encode()[: error.position].count(b"\n")
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        raise ProjectError(f"{name}:{line}: not YAML: {what}") from error
    except RecursionError as error:
        raise ProjectError(f"{name}: nested too deep") from error
    if not isinstance(data, dict):
        raise ProjectError(f"{name}:1: expected names with values, found {type(data).__name__}")
    value: Model | None = None
    try:
        value = model.model_validate(data)
    except ValidationError as error:
        for item in error.errors():
            place: Place = tuple(item["loc"])
            line = next((lines[place[:n]] for n in range(len(place), -1, -1) if place[:n] in lines), 1)
            problems.append((line, _explain(model, item, place)))
    if problems or value is None:
        raise ProjectError("\n".join(f"{name}:{line}: {what}" for line, what in sorted(problems)))
    return value
