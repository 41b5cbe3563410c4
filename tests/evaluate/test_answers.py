"""Support is judged from what is shown, so that a fault of the grounding would be seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from luodi.evaluate.answers import still_supported
from luodi.knowledge import Hit, extract, ground
from luodi.knowledge.chunks import Chunk

PASSAGES = (
    "A field is required by default. Set required=False to make the field optional.",
    "The cache timeout is 300 seconds.",
)
HITS = tuple(
    Hit(Chunk(n, f"row{n}", "s", 0, f"p{n}", "Forms", text, 10 * n, 10 * n + 9, 1), 1.0)
    for n, text in enumerate(PASSAGES)
)
SHOWN = ground(
    "field optional", "Set required=False to make the field optional. [1] The cache timeout is 300 seconds. [2]", HITS
)


def test_what_the_passages_say_is_supported() -> None:
    assert len(SHOWN.citations) == 2
    assert still_supported(SHOWN, HITS)


def test_an_extract_is_supported() -> None:
    assert still_supported(extract("is a field required by default", HITS), HITS)


@pytest.mark.parametrize(
    ("old", "new"),
    [("300", "900"), ("[2]", "[1]"), ("[2]", "[7]"), (" [2]", ""), ("optional", "not optional")],
)
def test_a_text_that_was_spoilt_after_grounding_is_not(old: str, new: str) -> None:
    assert old in SHOWN.text
    assert not still_supported(replace(SHOWN, text=SHOWN.text.replace(old, new)), HITS)


def test_a_block_in_two_chunks_has_one_place_and_either_may_support() -> None:
    halves = tuple(replace(h, chunk=replace(h.chunk, row_id="row0", start=0)) for h in HITS)
    assert still_supported(
        ground("field optional", "Set required=False to make the field optional. [1]", halves), halves
    )
    assert still_supported(ground("cache timeout", "The cache timeout is 300 seconds. [2]", halves), halves)
    spoilt = ground("cache timeout", "The cache timeout is 300 seconds. [2]", halves)
    assert not still_supported(replace(spoilt, text="The cache timeout is 900 seconds. [1]"), halves)


def test_an_extract_that_points_at_its_sentences_is_supported() -> None:
    text = "Shoes may be returned. They must be clean. Boots too."
    spans = tuple(((s, e), (100 + s, 100 + e)) for s, e in ((0, 22), (23, 42), (43, 53)))
    chunk = Chunk(1, "row", "s", 0, "p", "Returns", text, 100, 153, 1, spans)
    other = Chunk(2, "row", "s", 0, "p", "Returns", "Hats may not be returned at all.", 200, 232, 4)
    hits = [Hit(chunk, 2.0), Hit(other, 1.0)]
    shown = extract("May shoes be returned?", hits)
    assert (shown.citations[0].start, shown.citations[0].end) == (100, 142)
    assert still_supported(shown, hits)
    assert not still_supported(shown, hits[1:])
