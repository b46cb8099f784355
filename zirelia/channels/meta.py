"""What Meta's interfaces share (Instagram, Threads, Facebook): paths with a version, JSON answers, one form of errors.

    with graph_of(Line("instagram", "https://graph.instagram.com", token=read_token), "v25.0") as graph:
        graph.get("17841400000000000/media", fields="id,caption", limit="50")        # {"data": [...], "paging": {...}}
        graph.post("17841400000000000/media", {"image_url": url, "caption": text})   # {"id": "17990000000000000"}

Reads are repeated while the failure may pass; writes never are. The error codes are those of
https://developers.facebook.com/docs/graph-api/guides/error-handling and of Instagram's own list. The token goes into the
Authorization header only; `paging.next` of an answer holds it, and so is never followed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx

from zirelia.channels.wire import Line, Unclear, Wire, connected
from zirelia.errors import ProviderError, ProviderRefused, RateLimited, TokenRefused
from zirelia.network.failures import call_with_retry, map_http_error

RATE_CODES = frozenset({4, 9, 17, 32, 341, 613, *range(80000, 80015)})
_TOKEN = frozenset({102, 190, 458, 459, 460, 463, 464, 467})
_PERMISSION = frozenset({3, 10, *range(200, 300)})
_PASSING = frozenset({-2, -1, 1, 2})
_DUPLICATE = 506
_MEDIA = frozenset({352, 9004, *range(36000, 36010)})
_NOT_FETCHED = frozenset({2207003, 2207052})
_NOT_READY = 2207027
_FETCHED = "can the picture's address be reached from outside?"
_NEARLY_USED_UP = 95.0
"""Percent of a rate limit from which nothing more is begun."""
_PAGES = 20


class Graph:
    """See `graph_of`. used: the highest share of a rate limit that an answer has told, in percent."""

    def __init__(self, wire: Wire, version: str) -> None:
        self.used = 0.0
        self._regained: float | None = None
        self._wire = wire
        self._root = f"/{version}/" if version else "/"

    @property
    def provider(self) -> str:
        return self._wire.line.provider

    @property
    def skew(self) -> timedelta | None:
        return self._wire.skew

    def get(self, path: str, **params: str) -> dict[str, Any]:
        """Raises ProviderError."""
        line = self._wire.line
        return call_with_retry(
            lambda: self._answer(self._wire.call("GET", self._root + path, params=params)), sleep=line.sleep, longest_wait=5.0
        )

    def post(
        self, path: str, form: Mapping[str, str], *, files: Mapping[str, tuple[str, bytes, str]] | None = None
    ) -> dict[str, Any]:
        """Raises Unclear when it may have taken effect all the same, another ProviderError when it has not."""
        return self._answer(self._wire.call("POST", self._root + path, data=form, files=files))

    def pages(self, path: str, *, until: datetime, time_field: str, **params: str) -> Iterator[dict[str, Any]]:
        """What an edge lists, newest first, up to the first page that is older than `until` as a whole. Raises ProviderError,
        also for a list that does not end.
        """
        after: dict[str, str] = {}
        for _ in range(_PAGES):
            page = self.get(path, **params, **after)
            entries = page.get("data") or []
            yield from entries
            cursor = ((page.get("paging") or {}).get("cursors") or {}).get("after")
            if not entries or not cursor or all(moment(entry.get(time_field), self.provider) < until for entry in entries):
                return
            after = {"after": str(cursor)}
        raise ProviderError("the account shows more than can be searched", provider=self.provider)

    def check_room(self) -> None:
        """Raises RateLimited when the last answers said that the limit is nearly used up."""
        if self.used >= _NEARLY_USED_UP:
            raise RateLimited(
                f"{self.used:.0f} % of the rate limit is used up", provider=self.provider, retry_after=self._regained or 3600.0
            )

    def _answer(self, response: httpx.Response) -> dict[str, Any]:
        self._read_usage(response)
        body = _json(response)
        error = body.get("error")
        if response.is_success and not error:
            if body:
                return body
            raise Unclear(f"HTTP {response.status_code} with an answer that cannot be read", provider=self.provider)
        raise self._refusal(response, error if isinstance(error, dict) else {})

    def _refusal(self, response: httpx.Response, error: Mapping[str, Any]) -> ProviderError:
        """The error that an answer stands for."""
        status, code, subcode = response.status_code, _number(error.get("code")), _number(error.get("error_subcode"))
        if code is None:
            return self._without_code(response)
        said = error.get("error_user_msg") or error.get("message") or "no further word"
        marks = [f"code {code}", *([f"subcode {subcode}"] if subcode else [])]
        if error.get("fbtrace_id"):
            marks.append(f"trace {error['fbtrace_id']}")
        text, hint = self._wire.shown(f"{said} ({', '.join(marks)})"), self._wire.line.reconnect
        provider = self.provider
        if code in RATE_CODES or status == 429:
            return RateLimited(text, provider=provider, retry_after=_retry_after(response) or self._regained or 3600.0)
        if code in _TOKEN or status == 401:
            return TokenRefused(f"the token has expired or was revoked: {text}", provider=provider, hint=hint)
        if subcode in _NOT_FETCHED:
            return ProviderError(text, provider=provider, retryable=True, hint=_FETCHED)
        if subcode == _NOT_READY:
            return ProviderError(text, provider=provider, retryable=True)
        if passes(error) or status >= 500 or code == _DUPLICATE:
            return Unclear(text, provider=provider)
        if code in _PERMISSION:
            return ProviderRefused(text, provider=provider, hint=f"the app lacks a permission: {hint} asks for all")
        if code in _MEDIA:
            return ProviderRefused(text, provider=provider, hint="the picture is not one that the platform takes")
        return ProviderRefused(text, provider=provider)

    def _without_code(self, response: httpx.Response) -> ProviderError:
        mapped = map_http_error(response, self.provider)
        if mapped.retryable and not isinstance(mapped, RateLimited):
            words = mapped.message.removeprefix(f"{self.provider}: ")
            return Unclear(words, provider=self.provider, retry_after=mapped.retry_after)
        if response.status_code == 401:
            return TokenRefused(
                mapped.message.removeprefix(f"{self.provider}: "), provider=self.provider, hint=self._wire.line.reconnect
            )
        return mapped

    def _read_usage(self, response: httpx.Response) -> None:
        """X-App-Usage is an object of percentages; X-Business-Use-Case-Usage a list of such an account, with minutes."""
        found: list[Mapping[str, Any]] = []
        for name in ("x-app-usage", "x-business-use-case-usage"):
            try:
                said = json.loads(response.headers.get(name, "null"))
            except ValueError:
                continue
            if isinstance(said, dict):
                lists = [entry for entry in said.values() if isinstance(entry, list)]
                found += [one for entry in lists for one in entry if isinstance(one, dict)] or [said]
        for usage in found:
            shares = [_number(usage.get(name)) or 0.0 for name in ("call_count", "total_time", "total_cputime")]
            self.used = max(self.used, *shares)
            if minutes := _number(usage.get("estimated_time_to_regain_access")):
                self._regained = max(self._regained or 0.0, minutes * 60.0)


@contextmanager
def graph_of(line: Line, version: str) -> Iterator[Graph]:
    """One series of calls. Raises ProviderRefused where there is no token."""
    with connected(line) as wire:
        yield Graph(wire, version)


def passes(error: Mapping[str, Any]) -> bool:
    """Whether an error of Meta's form is one of its own troubles."""
    return _number(error.get("code")) in _PASSING or bool(error.get("is_transient"))


def moment(said: object, provider: str) -> datetime:
    """A time such as "2026-11-28T06:00:00+0000". Raises ProviderError."""
    try:
        at = datetime.fromisoformat(str(said))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ProviderError("a time in the answer cannot be read", provider=provider)
    return at


def identity(answer: Mapping[str, Any], provider: str, name: str = "id") -> str:
    """The id in an answer to a write. Raises Unclear: what was written may be there."""
    found = answer.get(name)
    if not isinstance(found, str | int) or not str(found):
        raise Unclear(f"the answer has no '{name}'", provider=provider)
    return str(found)


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _number(said: object) -> float | None:
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        return None
    try:
        return int(said) if isinstance(said, str) else said
    except ValueError:
        return None


def _retry_after(response: httpx.Response) -> float | None:
    said = response.headers.get("retry-after", "")
    return float(said) if said.isdigit() else None
