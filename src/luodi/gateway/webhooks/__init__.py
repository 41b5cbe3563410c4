"""Webhooks: events are sent to other systems, signed as the Standard Webhooks specification says.

hooks      a webhook of the project file: address, secrets, which events
sign       the headers that the receiver checks
outbox     the table of what is to be sent; who claims a row sends it
sender     sends in the background of a gateway; a receiver that hangs holds up nobody
budgets    finds budgets that have been reached
breakers   finds upstreams that have begun to fail
outside    which addresses may be called
"""

from luodi.gateway.webhooks.breakers import Breakers
from luodi.gateway.webhooks.budgets import reached
from luodi.gateway.webhooks.hooks import Hook, open_hooks
from luodi.gateway.webhooks.outbox import Delivery, deliveries, purge, retry
from luodi.gateway.webhooks.sender import Sender, send_once
from luodi.gateway.webhooks.sign import headers_of

__all__ = [
    "Breakers",
    "Delivery",
    "Hook",
    "Sender",
    "deliveries",
    "headers_of",
    "open_hooks",
    "purge",
    "reached",
    "retry",
    "send_once",
]
