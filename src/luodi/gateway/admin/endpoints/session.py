"""Signing in and out."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from luodi.errors import LuodiError
from luodi.gateway.admin.access import Who
from luodi.gateway.admin.asked import Asked, Body, Said
from luodi.gateway.admin.sessions import Session
from luodi.gateway.problem import Problem, invalid


class SignIn(Body):
    name: str = Field(max_length=200)
    password: str = Field(max_length=1024)


class Password(Body):
    old: str = Field(max_length=1024)
    new: str = Field(max_length=1024)


def sign_in(asked: Asked) -> Said:
    body: SignIn = asked.body
    token, session = asked.sessions.sign_in(
        body.name, body.password, client=asked.client, old_token=asked.token
    )  # a token that came with the request is never taken over
    return Said(_told(Who.of_session(session)), token=token)


def who(asked: Asked) -> dict[str, Any]:
    return _told(asked.who)


def sign_out(asked: Asked) -> Said:
    asked.sessions.end(_session(asked))
    return Said({"signed_out": asked.who.name}, token="")


def password(asked: Asked) -> Said:
    body: Password = asked.body
    try:
        token, session = asked.sessions.change_password(_session(asked), body.old, body.new, client=asked.client)
    except Problem:
        raise
    except LuodiError as error:
        raise invalid(error.message, "new") from error
    return Said(_told(Who.of_session(session)), token=token)


def _session(asked: Asked) -> Session:
    if asked.who.session is None:
        raise invalid("a key has no session", code="no_session")
    return asked.who.session


def _told(who: Who) -> dict[str, Any]:
    told: dict[str, Any] = {"name": who.name, "role": who.role, "team": who.team, "key_id": who.key_id or None}
    if who.session is not None:
        told |= {"idle_ms": who.session.idle_ms, "expires_ms": who.session.expires_ms}
    return told
