"""A gateway with a scripted model `chat` beside its release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scripting import Model, Room

from luodi.gateway import GatewayOptions
from luodi.gateway.upstream import Pool


@pytest.fixture
def room(open_house: Callable[..., Any]) -> Room:
    house = open_house(run=GatewayOptions(exact_cache=False))
    model = Model()
    house.gateway.served.pools["chat"] = Pool("chat", [model])
    return Room(house, model)
