"""Mastodon, and what speaks its interface: the picture with its alt text, then the post; mentions and answers to them.

    channel = MastodonChannel(Line("mastodon", "https://example.social", token=read_token), account="109774")
    receipt = channel.submit(plan, sending)

The uploaded picture's id is stored before the post is made. A picture belongs to one post at most, so that id finds the post
later, whatever became of the answer; the text is searched where there is no id. `Idempotency-Key` is the publication's id: the
same key again within an hour makes no second post. There is no AI label: the profile says `bot`, and each caption keeps its
disclosure line. Spoken by httpx. Protocol: https://docs.joinmastodon.org/methods/.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from zirelia.channels.mastodon_api import DEFAULT_LIMITS, Api, identity, is_address, limits_in, moment, words_of
from zirelia.channels.mastodon_inbox import addressed, answering, hear
from zirelia.channels.own import Seen, earliest, found_among
from zirelia.channels.sealed import check, made_from
from zirelia.channels.tries import Left, Steps, looks
from zirelia.channels.wire import Line, Unclear, Wire, connected
from zirelia.domain.publication import Receipt
from zirelia.domain.reply import Reply
from zirelia.domain.text_length import length
from zirelia.errors import ProviderError, ProviderRefused
from zirelia.ports import BackendFacts, Capabilities, Heard, Measured, Plan, Sending, Uncertain

_STEPS = Steps(first="media", last="status")
_KEPT = timedelta(hours=24)
"""For how long an instance keeps a picture that no post has."""
_GONE, _BROKEN = 404, 422
_NAMES = re.compile(r"^(@\S+\s*)+")


class MastodonChannel:
    """Implements ports.Channel and ports.Inbox.

    Args:
        line: how to reach the instance; its token is the account's. account: the account's id there.
        limits: what the instance takes, where that was read before; it is read again with the first post.
    """

    def __init__(self, line: Line, *, account: str, limits: Capabilities = DEFAULT_LIMITS) -> None:
        self._line, self._account, self._limits = line, account, limits
        self._learned = False
        self._waits: dict[str, datetime] = {}

    @property
    def name(self) -> str:
        return self._line.provider

    @property
    def settles_after(self) -> float:
        """A post is listed within seconds; a call that was given up may still be on its way for a while."""
        return 300.0

    def facts(self) -> BackendFacts:
        details = {"account": self._account, "address": self._line.base_url}
        return BackendFacts("mastodon", "v2", local=False, paid=False, details=details)

    def capabilities(self) -> Capabilities:
        return self._limits

    def read_limits(self) -> Capabilities:
        """What the instance says that it takes; from then on `capabilities` says the same. Raises ProviderError."""
        with self._opened() as api:
            self._learn(api)
        return self._limits

    def submit(self, plan: Plan, sending: Sending) -> Receipt | Uncertain:
        check(plan, self.capabilities(), provider=self.name)
        left = _STEPS.read(sending.created)
        with self._opened() as api:
            if left.out is not None:
                return self._proven(api, left.out)
            if not self._learned:
                self._learn(api)
            self._check(plan)
            media = self._uploaded(api, plan, sending, left)
            body = {"status": plan.caption, "media_ids": [media], "language": plan.language, "visibility": "public"}
            return self._posted(api, body, plan.publication_id, sending)

    def reconcile(self, plan: Plan, sending: Sending) -> Receipt | None:
        left = _STEPS.read(sending.created)
        with self._opened() as api:
            if left.out is not None:
                return self._receipt(api.get(f"/api/v1/statuses/{left.out}"))
            shown = list(api.statuses(self._account, begun=sending.begun, replies=False))
            for one in shown:
                if left.made is not None and left.made in _pictures(one):
                    return self._receipt(one)
            found = self._found(api, shown, plan.caption, sending)
            if found is None and left.made is not None and self._is_taken(api, left.made, sending):
                raise ProviderError(
                    "the uploaded picture was posted, or thrown away, but no post with it is shown", provider=self.name
                )
            return found

    def measure(self, receipt: Receipt) -> Measured | None:
        with self._opened() as api:
            status = api.get(f"/api/v1/statuses/{receipt.platform_id}")
        passed_on = [status[name] for name in ("reblogs_count", "quotes_count") if isinstance(status.get(name), int)]
        return Measured(
            at=self._line.now(),
            likes=status.get("favourites_count"),
            comments=status.get("replies_count"),
            shares=sum(passed_on) if passed_on else None,
        )

    def mentions(self, persona: str, cursor: str | None) -> Heard:
        with self._opened() as api:
            return hear(api, account=self._account, persona=persona, cursor=cursor)

    def answer(self, reply: Reply, sending: Sending) -> Receipt | Uncertain:
        limits = self._limits
        if length(addressed(reply), limits.counts) > limits.caption_limit:
            raise ProviderRefused(f"the answer is longer than {limits.caption_limit} characters", provider=self.name)
        with self._opened() as api:
            return self._posted(api, answering(api, reply), reply.publication_id, sending)

    def answered(self, reply: Reply, sending: Sending) -> Receipt | None:
        with self._opened() as api:
            shown = api.statuses(self._account, begun=sending.begun, replies=True)
            ours = [one for one in shown if one.get("in_reply_to_id") == reply.mention.id]
            return self._found(api, ours, reply.text or "", sending)

    @contextmanager
    def _opened(self) -> Iterator[Api]:
        with connected(self._line) as wire:
            yield Api(wire, self._waits)

    def _learn(self, api: Api) -> None:
        try:
            self._limits = limits_in(api.get("/api/v2/instance"))
        except ProviderRefused:
            # relatives of Mastodon may not tell: the defaults stand, unless they refuse everything
            api.get("/api/v1/accounts/verify_credentials")
        self._learned = True

    def _check(self, plan: Plan) -> None:
        """Raises ProviderRefused for what the instance would not take."""
        limits = self._limits
        check(plan, limits, provider=self.name)
        texts = (("text", plan.caption, limits.caption_limit), ("alt text", plan.alt_text, limits.alt_text_limit))
        for what, text, most in texts:
            if length(text, limits.counts) > most:
                raise ProviderRefused(
                    f"the {what} has {length(text, limits.counts)} characters, the instance takes {most}",
                    provider=self.name,
                    hint=f"its limits are known now: publish again, or {self._line.reconnect} to keep them",
                )

    def _uploaded(self, api: Api, plan: Plan, sending: Sending, left: Left) -> str:
        """The id of the picture, whole and ready; stored as soon as there is one."""
        size, source = self._size(plan), made_from(replace(plan, caption=""))  # one picture serves an edited text too
        if left.made is not None and left.source == source and self._ready(api, left.made, size):
            return left.made
        response = api.call(
            "POST",
            "/api/v2/media",
            data={"description": plan.alt_text},
            files={"file": (f"{source}.jpg", plan.image, plan.media_type)},
        )
        media = identity(api.read(response), self.name)
        sending.keep(_STEPS.made(media, source=source))
        if not self._ready(api, media, size):
            raise ProviderError("the picture did not arrive as it is", provider=self.name, retryable=True)
        return media

    def _ready(self, api: Api, media: str, size: tuple[int, int]) -> bool:
        """Waits for the picture; False when it is not there, not usable, or of another size. Raises ProviderError."""
        for _ in looks(self._line.sleep):
            response = api.call("GET", f"/api/v1/media/{media}", expected=frozenset({_GONE, _BROKEN}))
            if response.status_code in {_GONE, _BROKEN}:
                return False
            if response.status_code == 200:
                told = (api.read(response).get("meta") or {}).get("original") or {}
                return (told.get("width", size[0]), told.get("height", size[1])) == size
        raise ProviderError("the picture is still being processed", provider=self.name, retryable=True, retry_after=60.0)

    def _size(self, plan: Plan) -> tuple[int, int]:
        from PIL import Image

        try:
            with Image.open(io.BytesIO(plan.image)) as image:
                return image.size
        except (OSError, ValueError) as error:
            raise ProviderRefused("the picture cannot be read", provider=self.name) from error

    def _posted(self, api: Api, body: Mapping[str, object], key: str, sending: Sending) -> Receipt | Uncertain:
        try:
            status = api.read(api.call("POST", "/api/v1/statuses", json=body, headers={"Idempotency-Key": key}))
            found = identity(status, self.name)
        except Unclear as error:
            return Uncertain(because=error.message)
        sending.keep(_STEPS.out(found))
        return self._proven(api, found, status)

    def _proven(self, api: Api, found: str, status: Mapping[str, Any] | None = None) -> Receipt | Uncertain:
        try:
            return self._receipt(api.get(f"/api/v1/statuses/{found}") if status is None else status)
        except ProviderError as error:
            return Uncertain(because=f"it is out as {found}, but could not be read: {error.message}")

    def _receipt(self, status: Mapping[str, Any]) -> Receipt:
        url, at = str(status.get("url") or ""), moment(status.get("created_at"), self.name)
        return Receipt(platform_id=identity(status, self.name), url=url if is_address(url) else self._line.base_url, at=at)

    def _found(self, api: Api, shown: Sequence[dict[str, Any]], text: str, sending: Sending) -> Receipt | None:
        """The only one with this text since the intent. Names in front are not compared: instances shorten them."""
        by_id = {identity(one, self.name): one for one in shown}
        seen = (
            Seen(key, _NAMES.sub("", words_of(one.get("content"))), moment(one.get("created_at"), self.name))
            for key, one in by_id.items()
        )
        since = earliest(sending.begun, api.wire.skew)
        found = found_among(seen, _NAMES.sub("", text), since=since, provider=self.name)
        return None if found is None else self._receipt(by_id[found.id])

    def _is_taken(self, api: Api, media: str, sending: Sending) -> bool:
        """Whether the picture is in a post: then Mastodon answers that it is not there. After a day that tells nothing."""
        if self._line.now() - sending.begun > _KEPT:
            return False
        response = api.call("GET", f"/api/v1/media/{media}", expected=frozenset({_GONE, _BROKEN}))
        return response.status_code == _GONE


def declare_bot(wire: Wire) -> None:
    """Says in the profile that the account is automated. Raises ProviderError, also when the instance did not take it."""
    api = Api(wire, {})
    answer = api.read(api.call("PATCH", "/api/v1/accounts/update_credentials", data={"bot": "true"}))
    if answer.get("bot") is not True:
        raise ProviderRefused(
            "the profile does not say that it is a bot",
            provider=api.name,
            hint="set 'This is an automated account' in the profile's settings",
        )


def _pictures(status: Mapping[str, Any]) -> set[str]:
    return {str(one.get("id")) for one in status.get("media_attachments") or ()}
