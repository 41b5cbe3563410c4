"""What releases say of themselves has the form that is published."""

from __future__ import annotations

import json

import jsonschema
import pytest

from luodi.release.compliance import Case, assess, find_packs
from luodi.release.compliance.report import write
from luodi.release.schemas import NAMES, schema
from luodi.store import Store
from luodi.testing import tiny_release


def problems(value, name: str) -> list[str]:
    checker = jsonschema.Draft202012Validator(schema(name))
    return [f"{'.'.join(map(str, e.path))}: {e.message[:120]}" for e in checker.iter_errors(value)]


def test_they_are_schemas():
    for name in NAMES:
        jsonschema.Draft202012Validator.check_schema(schema(name))
    with pytest.raises(KeyError):
        schema("../passport")


def test_a_passport(tmp_path):
    store = Store(tmp_path / "store")
    folder = store.artifacts.get(tiny_release(store, project={"valid_days": 3}).digest).files
    passport = json.loads((folder / "passport.json").read_bytes())
    assert problems(passport, "passport") == []
    assert problems(passport | {"verdict": "fine"}, "passport")
    assert problems({k: v for k, v in passport.items() if k != "policy"}, "passport")


def test_a_compliance_report(tmp_path):
    store = Store(tmp_path / "store")
    folder = store.artifacts.get(tiny_release(store).digest).files
    case = Case(json.loads((folder / "passport.json").read_bytes()), folder, "me", 3, store)
    about = {"release": "helpdesk@1", "digest": "ab" * 32, "created": "x", "signer": "me", "time": "y"}
    write([assess(p, case) for p in find_packs().values()], about, tmp_path / "r.json", "json")
    report = json.loads((tmp_path / "r.json").read_bytes())
    assert problems(report, "compliance") == []
    report["packs"][0]["controls"][0]["status"] = "compliant"
    assert problems(report, "compliance")
