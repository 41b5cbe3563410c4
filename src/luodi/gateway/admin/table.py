"""Every path of the admin API and who may use it. What is not in this table is refused.

admin     everything
operator  keys, limits, usage, releases, experiments
reviewer  the calls that wait for a person, or waited, with their content
auditor   the log, records of calls, checkpoints, proofs; no content
user      records of calls made with the same key
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from luodi.gateway.admin.asked import Asked, Body
from luodi.gateway.admin.endpoints import (
    budgets,
    describe,
    experiments,
    feedback,
    keys,
    labels,
    logs,
    people,
    records,
    releases,
    reviews,
    session,
)
from luodi.gateway.keys import Role

Handler = Callable[[Asked], Any]
EVERYBODY: frozenset[Role] = frozenset(get_args(Role))
ADMIN: frozenset[Role] = frozenset({"admin"})
OPERATE: frozenset[Role] = frozenset({"admin", "operator"})
REVIEW: frozenset[Role] = frozenset({"admin", "reviewer"})
AUDIT: frozenset[Role] = frozenset({"admin", "auditor"})
NOBODY: frozenset[Role] = frozenset()


@dataclass(frozen=True, slots=True)
class Entry:
    """One method of one path.

    Attributes:
        roles: who may use it. Where the path names a call, of any caller.
        open: whether it may be used without having signed in.
        own: whether the key that made the call may use it, whatever its role.
        reviewed: who may use it for calls that wait for a person or were decided.
        passwords: whether passwords are hashed: such requests wait in a line of their own.
        log: the kinds of rows that it writes into the log when it changes something.
    """

    method: str
    path: str
    roles: frozenset[Role]
    handle: Handler
    summary: str
    body: type[Body] | None = None
    open: bool = False
    own: bool = False
    reviewed: frozenset[Role] = NOBODY
    passwords: bool = False
    log: tuple[str, ...] = ()

    @property
    def names_call(self) -> bool:
        return self.own or bool(self.reviewed)

    @property
    def anybody(self) -> frozenset[Role]:
        """The roles that may use it at all, for some call or other."""
        return EVERYBODY if self.own else self.roles | self.reviewed


def _entry(method: str, path: str, roles: frozenset[Role], handle: Handler, summary: str, **more: Any) -> Entry:
    return Entry(method, path, roles, handle, summary, **more)


TABLE: tuple[Entry, ...] = (
    _entry("POST", "/admin/session", NOBODY, session.sign_in, "Sign in", body=session.SignIn, open=True,
           passwords=True, log=("session.began", "session.refused")),
    _entry("GET", "/admin/session", EVERYBODY, session.who, "Who has signed in"),
    _entry("DELETE", "/admin/session", EVERYBODY, session.sign_out, "Sign out", log=("session.ended",)),
    _entry("PUT", "/admin/session/password", EVERYBODY, session.password, "A new password of one's own",
           body=session.Password, passwords=True, log=("person.password",)),

    _entry("GET", "/admin/openapi.json", EVERYBODY, describe.show, "This description"),

    _entry("GET", "/admin/people", ADMIN, people.ls, "People"),
    _entry("POST", "/admin/people", ADMIN, people.add, "Add a person", body=people.New, passwords=True,
           log=("person.added",)),
    _entry("PATCH", "/admin/people/{name}", ADMIN, people.change, "Change role or team, disable, enable",
           body=people.Change, log=("person.role", "person.team", "person.disabled", "person.enabled")),
    _entry("PUT", "/admin/people/{name}/password", ADMIN, people.password, "A person's new password",
           body=people.Password, passwords=True, log=("person.password",)),

    _entry("GET", "/admin/keys", OPERATE, keys.ls, "API keys, never their secrets"),
    _entry("POST", "/admin/keys", OPERATE, keys.make, "Make a key; its secret is shown once", body=keys.New,
           log=("key.made",)),
    _entry("POST", "/admin/keys/{key}/rotate", OPERATE, keys.rotate, "Give a key a new secret", body=keys.Rotate,
           log=("key.rotated",)),
    _entry("POST", "/admin/keys/{key}/forgive", OPERATE, keys.forgive, "Let a key go on that was held back",
           log=("key.forgiven",)),
    _entry("DELETE", "/admin/keys/{key}", OPERATE, keys.revoke, "Refuse a key from now on", log=("key.revoked",)),

    _entry("GET", "/admin/limits", OPERATE, budgets.ls, "Limits of all keys, teams and the project"),
    _entry("GET", "/admin/limits/{scope:path}", OPERATE, budgets.get, "Limits of project, key:ID or team:NAME"),
    _entry("PUT", "/admin/limits/{scope:path}", OPERATE, budgets.put, "Set all limits of a scope",
           body=budgets.NewLimits, log=("limits.set",)),
    _entry("GET", "/admin/usage", OPERATE, budgets.usage, "What keys, teams and the project have used"),

    _entry("GET", "/admin/releases", OPERATE, releases.ls, "Releases and their channels"),
    _entry("POST", "/admin/releases/{release}/promote", OPERATE, releases.promote, "Verify, then put on a channel",
           body=releases.Promote, log=("release.live", "release.canary", "release.candidate")),
    _entry("POST", "/admin/releases/{release}/rollback", OPERATE, releases.rollback, "Make the previous one live",
           body=Body, log=("release.rollback",)),
    _entry("GET", "/admin/experiments", OPERATE, experiments.ls, "Experiments, newest first"),
    _entry("POST", "/admin/experiments", OPERATE, experiments.begin, "Begin an experiment", body=experiments.New,
           log=("experiment.started",)),
    _entry("GET", "/admin/experiments/{experiment}", OPERATE, experiments.show, "One experiment with its findings"),
    _entry("POST", "/admin/experiments/{experiment}/stop", OPERATE, experiments.end, "End an experiment", body=Body,
           log=("experiment.stopped",)),

    _entry("GET", "/admin/records", AUDIT, records.ls, "Records of calls, newest first"),
    _entry("GET", "/admin/records/{record}", AUDIT, records.one, "One record", reviewed=REVIEW),
    _entry("GET", "/admin/log", AUDIT, logs.ls, "Rows of the log, newest first"),
    _entry("GET", "/admin/checkpoints", AUDIT, logs.checkpoints, "Signed checkpoints, newest first"),

    _entry("GET", "/admin/reviews", REVIEW, reviews.ls, "Calls that wait for a person, or were decided"),
    _entry("GET", "/admin/reviews/{record}", NOBODY, reviews.show, "One of them with its content", reviewed=REVIEW,
           log=("content.read",)),
    _entry("POST", "/admin/reviews/{record}", NOBODY, reviews.decide, "Uphold or overturn", body=reviews.Decide,
           reviewed=REVIEW, log=("review.decided",)),

    _entry("POST", "/v1/labels/check", EVERYBODY, labels.check, "Whether a label is of its record and release",
           body=labels.Label),
    _entry("POST", "/v1/watermark/detect", EVERYBODY, labels.detect, "Whether a text carries the watermark",
           body=labels.Marked),
    _entry("GET", "/v1/records/{record}", AUDIT, records.one, "One record", own=True, reviewed=REVIEW),
    _entry("GET", "/v1/records/{record}/why", AUDIT, records.why, "Why an answer is what it is", own=True,
           reviewed=REVIEW, log=("content.read",)),
    _entry("GET", "/v1/records/{record}/proof", AUDIT, records.proof, "The proof that a record is in the log",
           own=True),
    _entry("POST", "/v1/records/{record}/review", NOBODY, reviews.ask, "Appeal to a person", body=reviews.Appeal,
           own=True, log=("review.asked",)),
    _entry("POST", "/v1/records/{record}/feedback", NOBODY, feedback.give, "Say that an answer was good or bad",
           body=feedback.Mark, own=True, log=("feedback",)),
)  # fmt: skip
