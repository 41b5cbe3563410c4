"""The bill of materials is valid CycloneDX, and names everything that is in the release."""

from __future__ import annotations

import hashlib
import json

import pytest

from luodi.release.mlbom import FILE
from luodi.store import Store
from luodi.testing import tiny_release


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory):
    store = Store(tmp_path_factory.mktemp("bom") / "store")
    return store.artifacts.get(tiny_release(store).digest).files


def test_it_is_valid(bundle):
    validation = pytest.importorskip("cyclonedx.validation.json")
    schema = pytest.importorskip("cyclonedx.schema")
    text = (bundle / FILE).read_text()
    assert validation.JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(text) is None
    broken = json.loads(text) | {"components": 3}
    assert validation.JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(json.dumps(broken)) is not None


def test_it_names_every_part_by_its_digest(bundle):
    bill = json.loads((bundle / FILE).read_bytes())
    files = {c["name"]: c["hashes"][0]["content"] for c in bill["components"] if c["type"] == "file"}
    after = {FILE, "passport.json", "passport.html", "statement.json"}
    there = {p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file()} - after
    assert set(files) == there
    assert all(hashlib.sha256((bundle / n).read_bytes()).hexdigest() == digest for n, digest in files.items())


def test_the_model_card_quotes_the_measurements(bundle):
    bill = json.loads((bundle / FILE).read_bytes())
    (model,) = [c for c in bill["components"] if c["type"] == "machine-learning-model"]
    assert model["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    (metric,) = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert metric["type"] == "answers_supported" and metric["confidenceInterval"]["lowerBound"] == "0.96"
