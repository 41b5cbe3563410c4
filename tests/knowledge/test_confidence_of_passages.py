from __future__ import annotations

import json
from pathlib import Path

from luodi.knowledge import Index
from luodi.knowledge.chunks import Chunk
from luodi.knowledge.confidence import FEATURES, Confidence, features, missing
from luodi.knowledge.index import INDEX, build


def index(folder: Path) -> Index:
    texts = [
        ("Guide › Refunds", "Money is paid back within five days."),
        ("Guide › Parcels", "A parcel may be sent back within thirty days."),
        ("Guide › Shops", "Our shops open at nine."),
    ]
    chunks = [Chunk(0, f"r{n}", "s", 0, "p", title, text, 0, len(text), 1) for n, (title, text) in enumerate(texts)]
    build(folder / INDEX, chunks)
    return Index(folder / INDEX)


def named(values: list[float]) -> dict[str, float]:
    return dict(zip(FEATURES, values, strict=True))


def test_features(tmp_path: Path) -> None:
    searched = index(tmp_path)
    exact = named(features(searched, "Refunds", searched.search("Refunds", 3)))
    assert exact["title_share"] == exact["title_is_all"] == exact["covered_by_best"] == 1.0 and exact["gap"] == 1.0
    vague = named(features(searched, "penguins within days", searched.search("penguins within days", 3)))
    assert vague["rarest_covered"] == 0.0 and vague["covered_by_all"] < 0.7 and vague["gap"] < 0.5
    assert features(searched, "penguins", []) == [0.0] * len(FEATURES)


def test_missing_words_the_rarest_first(tmp_path: Path) -> None:
    searched = index(tmp_path)
    question = "Do penguins open parcels?"
    assert missing(searched, question, searched.search(question, 3)[:1]) in (
        ["penguins", "open"],
        ["penguins", "parcels"],
    )
    assert missing(searched, "refunds", searched.search("refunds", 1)) == []


def test_confidence_goes_to_json_and_back(tmp_path: Path) -> None:
    made = Confidence((0.5,) * len(FEATURES), -1.0, 0.8, 0.05, 0.9, {"n": 3})
    again = Confidence.read(json.loads(json.dumps(made.as_dict())))
    assert again == made
    assert 0 < made.probability([0.0] * len(FEATURES)) < made.probability([1.0] * len(FEATURES)) < 1
    assert made.of(index(tmp_path), "x", []) == 0.0
    assert Confidence.read(made.as_dict() | {"features": ["other"]}) is None
