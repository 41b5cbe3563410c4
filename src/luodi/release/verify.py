"""Verifying a release: every part as it was signed, the passport complete, the gates passed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from luodi.errors import IntegrityError, ReleaseError
from luodi.release import statement
from luodi.release.registry import Release
from luodi.store import Store
from luodi.store.artifacts import list_content
from luodi.store.digest import digest_tree

PASSPORT = "passport.json"


@dataclass(frozen=True, slots=True)
class Verified:
    """A release whose every byte is as it was signed."""

    release: Release
    folder: Path
    passport: dict[str, Any]
    signer: str
    parts: int


def verify_folder(folder: Path, store: Store) -> tuple[dict[str, Any], str, list[dict[str, Any]]]:
    """The signed predicate, the signer and the listing of a bundle's files.

    Raises:
        IntegrityError: names the first part that is changed, missing or not signed.
    """
    signed, signer = statement.read(folder, store.keys)
    expected = {s["name"]: s["digest"]["blake3"] for s in signed["subject"]}
    listing = list_content(folder)
    found = {f["path"]: f["digest"] for f in listing if f["path"] != statement.FILE}
    for name in sorted({*expected, *found}):
        if name not in found:
            raise IntegrityError(f"{name}: missing from the release")
        if name not in expected:
            raise IntegrityError(f"{name}: not part of the signed release")
        if found[name] != expected[name]:
            raise IntegrityError(f"{name}: changed since the release was signed")
    return signed["predicate"], signer, listing


def expired(about: dict[str, Any], today: date | None = None) -> str:
    """The last day of a release whose predicate or passport this is, if that day is past; "" if not."""
    day = str(about.get("expires") or "")
    return day if day and day < (today or datetime.now(UTC).date()).isoformat() else ""


def check_waivers(verified: Verified, today: date | None = None) -> None:
    """A release that only a waiver lets through may be promoted up to the waiver's last day.

    Raises:
        ReleaseError: that day is past.
    """
    now = (today or date.today()).isoformat()
    gates = [m.get("gate") for found in verified.passport["promises"].values() for m in found]
    for gate in filter(None, [*gates, *verified.passport["gates_without_measurement"]]):
        waiver = gate.get("waiver")
        if waiver and gate["required"] and gate["verdict"] != "pass" and waiver["expires"] < now:
            by = f"a waiver of {waiver['person']} until {waiver['expires']}"
            raise ReleaseError(
                f"{verified.release} passed {gate['measure']} by {by}",
                "measure again, or let somebody waive it anew, and `luodi run`",
            )


def verify(release: Release, store: Store, *, allow_failing: bool = False) -> Verified:
    """Check a release of the registry.

    Raises:
        IntegrityError: a part is not as it was signed.
        ReleaseError: its gates did not pass, or it is not the release the registry says.
    """
    folder = store.artifacts.get(release.digest).files
    predicate, signer, listing = verify_folder(folder, store)
    if digest_tree(listing) != release.digest:  # all else is as signed, so it is the statement
        raise IntegrityError(f"{statement.FILE}: not the one that was registered with {release}")
    if (predicate["name"], predicate["version"]) != (release.name, release.version):
        raise ReleaseError(
            f"the registry says {release}, the bundle is signed as {predicate['name']}@{predicate['version']}"
        )
    passport = json.loads((folder / PASSPORT).read_bytes())
    if release.revoked and not allow_failing:
        raise ReleaseError(f"{release} is revoked: {release.revoked}", "serve another release")
    if not allow_failing and (day := expired(predicate)):
        raise ReleaseError(f"{release} expired on {day}", "`luodi run` makes a new one, and measures it")
    if predicate["verdict"] != "pass" and not allow_failing:
        failed = [g for g in predicate["gates"] if g["required"] and g["verdict"] != "pass"]
        first = (
            f": {failed[0]['measure']} {failed[0]['bound']}: {failed[0]['reason'] or failed[0]['verdict']}"
            if failed
            else ""
        )
        raise ReleaseError(
            f"{release} did not pass its gates{first}", f"`luodi release show {release}` shows all of them"
        )
    return Verified(release, folder, passport, signer, len(listing) - 1)  # the statement signs the others
