"""Packs of controls: one YAML file each, those of Luodi and those of a project's `compliance` folder."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from luodi.errors import ProjectError

FOLDER = "compliance"
_KINDS = ("measure", "card", "part", "check", "option", "fact", "design", "draft")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Both(_Part):
    """A text in English and Chinese."""

    en: str
    zh: str


class Binding(_Part):
    """One piece of evidence that a control asks for; exactly one of the first eight is given.

    Attributes:
        measure: a measurement of the passport, held against `at_least` or `at_most` on its interval's pessimistic end,
            on `n` items at least. Where the law gives no number it is `gated`: it has to pass the gate that the project
            set before the run. Without a bound it has to be there.
        card: a field of the model or data card, "model: Known limits".
        part: a file of the release.
        check: a check of the guard at the `door`.
        option: of the project, "serve.privacy", with what it `equals` or is `at_least` or `at_most`.
        fact: something that is checked on the spot; see `facts`.
        draft: a document with measured parts; see `drafts`.
        design: what Luodi does for every release. It is told and proves nothing of this one.
    """

    measure: str = ""
    card: str = ""
    part: str = ""
    check: str = ""
    option: str = ""
    fact: str = ""
    draft: str = ""
    design: Both | None = None
    door: Literal["input", "untrusted", "output"] = "input"
    equals: str | bool | int | None = None
    at_least: float | None = None
    at_most: float | None = None
    gated: bool = False
    n: int = 0

    @model_validator(mode="after")
    def _one(self) -> Binding:
        if sum(bool(getattr(self, kind)) for kind in _KINDS) != 1:
            raise ValueError(f"a piece of evidence names one of {', '.join(_KINDS)}")
        return self

    @property
    def kind(self) -> str:
        return next(kind for kind in _KINDS if getattr(self, kind))


class Control(_Part):
    """A clause and what would show that it is kept.

    Attributes:
        basis: "text" if the clause was read, "general-knowledge" if not: then check it before you rely on it.
        automatic: whether evidence can show the whole of it, or a part; the rest is left to people, see `artefact`.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,60}$")]
    instrument: str
    clause: str
    in_force: str = ""
    kind: Literal["gate", "runtime", "artefact", "process"]
    requirement: Both
    artefact: str = ""
    basis: Literal["text", "general-knowledge"]
    automatic: Literal["whole", "part"]
    evidence: list[Binding] = []


class Pack(_Part):
    """The controls of one law or standard."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    title: Both
    controls: list[Control] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> Pack:
        ids = [control.id for control in self.controls]
        if twice := sorted({each for each in ids if ids.count(each) > 1}):
            raise ValueError(f"the control {twice[0]} is there twice")
        return self


def read_pack(source: Path | Traversable) -> Pack:
    """Raises: ProjectError naming the file and the place of a mistake."""
    try:
        loaded: Any = yaml.safe_load(source.read_text(encoding="utf-8"))
        return Pack.model_validate(loaded)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ProjectError(f"{source}: not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ProjectError(f"{source}: {where}: {first['msg']}", "compare with a pack that comes with Luodi") from error


def find_packs(project: Path | None = None) -> dict[str, Pack]:
    """All packs by name; a project's own pack takes the place of one of the same name."""
    built_in = files("luodi.release.compliance").joinpath("packs")
    found = [
        read_pack(each) for each in sorted(built_in.iterdir(), key=lambda p: p.name) if each.name.endswith(".yaml")
    ]
    if project is not None:
        found += [read_pack(path) for path in sorted((project / FOLDER).glob("*.yaml"))]
    return {pack.name: pack for pack in found}


def chosen(names: list[str], project: Path | None = None) -> list[Pack]:
    """Packs by their names, in that order.

    Raises:
        ProjectError: there is no such pack; the message lists those there are.
    """
    packs = find_packs(project)
    if unknown := [name for name in names if name not in packs]:
        raise ProjectError(f"there is no compliance pack {unknown[0]!r}", f"there are {', '.join(packs)}")
    return [packs[name] for name in dict.fromkeys(names)]
