"""Rules read, checked and asked. Expressions are CEL (Common Expression Language), run by Google's own runtime.

CEL has no loops but over given lists and no way out of the expression; regular expressions are RE2's.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from luodi.errors import LuodiError, ProjectError, require
from luodi.guard.business.spec import RulesFile, RuleSpec
from luodi.guard.business.variables import FUNCTIONS, VARIABLES
from luodi.project.reading import read_yaml

_MACROS = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(")
_NESTED = 3  # runs over lists in one expression: each may be a hundred long
_PLACE = re.compile(r"<input>:(\d+):(\d+): (.*)")
_log = logging.getLogger("luodi.guard")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that can be asked."""

    spec: RuleSpec
    program: Any

    def holds(self, values: dict[str, Any]) -> bool:
        """Raises: ValueError if the expression cannot be evaluated with these values."""
        try:
            result = self.program.eval(data=values)
            if result.type().name().lower() == "bool":
                return bool(result.value())
        except Exception as error:  # the runtime's errors have no common type
            raise ValueError(str(error).partition("\n")[0][:200]) from error
        raise ValueError(str(result.value())[:200])


class Rules:
    """The rules of one file, compiled. Safe between threads.

    Attributes:
        version: digest of the file's content.
    """

    def __init__(self, file: RulesFile, rules: tuple[Rule, ...], version: str) -> None:
        self.file = file
        self.all = rules
        self.version = version
        self.zone = ZoneInfo(file.time_zone)
        self.input = tuple(rule for rule in rules if rule.spec.when in ("input", "both"))
        self.output = tuple(rule for rule in rules if rule.spec.when in ("output", "both"))

    def current(self) -> Rules:
        return self


def _environment() -> Any:
    cel = require("cel_expr_python.cel", extra="rules")
    types = {
        "string": cel.Type.STRING, "int": cel.Type.INT, "bool": cel.Type.BOOL,
        "list(double)": cel.Type.List(cel.Type.DOUBLE), "list(string)": cel.Type.List(cel.Type.STRING),
        "map": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    }  # fmt: skip
    declared = [
        cel.FunctionDecl(name, [cel.Overload(name, types[returns], [types[p] for p in parameters], False, function)])
        for name, (function, returns, parameters) in FUNCTIONS.items()
    ]
    return cel.NewEnv(variables={name: types[kind] for name, (kind, *_) in VARIABLES.items()}, functions=declared)


def read_rules(path: Path) -> Rules:
    """Read and check a rule file.

    Raises:
        ProjectError: names the line and what is wrong: of the YAML, or of an expression.
        MissingExtraError: the extra `rules` is not installed.
    """
    file = read_yaml(path, RulesFile)
    lines = _lines(path.read_text("utf-8-sig"))
    environment = _environment()
    problems: list[str] = []
    made: list[Rule] = []
    seen: set[str] = set()
    for place, spec in enumerate(file.rules):
        line = lines[place] if place < len(lines) else 1
        problem = _problem(spec, seen)
        seen.add(spec.id)
        if not problem:
            program, problem = _compile(environment, spec.condition)
            made.append(Rule(spec, program))
        if problem:
            problems.append(f"{path.name}:{line}: rule {spec.id!r}: {problem}")
    try:
        ZoneInfo(file.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        problems.insert(0, f"{path.name}:1: time_zone: no zone {file.time_zone!r}; write one like Asia/Shanghai")
    if problems:
        raise ProjectError("\n".join(problems), f"the expressions may use {', '.join(VARIABLES)}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return Rules(file, tuple(made), f"1:{digest}")


def _lines(text: str) -> list[int]:
    """The line on which each rule's condition stands."""
    return [number for number, line in enumerate(text.splitlines(), 1) if re.match(r"\s*-?\s*[{]?.*\bif\s*:", line)]


def _problem(spec: RuleSpec, seen: set[str]) -> str:
    if spec.id in seen:
        return "there are two rules of this name"
    if spec.then in ("replace", "answer") and not spec.message:
        return f"then: {spec.then} needs a message"
    if len(_MACROS.findall(spec.condition)) > _NESTED:
        return f"more than {_NESTED} runs over lists in one expression"
    return ""


def _compile(environment: Any, condition: str) -> tuple[Any, str]:
    """(the program, what is wrong with it)."""
    try:
        program = environment.compile(condition)
    except Exception as error:  # the runtime's errors have no common type
        found = _PLACE.search(str(error))
        if found is None:
            return None, str(error).partition("\n")[0][:300]
        return None, f"at character {found[2]}: {found[3]}"
    kind = program.return_type().name().lower()
    return program, "" if kind in ("bool", "dyn") else f"it says {kind}, and must say true or false"


class LiveRules:
    """Rules of a file that may change while a gateway serves; looked at once a second at most.

    A broken file is told in the log, and the rules before it stay.

    Args:
        first: the rules that hold until the file is there.
    """

    def __init__(self, path: Path, first: Rules | None = None) -> None:
        self._path = path
        self._rules = first if first is not None and not path.is_file() else read_rules(path)
        self._stamp = self._seen()
        self._next = 0.0
        self.problem = ""

    def _seen(self) -> tuple[int, int]:
        try:
            about = self._path.stat()
        except OSError:
            return 0, 0
        return about.st_mtime_ns, about.st_size

    def current(self) -> Rules:
        """The rules that hold now."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 1.0
            stamp = self._seen()
            if stamp != self._stamp:
                self._stamp = stamp
                self._reload()
        return self._rules

    def _reload(self) -> None:
        try:
            self._rules, self.problem = read_rules(self._path), ""
            _log.info("business rules %s: %d rules", self._rules.version, len(self._rules.all))
        except LuodiError as error:
            self.problem = error.message
            _log.error("the business rules stay as they were: %s", error.message)
