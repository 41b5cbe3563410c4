"""OpenAPI files become tools; hostile ones become errors."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from shop import document

from luodi.errors import ProjectError
from luodi.gateway.tools import Tool, open_tools
from luodi.gateway.tools.document import read_document
from luodi.gateway.tools.schema import mistake

BASE = {"name": "shop", "base_url": "https://shop.example/api"}


def opened(path: Path, *allow: str, **more: Any) -> dict[str, Tool]:
    return open_tools([BASE | {"openapi": str(path), "allow": list(allow)} | more])


def written(tmp_path: Path, value: Any, name: str = "api.json") -> Path:
    path = tmp_path / name
    path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
    return path


def one(tmp_path: Path, schema: Any, **components: Any) -> Tool:
    """A tool whose body is of this schema."""
    body = {"content": {"application/json": {"schema": schema}}}
    value = {
        "openapi": "3.1.0", "paths": {"/x": {"post": {"operationId": "x", "requestBody": body}}},
        "components": {"schemas": components},
    }  # fmt: skip
    return opened(written(tmp_path, value), "x", writes=True)["shop_x"]


def test_only_allowed_operations_become_tools(tmp_path: Path) -> None:
    path = written(tmp_path, document())
    found = opened(path, "getOrder", "findOrders")
    assert list(found) == ["shop_getOrder", "shop_findOrders"]
    assert found["shop_getOrder"].base == "https://shop.example/api"  # and not the file's own `servers`
    schema = found["shop_getOrder"].operation.schema
    assert schema["required"] == ["id"] and schema["additionalProperties"] is False
    with pytest.raises(ProjectError, match="no operation 'dropTables'"):
        opened(path, "dropTables")


def test_operations_that_write_need_leave(tmp_path: Path) -> None:
    path = written(tmp_path, document())
    for id in ("deleteOrder", "makeOrder"):
        with pytest.raises(ProjectError, match=id) as told:
            opened(path, id)
        assert "writes: true" in told.value.hint
        assert opened(path, id, writes=True)


def test_yaml_and_both_versions(tmp_path: Path) -> None:
    import yaml

    text = yaml.safe_dump(document(openapi="3.1.0"))
    assert opened(written(tmp_path, text, "api.yaml"), "getOrder")
    text = "openapi: 3.0.1\npaths:\n  /x:\n    get:\n      operationId: x\n      responses: {200: {description: ok}}\n"
    assert opened(written(tmp_path, text, "int.yaml"), "x")["shop_x"].operation.method == "get"


def test_a_schema_that_holds_itself_is_kept_once(tmp_path: Path) -> None:
    tool = opened(written(tmp_path, document()), "makeOrder", writes=True)["shop_makeOrder"]
    schema = tool.operation.schema
    assert schema["$defs"]["Gift"]["type"] == ["object", "null"]
    assert schema["$defs"]["Gift"]["properties"]["inside"] == {"$ref": "#/$defs/Gift"}
    deep: dict[str, Any] = {}
    for _ in range(30):
        deep = {"inside": deep}
    assert mistake(schema, {"body": {"item": "tea", "count": 1, "gift": deep}}) == ""
    assert mistake(schema, {"body": {"item": "tea", "count": 1, "gift": None}}) == ""
    assert mistake(schema, {"body": {"item": "tea", "count": 10}}) == "body.count: maximum 9"
    assert mistake(schema, {"body": {"item": "TEA", "count": 1}}) == 'body.item: pattern "^[a-z]+$"'
    assert mistake(schema, {"body": {"item": "tea", "count": 1, "price": 0}}) == "body: additionalProperties false"
    assert mistake(schema, {}) == 'the arguments: required ["body"]'


@pytest.mark.parametrize(
    "ref", ["https://evil.example/schema.json", "file:///etc/passwd", "other.yaml#/X", "../x.json", "#/nowhere", "#", 7]
)
def test_references_to_the_outside(tmp_path: Path, ref: Any) -> None:
    with pytest.raises(ProjectError, match="reference"):
        one(tmp_path, {"$ref": ref})


def test_references_in_circles(tmp_path: Path) -> None:
    value = document()
    value["components"]["parameters"] = {"A": {"$ref": "#/components/parameters/B"},
                                         "B": {"$ref": "#/components/parameters/A"}}  # fmt: skip
    value["paths"]["/orders"]["get"]["parameters"] = [{"$ref": "#/components/parameters/A"}]
    with pytest.raises(ProjectError, match="itself"):
        opened(written(tmp_path, value), "findOrders")
    tool = one(tmp_path, {"$ref": "#/components/schemas/A"}, A={"allOf": [{"$ref": "#/components/schemas/A"}]})
    assert "circles" in mistake(tool.operation.schema, {"body": 1})


def test_a_schema_that_unfolds_without_end_is_cut_off(tmp_path: Path) -> None:
    refs = {f"L{n}": {"allOf": [{"$ref": f"#/components/schemas/L{n + 1}"}] * 10} for n in range(12)}
    tool = one(tmp_path, {"$ref": "#/components/schemas/L0"}, **refs, L12={"type": "string"})
    began = time.monotonic()
    assert "too long" in mistake(tool.operation.schema, {"body": "x"})
    twice = {"anyOf": [{"properties": {"a": {"$ref": "#/components/schemas/T"}}, "required": ["b"]}] * 3}
    tool = one(tmp_path, {"$ref": "#/components/schemas/T"}, T=twice)
    value: Any = {"b": 1}
    for _ in range(40):
        value = {"a": value}
    assert mistake(tool.operation.schema, {"body": value})
    assert time.monotonic() - began < 5


def test_a_pattern_can_not_hold_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tool = one(tmp_path, {"type": "string", "pattern": "^(a+)+$"})
    began = time.monotonic()
    assert "pattern" in mistake(tool.operation.schema, {"body": "a" * 50_000 + "!"})
    assert time.monotonic() - began < 1
    one(tmp_path, {"type": "string", "pattern": "(?=look)"})
    assert "not checked" in caplog.text


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"openapi: 3.0.0\n{LAUGHS}", "alias"),
        ("openapi: 3.0.0\npaths: &p {x: *p}\n", "alias"),
        ("openapi: 3.0.0\nx: !!python/object/apply:os.system ['true']\n", "no YAML"),
        ("openapi: 3.0.0\npaths: [\n", "no YAML"),
        ("openapi: 3.0.0\nx: " + "[" * 500 + "]" * 500 + "\n", "nested|no JSON"),
        ('{"openapi": "3.0.0", "x": ' + "[" * 90_000 + "]" * 90_000 + "}", "no JSON"),
        ('{"openapi": "3.0.0", "x": ' + "[" * 90 + "]" * 90 + "}", "nested"),
        ('{"openapi": "3.0.0", "x": NaN}', "JSON has not"),
        ('{"swagger": "2.0"}', "no OpenAPI"),
        ("just text", "no OpenAPI"),
        ("- openapi: 3.0.0\n", "no OpenAPI"),
        ("", "no OpenAPI"),
        ("openapi: 3.0.0\nx: !!binary aGk=\n", "JSON has not"),
    ],
)
def test_hostile_files(tmp_path: Path, text: str, says: str) -> None:
    began = time.monotonic()
    with pytest.raises(ProjectError, match=says):
        read_document(written(tmp_path, text, "api.yaml"))
    assert time.monotonic() - began < 2


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="can't be read"):
        read_document(tmp_path / "none.json")
    path = tmp_path / "latin.json"
    path.write_bytes(b'{"openapi": "3.0.0", "x": "\xe9"}')
    with pytest.raises(ProjectError, match="UTF-8"):
        read_document(path)
    path.write_bytes(b" " * (5 << 20))
    with pytest.raises(ProjectError, match="larger"):
        read_document(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"/../admin": {"get": {"operationId": "x"}}}, "its path"),
        ({"//evil": {"get": {"operationId": "x", "parameters": []}}, "evil.example": {"get": {"operationId": "y"}}}, ""),
        ({"/a?b=c": {"get": {"operationId": "x"}}}, "its path"),
        ({"/{a}": {"get": {"operationId": "x"}}}, "parameters of its path"),
        ({"/x": {"get": {"operationId": "x", "parameters": [{"name": "a", "in": "cookie", "required": True}]}}}, "cookie"),
        ({"/x": {"get": {"operationId": "x", "parameters": [{"name": "host", "in": "header", "required": True}]}}}, "host"),
        ({"/x": {"get": {"operationId": "x", "parameters": [{"name": "a\r\nb", "in": "header"}]}}}, "no name"),
        ({"/x": {"get": {"operationId": "x", "parameters": [{"name": "a", "in": "query", "style": "deepObject"}]}}}, "style"),
        ({"/x": {"post": {"operationId": "x", "requestBody": {"content": {"text/plain": {}}}}}}, "not JSON"),
        ({"/x": {"get": {"operationId": "x", "parameters": ["a"]}}}, "no object"),
        ({"/x": {"get": {"operationId": "x", "parameters": [{"name": "a", "in": "query", "schema": {"type": "what"}}]}}}, "schema"),
    ],
)  # fmt: skip
def test_operations_that_can_not_be_tools(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = written(tmp_path, document(paths=change))
    if not says:
        assert opened(path, "x")["shop_x"].operation.request({}).target == "//evil"
        with pytest.raises(ProjectError, match="its path"):
            opened(path, "y")
        return
    with pytest.raises(ProjectError, match=says):
        opened(path, "x", writes=True)


def test_the_base_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, document())
    for base in ("http://shop.example", "https://169.254.169.254/latest", "https://u:p@shop.example", "https://s/?x=1"):
        with pytest.raises(ProjectError):
            opened(path, "getOrder", base_url=base)
    monkeypatch.delenv("SHOP_KEY", raising=False)
    with pytest.raises(ProjectError, match="SHOP_KEY is not set"):
        opened(path, "getOrder", auth="env:SHOP_KEY")
    monkeypatch.setenv("SHOP_KEY", "s3cret-of-the-shop")
    assert "s3cret" not in repr(opened(path, "getOrder", auth="env:SHOP_KEY"))
