"""One call, one list of steps, one reply."""

from luodi.gateway.app import App
from luodi.gateway.core import Gateway
from luodi.gateway.keys import LOCAL, ApiKeys
from luodi.gateway.options import GatewayOptions
from luodi.gateway.served import Served, open_release

__all__ = ["LOCAL", "ApiKeys", "App", "Gateway", "GatewayOptions", "Served", "open_release"]
