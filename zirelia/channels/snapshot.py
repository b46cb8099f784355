"""A public snapshot of the persona's own Instagram account: captions, likes, comments, followers. Read only, never logged in.

    accounts = InstagramSnapshot()
    with accounts.visit("mira") as account:
        account.followers                                                       # 1203
        for shown in account.shown(limit=50, wanted=lambda code: code not in kept):
            shown.post                                                          # a PastPost; None when it was not wanted

Opt-in and never required: `pip install 'zirelia[snapshot]'` (instaloader). Every refusal ends the look, nothing is tried twice,
and what Instagram says no to is not asked again on the same day: the caller keeps the day. It downloads no picture, and knows
neither personas nor tables.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC
from typing import TYPE_CHECKING

from zirelia.domain.history import LONGEST_CAPTION, MOST_HASHTAGS, PastPost
from zirelia.errors import (
    ConfigurationError,
    MissingExtra,
    OfflineViolation,
    ProviderError,
    ProviderRefused,
    RateLimited,
)
from zirelia.network.failures import cleaned, map_transport_error
from zirelia.network.offline import is_loopback_url, outside_allowed
from zirelia.ports import ShownPost

if TYPE_CHECKING:
    from instaloader import Post, Profile

    from zirelia.channels.snapshot_client import Gate, Visitor

NAME = "instagram"
BASE_URL = "https://www.instagram.com"
PAUSE = 4.0
"""Seconds before each further request: 50 posts take four minutes."""
TIMEOUT = 30.0
MOST_POSTS = 500
MOST_GONE = 3
"""Posts in a row that cannot be read, after which it is not they that changed."""

_DAY = 24 * 3600.0
_HANDLE = re.compile(r"[a-z0-9_](?:[a-z0-9_.]{0,28}[a-z0-9_])?")
_WAIT = "wait at least a day, and do not try again today; what was read so far is kept"
_CHANGED = "Instagram may have changed its pages: pip install --upgrade instaloader, and try again another day"
_WEB_FAULTS = (KeyError, IndexError, TypeError, AttributeError, ValueError, AssertionError)
"""What the library raises when an answer has another form than it knows."""


class InstagramSnapshot:
    """Implements ports.PublicAccounts. base_url: where www.instagram.com is reached. pause, timeout: seconds."""

    name = NAME

    def __init__(
        self,
        *,
        base_url: str = BASE_URL,
        pause: float = PAUSE,
        timeout: float = TIMEOUT,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base_url = base_url
        self._pause = pause
        self._timeout = timeout
        self._sleep = sleep

    def handle(self, said: str) -> str:
        found = said.strip().removeprefix("@").casefold()
        if not _HANDLE.fullmatch(found):
            raise ConfigurationError(
                f"'{cleaned(said)}' is not an Instagram handle",
                hint="write it as it stands in the address of the profile: letters, digits, dots, underscores, as in mira.zr",
            )
        return found

    def visit(self, handle: str) -> AbstractContextManager[Account]:
        """Raises MissingExtra and OfflineViolation at once; the first request comes with the block."""
        try:
            import zirelia.channels.snapshot_client  # noqa: F401 - whether it can be
        except ImportError as error:
            raise MissingExtra("snapshot", "reading a public profile") from error
        if not outside_allowed() and not is_loopback_url(self._base_url):
            raise OfflineViolation(
                f"@{handle} was not looked at: ZIRELIA_OFFLINE=1 allows this machine only",
                hint="unset ZIRELIA_OFFLINE for this call",
            )
        return self._visiting(handle)

    @contextmanager
    def _visiting(self, handle: str) -> Iterator[Account]:
        import instaloader

        from zirelia.channels.snapshot_client import Gate, Visitor

        gate = Gate(self._base_url)
        visitor = Visitor(gate, pause=self._pause, timeout=self._timeout, sleep=self._sleep)
        try:
            with _explained(gate, handle):
                profile = instaloader.Profile.from_username(visitor, handle)
                if profile.username != handle:
                    raise ProviderRefused(
                        f"the page of @{handle} shows @{cleaned(profile.username)}",
                        provider=NAME,
                        hint="use her present handle",
                    )
                if profile.is_private:
                    raise ProviderRefused(
                        f"@{handle} is private",
                        provider=NAME,
                        hint="only what everybody may see is read: make the account public",
                    )
                followers, posts = _count(profile.followers), _count(profile.mediacount)
            yield Account(handle, profile, visitor, gate, followers=followers, posts=posts)
        finally:
            visitor.close()


class Account:
    """Implements ports.PublicAccount."""

    def __init__(
        self, handle: str, profile: Profile, visitor: Visitor, gate: Gate, *, followers: int | None, posts: int | None
    ) -> None:
        self.followers = followers
        self.posts = posts
        self._handle = handle
        self._profile = profile
        self._visitor = visitor
        self._gate = gate

    def shown(self, *, limit: int, wanted: Callable[[str], bool]) -> Iterator[ShownPost]:
        from instaloader.exceptions import BadResponseException, PostChangedException

        from zirelia.channels.snapshot_client import Passed

        if not 1 <= limit <= MOST_POSTS:
            raise ConfigurationError(f"{limit} posts cannot be read in one go", hint=f"1 to {MOST_POSTS}")
        self._visitor.wanted = wanted
        with _explained(self._gate, self._handle):
            posts = self._profile.get_posts()
        gone = 0
        for _ in range(limit):
            with _explained(self._gate, self._handle):
                try:
                    post = next(posts, None)
                    shown = self._read(post) if post is not None else None
                    gone = 0
                except Passed as passed:
                    shown = ShownPost(passed.code, because="not asked for")
                except (BadResponseException, PostChangedException):
                    gone += 1
                    if gone == MOST_GONE:
                        raise
                    shown = ShownPost(self._visitor.asked, because="not shown any more")
            if shown is None:
                return
            yield shown

    def _read(self, post: Post) -> ShownPost:
        """A post that she only takes part in is somebody else's writing."""
        if int(post.owner_id) != self._profile.userid:
            return ShownPost(post.shortcode, because="of another account")
        return ShownPost(
            post.shortcode,
            PastPost(
                channel=NAME,
                code=post.shortcode,
                url=f"{BASE_URL}/p/{post.shortcode}/",
                caption=(post.caption or "")[:LONGEST_CAPTION],
                at=post.date_local.astimezone(UTC),
                likes=_count(post.likes),
                comments=_count(post.comments),
                is_video=post.is_video,
                hashtags=tuple(dict.fromkeys(post.caption_hashtags))[:MOST_HASHTAGS],
            ),
        )


def _count(number: int | None) -> int | None:
    """What is hidden is told as a negative number."""
    return None if number is None or number < 0 else int(number)


@contextmanager
def _explained(gate: Gate, handle: str) -> Iterator[None]:
    """Turns what the library raises into errors of the tree."""
    from instaloader.exceptions import AbortDownloadException, InstaloaderException, ProfileNotExistsException
    from requests.exceptions import RequestException

    try:
        yield
    except (ProviderError, OfflineViolation):
        raise
    except ProfileNotExistsException as error:
        if gate.status == 404:
            raise ProviderRefused(
                f"there is no account @{handle}",
                provider=NAME,
                hint="check how the handle is written in the address of her profile; a renamed account has a new one",
            ) from error
        raise _refusal(gate, handle, error) from error
    except (InstaloaderException, AbortDownloadException, RequestException, *_WEB_FAULTS) as error:
        raise _refusal(gate, handle, error) from error


def _refusal(gate: Gate, handle: str, error: Exception) -> ProviderError | OfflineViolation:
    """By what was answered last; without an answer by what broke."""
    from instaloader.exceptions import LoginRequiredException

    status = gate.status
    if status == 429:
        return RateLimited(f"too many requests (429): {_WAIT}", provider=NAME, retry_after=_DAY)
    if status in {400, 401, 403} or isinstance(error, LoginRequiredException):
        said = f"HTTP {status}" if status in {400, 401, 403} else "it asks to log in"
        return ProviderRefused(f"@{handle} is not shown to visitors now ({said})", provider=NAME, hint=_WAIT)
    if status is None or _broken_off(error):
        return map_transport_error(error, NAME)
    if status >= 500:
        return ProviderError(f"HTTP {status}", provider=NAME, retryable=True, hint="Instagram has a fault: try again later")
    said = cleaned(f"{type(error).__name__}: {error}")
    return ProviderError(f"the page of @{handle} could not be read ({said})", provider=NAME, hint=_CHANGED)


def _broken_off(error: BaseException | None) -> bool:
    """Whether the connection failed after the answer had begun."""
    from requests import exceptions

    broken = (exceptions.ChunkedEncodingError, exceptions.ConnectionError, exceptions.Timeout)
    while error is not None:
        if isinstance(error, broken):
            return True
        error = error.__cause__ or error.__context__
    return False
