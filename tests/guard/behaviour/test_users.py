"""End users who come back are people; a new name for every call is not."""

from __future__ import annotations

import random

from luodi.guard.behaviour import EndUsers


def test_a_new_name_for_every_call_is_strange_and_people_are_not() -> None:
    users = EndUsers()
    said = [users.strange("a", f"user {n}") for n in range(120)]
    assert not any(said[:49]) and all(said[49:])
    rng = random.Random(1)
    assert not any(users.strange("b", f"person {rng.randrange(60)}") for _ in range(400))


def test_memory_is_bounded() -> None:
    users = EndUsers()
    for n in range(5000):
        users.strange(f"key {n}", "u")
    assert len(users._keys) <= 4096
