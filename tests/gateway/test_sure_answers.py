"""How sure an answer is, in the reply and in its record; and answers that are withheld for it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asking import ask

from luodi.gateway.why import of_record
from luodi.knowledge.confidence import FEATURES, Confidence
from luodi.testing import DOCUMENTS, FakeEngine

QUESTION = "How do I make a form field optional?"


def fitted(bias: float, threshold: float) -> Confidence:
    return Confidence((0.0,) * len(FEATURES), bias, threshold, 0.05, 0.9, {})


def test_an_answer_says_how_sure_it_is(house: Any) -> None:
    assert asyncio.run(ask(house, QUESTION)).json()["luodi"]["confidence"] is None  # a release that was not calibrated
    house.gateway.served.confidence = fitted(1.0, 0.9)
    told = asyncio.run(ask(house, QUESTION, seed=1)).json()["luodi"]
    assert told["kind"] == "generated" and told["confidence"] == pytest.approx(0.731, abs=0.001)
    row = house.rows()[-1]
    assert row.confidence == 731059
    value = of_record(row.outcome, {"grounding": row.grounding, "checks_not_run": [], "confidence": row.confidence})
    assert value.value == pytest.approx(0.731059)


def test_the_same_answer_again_is_as_sure(house: Any) -> None:
    house.gateway.served.confidence = fitted(1.0, 0.9)
    first, second = (asyncio.run(ask(house, QUESTION)).json()["luodi"] for _ in range(2))
    assert second["cached"] == "exact" and second["confidence"] == first["confidence"]


def test_an_answer_that_may_be_wrong_is_withheld_where_the_project_says_so(house: Any) -> None:
    served = house.gateway.served
    served.confidence = fitted(1.0, 0.9)
    served.options["withhold"] = True
    told = asyncio.run(ask(house, QUESTION)).json()["luodi"]
    assert told["kind"] == "abstained" and told["nearest"] and not house.engine.requests
    served.confidence = fitted(1.0, 0.7)
    assert asyncio.run(ask(house, QUESTION, seed=2)).json()["luodi"]["kind"] == "generated"


def test_an_abstention_names_what_the_documents_do_not_speak_of(house: Any) -> None:
    told = asyncio.run(ask(house, "How heavy is a penguin?")).json()["luodi"]
    assert told["kind"] == "abstained" and "penguin" in told["missing"]


def test_a_citation_says_where_it_stands(house: Any) -> None:
    (citation,) = asyncio.run(ask(house, QUESTION)).json()["luodi"]["citations"]
    assert {"start", "end", "text", "digest", "unit", "at", "date"} <= set(citation)


def test_sources_that_disagree_are_shown_side_by_side(open_house: Any) -> None:
    documents = {
        "Returns › Terms": "A parcel may be returned within 30 days of delivery.",
        "Shop › Parcels": "A parcel may be returned within 14 days of delivery.",
    }
    engine = FakeEngine("A parcel may be returned within 30 days of delivery. [1]")
    house = open_house(engine, documents={**DOCUMENTS, **documents})
    answer = asyncio.run(ask(house, "Within how many days may a parcel be returned?")).json()
    (conflict,) = answer["luodi"]["conflicts"]
    assert conflict["kind"] == "value"
    assert {conflict["first"]["quote"], conflict["second"]["quote"]} == set(documents.values())
    text = answer["choices"][0]["message"]["content"]
    assert "The sources disagree" in text and "14 days" in text
    assert house.rows()[-1].conflicts == 1
    again = asyncio.run(ask(house, "Within how many days may a parcel be returned?")).json()
    assert again["luodi"]["cached"] == "exact" and again["luodi"]["conflicts"] == answer["luodi"]["conflicts"]


def test_answers_in_the_words_of_the_documents_ask_no_model(house: Any) -> None:
    house.gateway.served.options["answers"] = "extracted"
    told = asyncio.run(ask(house, QUESTION)).json()
    assert told["luodi"]["kind"] == "extracted" and not house.engine.requests
    text = told["choices"][0]["message"]["content"]
    assert text.startswith("A field is required by default. [1]") and "required=False" in text
    assert told["luodi"]["cost_usd"] == 0 and house.rows()[-1].cost_nano_usd == 0
    assert asyncio.run(ask(house, "How heavy is a swallow?")).json()["luodi"]["kind"] == "abstained"
