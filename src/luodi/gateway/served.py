"""What is served: the parts of one release, opened."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from luodi.engine import open_engine
from luodi.errors import ReleaseError
from luodi.evaluate.routing import FILE as ROUTE
from luodi.evaluate.routing import Router
from luodi.gateway.ledger.prices import machine_price, parse_price
from luodi.gateway.upstream import EngineUpstream, HttpUpstream, Pool, Upstream
from luodi.gateway.upstream.policy import POLICIES, ByDifficulty
from luodi.gateway.upstream.probe import first_model
from luodi.guard import AttackModel, Guard, GuardPolicy
from luodi.guard.business import LiveRules, Rules, read_rules
from luodi.guard.moderation import CategoryModel, read_library
from luodi.guard.semantic import SemanticModel
from luodi.guard.training_text import TrainingText
from luodi.knowledge import INDEX, Index
from luodi.knowledge.confidence import FILE as CONFIDENCE
from luodi.knowledge.confidence import Confidence
from luodi.knowledge.vectors import open_index
from luodi.release import Verified
from luodi.store import digest_json


@dataclass(slots=True)
class Served:
    """A release ready to answer.

    Attributes:
        pool: the models that write answers from its documents.
        pools: other models behind the same gateway, by the name callers use.
        options: those of `serve.json`.
        digest: of the release, as the registry has it.
    """

    release: str
    digest: str
    pool: Pool
    pools: dict[str, Pool]
    index: Index
    guard: Guard
    instructions: str
    options: dict[str, Any]
    passport: dict[str, Any]
    policy_digest: str
    confidence: Confidence | None = None
    watermark: bool = False
    users: int = 0  # calls that it serves now
    closed: bool = field(default=False)

    def left(self, outcome: object) -> None:
        """A call that it served has ended."""
        self.users -= 1

    @property
    def passages(self) -> int:
        """How many passages its documents have."""
        return self.index.size

    @property
    def name(self) -> str:
        return self.release.partition("@")[0]

    @property
    def about(self) -> dict[str, Any]:
        """For the page and the terminal."""
        first = self.pool.upstreams[0]
        return {"release": self.release, "engine": first.name.partition("/")[0], "pick": self.options["pick"]}

    async def close(self) -> None:
        if not self.closed:
            self.closed = True
            for pool in (self.pool, *self.pools.values()):
                await pool.close()
            self.index.close()

    def close_now(self) -> None:
        """`close` where no event loop runs."""
        asyncio.run(self.close())


def check_privacy(options: dict[str, Any]) -> None:
    """Raises: ReleaseError if the engine is on another machine and the project allows only its own."""
    engine = str(options["engine"])
    if engine.startswith("http") and options["privacy"] == "own-engines-only" and not _here(engine):
        raise ReleaseError(
            f"the engine {engine} is on another machine, and serve.privacy says own-engines-only",
            "set serve.privacy to any if calls may leave this machine",
        )


def _here(url: str) -> bool:
    return (urlsplit(url).hostname or "") in ("127.0.0.1", "::1", "localhost")


def _own_pool(weights: Path, options: dict[str, Any], router: Router | None) -> Pool:
    """The release's own model: one upstream, or one for each pick where routing by difficulty chooses among them."""
    kind, usd_hour = str(options["engine"]), float(options["machine_usd_hour"])
    own_only = options["privacy"] == "own-engines-only"
    upstreams: list[Upstream] = []
    if kind.startswith(("http://", "https://")):
        key = "env:LUODI_ENGINE_KEY" if "LUODI_ENGINE_KEY" in os.environ else ""
        upstreams.append(
            HttpUpstream(
                "engine", kind, first_model(kind, key), key=key, own=_here(kind), price=machine_price(usd_hour)
            )
        )
        return Pool("answers", upstreams, own_only=own_only)
    picks = ["small", "large"] if router is not None else [options["pick"]]
    for pick in picks:
        engine = open_engine(kind, weights, pick=pick, threads=options["threads"])
        upstreams.append(EngineUpstream(f"{engine.info.kind}/{pick}", engine, usd_hour))
    if router is not None:
        upstreams[1].clock = upstreams[0].clock  # one machine, whose time is paid once
        return Pool("answers", upstreams, ByDifficulty(router), own_only=own_only)
    return Pool("answers", upstreams, own_only=own_only)


def _check_marks(pool: Pool) -> None:
    """Raises: ReleaseError if the release marks its answers and an engine of its own can't."""
    for upstream in pool.upstreams:
        if not (isinstance(upstream, EngineUpstream) and upstream.engine.info.watermark):
            for each in pool.upstreams:
                if isinstance(each, EngineUpstream):
                    each.engine.close()
            raise ReleaseError(
                f"this release writes a watermark, and {upstream.name} lets nobody touch its choice of tokens",
                "serve it with the engine llama or transformers, or set labels.watermark to off and run again",
            )


def _other_pools(options: dict[str, Any]) -> dict[str, Pool]:
    pools = {}
    for spec in options.get("models", []):
        upstreams: list[Upstream] = []
        for u in spec["upstreams"]:
            host = urlsplit(u["url"]).hostname or ""
            upstreams.append(
                HttpUpstream(
                    u.get("name") or f"{u['model']}@{host}", u["url"], u["model"], key=u.get("key", ""),
                    own=u.get("own", False) or _here(u["url"]),
                    price=parse_price(u.get("price", "unknown"), u["model"], u.get("provider", "")),
                    context=u.get("context", 8192),
                    takes=frozenset(u.get("takes", ["tools", "json_schema", "n", "logprobs"])),
                )
            )  # fmt: skip
        policy = POLICIES[spec.get("route", "order")]
        pools[spec["name"]] = Pool(spec["name"], upstreams, policy, own_only=options["privacy"] == "own-engines-only")
    return pools


def open_guard(folder: Path | None, policy: dict[str, Any], instructions: str, override: Path | None = None) -> Guard:
    """The guard of a release, with the parts that lie in `folder`.

    Args:
        override: business rules that hold instead of the release's, and are read again when they change.
    """

    def part(name: str) -> Path | None:
        path = folder / name if folder is not None else None
        return path if path is not None and path.exists() else None

    attack, learnt, library = part("attack-model"), part("training-text"), part("words")
    semantic, categories, own_rules = part("semantic"), part("categories"), part("rules.yaml")
    rules: Rules | LiveRules | None = read_rules(own_rules) if own_rules is not None else None
    if override is not None:
        rules = LiveRules(override, rules)  # type: ignore[arg-type]
    return Guard(
        GuardPolicy.model_validate(policy),
        AttackModel.load(attack) if attack is not None else None,
        system_prompt=instructions,
        training=TrainingText.load(learnt) if learnt is not None else None,
        words=read_library(library).automaton() if library is not None else None,
        categories=CategoryModel.load(categories) if categories is not None else None,
        transformer=SemanticModel.load(semantic) if semantic is not None else None,
        rules=rules,
    )


def guard_of(bundle: Path) -> Guard:
    """The guard of an unpacked release."""
    policy = json.loads((bundle / "policy.json").read_bytes())["guard"]
    return open_guard(bundle / "guard", policy, (bundle / "prompts" / "answer.md").read_text("utf-8"))


def open_served(
    *,
    release: str,
    weights: Path,
    index: Path,
    guard: Path | None,
    policy: dict[str, Any],
    instructions: str,
    options: dict[str, Any],
    passport: dict[str, Any],
    digest: str = "",
    route: Path | None = None,
    confidence: Path | None = None,
    rules: Path | None = None,
) -> Served:
    """Open the parts of a release, wherever they lie. `rules` are business rules that hold instead of its own."""
    check_privacy(options)
    pools = _other_pools(options)
    router = None
    if options.get("route") == "difficulty" and route is not None and route.is_file():
        router = Router.of(json.loads(route.read_bytes()))
    pool = _own_pool(weights, options, router)
    if marks := bool(policy.get("labels", {}).get("watermark")):
        _check_marks(pool)
    if options.get("chat"):
        pools[f"{release.partition('@')[0]}/chat"] = pool
    return Served(
        release=release,
        digest=digest,
        pool=pool,
        pools=pools,
        index=open_index(index.parent),
        guard=open_guard(guard.parent if guard is not None else None, policy["guard"], instructions, rules),
        instructions=instructions,
        options=options,
        passport=passport,
        policy_digest=digest_json(policy),
        confidence=Confidence.read(json.loads(confidence.read_bytes()))
        if confidence and confidence.is_file()
        else None,
        watermark=marks,
    )


def open_release(verified: Verified, *, rules: Path | None = None, **changes: Any) -> Served:
    """Open a release that was verified. `changes` override options of serving, e.g. engine or threads.

    `rules` are business rules that hold instead of the release's own.
    """
    folder = verified.folder
    options = json.loads((folder / "serve.json").read_bytes()) | {k: v for k, v in changes.items() if v is not None}
    return open_served(
        release=str(verified.release),
        digest=verified.release.digest,
        weights=folder / "weights",
        index=folder / "index" / INDEX,
        guard=folder / "guard" / "attack-model",
        policy=json.loads((folder / "policy.json").read_bytes()),
        instructions=(folder / "prompts" / "answer.md").read_text("utf-8"),
        options=options,
        passport=verified.passport,
        route=folder / "routes" / ROUTE,
        confidence=folder / "confidence" / CONFIDENCE,
        rules=rules,
    )
