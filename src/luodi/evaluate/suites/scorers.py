"""Scorers: from an item and an answer to a score between 0 and 1.

Ours, those that packages register under the entry-point group `luodi.scorers`, and a suite's own scorer.py.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from luodi.errors import LuodiError, SourceError, require
from luodi.evaluate.scoring import cites, word_f1
from luodi.evaluate.suites.suite import Suite, SuiteItem
from luodi.guard import normalise
from luodi.knowledge import Hit, says_unknown


@dataclass(frozen=True, slots=True)
class Answered:
    """What a model said, and the passages that it was shown."""

    text: str
    hits: Sequence[Hit] = ()


Scorer = Callable[[SuiteItem, Answered], float]
_EDGE = re.compile(r"^[\s\"'“”‘’《》().,!?。，！？：:;；]+|[\s\"'“”‘’《》().,!?。，！？：:;；]+$")
_NEEDS = {"exact": "reference", "f1": "reference", "choice": "choices", "json": "json_schema", "refusal": "refuse",
          "citation": "place", "abstention": "reference"}  # fmt: skip
JUDGED = "refusal"
CHOICE = "choice"


def needs(scorer: str, item: SuiteItem) -> str:
    """What the scorer needs and the item lacks; "" if nothing."""
    name = _NEEDS.get(scorer, "")
    if scorer == "abstention":
        return ""  # no reference: the documents do not say
    if scorer == CHOICE and (item.answer is None or not 0 <= item.answer < len(item.choices)):
        return "answer among its choices"
    return name if name and getattr(item, name) in (None, [], "") else ""


def exact(item: SuiteItem, answer: Answered) -> float:
    """1 if the first line of the answer is a reference, but for case, width, spaces and marks around it."""
    lines = [line for line in answer.text.splitlines() if line.strip()]
    said = _form(lines[0]) if lines else ""
    return float(any(said == _form(r) for r in item.references))


def _form(text: str) -> str:
    return normalise(_EDGE.sub("", text))


def f1(item: SuiteItem, answer: Answered) -> float:
    """Word F1 against the reference it is nearest to."""
    return max(word_f1(answer.text, r) for r in item.references)


def json_schema(item: SuiteItem, answer: Answered) -> float:
    """1 if the answer is JSON that follows the item's schema, and is the reference where there is one."""
    jsonschema = require("jsonschema", extra="serve")
    text = re.sub(r"^```(?:json)?\s*|\s*```$", "", answer.text.strip())
    try:
        value = json.loads(text)
        kind = jsonschema.validators.validator_for(item.json_schema)
        kind.check_schema(item.json_schema)
        # An empty registry: a reference to another place is not fetched.
        kind(item.json_schema, registry=require("referencing", extra="serve").Registry()).validate(value)
    except (ValueError, RecursionError, jsonschema.ValidationError):
        return 0.0
    except (jsonschema.SchemaError, jsonschema.exceptions._WrappedReferencingError) as error:
        raise SourceError(f"suite item {item.id}: its json_schema can't be used: {error}") from error
    return float(not item.references or any(value == json.loads(r) for r in item.references))


def citation(item: SuiteItem, answer: Answered) -> float:
    """1 if the first citation is of the item's place."""
    return float(cites(answer.text, answer.hits, {item.place} if item.place else set()))


def abstention(item: SuiteItem, answer: Answered) -> float:
    """1 if the answer says that the documents do not say, where they don't (no reference), and only there."""
    return float(says_unknown(answer.text) == (not item.references))


OURS: dict[str, Scorer] = {
    "exact": exact, "f1": f1, "json": json_schema, "citation": citation, "abstention": abstention,
}  # fmt: skip


def scorer_of(suite: Suite) -> Scorer:
    """The scorer that a suite names. `refusal` and `choice` are no functions of one text, and are run elsewhere.

    Raises:
        SourceError: there is none of that name, or the suite's own can't be loaded.
    """
    name = suite.about.scorer
    if name in OURS:
        return OURS[name]
    if name == "own":
        return _own(suite.folder / "scorer.py" if suite.folder else Path("scorer.py"))
    found = {point.name: point for point in entry_points(group="luodi.scorers")}
    if name not in found:
        known = ", ".join([*OURS, CHOICE, JUDGED, "own", *sorted(found)])
        raise SourceError(f"suite {suite.name}: there is no scorer {name!r}", f"known are {known}")
    loaded: Scorer = found[name].load()
    return loaded


def _own(path: Path) -> Scorer:
    if not path.is_file():
        raise SourceError(f"there is no {path}", "`scorer: own` means def score(item, answer) in the suite's scorer.py")
    spec = importlib.util.spec_from_file_location(f"luodi_scorer_{path.parent.name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        own: Scorer = module.score
    except LuodiError:
        raise
    except Exception as error:
        raise SourceError(f"{path} can't be loaded: {type(error).__name__}: {error}") from error
    return own
