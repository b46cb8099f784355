"""What a platform shows of an account to everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from zirelia.domain.history import PastPost


@dataclass(frozen=True)
class ShownPost:
    """One post of an account's page, by its code. post: None when it was not read, for `because`."""

    code: str
    post: PastPost | None = None
    because: str = ""


class PublicAccount(Protocol):
    """An account as a visitor who is not logged in sees it. followers, posts: None where it does not show them."""

    @property
    def followers(self) -> int | None: ...

    @property
    def posts(self) -> int | None: ...

    def shown(self, *, limit: int, wanted: Callable[[str], bool]) -> Iterator[ShownPost]:
        """The first `limit` posts, newest first but for pinned ones, each read when it is asked for and `wanted` says so of its
        code. Raises ProviderError.
        """
        ...


class PublicAccounts(Protocol):
    """A platform's accounts, read without logging in, slowly."""

    @property
    def name(self) -> str: ...

    def handle(self, said: str) -> str:
        """The handle as the platform writes it. Raises ConfigurationError for what cannot be one."""
        ...

    def visit(self, handle: str) -> AbstractContextManager[PublicAccount]:
        """Raises MissingExtra and OfflineViolation at once; ProviderError when the block is entered."""
        ...
