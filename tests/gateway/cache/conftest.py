"""A gateway with a model `chat` that is led by hand, and two keys of one team."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from led import Led, LedRoom

from luodi.gateway.upstream import Pool


@pytest.fixture
def led(open_house: Callable[..., Any]) -> LedRoom:
    house = open_house()
    model = Led()
    house.gateway.served.pools["chat"] = Pool("chat", [model])
    keys = [house.gateway.keys.create(f"person {n}", team="shop")[1] for n in range(3)]
    return LedRoom(house, model, keys)
