"""Words of one's own for the same thing: a question asked in one is answered from documents that use another."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from luodi.knowledge.words import has_chinese

FILE = "glossary.json"


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


class Glossary:
    """Groups of terms that mean the same, in any language."""

    def __init__(self, groups: Sequence[Sequence[str]] = ()) -> None:
        self._groups = [[_plain(term) for term in group if term.strip()] for group in groups]
        self._of: dict[str, list[int]] = {}
        for number, group in enumerate(self._groups):
            for term in group:
                self._of.setdefault(term, []).append(number)
        # the longest first, so that "sick leave" is not taken for "leave"
        terms = sorted(self._of, key=lambda term: (-len(term), term))
        parts = [re.escape(t) if has_chinese(t) else rf"(?<!\w){re.escape(t)}(?!\w)" for t in terms]
        self._pattern = re.compile("|".join(parts)) if parts else None

    def __bool__(self) -> bool:
        return self._pattern is not None

    def related(self, text: str) -> list[str]:
        """Terms that mean the same as one that stands in `text`, and do not stand there themselves."""
        if self._pattern is None:
            return []
        plain = _plain(text)
        found = dict.fromkeys(match[0] for match in self._pattern.finditer(plain))
        others = (term for one in found for number in self._of[one] for term in self._groups[number])
        return [term for term in dict.fromkeys(others) if term not in found]

    def save(self, folder: Path) -> None:
        (folder / FILE).write_text(json.dumps(self._groups, ensure_ascii=False) + "\n", "utf-8")

    @staticmethod
    def load(folder: Path) -> Glossary:
        """What `save` wrote; an empty one if there is none."""
        path = folder / FILE
        return Glossary(json.loads(path.read_bytes())) if path.is_file() else Glossary()
