"""A gateway with a model `chat` that is led by hand, and two keys of one team."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from luodi.testing.led import Led, LedRoom


@pytest.fixture
def led(open_house: Callable[..., Any]) -> LedRoom:
    house = open_house()
    model = Led()
    keys = [house.gateway.keys.create(f"person {n}", team="shop")[1] for n in range(3)]
    room = LedRoom(house, model, keys)
    room.serve()
    return room
