"""Texts as values of records, in every form that they come in."""

from __future__ import annotations

import json

import numpy as np
import yaml

from luodi.guard.attack_records import as_record

VALUES = ["the first value, which is longer than forty characters", 'a "second" value: with signs']


def test_the_values_stand_in_their_order_in_every_form() -> None:
    rng, forms = np.random.default_rng(1), set()
    for _ in range(200):
        made = as_record(VALUES, rng)
        plain = made.replace('\\"', '"')
        assert VALUES[0] in plain and VALUES[1] in plain
        forms.add("json" if made.startswith("[") else "mail" if made.startswith("From:") else made.lstrip()[:1] == "-")
        if made.startswith("["):
            assert isinstance(json.loads(made), list)
    assert {"json", "mail", True, False} <= forms


def test_quoted_yaml_is_yaml() -> None:
    rng, read = np.random.default_rng(2), 0
    for _ in range(200):
        made = as_record(["plain words only"], rng)
        if made.startswith("- ") or ":\n  " in made[:12]:
            try:
                read += yaml.safe_load(made) is not None
            except yaml.YAMLError:
                continue
    assert read > 20


def test_it_is_the_same_for_the_same_seed() -> None:
    assert [as_record(VALUES, np.random.default_rng(3)) for _ in range(2)] == [
        as_record(VALUES, np.random.default_rng(3)) for _ in range(2)
    ]
