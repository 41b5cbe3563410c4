"""Erase what was found of a person, keep it from coming back, and certify it; and check such a certificate."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from luodi.data import forgotten as places
from luodi.errors import LuodiError, StoreError
from luodi.gateway.forget import certificate, kept
from luodi.gateway.forget.artifacts import Held
from luodi.gateway.forget.find import FOLDER, Found, find
from luodi.gateway.forget.person import Person
from luodi.pipeline.lease import lease
from luodi.project import Loaded
from luodi.release import Registry, Release
from luodi.store import Store
from luodi.store.audit import erase as erase_content
from luodi.store.audit import new_id, verify
from luodi.store.audit.content import purge
from luodi.store.audit.reading import snapshot

FLAG = "forgotten"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What `forget` did.

    Attributes:
        path: of the certificate, whose body is `body`.
        lingers: whether the database's log file still holds a copy, because somebody is reading.
    """

    path: Path
    body: dict[str, Any]
    flagged: tuple[str, ...]
    revoked: tuple[str, ...]
    lingers: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check` found: `wrong` is what speaks against the certificate, `remains` what it said would remain."""

    body: dict[str, Any]
    signer: str
    wrong: tuple[str, ...]
    remains: tuple[str, ...]
    whole: bool

    @property
    def ok(self) -> bool:
        return not self.wrong


def forget(
    store: Store, loaded: Loaded, person: Person, found: Found, *, reason: str, actor: str, revoke: bool = False,
    again_of: str = "",
    named: Mapping[str, str] | None = None,
) -> Forgotten:  # fmt: skip
    """Erase all of `found` that can be, and write the certificate below the project's folder `privacy`.

    What is in a release stays, because a release is signed as a whole: it is flagged, and with `revoke` never served
    again. Documents are the project's own and stay; their places are not used from the next run on.

    Args:
        again_of: id of the certificate that is applied again; `named` are the releases it flagged: digest -> why.

    Raises:
        StoreError: nothing was found, no reason is given, or a run is under way.
    """
    if not reason.strip():
        raise StoreError("to forget needs a reason", 'give --reason "…"; it stays in the log')
    if not found.any:
        raise StoreError("nothing was found of this person", "`luodi privacy find` searches again; try other values")
    id = new_id("fgt")
    with snapshot(store.database) as tx:
        before = certificate.head(tx)
    with lease(store.root / "run.lock"):
        # First what keeps it from coming back: after a kill the next run already leaves it out.
        added = places.add(loaded.root, [replace(p, certificate=id) for p in found.rows.places.values()])
        dropped = _drop(store, found.intermediate)
        files = _clear(store, found.files, everything=bool(dropped))
    kept.erase(store, found.kept, redis=loaded.project.serve.redis)
    lingers = False
    if found.kept.content:
        done = erase_content(store, ids=found.kept.content, reason=reason, actor=actor)
        lingers = done.lingers
    else:
        lingers = purge(store.database)
    touched = _touched(store, found, named)
    revoked = _flag(store, touched, id, reason, actor, revoke)
    with snapshot(store.database) as tx:
        after = certificate.head(tx)
    body = {
        "format": certificate.FORMAT,
        "id": id,
        "project": loaded.project.name,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "actor": actor,
        "reason": reason.strip(),
        **({"again_of": again_of} if again_of else {}),
        "person": {"subject": person.subject_digest, "values": sorted(person.value_digests)},
        "found": {
            "counts": found.counts(),
            "records": sorted({*found.kept.content, *person.records}),
            "rows": sorted(found.rows.ids),
            "answers": sorted({*found.kept.answers, *found.kept.redis, *person.answers}),
            "artifacts": sorted(h.digest for h in found.intermediate),
            "releases": {release.digest: note for release, note in touched},
            "places": [p.param() for p in found.rows.places.values()],
        },
        "erased": {
            "content": len(found.kept.content),
            "vault": len(found.kept.vault),
            "kept_answers": len(found.kept.answers) + len(found.kept.redis),
            "notes": len(found.kept.notes) + len(found.kept.deliveries),
            "artifacts": len(dropped),
            "files": files,
            "places_never_used_again": added,
        },
        "remains": _remains(found, set(revoked)),
        "log": {"before": before, "after": after},
    }
    path = loaded.root / FOLDER / "certificates" / f"{id}.json"
    digest = certificate.write(store, path, body)
    with store.database.begin() as connection:
        store.database.log(connection, actor, "privacy.forgotten", id, digest=digest, erased=body["erased"])
    return Forgotten(path, body, tuple(str(release) for release, _ in touched), tuple(revoked), lingers)


def _drop(store: Store, held: list[Held]) -> list[str]:
    """Remove artifacts that no release is; the next run makes them again, without the rows."""
    gone = []
    for each in held:
        with suppress(StoreError):
            store.artifacts.remove(store.artifacts.get(each.digest))
            gone.append(each.digest)
    return gone


def _clear(store: Store, found: list[Path], *, everything: bool) -> int:
    """Remove files of caches and reports, and what half-done attempts left; vectors are made anew."""
    done = 0
    for path in found:
        path.unlink(missing_ok=True)
        done += 1
    if everything:
        for name in ("work", "state"):
            shutil.rmtree(store.root / name, ignore_errors=True)
        for path in (store.root / "cache").glob("*.sqlite*"):  # vectors and copies of rows
            path.unlink(missing_ok=True)
    return done


def _flag(
    store: Store, touched: list[tuple[Release, str]], id: str, reason: str, actor: str, revoke: bool
) -> list[str]:
    """Flag releases, and revoke them where that is asked for; the names of those that were revoked."""
    registry, revoked = Registry(store), []
    for release, note in touched:
        registry.flag(release, FLAG, f"{note} ({id})", actor)
        if revoke and not release.revoked:
            registry.revoke(release, f"{reason.strip()} ({id})", actor)
            revoked.append(str(release))
    return revoked


def _touched(store: Store, found: Found, named: Mapping[str, str] | None) -> list[tuple[Release, str]]:
    """Releases that hold rows, or that were made of artifacts that held them, and what is to be known of each."""
    held = {each.digest: each for each in found.rows.held}
    out = []
    for release in Registry(store).all():
        passport = json.loads((store.artifacts.get(release.digest).files / "passport.json").read_bytes())
        outputs = {str(stage.get("output", "")): str(stage["stage"]) for stage in passport.get("stages", [])}
        parts = [held[digest] for digest in outputs if digest in held]
        own = held.get(release.digest)
        notes = []
        if trained := max((part.trained for part in parts), default=0):
            notes.append(f"trained on {trained} rows")
        if own is not None and own.passages:
            notes.append(f"{own.passages} passages in its index")
        if own is not None and own.files:
            notes.append(f"in {', '.join(own.files[:5])}")
        if not notes and parts:
            notes.append(f"made of data that held it ({', '.join(sorted({part.stage for part in parts}))})")
        note = (named or {}).get(release.digest) or "; ".join(notes)
        if note:
            out.append((release, note))
    return out


def _remains(found: Found, revoked: set[str]) -> list[dict[str, Any]]:
    """What is still there, and why."""
    out: list[dict[str, Any]] = []
    for document in found.documents:
        why = "it can't be read: nobody knows" if document.count < 0 else "the project's own: edit it, then run again"
        if document.source not in ("project",) and not document.source.startswith("file:"):
            why = "a package that the project reads; its places are not used"
        out.append({"what": "document", "source": document.source, "path": document.path, "why": why})
    for release in found.releases:
        why = "a release is signed as a whole; it is flagged" + (
            " and revoked" if release.release in revoked else ", and `luodi release revoke` stops it being served"
        )
        out.append({"what": "release", "release": release.release, "digest": release.digest, "why": why})
    for backup in found.backups:
        out.append(
            {"what": "backup", "file": backup["file"], "time_ms": backup["time_ms"], "there": backup["there"],
             "why": "made before; after a restore, `luodi privacy forget --again` with this certificate"}
        )  # fmt: skip
    if found.kept.log_rows:
        out.append(
            {"what": "log", "rows": found.kept.log_rows,
             "why": "rows of the log can't be changed; they hold no content, and go with serve.audit.record_days"}
        )  # fmt: skip
    if found.kept.unopened:
        out.append({"what": "content", "records": found.kept.unopened, "why": "its key is not there; it can't be read"})
    return out


def check(
    store: Store, loaded: Loaded, path: Path, *, subject: str = "", values: tuple[str, ...] = (), actor: str
) -> Checked:
    """Verify a certificate, and search again for what it says is gone.

    Args:
        subject, values: as they were given to `forget`. With them everything is searched; without, what can be told by
            ids and digests: content, vault, kept answers, rows, passages, and artifacts.

    Raises:
        IntegrityError: the certificate was changed, or no trusted key signed it.
    """
    body, signer = certificate.read(store, path)
    wrong = certificate.in_the_log(store, body)
    report = verify(store)
    if not report.ok:
        wrong.append(f"the log does not verify: {report.problem_count} problems")
    person = certificate.person_of(store, body, subject, values)
    found = find(store, loaded, person, actor=actor)
    named = {(r.get("source"), r.get("path")) for r in body["remains"] if r["what"] == "document"}
    stay = {r["digest"] for r in body["remains"] if r["what"] == "release"}
    k = found.kept
    for what, count in (
        ("content of records", len(k.content)), ("values in the vault", len(k.vault)),
        ("kept answers", len(k.answers) + len(k.redis)), ("notes", len(k.notes) + len(k.deliveries)),
        ("files of the store", len(found.files)),
    ):  # fmt: skip
        if count:
            wrong.append(f"{count} {what}")
    remains = []
    for held in found.rows.held:
        if held.digest in stay:
            remains.append(f"release {held.release}")
        elif not held.release and held.stage == "collect" and named:
            remains.append("documents as the last run read them")
        else:
            wrong.append(f"artifact {held.digest[:12]} ({held.release or held.stage})")
    for document in found.documents:
        if document.count >= 0:
            where = f"{document.source} {document.path}"
            (remains if (document.source, document.path) in named else wrong).append(f"document {where}")
    forgotten = {p.row_id for p in places.read(loaded.root)}
    missing = [p for p in body["found"]["places"] if p["row_id"] not in forgotten]
    if missing:
        wrong.append(f"{len(missing)} places are not in {places.FILE}")
    remains += [f"backup {r['file']}" for r in body["remains"] if r["what"] == "backup" and Path(r["file"]).is_file()]
    remains += [f"log: {r['rows']} rows" for r in body["remains"] if r["what"] == "log"]
    return Checked(body, signer, tuple(wrong), tuple(dict.fromkeys(remains)), bool(values) or not person.value_digests)


def again(store: Store, loaded: Loaded, path: Path, *, actor: str, revoke: bool = False) -> Forgotten | None:
    """Erase once more what a certificate names, after a backup was brought back; None if nothing is there.

    Raises:
        IntegrityError: the certificate was changed, or no trusted key signed it.
    """
    body, _ = certificate.read(store, path)
    person = certificate.person_of(store, body)
    found = find(store, loaded, person, actor=actor)
    found.rows.places |= {p["row_id"]: places.Place(**p) for p in body["found"]["places"]}
    known = {held.digest for held in found.rows.held}
    for digest in set(body["found"]["artifacts"]) - known:
        if digest in store.artifacts:
            stage = str(store.artifacts.get(digest).manifest()["kind"])
            found.rows.held.append(Held(digest, stage, files=["all"]))
    named = {digest: str(note) for digest, note in body["found"]["releases"].items()}
    flagged = {r.digest for r in Registry(store).all() if any(f.startswith(FLAG) for f in r.flags)}
    waiting = any(digest in store.artifacts and digest not in flagged for digest in named)
    k = found.kept
    # what the last run read of a document that nobody edited is there again, and is named in the certificate
    held = any(not each.release and each.stage != "collect" for each in found.rows.held)
    if not (k.content or k.vault or k.answers or k.redis or k.notes or held or waiting):
        places.add(loaded.root, [replace(p, certificate=body["id"]) for p in found.rows.places.values()])
        return None
    try:
        return forget(
            store, loaded, person, found, reason=str(body["reason"]), actor=actor, revoke=revoke, again_of=body["id"],
            named=named,
        )  # fmt: skip
    except LuodiError as error:
        raise StoreError(f"{path.name} could not be applied: {error.message}", error.hint) from error
