"""Passwords: argon2id, and the ones that are refused."""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any

from luodi.errors import LuodiError, require

SHORTEST = 12  # characters
_LONGEST = 1024  # bytes
_DISTINCT = 5  # characters that differ
# RFC 9106: argon2id. 64 MiB and two passes take some 80 ms on one core of 2024.
_MEMORY_KIB, _PASSES, _LANES = 64 * 1024, 2, 1
# What is compared with where there is no such person, so that it takes as long. No password has it.
_NOBODY = "$argon2id$v=19$m=65536,t=2,p=1$5TwpivEO5fzwqDmy+01Upg$suyqJYgZUGKXMT8gLbVphPnZC/qOVaB4BWIsfsGx+/k"


@cache
def _hasher() -> Any:
    argon2 = require("argon2", extra="serve")
    return argon2.PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES)


@cache
def _common() -> frozenset[str]:
    return frozenset(files("luodi.gateway.admin").joinpath("common-passwords.txt").read_text("utf-8").split())


def _plain(password: str) -> str:
    """One form of what looks the same, however a keyboard composes it."""
    return unicodedata.normalize("NFKC", password)


def check_rules(password: str, name: str) -> None:
    """Raises: LuodiError if a password is too short, too long, too uniform, too common, or holds the name."""
    plain = _plain(password)
    low = plain.casefold()
    if len(plain) < SHORTEST:
        raise LuodiError(f"a password has at least {SHORTEST} characters", "a few words in a row are easy to remember")
    if len(plain.encode("utf-8", "replace")) > _LONGEST:
        raise LuodiError(f"a password has at most {_LONGEST} bytes")
    if any(c < " " or "\ud800" <= c <= "\udfff" for c in plain):
        raise LuodiError("a password has no control characters")
    if len(name) > 2 and name.casefold() in low:
        raise LuodiError("a password must not hold the name", "take something that has nothing to do with it")
    if low in _common() or len(set(low)) < _DISTINCT:
        raise LuodiError("this password is among the first to be tried", "a few words in a row are easy to remember")


def hash_password(password: str) -> str:
    """The argon2id hash with its parameters and salt, as text. Takes some 80 ms and 64 MiB."""
    hashed: str = _hasher().hash(_plain(password).encode("utf-8", "replace"))
    return hashed


def is_right(hashed: str | None, password: str) -> bool:
    """Whether `password` has this hash; False, after the same work, if there is none."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        _hasher().verify(hashed or _NOBODY, _plain(password).encode("utf-8", "replace"))
    except (VerificationError, InvalidHashError):
        return False
    return hashed is not None


def is_outdated(hashed: str) -> bool:
    """Whether a hash was made with other parameters than new ones are."""
    return bool(_hasher().check_needs_rehash(hashed))
