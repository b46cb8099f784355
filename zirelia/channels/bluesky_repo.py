"""The records of one Bluesky account over XRPC: read one, write one, upload a picture, ask what the network shows.

    with connected(line) as wire:
        repo = Repo(wire, "did:plc:…")
        repo.record(POST, key)                          # Record, or None when it certainly is not there
        repo.put(POST, key, {"text": "Tea", …})         # Taken when another one is there under this key

A record has the key that its writer gives it, and `swapRecord` lets the server itself refuse a second one: an identical put
changes nothing, another one is `Taken`. Knows no publications. Protocol: https://atproto.com/specs/xrpc,
https://docs.bsky.app/docs/api/com-atproto-repo-put-record.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx

from zirelia.channels.wire import Unclear, Wire
from zirelia.errors import ProviderError, ProviderRefused, RateLimited, TokenRefused
from zirelia.network.failures import call_with_retry, map_http_error

_Answer = TypeVar("_Answer")

POST = "app.bsky.feed.post"

_TOKEN = frozenset({"ExpiredToken", "InvalidToken", "AuthMissing", "AuthenticationRequired"})
_NO_VIEW = frozenset({"MethodNotImplemented", "XRPCNotSupported"})
_SORTED = "234567abcdefghijklmnopqrstuvwxyz"
_KEY_LETTERS = 13


class Taken(ProviderRefused):
    """Another record is there under this key; nothing was written."""


class _NoView(ProviderRefused):
    """The server passes nothing on to a view of the network."""


@dataclass(frozen=True)
class Record:
    """One record as the server has it. cid: the hash of its content."""

    uri: str
    cid: str
    value: Mapping[str, Any]


def record_key(publication_id: str, made: datetime) -> str:
    """The key of what is published under that id: the same for the same, in the form that Bluesky wants (a TID).

    made: when what is published was made, which never changes. A home that is begun anew counts its posts from 1 again, and
    must not take those of the earlier one for its own.
    """
    number = int.from_bytes(hashlib.sha256(publication_id.encode()).digest()[:8])
    micros = int(made.timestamp()) * 1_000_000 + number % 1_000_000
    value = micros << 10 | number // 1_000_000 % 1024
    return "".join(_SORTED[value >> 5 * place & 31] for place in reversed(range(_KEY_LETTERS)))


class Repo:
    """One series of calls for the account `did`, at the server that keeps it."""

    def __init__(self, wire: Wire, did: str) -> None:
        self.did = did
        self._wire = wire
        self._provider = wire.line.provider

    def record(self, collection: str, key: str) -> Record | None:
        """None when the server certainly has none to show. Raises ProviderError."""
        asked = {"repo": self.did, "collection": collection, "rkey": key}

        def look() -> dict[str, Any] | None:
            response = self._wire.call("GET", "/xrpc/com.atproto.repo.getRecord", params=asked)
            return None if _said(response)[0] == "RecordNotFound" else self._answer(response)

        found = self._again(look)
        if found is None:
            # another server would say the same of an account that has moved away
            self._check_home()
            return None
        value = found.get("value")
        if not isinstance(value, dict):
            raise ProviderError(f"{collection}/{key} cannot be read", provider=self._provider)
        return Record(self._uri(collection, key), str(found.get("cid", "")), value)

    def put(self, collection: str, key: str, value: Mapping[str, Any], *, replaces: str | None = None) -> Record:
        """Writes it. replaces: the cid of what is there now; None: nothing is.

        Raises Taken, Unclear when it may have been written, another ProviderError when it was not.
        """
        body = {"repo": self.did, "collection": collection, "rkey": key, "record": value, "swapRecord": replaces}
        answer = self._answer(self._wire.call("POST", "/xrpc/com.atproto.repo.putRecord", json=body))
        uri, cid = answer.get("uri"), answer.get("cid")
        if uri != self._uri(collection, key) or not isinstance(cid, str):
            raise Unclear("the answer names another record", provider=self._provider)
        return Record(uri, cid, value)

    def upload(self, data: bytes, media_type: str) -> dict[str, Any]:
        """What a record says to show these bytes. Raises ProviderError, also when others arrived."""
        response = self._wire.call(
            "POST", "/xrpc/com.atproto.repo.uploadBlob", content=data, headers={"Content-Type": media_type}
        )
        blob = self._answer(response).get("blob")
        if not isinstance(blob, dict) or (blob.get("ref") or {}).get("$link") != _cid(data):
            raise ProviderError("the picture did not arrive whole", provider=self._provider, retryable=True)
        return blob

    def resolve(self, handle: str) -> str | None:
        """The DID behind a handle; None when there is none to be had now."""
        try:
            answer = self._query("com.atproto.identity.resolveHandle", {"handle": handle})
        except TokenRefused:
            raise
        except ProviderError:
            # the server says nothing else of a handle that nobody has, and a name without a link is no fault
            return None
        did = answer.get("did")
        return did if isinstance(did, str) and did.startswith("did:") else None

    def view(self, method: str, params: Mapping[str, str]) -> dict[str, Any] | None:
        """What the network's view of all accounts answers; None where the server knows none. Raises ProviderError."""
        try:
            return self._query(method, params)
        except _NoView:
            return None

    def _uri(self, collection: str, key: str) -> str:
        return f"at://{self.did}/{collection}/{key}"

    def _check_home(self) -> None:
        """Raises ProviderError unless this server keeps the account."""
        did = self._query("com.atproto.server.getSession", {}).get("did")
        if did != self.did:
            raise ProviderRefused(
                f"the token is for {self._wire.shown(did)}, not {self.did}",
                provider=self._provider,
                hint=self._wire.line.reconnect,
            )

    def _query(self, method: str, params: Mapping[str, str]) -> dict[str, Any]:
        return self._again(lambda: self._answer(self._wire.call("GET", f"/xrpc/{method}", params=params)))

    def _again(self, ask: Callable[[], _Answer]) -> _Answer:
        return call_with_retry(ask, sleep=self._wire.line.sleep, longest_wait=5.0)

    def _answer(self, response: httpx.Response) -> dict[str, Any]:
        if not response.is_success:
            raise self._refusal(response)
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Unclear(f"HTTP {response.status_code} with an answer that cannot be read", provider=self._provider)
        return body

    def _refusal(self, response: httpx.Response) -> ProviderError:
        """The error that an answer stands for."""
        mapped = map_http_error(response, self._provider)
        name, message = _said(response)
        words = ": ".join(part for part in (name, message) if part) or mapped.message.removeprefix(f"{self._provider}: ")
        said = self._wire.shown(f"HTTP {response.status_code}: {words}" if name else words)
        if isinstance(mapped, RateLimited):
            return RateLimited(said, provider=self._provider, retry_after=mapped.retry_after or self._until_reset(response))
        if mapped.retryable:
            return Unclear(said, provider=self._provider, retry_after=mapped.retry_after)
        if name in _TOKEN or response.status_code == 401:
            return TokenRefused(
                f"the session has expired or was revoked: {said}", provider=self._provider, hint=self._wire.line.reconnect
            )
        if name in _NO_VIEW or message.startswith("No service configured"):
            return _NoView(said, provider=self._provider)
        kind = Taken if name == "InvalidSwap" else ProviderRefused
        return kind(said, provider=self._provider)

    def _until_reset(self, response: httpx.Response) -> float:
        """Seconds until the limit is set back, by the server's own clock."""
        said = response.headers.get("ratelimit-reset", "")
        now = self._wire.line.now() + (self._wire.skew or timedelta())
        return max(0.0, float(said) - now.timestamp()) if said.isdigit() else 300.0


def moment(said: object, provider: str) -> datetime:
    """A time as records have it. Raises ProviderError for what is none."""
    try:
        at = datetime.fromisoformat(str(said))
    except ValueError:
        raise ProviderError("a time that cannot be read", provider=provider) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def written(at: datetime) -> str:
    """The time in the form that records want."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _said(response: httpx.Response) -> tuple[str, str]:
    """The name and the words of an error; empty where it has none."""
    if response.is_success:
        return "", ""
    try:
        body = response.json()
    except ValueError:
        return "", ""
    told = body if isinstance(body, dict) else {}
    name, message = told.get("error"), told.get("message")
    return name if isinstance(name, str) else "", message if isinstance(message, str) else ""


def _cid(data: bytes) -> str:
    """The name of these bytes: a version 1 content id, raw, SHA-256."""
    named = bytes((0x01, 0x55, 0x12, 0x20)) + hashlib.sha256(data).digest()
    return "b" + base64.b32encode(named).decode().rstrip("=").lower()
