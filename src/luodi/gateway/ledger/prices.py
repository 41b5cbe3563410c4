"""What a token costs. An unknown price is never 0.

Prices of clouds come from the table of the package `genai-prices`, by provider and model; those of own engines are what
the machine costs an hour, shared by the calls that are in flight on it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from luodi.errors import ProjectError


@dataclass(frozen=True, slots=True)
class Price:
    """Pico-dollars (10^-12 USD) a token in and out, and nano-dollars a second of the machine."""

    in_pico: int = 0
    out_pico: int = 0
    second_nano: int = 0
    source: str = "unknown"

    @property
    def known(self) -> bool:
        return self.source != "unknown"

    def tokens_nano(self, prompt: int, completion: int) -> int:
        """Nano-dollars of tokens, rounded to the nearest."""
        return (prompt * self.in_pico + completion * self.out_pico + 500) // 1000

    def worst_nano(self, prompt: int, completion: int, seconds: float) -> int:
        """Nano-dollars that a call can cost at most; rounded up."""
        return self.tokens_nano(prompt, completion) + int(self.second_nano * seconds) + 1


def machine_price(usd_hour: float) -> Price:
    """The price of an own engine: the whole machine, by the second."""
    return Price(second_nano=round(usd_hour * 1e9 / 3600), source="machine")


def parse_price(price: Any, model: str, provider: str) -> Price:
    """The price of an upstream as the project file gives it.

    Args:
        price: "genai-prices", "unknown", {"input": USD per million tokens, "output": …} or {"usd_hour": …}.

    Raises:
        ProjectError: the table does not know the model.
    """
    if price == "unknown":
        return Price()
    if price == "genai-prices":
        return _from_table(model, provider)
    if price.get("usd_hour") is not None:
        return machine_price(price["usd_hour"])
    return Price(round(price["input"] * 1e6), round(price["output"] * 1e6), source="project")


def _from_table(model: str, provider: str) -> Price:
    from luodi.errors import require

    prices = require("genai_prices", extra="serve")
    try:
        # A million tokens, so that no digit of the price is lost; tiers by context length start higher than one call.
        one = [
            prices.calc_price(prices.Usage(**{kind: 1000}), model_ref=model, provider_id=provider or None)
            for kind in ("input_tokens", "output_tokens")
        ]
    except LookupError as error:
        raise ProjectError(
            f"no price is known for {model!r}{f' of {provider}' if provider else ''}",
            "write price: {input: USD per million tokens, output: …}, or price: unknown",
        ) from error
    in_pico, out_pico = (round(p.total_price * 1_000_000_000) for p in one)
    return Price(in_pico, out_pico, source=f"genai-prices:{one[0].provider.id}/{one[0].model.id}")


class MachineClock:
    """Shares the cost of a machine among the calls in flight on it: their costs add up to its busy time exactly.

    The meter runs at `second_nano` while at least one call is in flight, divided by how many there are.
    """

    def __init__(self, second_nano: int) -> None:
        self._rate = second_nano
        self._running = 0
        self._each = 0.0  # nano-dollars that a call which was there from the beginning would have paid
        self._at = time.monotonic()

    def _turn(self) -> float:
        now = time.monotonic()
        if self._running:
            self._each += (now - self._at) * self._rate / self._running
        self._at = now
        return self._each

    def start(self) -> float:
        mark = self._turn()
        self._running += 1
        return mark

    def stop(self, mark: float) -> int:
        """Nano-dollars of the call that got `mark`."""
        cost = self._turn() - mark
        self._running -= 1
        return round(cost)
