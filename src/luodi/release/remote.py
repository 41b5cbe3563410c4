"""Push and pull releases to a registry of containers, with the `oras` client: its names, logins and retries.

The attestation is found as a referrer of the model (OCI distribution 1.1), or by the tag that stands in for it where a
registry does not know referrers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from luodi.errors import ReleaseError, require
from luodi.release.layout import ATTESTATION, INDEX, MANIFEST, Blob, Packed, Told, check_bytes, save
from luodi.store import canonical_json

_MOST = 4 << 20  # bytes of a manifest
_CHUNK = 1 << 20
_TIMES_S = (10.0, 300.0)  # to connect; without a byte


class Remote:
    """One repository of a registry: "registry.example:5000/team/helpdesk:3".

    Args:
        plain: http instead of https, for a registry on this machine.
    """

    def __init__(self, reference: str, *, plain: bool = False) -> None:
        """Raises: ReleaseError: the reference names no registry; MissingExtraError: oras is not installed."""
        provider = require("oras.provider", extra="oci")
        container = require("oras.container", extra="oci")
        host = reference.partition("/")[0]
        if "/" not in reference or not any(sign in host for sign in ".:") or "://" in reference:
            raise ReleaseError(
                f"{reference!r} names no registry", "write it as HOST[:PORT]/NAME:TAG, e.g. localhost:5000/helpdesk:3"
            )
        try:
            self._at = container.Container(reference)
        except ValueError as error:
            raise ReleaseError(f"{reference!r} is no reference: {error}", "write HOST[:PORT]/NAME:TAG") from error
        self.reference = reference
        client = provider.Registry(insecure=plain)
        self._session, self._auth = client.session, client.auth
        self._scheme = "http" if plain else "https"
        self._allowed: dict[str, str] = {}  # the header that lets us in, once the registry has asked for one
        with self._told("asked"):
            self._auth.load_configs(self._at)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn what the client raises into an error that says what to do."""
        requests = require("requests", extra="oci")
        try:
            yield
        except (requests.RequestException, ValueError) as error:
            hint = "log in first (`docker login` or `oras login`), and check the name"
            if isinstance(error, requests.exceptions.SSLError):
                hint = "a registry without TLS needs --plain-http"
            raise ReleaseError(f"{self._at.registry} could not be {what}: {error}", hint) from error

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        return self._send(method, f"{self._scheme}://{self._at.registry}/v2/{self._at.api_prefix}/{path}", **options)

    def _send(self, method: str, url: str, *, headers: dict[str, str], data: Any = None, stream: bool = False) -> Any:
        """One request, and once more with what lets us in if the registry asks for it."""
        own = url.startswith(f"{self._scheme}://{self._at.registry}/")  # an upload may go to another host

        def send() -> Any:
            more = self._allowed if own else {}
            return self._session.request(
                method, url, headers=headers | more, data=data, stream=stream, timeout=_TIMES_S
            )

        answer = send()
        if answer.status_code != 401 or not own or not self._let_in(answer):
            return answer
        answer.close()
        if hasattr(data, "seek"):
            data.seek(0)
        return send()

    def _let_in(self, answer: Any) -> bool:
        if answer.headers.get("www-authenticate", "").lower().startswith("basic"):
            basic = getattr(self._auth, "_basic_auth", "")
            found = {"Authorization": f"Basic {basic}"} if basic else {}
        else:
            headers, changed = self._auth.authenticate_request(answer, {}, refresh=True)
            found = dict(headers) if changed else {}
        if not found or found == self._allowed:
            return False
        self._allowed = found
        return True

    def push(self, packed: Packed, told: Told = lambda *_: None) -> str:
        """Upload a release; what the registry has already is not sent again. Returns the digest of its manifest.

        Raises:
            ReleaseError: the registry refused, or can't be reached.
        """
        with self._told("written to"):
            for number, blob in enumerate(packed.blobs):
                told(number, len(packed.blobs), str((blob.annotations or {}).get("org.cncf.model.filepath", "")))
                self._upload(blob)
            told(len(packed.blobs), len(packed.blobs), "")
            self._put(packed.model, self._at.tag or "latest")
            answer = self._put(packed.attestation, packed.attestation.digest)
            if "oci-subject" not in {name.lower() for name in answer.headers}:
                self._refer(packed)
        return packed.model.digest

    def _upload(self, blob: Blob) -> None:
        if self._ask("HEAD", f"blobs/{blob.digest}", headers={}).status_code == 200:
            return
        started = self._good(self._ask("POST", "blobs/uploads/", headers={"Content-Length": "0"}))
        where = str(started.headers.get("location", ""))
        if where.startswith("/"):
            where = f"{self._scheme}://{self._at.registry}{where}"
        where += ("&" if "?" in where else "?") + f"digest={blob.digest}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
        if blob.source is None:
            self._good(self._send("PUT", where, data=blob.data, headers=headers))
            return
        with blob.source.open("rb") as file:
            self._good(self._send("PUT", where, data=file, headers=headers))

    def _put(self, manifest: Blob, name: str) -> Any:
        return self._good(
            self._ask("PUT", f"manifests/{name}", data=manifest.data, headers={"Content-Type": manifest.media_type})
        )

    def _refer(self, packed: Packed) -> None:
        """Enter the attestation under the tag that stands for the referrers of the model."""
        tag = packed.model.digest.replace(":", "-")
        mine = packed.attestation.descriptor() | {"artifactType": ATTESTATION}
        others = [m for m in self._referred(tag) if m.get("digest") != packed.attestation.digest]
        body = canonical_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [*others, mine]})
        self._good(self._ask("PUT", f"manifests/{tag}", data=body, headers={"Content-Type": INDEX}))

    def _referred(self, tag: str) -> list[dict[str, Any]]:
        answer = self._ask("GET", f"manifests/{tag}", headers={"Accept": INDEX})
        if answer.status_code == 404:
            return []
        found = self._good(answer).json().get("manifests")
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    def manifests(self) -> list[dict[str, Any]]:
        """Descriptors of the model that the reference names and of what refers to it.

        Raises:
            ReleaseError: there is none, or the registry can't be reached.
        """
        with self._told("read"):
            name = self._at.digest or self._at.tag or "latest"
            data = self._small(self._ask("GET", f"manifests/{name}", headers={"Accept": MANIFEST}, stream=True))
            digest = "sha256:" + hashlib.sha256(data).hexdigest()
            model = {"mediaType": MANIFEST, "digest": digest, "size": len(data)}
            answer = self._ask("GET", f"referrers/{digest}", headers={"Accept": INDEX})
            found = answer.json().get("manifests") if answer.status_code == 200 else None
            if not isinstance(found, list):
                found = self._referred(digest.replace(":", "-"))
        return [model, *(m for m in found if isinstance(m, dict) and m.get("artifactType", ATTESTATION) == ATTESTATION)]

    def manifest(self, descriptor: dict[str, Any]) -> dict[str, Any]:
        """A manifest by its descriptor, compared with its digest."""
        with self._told("read"):
            asked = self._ask("GET", f"manifests/{descriptor['digest']}", headers={"Accept": MANIFEST}, stream=True)
            data = self._small(asked)
        loaded = json.loads(check_bytes(data, descriptor))
        return loaded if isinstance(loaded, dict) else {}

    def fetch(self, descriptor: dict[str, Any], target: Path) -> None:
        """Download a blob to `target`, compared with its digest and size on the way."""
        with self._told("read"), self._ask("GET", f"blobs/{descriptor['digest']}", headers={}, stream=True) as answer:
            save(self._good(answer).iter_content(_CHUNK), descriptor, target)

    def _small(self, answer: Any) -> bytes:
        with self._good(answer) as body:
            data: bytes = body.raw.read(_MOST + 1, decode_content=True)
        if len(data) > _MOST:
            raise ReleaseError(f"{self.reference}: the manifest is larger than one may be")
        return data

    def _good(self, answer: Any) -> Any:
        if answer.status_code < 300:
            return answer
        try:
            said = "; ".join(str(e.get("message") or e.get("code")) for e in answer.json()["errors"])
        except (ValueError, KeyError, TypeError, AttributeError):
            said = str(answer.reason)
        hint = {
            401: "log in first: `docker login` or `oras login`",
            403: "this login may not do that",
            404: "check the name and the tag",
        }.get(answer.status_code, "")
        raise ReleaseError(f"{self.reference}: the registry says {answer.status_code}: {said}", hint)
