"""How a gateway runs: what is not part of a release, because it changes no answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from luodi.project.model import Serve


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """See `serve` in the project file for what each means. Times are in seconds."""

    in_flight: int = 512
    queued: int = 512
    queue_wait_s: float = 30.0
    high_teams: tuple[str, ...] = ()
    deadline_s: float = 300.0
    unknown_price: Literal["refuse", "flag"] = "refuse"
    keep_content: bool = True
    content_days: int = 30
    record_days: int = 0
    checkpoint_s: float = 60.0
    anchors: tuple[str, ...] = field(default=())
    exact_cache: bool = True
    semantic_cache: bool = False
    similarity: float = 0.93
    cache_minutes: float = 1440.0
    shared_cache: bool = False
    redis: str = ""
    ping_s: float = 15.0
    review_below: float = 0.0
    proxies: tuple[str, ...] = ()
    webhooks: tuple[dict[str, Any], ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    mcp: bool = False
    mcp_hosts: tuple[str, ...] = ()
    behaviour: dict[str, Any] = field(default_factory=lambda: {"act": "alert"})
    rules: str = ""  # file of business rules that hold instead of the release's
    outside_plain: bool = False  # whether webhooks and tools of other machines may be called without TLS

    @classmethod
    def of(cls, serve: Serve, folder: Path | None = None) -> GatewayOptions:
        """Files that `serve` names are looked for from `folder`, by default where the process runs."""
        limiting, cache, audit = serve.limiting, serve.cache, serve.audit
        return cls(
            high_teams=tuple(limiting.high_teams), in_flight=limiting.in_flight, queued=limiting.queued,
            queue_wait_s=limiting.wait,
            deadline_s=limiting.deadline, unknown_price=limiting.unknown_price, keep_content=audit.content_days > 0,
            content_days=audit.content_days, record_days=audit.record_days, checkpoint_s=audit.checkpoint,
            anchors=tuple(audit.anchors), exact_cache=cache.exact, semantic_cache=cache.semantic,
            similarity=cache.similarity, cache_minutes=cache.minutes, shared_cache=cache.shared, redis=serve.redis,
            review_below=serve.review_below, proxies=tuple(serve.proxies),
            webhooks=tuple(w.model_dump(mode="json") for w in serve.webhooks),
            tools=tuple(
                t.model_dump(mode="json") | {"openapi": str((folder or Path.cwd()) / t.openapi)} for t in serve.tools
            ),
            rules=str((folder or Path.cwd()) / serve.rules) if serve.rules else "",
            behaviour=serve.behaviour.model_dump(mode="json"),
            mcp=serve.mcp, mcp_hosts=tuple(serve.mcp_hosts), outside_plain=serve.privacy == "any",
        )  # fmt: skip
