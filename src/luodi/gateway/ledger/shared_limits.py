"""Limits a minute that several machines share, in Redis or Valkey: one bucket for each scope, taken from in one script.

The arithmetic is that of `meters`: buckets of thousandths that refill evenly over the minute, by the server's clock.
Where Redis does not answer, the limits of this machine's own database are what holds.
"""

from __future__ import annotations

from typing import Any

from luodi.gateway.cache.link import Link
from luodi.gateway.ledger.limits import Scope
from luodi.gateway.ledger.meters import Room

_AT = "luodi:{limits}:"
_NONE = (-1, -1, 0)

# KEYS: a bucket for each scope. ARGV: tokens, then requests and tokens a minute of each scope (-1: no limit).
# Returns {index of the scope that refuses or 0, 1 for requests or 2 for tokens, ms until it would not, and for each
# scope what is used of both, in thousandths}.
_TAKE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local tokens = tonumber(ARGV[1])
local used, refused, what, after = {}, 0, 0, 0
for i, key in ipairs(KEYS) do
  local rpm, tpm = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local kept = redis.call('HMGET', key, 'at', 'r', 't')
  local at, r, k = tonumber(kept[1] or now), tonumber(kept[2] or 0), tonumber(kept[3] or 0)
  local passed = math.max(0, now - at)
  if rpm >= 0 then r = math.max(0, r - passed * rpm / 60) end
  if tpm >= 0 then k = math.max(0, k - passed * tpm / 60) end
  used[i] = {math.max(at, now), r, k}
  if refused == 0 then
    if rpm >= 0 and r + 1000 > rpm * 1000 then
      refused, what = i, 1
      after = rpm == 0 and -1 or math.ceil((r + 1000 - rpm * 1000) * 60 / rpm)
    elseif tpm >= 0 and k + tokens * 1000 > tpm * 1000 then
      refused, what = i, 2
      after = tokens > tpm and -1 or math.ceil((k + (tokens - tpm) * 1000) * 60 / tpm)
    end
  end
end
local out = {refused, what, after}
for i, key in ipairs(KEYS) do
  local at, r, k = used[i][1], used[i][2], used[i][3]
  if refused == 0 then r = r + 1000; k = k + tokens * 1000 end
  redis.call('HSET', key, 'at', string.format('%.0f', at), 'r', string.format('%.6f', r), 't', string.format('%.6f', k))
  redis.call('PEXPIRE', key, 3600000)
  out[2 * i + 2], out[2 * i + 3] = math.ceil(r), math.ceil(k)
end
return out
"""

# KEYS: the buckets. ARGV: requests and tokens to be added, in thousandths; they may be negative.
_CORRECT = """
for _, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then
    for i, field in ipairs({'r', 't'}) do
      if tonumber(redis.call('HINCRBYFLOAT', key, field, ARGV[i])) < 0 then redis.call('HSET', key, field, 0) end
    end
  end
end
return 1
"""


class SharedLimits:
    """Requests and tokens a minute of keys, teams and the project, over all machines with the same Redis."""

    def __init__(self, url: str, *, wait_s: float = 0.05) -> None:
        self.link = Link(url, wait_s=wait_s)

    async def take(self, scopes: tuple[Scope, ...], tokens: int) -> Room | None:
        """Take a request and its tokens from all scopes, or from none; None if Redis does not answer.

        `Room.denied` names the limit that is used up. Scopes without such limits are left out.
        """
        asked = _limited(scopes)
        if not asked:
            return Room("", "", 0, _NONE, _NONE)
        numbers = [tokens]
        for s in asked:
            numbers += [_or(s.limits.requests_minute), _or(s.limits.tokens_minute)]
        keys = [_AT + s.name for s in asked]
        found: Any = await self.link.ask(lambda r: r.register_script(_TAKE)(keys, numbers))
        if found is None:
            return None
        refused, what, after, *used = (int(n) for n in found)
        requests, left = _NONE, _NONE
        for i, s in enumerate(asked):
            requests = _least(requests, s.limits.requests_minute, used[2 * i])
            left = _least(left, s.limits.tokens_minute, used[2 * i + 1])
        if refused:
            name = "requests_minute" if what == 1 else "tokens_minute"
            return Room(name, asked[refused - 1].name, after, requests, left)
        return Room("", "", 0, requests, left)

    def correct(self, scopes: tuple[Scope, ...], tokens: int, *, requests: int = 0) -> None:
        """Add tokens (and requests) that were used beyond what was taken, or give back with negative numbers."""
        keys = [_AT + s.name for s in _limited(scopes)]
        if keys and (tokens or requests):
            self.link.send(lambda r: r.register_script(_CORRECT)(keys, [requests * 1000, tokens * 1000]))

    async def stop(self) -> None:
        await self.link.stop()


def _limited(scopes: tuple[Scope, ...]) -> list[Scope]:
    return [s for s in scopes if s.limits.requests_minute is not None or s.limits.tokens_minute is not None]


def _or(limit: int | None) -> int:
    return -1 if limit is None else limit


def _least(found: tuple[int, int, int], limit: int | None, used: int) -> tuple[int, int, int]:
    if limit is None:
        return found
    left = max(0, (limit * 1000 - used) // 1000)
    if found[0] >= 0 and found[1] <= left:
        return found
    return limit, left, -1 if limit == 0 else max(0, -(-used * 60 // limit))
