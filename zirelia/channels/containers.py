"""Publishing in two steps, as Instagram and Threads do it: a container is made of picture and text, and then published, once.

    class Instagram(ContainerChannel):
        dialect = Dialect(make="media", publish="media_publish", shown="media", ...)

The container's id is stored before it is published, so that a resend goes on with the same one: it cannot be published twice,
and its status says whether it was. What it was made from is stored with it; an edited post gets a new one. Media of one's own
are matched by text and time, never taken for the newest. A plan has one picture: a carousel would be several containers and
one more around them, all made in `_contained`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from zirelia.channels.meta import Graph, graph_of, identity, moment
from zirelia.channels.own import Seen, earliest, found_among
from zirelia.channels.sealed import check, made_from
from zirelia.channels.tries import Steps, looks
from zirelia.channels.wire import Line, Unclear
from zirelia.domain.publication import Receipt
from zirelia.errors import ProviderError, ProviderRefused, RateLimited
from zirelia.ports import BackendFacts, Capabilities, Measured, Plan, Sending, Uncertain

Host = Callable[[bytes, str], AbstractContextManager[str]]
"""(data, media type) → an address that anybody can fetch it from, within the block."""

_STEPS = Steps(first="container", last="media")
_DEAD = frozenset({"ERROR", "EXPIRED"})
_PUBLISHED = "PUBLISHED"


@dataclass(frozen=True)
class Dialect:
    """What differs: the edges that make and publish a container, list what is shown, and tell what is left of the day's quota;
    the fields with a container's status and with a post's text.
    """

    make: str
    publish: str
    shown: str
    quota: str
    status: str
    text: str


class ContainerChannel(ABC):
    """Implements ports.Channel.

    Args:
        line: how to reach the account's interface. version: of the interface, "v25.0". account: the account's numeric id.
        host: puts the picture where the platform can fetch it.
    """

    dialect: ClassVar[Dialect]

    def __init__(self, line: Line, *, version: str, account: str, host: Host) -> None:
        self._line, self._version, self._account, self._host = line, version, account, host

    @property
    def name(self) -> str:
        return self._line.provider

    @property
    def settles_after(self) -> float:
        """The container may take two minutes, the call that publishes it another; then what is listed may be believed."""
        return 300.0

    def facts(self) -> BackendFacts:
        details = {"account": self._account, "address": self._line.base_url}
        return BackendFacts(self.name, self._version, local=False, paid=False, details=details)

    @abstractmethod
    def capabilities(self) -> Capabilities: ...

    @abstractmethod
    def measure(self, receipt: Receipt) -> Measured | None: ...

    @abstractmethod
    def _form(self, plan: Plan, url: str) -> Mapping[str, str]:
        """The fields of a new container."""

    def submit(self, plan: Plan, sending: Sending) -> Receipt | Uncertain:
        check(plan, self.capabilities(), provider=self.name)
        left = _STEPS.read(sending.created)
        with self._opened() as graph:
            if left.out is not None:
                return self._proven(graph, left.out)
            self._check_quota(graph)
            container = left.made
            if container is not None:
                status = self._status(graph, container)
                if status == _PUBLISHED:
                    return self._what_was_published(graph, plan, sending, container)
                if status in _DEAD or left.source != made_from(plan):
                    container = None
            if container is None:
                container = self._contained(graph, plan, sending)
            else:
                self._wait(graph, container)
            return self._published(graph, plan, sending, container)

    def reconcile(self, plan: Plan, sending: Sending) -> Receipt | None:
        left = _STEPS.read(sending.created)
        with self._opened() as graph:
            if left.out is not None:
                return self._receipt(graph, left.out)
            status = None
            if left.made is not None:
                try:
                    status = self._status(graph, left.made)
                except ProviderRefused:  # the platform forgets containers after a day; what it shows decides then
                    graph.get(self._account, fields="id")  # unless it refuses everything
            found = self._shown(graph, plan, sending)
            if found is None and status == _PUBLISHED:
                raise ProviderError(
                    f"container {left.made} was published, but nothing with this text is shown", provider=self.name
                )
            return found

    @contextmanager
    def _opened(self) -> Iterator[Graph]:
        with graph_of(self._line, self._version) as graph:
            yield graph

    def _check_quota(self, graph: Graph) -> None:
        """Raises RateLimited when the platform takes nothing more today."""
        answer = graph.get(f"{self._account}/{self.dialect.quota}", fields="quota_usage,config")
        told: Mapping[str, Any] = next(iter(answer.get("data") or ()), {})
        used, total = told.get("quota_usage"), (told.get("config") or {}).get("quota_total")
        if isinstance(used, int) and isinstance(total, int) and used >= total:
            raise RateLimited(f"{used} of {total} posts in 24 hours are used up", provider=self.name, retry_after=3600.0)
        graph.check_room()

    def _contained(self, graph: Graph, plan: Plan, sending: Sending) -> str:
        """A container that is ready; its id is stored as soon as there is one."""
        with self._host(plan.image, plan.media_type) as url:
            made = graph.post(f"{self._account}/{self.dialect.make}", self._form(plan, url))
            container = identity(made, self.name)
            sending.keep(_STEPS.made(container, source=made_from(plan)))
            self._wait(graph, container)  # the platform may fetch the picture until then
        return container

    def _wait(self, graph: Graph, container: str) -> None:
        """Until the container is ready. Raises ProviderError; one that is merely slow is taken up by the next try."""
        for _ in looks(self._line.sleep):
            status = self._status(graph, container)
            if status in {"FINISHED", _PUBLISHED}:
                return
            if status in _DEAD:
                raise ProviderError(
                    f"container {container} came to nothing ({status})",
                    provider=self.name,
                    retryable=True,
                    hint="can the picture's address be reached from outside?",
                )
        raise ProviderError(f"container {container} is not ready yet", provider=self.name, retryable=True, retry_after=60.0)

    def _status(self, graph: Graph, container: str) -> str:
        return str(graph.get(container, fields=self.dialect.status).get(self.dialect.status, ""))

    def _published(self, graph: Graph, plan: Plan, sending: Sending, container: str) -> Receipt | Uncertain:
        try:
            answer = graph.post(f"{self._account}/{self.dialect.publish}", {"creation_id": container})
            media = identity(answer, self.name)
        except Unclear as error:
            return Uncertain(because=error.message)
        except ProviderRefused:
            # an earlier try may have published it just now, unseen
            if self._status(graph, container) != _PUBLISHED:
                raise
            return self._what_was_published(graph, plan, sending, container)
        sending.keep(_STEPS.out(media))
        return self._proven(graph, media)

    def _what_was_published(self, graph: Graph, plan: Plan, sending: Sending, container: str) -> Receipt | Uncertain:
        because = f"container {container} was published before, but nothing with this text is shown"
        try:
            return self._shown(graph, plan, sending) or Uncertain(because=because)
        except ProviderError as error:
            return Uncertain(because=error.message)

    def _proven(self, graph: Graph, media: str) -> Receipt | Uncertain:
        try:
            return self._receipt(graph, media)
        except ProviderError as error:
            return Uncertain(because=f"it is out as {media}, but could not be read: {error.message}")

    def _receipt(self, graph: Graph, media: str) -> Receipt:
        seen = graph.get(media, fields="id,permalink,timestamp")
        at = moment(seen.get("timestamp"), self.name)
        return Receipt(platform_id=media, url=str(seen.get("permalink") or self._line.base_url), at=at)

    def _shown(self, graph: Graph, plan: Plan, sending: Sending) -> Receipt | None:
        """The only post with this text since the intent. Raises ProviderError when that cannot be told."""
        graph.get(self._account, fields="id")  # tells the platform's time
        since, text = earliest(sending.begun, graph.skew), self.dialect.text
        entries = graph.pages(
            f"{self._account}/{self.dialect.shown}",
            until=since,
            time_field="timestamp",
            fields=f"id,{text},timestamp,permalink",
            limit="50",
        )
        shown = (Seen(str(one.get("id")), one.get(text), moment(one.get("timestamp"), self.name)) for one in entries)
        found = found_among(shown, plan.caption, since=since, provider=self.name)
        return None if found is None else self._receipt(graph, found.id)


def counts_in(answer: Mapping[str, object]) -> dict[str, int]:
    """Metric → its number, of an answer with insights: {"data": [{"name": "views", "values": [{"value": 3}]}]}."""
    found: dict[str, int] = {}
    entries = answer.get("data")
    for entry in entries if isinstance(entries, list) else ():
        values = entry.get("values") or [entry.get("total_value") or {}]
        number = values[0].get("value") if values else None
        if isinstance(number, int) and not isinstance(number, bool):
            found[str(entry.get("name"))] = number
    return found
