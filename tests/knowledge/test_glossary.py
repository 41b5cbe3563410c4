from __future__ import annotations

from pathlib import Path

from luodi.knowledge import sufficient
from luodi.knowledge.chunks import Chunk
from luodi.knowledge.confidence import missing
from luodi.knowledge.glossary import Glossary
from luodi.knowledge.index import INDEX, build
from luodi.knowledge.vectors import open_index

GROUPS = [["PTO", "paid time off", "年假"], ["leave", "absence"], ["sick leave", "病假"]]


def test_related_terms() -> None:
    glossary = Glossary(GROUPS)
    assert glossary.related("How much PTO is there?") == ["paid time off", "年假"]
    assert glossary.related("年假有几天？") == ["pto", "paid time off"]
    assert glossary.related("Sick  leave for PTOs") == ["病假"]  # neither "leave" alone nor a part of a word
    assert glossary.related("nothing of it") == [] and not Glossary()


def searched(folder: Path, glossary: Glossary) -> list[str]:
    texts = ["Employees have 25 days of paid time off a year.", "The canteen opens at noon.", "员工每年有十天病假。"]
    build(folder / INDEX, [Chunk(0, f"r{n}", "s", 0, f"{n}", "House", t, 0, len(t), 1) for n, t in enumerate(texts)])
    glossary.save(folder)
    index = open_index(folder)
    hits = index.search("How many days of PTO?", 3)
    enough = sufficient(index, "How many days of PTO?", hits[:1])
    absent = missing(index, "PTO", hits[:1])
    other = [h.chunk.path for h in index.search("sick leave", 1)]
    index.close()
    return [hits[0].chunk.path if hits else "", str(enough), ",".join(absent), *other]


def test_a_question_in_other_words_is_answered(tmp_path: Path) -> None:
    assert searched(tmp_path, Glossary(GROUPS)) == ["0", "True", "", "2"]
    assert searched(tmp_path, Glossary())[1:] == ["False", "pto"]
