"""Places that a project forgets: read whole or not at all, dropped by `clean`, blacked out by `originals`."""

from __future__ import annotations

import pytest

from luodi.data.clean import Params, clean_shard
from luodi.data.forgotten import FILE, Place, add, changed_since, place_id, read
from luodi.data.originals import Params as OriginalParams
from luodi.data.originals import blacken_shard
from luodi.errors import ProjectError
from luodi.pipeline import Row

TEXT = (
    "# Desk\n\n## One\n\nThe first of the sections is about nobody in particular, as it should be.\n\n"
    "## Two\n\nThe second one is about somebody who does not want to stand here any more.\n"
)
DOCUMENT = Row("doc", "document", TEXT, "file:d", "a.md", end=len(TEXT), meta={"title": "About somebody"})


def place() -> Place:
    start = TEXT.index("## Two")
    return Place(place_id("doc", start, len(TEXT)), "file:d", "a.md", start, len(TEXT), "fgt_1")


def test_the_section_is_dropped_with_its_reason() -> None:
    before, _ = clean_shard([DOCUMENT], Params())
    rows, links = clean_shard([DOCUMENT], Params(forgotten=[place()]))
    assert [r.title for r in before] == ["Desk › One", "Desk › Two"] and [r.title for r in rows] == ["Desk › One"]
    assert any(link.reason.endswith(": forgotten") and not link.out_id for link in links)


def test_the_place_is_black_and_all_else_where_it_was() -> None:
    rows, _ = blacken_shard([DOCUMENT], OriginalParams(forgotten=[place()]))
    shown = rows[0].text
    assert len(shown) == len(TEXT) and shown.startswith(TEXT[: place().start]) and "somebody" not in shown
    assert shown.count("\n") == TEXT.count("\n") and "title" not in rows[0].meta


def test_another_version_of_the_document_is_told_and_not_touched() -> None:
    other = Row("doc2", "document", TEXT, "file:d", "a.md", end=len(TEXT))
    rows, _ = blacken_shard([other], OriginalParams(forgotten=[place()]))
    assert rows[0].text == TEXT
    assert changed_since([place()], {("file:d", "a.md"): "doc2"}) == ["a.md"]
    assert changed_since([place()], {("file:d", "a.md"): "doc"}) == [] == changed_since([place()], {})


def test_the_file_is_added_to_and_read_back(tmp_path) -> None:
    assert read(tmp_path) == []
    assert add(tmp_path, [place(), place()]) == 1 and add(tmp_path, [place()]) == 0
    assert read(tmp_path) == [place()]


@pytest.mark.parametrize("text", ["", "row_id\n", "row_id,source,path,start,end,certificate\nx,y\n",
                                  "row_id,source,path,start,end,certificate\nx,y,z,one,2,c\n"])  # fmt: skip
def test_a_broken_file_stops_the_run(tmp_path, text: str) -> None:
    (tmp_path / "privacy").mkdir()
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ProjectError, match=r"forgotten\.csv:"):
        read(tmp_path)
