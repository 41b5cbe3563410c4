"""Models that answer: an engine in this process, or a server that speaks OpenAI's API."""

from luodi.gateway.upstream.base import Order, Upstream, UpstreamError
from luodi.gateway.upstream.embedded import EngineUpstream
from luodi.gateway.upstream.http import HttpUpstream
from luodi.gateway.upstream.pool import Pool

__all__ = ["EngineUpstream", "HttpUpstream", "Order", "Pool", "Upstream", "UpstreamError"]
