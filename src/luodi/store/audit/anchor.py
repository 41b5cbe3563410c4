"""Where checkpoints are put outside, so that who holds the database and the key can't rewrite the log unseen.

file:/mnt/other-host/witness.txt     an append-only file on another host's mount or a medium that is taken away
https://bucket.example/luodi/        PUT of luodi/SIZE.note (a URL that ends in /), with object lock where there is
https://witness.example/add          POST of the note, to a witness
rfc3161:https://tsa.example/stamp    a time stamp over the note (RFC 3161; extra `audit`)
"""

from __future__ import annotations

import base64
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from luodi.errors import IntegrityError, StoreError, require
from luodi.store.atomic import disk_errors, sync_folder

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_TIMEOUT_S = 10.0
_ANSWER = 4096  # bytes of a witness's answer that are kept


class Anchor(Protocol):
    """A place outside."""

    def put(self, note: str, size: int) -> str:
        """Put a checkpoint there; returns what came back, "" for nothing. Raises: StoreError if it can't be."""
        ...


def open_anchor(target: str) -> Anchor:
    """The anchor that a target names.

    Raises:
        StoreError: no such kind.
        MissingExtraError: a time stamp is asked for and its library is not installed.
    """
    if target.startswith("file:") and target.removeprefix("file:").startswith("/"):
        return FileAnchor(Path(target.removeprefix("file:")))
    if target.startswith(("https://", "http://")):
        return WebAnchor(target)
    if target.startswith(("rfc3161:https://", "rfc3161:http://")):
        require("rfc3161_client", extra="audit")
        return StampAnchor(target.removeprefix("rfc3161:"))
    raise StoreError(
        f"{target!r} is no place for checkpoints", "write file:/path/witness.txt, https://… or rfc3161:https://…"
    )


class FileAnchor:
    """Notes one after another, each followed by a blank line; appended and synced, never rewritten."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, note: str, size: int) -> str:
        try:
            with disk_errors(f"{self.path} could not be written"):
                new = not self.path.exists()
                handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
                try:
                    end = os.fstat(handle).st_size
                    # What a full disk cut off must not run together with this note.
                    torn = end > 1 and os.pread(handle, 2, end - 2) != b"\n\n"
                    data = (b"\n\n" if torn else b"") + note.encode() + b"\n"
                    if os.write(handle, data) != len(data):
                        raise StoreError(f"{self.path} took only a part of the checkpoint", "free some space there")
                    os.fsync(handle)
                finally:
                    os.close(handle)
                if new:
                    sync_folder(self.path.parent)
        except OSError as error:
            raise StoreError(f"{self.path} could not be written: {error.strerror}", "is it mounted?") from error
        return ""


def read_notes(path: Path) -> list[str]:
    """Notes of a witness file, in order; a piece that is no whole note is in the list as it stands.

    Raises:
        StoreError: the file can't be read.
    """
    try:
        text = path.read_text("utf-8", "replace")
    except OSError as error:
        raise StoreError(f"{path} could not be read: {error.strerror}", "name the witness file") from error
    pieces = [piece.strip("\n") for piece in text.split("\n\n")]
    notes: list[str] = []
    pending = ""
    for piece in filter(None, pieces):
        if piece.startswith("\N{EM DASH} "):
            notes.append(f"{pending}\n\n{piece}\n")
            pending = ""
        else:
            if pending:
                notes.append(pending)
            pending = piece
    return [*notes, pending] if pending else notes


class WebAnchor:
    """An object store or a witness that takes a note over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url

    def put(self, note: str, size: int) -> str:
        if self.url.endswith("/"):
            return _send(f"{self.url}{size}.note", note.encode(), "PUT", "text/plain; charset=utf-8").decode(
                "utf-8", "replace"
            )
        return _send(self.url, note.encode(), "POST", "text/plain; charset=utf-8").decode("utf-8", "replace")


class StampAnchor:
    """A time-stamping authority; what comes back is its response, base64."""

    def __init__(self, url: str) -> None:
        self.url = url

    def put(self, note: str, size: int) -> str:
        from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

        request = TimestampRequestBuilder().data(note.encode()).hash_algorithm(HashAlgorithm.SHA256).build()
        answer = _send(self.url, request.as_bytes(), "POST", "application/timestamp-query", 1 << 20)
        try:
            stamped_at(answer, note)
        except IntegrityError as error:
            raise StoreError(f"{self.url}: {error.message}", "is it a time-stamping authority (RFC 3161)?") from error
        return base64.b64encode(answer).decode()


def stamped_at(response: bytes, note: str, roots: Sequence[Certificate] = ()) -> str:
    """The time (ISO 8601) that a time stamp gives a note; with `roots` its signature is verified up to one of them.

    Raises:
        IntegrityError: it is no time stamp of this note, or not signed under these roots.
    """
    from hashlib import sha256

    tsa: Any = require("rfc3161_client", extra="audit")
    try:
        decoded = tsa.decode_timestamp_response(response)
        info = decoded.tst_info
        stamped = info.message_imprint.message
    except ValueError as error:
        raise IntegrityError("what came back is no time stamp") from error
    if stamped != sha256(note.encode()).digest():
        raise IntegrityError("the time stamp is of something else")
    if roots:
        builder = tsa.VerifierBuilder()
        for root in roots:
            builder = builder.add_root_certificate(root)
        try:
            builder.build().verify_message(decoded, note.encode())
        except (tsa.VerificationError, ValueError) as error:
            raise IntegrityError(f"the time stamp is not signed under the roots given: {error}") from error
    return str(info.gen_time.isoformat())


def _send(url: str, data: bytes, method: str, kind: str, most: int = _ANSWER) -> bytes:
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)  # noqa: S310 - http(s), see open_anchor
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - as above
            body: bytes = answer.read(most)
            return body
    except urllib.error.HTTPError as error:
        error.close()
        raise StoreError(f"{url} answered {error.code}", "is this the place for checkpoints?") from error
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{url} could not be reached: {error}", "it is tried again with the next checkpoint"
        ) from error
