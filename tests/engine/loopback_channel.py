"""A channel for `zirelia.testing.platform_server`, as an adapter for a real platform would be.

    channel = LoopbackChannel(platform.url)

The platform has no idempotency: what may have been posted is Uncertain, and `reconcile` reads the listing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import httpx

from zirelia.domain.publication import Receipt
from zirelia.errors import ProviderError, RateLimited
from zirelia.network import map_http_error, map_transport_error
from zirelia.ports import BackendFacts, Capabilities, Measured, Plan, Sending, Uncertain

TIMEOUT = httpx.Timeout(0.5)
_NEVER_ARRIVED = (httpx.ConnectError, httpx.ConnectTimeout)


class LoopbackChannel:
    """answered: called when the platform has answered a call, before anybody knows what."""

    name = "loopback"
    settles_after = 2.0
    """The fence before the call, its time-out, and the time after which the platform lists a post."""

    def __init__(self, url: str, *, answered: Callable[[], None] = lambda: None) -> None:
        self._url = url
        self._answered = answered

    def facts(self) -> BackendFacts:
        return BackendFacts("loopback", "platform", local=True, paid=False)

    def capabilities(self) -> Capabilities:
        return Capabilities(2200, 30, 1000, 8_000_000, ai_label=True)

    def submit(self, plan: Plan, sending: Sending) -> Receipt | Uncertain:
        try:
            answer = self._call("POST", "/posts", {"publication": plan.publication_id, "caption": plan.caption})
        except httpx.HTTPError as error:
            failure = map_transport_error(error, self.name)
            if isinstance(error, _NEVER_ARRIVED):
                raise failure from error
            return Uncertain(failure.message)
        if answer.is_success:
            return self._receipt(answer.json())
        failed = map_http_error(answer, self.name)
        if isinstance(failed, RateLimited) or answer.is_client_error:
            raise failed
        return Uncertain(failed.message)  # a gateway may stand before a platform that has posted

    def reconcile(self, plan: Plan, sending: Sending) -> Receipt | None:
        try:
            answer = self._call("GET", f"/publications/{plan.publication_id}")
        except httpx.HTTPError as error:
            raise map_transport_error(error, self.name) from error
        if answer.is_error:
            raise map_http_error(answer, self.name)
        posts = answer.json()["posts"]
        return self._receipt(posts[0]) if posts else None

    def measure(self, receipt: Receipt) -> Measured | None:
        return None

    def _call(self, method: str, path: str, body: object = None) -> httpx.Response:
        answer = httpx.request(method, self._url + path, json=body, timeout=TIMEOUT, trust_env=False)
        self._answered()
        return answer

    def _receipt(self, post: dict[str, str]) -> Receipt:
        try:
            return Receipt(platform_id=post["id"], url=post["url"], at=datetime.fromisoformat(post["at"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ProviderError("its answer names no post", provider=self.name) from error
