"""Exact money: what a call may use is held before it starts and settled once after it ends, whatever happens.

A call holds its worst case (`reserve`), is watched in a memory-mapped file while it runs (`Slots`), and is settled in
the transaction that writes its row into the log (`settle`). A worker that was killed leaves its file; the next one
settles its calls at what they had delivered (`recover`).
"""

from luodi.gateway.ledger.limits import Limits, Scope
from luodi.gateway.ledger.meters import Reservation, Room, Settlement, reserve, settle
from luodi.gateway.ledger.prices import Price, parse_price
from luodi.gateway.ledger.slots import Slots
from luodi.gateway.ledger.workers import Worker

__all__ = [
    "Limits",
    "Price",
    "Reservation",
    "Room",
    "Scope",
    "Settlement",
    "Slots",
    "Worker",
    "parse_price",
    "reserve",
    "settle",
]
