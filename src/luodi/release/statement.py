"""The signed statement: an in-toto Statement v1 over every part of a release, in a DSSE envelope.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md, https://github.com/secure-systems-lab/dsse
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from luodi.errors import IntegrityError
from luodi.store import canonical_json
from luodi.store.digest import sha256_file
from luodi.store.keys import Keys

FILE = "statement.json"
_PAYLOAD = "application/vnd.in-toto+json"
_PREDICATE = "https://luodi.dev/release/v1"


def _pae(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the type is signed with the content."""
    return b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD), _PAYLOAD.encode(), len(payload), payload)


def sign(keys: Keys, folder: Path, files: Iterable[dict[str, Any]], predicate: dict[str, Any]) -> dict[str, Any]:
    """The envelope. `files` are the parts of the release in `folder`: path and digest.

    Luodi verifies by BLAKE3, which reads faster than disks do; SHA-256 is there for everybody else's tools.
    """
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": f["path"], "digest": {"blake3": f["digest"], "sha256": sha256_file(folder / f["path"])}}
            for f in files
        ],
        "predicateType": _PREDICATE,
        "predicate": predicate,
    }
    payload = canonical_json(statement)
    signature = keys.sign(_pae(payload))
    return {
        "payloadType": _PAYLOAD,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [signature.as_dict()],
    }


def read(folder: Path, keys: Keys) -> tuple[dict[str, Any], str]:
    """The statement of the bundle in `folder` and who signed it, once a trusted signature is found on it.

    Raises:
        IntegrityError: there is no statement, it is no envelope, or no trusted key signed it.
    """
    path = folder / FILE
    try:
        envelope = json.loads(path.read_bytes())
        payload = base64.b64decode(envelope["payload"], validate=True)
        signatures = [dict(signature) for signature in envelope["signatures"]]
    except FileNotFoundError as error:
        raise IntegrityError(
            f"{FILE}: the release is not signed", "only `luodi run` makes releases that can be served"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{FILE}: not a signed statement: {error}") from error
    if envelope.get("payloadType") != _PAYLOAD or not signatures:
        raise IntegrityError(f"{FILE}: the release is not signed")
    problem: IntegrityError | None = None
    for signature in signatures:
        try:
            owner = keys.verify(_pae(payload), signature)
        except IntegrityError as error:
            problem = IntegrityError(f"{FILE}: {error.message}", error.hint)
            continue
        statement = json.loads(payload)
        if statement.get("predicateType") != _PREDICATE:
            raise IntegrityError(f"{FILE}: this is a statement about something else")
        return statement, owner
    assert problem is not None
    raise problem
