"""A suite: a folder with what is asked and how answers are scored.

suite.yaml    name, promise, scorer, licence, languages, digest of the items, variants
items.jsonl   one item a line: prompt, and what its scorer needs (reference, choices, schema, refuse, place)
prompt.md     how an item is put to the model; {prompt} stands for it (optional)
scorer.py     def score(item, answer) -> float, where `scorer: own` (optional)
synonyms.csv  word,synonym, for the variant of that name (optional)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from luodi.errors import SourceError
from luodi.guard import normalise
from luodi.knowledge import language_of
from luodi.project import Promise, Source
from luodi.project.reading import read_yaml
from luodi.store import digest_bytes

SUITE, ITEMS, PROMPT = "suite.yaml", "items.jsonl", "prompt.md"
_MOST = 100_000  # items
_LINE = 1 << 20  # bytes


class SuiteFile(BaseModel):
    """A whole `suite.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$", description="the measurement's name")]
    promise: Promise = "fit"
    scorer: str = Field(
        description="exact, f1, choice, json, refusal, citation, abstention, own, or one of an entry point"
    )
    licence: str = Field(description="SPDX identifier of the items' licence")
    languages: list[Literal["en", "zh"]] = []
    digest: str = Field("", description="BLAKE3 of items.jsonl; checked where it is given")
    asks: Literal["model", "documents"] = Field("model", description="the bare model, or with passages of the index")
    max_tokens: int = Field(64, ge=1, le=8192)
    variants: list[str] = Field([], description="transformations that are measured beside the clean items")
    judge: str = Field("phrases", description="of refusals: phrases, or the URL of an OpenAI-compatible server")
    labels: list[Source] = Field([], description="human labels of the scorer's judge")


class SuiteItem(BaseModel):
    """One item. `id` is made of its prompt and context where none is given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: Annotated[str, Field(min_length=1)]
    id: str = ""
    context: str = ""
    reference: str | list[str] | None = None
    choices: list[str] = []
    answer: int | None = None
    json_schema: dict[str, Any] | None = None
    refuse: bool | None = None
    place: tuple[str, str] | None = None
    language: Literal["en", "zh", ""] = ""
    cluster: str = ""

    @property
    def references(self) -> list[str]:
        return [self.reference] if isinstance(self.reference, str) else list(self.reference or [])


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite that has been read: its file, its distinct items, and how it puts them."""

    about: SuiteFile
    items: tuple[SuiteItem, ...]
    digest: str
    prompt: str = "{prompt}"
    folder: Path | None = None
    repeats: int = 0
    synonyms: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.about.name

    def put(self, item: SuiteItem) -> str:
        """What the model is asked."""
        asked = f"{item.context}\n\n{item.prompt}" if item.context else item.prompt
        return self.prompt.replace("{prompt}", asked)


def read_suite(folder: Path) -> Suite:
    """The suite in a folder.

    Raises:
        ProjectError: a mistake in suite.yaml.
        SourceError: the items can't be read, or are not those that the digest names.
    """
    about = read_yaml(folder / SUITE, SuiteFile)
    path = folder / ITEMS
    try:
        data = path.read_bytes()
        prompt = (folder / PROMPT).read_text("utf-8") if (folder / PROMPT).is_file() else "{prompt}"
    except OSError as error:
        raise SourceError(
            f"{path} can't be read: {error.strerror}", "a suite has suite.yaml and items.jsonl"
        ) from error
    digest = digest_bytes(data)
    if about.digest and about.digest != digest:
        raise SourceError(
            f"{path}: the items are not those of suite.yaml", f"their digest is {digest}; write that if they are meant"
        )
    if "{prompt}" not in prompt:
        raise SourceError(f"{folder / PROMPT} does not say where the item stands", "write {prompt} there")
    items = [
        _item(path, n, line) for n, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1) if line.strip()
    ]
    return make_suite(about, items, digest, prompt=prompt, folder=folder, synonyms=_synonyms(folder))


def _item(path: Path, number: int, line: str) -> SuiteItem:
    try:
        if len(line) > _LINE:
            raise ValueError("the line is longer than 1 MB")
        return SuiteItem.model_validate(json.loads(line))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SourceError(f"{path}:{number}: {where}: {first['msg'].lower()}", "see docs/en/evaluate.md") from error
    except ValueError as error:
        raise SourceError(f"{path}:{number}: {error}", "one JSON object a line") from error


def _synonyms(folder: Path) -> dict[str, str]:
    path = folder / "synonyms.csv"
    if not path.is_file():
        return {}
    pairs = [line.partition(",") for line in path.read_text("utf-8").splitlines() if "," in line]
    return {word.strip(): other.strip() for word, _, other in pairs if word.strip() and other.strip()}


def make_suite(
    about: SuiteFile, items: Iterable[SuiteItem], digest: str, *, prompt: str = "{prompt}", folder: Path | None = None,
    synonyms: Mapping[str, str] | None = None,
) -> Suite:  # fmt: skip
    """A suite of items that are distinct after normalising; the others are counted as repeats.

    Raises:
        SourceError: no items, too many, or one that its scorer can't score.
    """
    from luodi.evaluate.suites.scorers import needs

    known: dict[str, SuiteItem] = {}
    read = 0
    for item in items:
        read += 1
        if read > _MOST:
            raise SourceError(f"suite {about.name}: more than {_MOST:,} items", "part it into several")
        if missing := needs(about.scorer, item):
            raise SourceError(
                f"suite {about.name}: item {read} has no {missing}", f"the scorer {about.scorer} needs it"
            )
        form = normalise(f"{item.context}\n{item.prompt}\n{json.dumps(item.choices)}")
        name = item.id or digest_bytes(form.encode())[:16]
        language = item.language or language_of(item.prompt)
        known.setdefault(form, item.model_copy(update={"id": name, "language": language}))
    if not known:
        raise SourceError(f"suite {about.name} has no items", "one JSON object a line in items.jsonl")
    found = tuple(known.values())
    if len({i.id for i in found}) < len(found):
        raise SourceError(f"suite {about.name}: two different items have one id", "leave `id` out, or tell them apart")
    return Suite(about, found, digest, prompt, folder, read - len(found), synonyms or {})
