"""Writes the tables of docs/*/project-file.md from the typed project file, between markers; --check compares."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from luodi.project.gates import Gate, Waiver
from luodi.project.model import (
    BaseModelSource,
    CategorySpec,
    CheckSpec,
    Machine,
    ModelSpec,
    Project,
    Source,
    Tokens,
    ToolSpec,
    UpstreamSpec,
    WebhookSpec,
)

ROOT = Path(__file__).resolve().parent.parent
MARK = re.compile(r"(<!-- options -->\n).*?(<!-- end of options -->)", re.S)


def parts() -> dict[str, type[BaseModel]]:
    """Every part of the project file, by the name it has there."""
    found: dict[str, type[BaseModel]] = {"luodi.yaml": Project}
    for name, field in Project.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found[name] = kind
            for inner, part in kind.model_fields.items():
                if isinstance(part.annotation, type) and issubclass(part.annotation, BaseModel):
                    found[f"{name}.{inner}"] = part.annotation
    found["base"] = BaseModelSource
    return found | {
        "a check (of guard.checks)": CheckSpec,
        "a category (of a check)": CategorySpec,
        "a model (of serve.models)": ModelSpec,
        "an upstream (of a model)": UpstreamSpec,
        "a webhook (of serve.webhooks)": WebhookSpec,
        "a tool (of serve.tools)": ToolSpec,
        "a price by tokens": Tokens,
        "a price by the hour": Machine,
        "a source (of knowledge, data or guard)": Source,
        "a gate (gates.yaml)": Gate,
        "a waiver (gates.yaml)": Waiver,
    }


def default(field: Any) -> str:
    if field.default is PydanticUndefined:
        return "required" if field.is_required() else ""
    value = (field.json_schema_extra or {}).get("default", field.default)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, BaseModel):
        return "see below"
    if value is None or value == "" or value == []:
        return "–"
    if isinstance(value, list):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`"


def tables() -> str:
    text = []
    for name, model in parts().items():
        text.append(f"### {name}\n\n| option | default | what it is |\n|--|--|--|")
        for option, field in model.model_fields.items():
            text.append(f"| `{option}` | {default(field)} | {(field.description or '').replace('|', '/')} |")
        text.append("")
    return "\n".join(text)


def main() -> int:
    stale = []
    for path in sorted(ROOT.glob("docs/*/project-file.md")):
        old = path.read_text("utf-8")
        new = MARK.sub(lambda m: m[1] + "\n" + tables() + "\n" + m[2], old)
        if new != old:
            stale.append(str(path.relative_to(ROOT)))
            if "--check" not in sys.argv:
                path.write_text(new, "utf-8")
    if stale and "--check" in sys.argv:
        print("out of date, run scripts/document_options.py: " + ", ".join(stale))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
