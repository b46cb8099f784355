"""instaloader as a visitor without an account: one context, one way out, a pause before each further request, no second try.

    gate = Gate("https://www.instagram.com")
    visitor = Visitor(gate, pause=4.0, timeout=30.0, sleep=time.sleep)
    profile = instaloader.Profile.from_username(visitor, "mira")
    gate.status                     # 429: what was answered last; None when there was no answer

The gate lets out nothing but reads of Instagram's web site, whatever the library would like: no log-in, no other host. Knows
nothing of what the answers mean. Importing it loads instaloader.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import requests
from instaloader import InstaloaderContext, RateController
from instaloader.instaloadercontext import default_user_agent
from requests.adapters import HTTPAdapter

from zirelia import __version__
from zirelia.errors import ProviderError, ProviderRefused

SITE = "https://www.instagram.com"
FATAL = [401, 429]
MOST_BYTES = 8 * 1024 * 1024
MOST_SECONDS = 60.0
"""For one answer, however steadily it drips."""

_PROVIDER = "instagram"
_ACCOUNTS = f"{SITE}/accounts/"
"""Where one would log in."""


class Passed(Exception):
    """No error: the post with that code is not wanted, so nothing was asked."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Gate(HTTPAdapter):
    """Carries requests for www.instagram.com to `base_url` and refuses the rest. status: of the last answer."""

    def __init__(self, base_url: str) -> None:
        super().__init__(max_retries=0)
        self.status: int | None = None
        self._base_url = base_url.rstrip("/")

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002 - a body is always read here, within limits
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: dict[str, str] | None = None,
    ) -> requests.Response:
        self.status = None
        asked = request.url or ""
        if not asked.startswith(f"{SITE}/") or asked.startswith(_ACCOUNTS):
            raise ProviderRefused(f"a request to {asked.partition('?')[0]} was stopped", provider=_PROVIDER)
        carried = request.copy()
        carried.url = self._base_url + asked.removeprefix(SITE)
        response = super().send(carried, stream=True, timeout=timeout, verify=verify, cert=cert, proxies=proxies)
        self.status = response.status_code
        # the session reads its cookies and the library its redirects by the address that was asked for
        response.url, response.request = asked, request
        response.raw = _Bounded(response.raw)
        return response


class _Bounded:
    """A body that neither fills the memory nor lasts for ever."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, *arguments: Any, **options: Any) -> Iterator[bytes]:
        received, until = 0, time.monotonic() + MOST_SECONDS
        for chunk in self._raw.stream(*arguments, **options):
            received += len(chunk)
            if received > MOST_BYTES or time.monotonic() > until:
                self._raw.close()
                raise ProviderError(f"the answer is longer than {MOST_BYTES} bytes or {MOST_SECONDS:.0f} s", provider=_PROVIDER)
            yield chunk


class _Pace(RateController):
    """The library's own limits, and a pause before every request but the first."""

    def __init__(self, context: InstaloaderContext, pause: float, sleep: Callable[[float], None]) -> None:
        super().__init__(context)
        self._pause = pause
        self._pause_now = 0.0
        self._sleep = sleep

    def sleep(self, secs: float) -> None:
        self._sleep(secs)

    def query_waittime(self, query_type: str, current_time: float, untracked_queries: bool = False) -> float:
        return max(super().query_waittime(query_type, current_time, untracked_queries), self._pause_now)

    def wait_before_query(self, query_type: str) -> None:
        super().wait_before_query(query_type)
        self._pause_now = self._pause


class Visitor(InstaloaderContext):
    """The one context of a look. wanted: whether the post of that code is asked for; otherwise `Passed` is raised. asked: the
    code of the last one that was.
    """

    def __init__(self, gate: Gate, *, pause: float, timeout: float, sleep: Callable[[float], None]) -> None:
        self._gate = gate  # before the first session is made
        self.wanted: Callable[[str], bool] = lambda _code: True
        self.asked = ""
        super().__init__(
            sleep=False,  # the rate controller pauses
            quiet=True,
            # says who it is behind what a browser says, as crawlers do
            user_agent=f"{default_user_agent()} Zirelia/{__version__}",
            max_connection_attempts=1,
            request_timeout=timeout,
            rate_controller=lambda context: _Pace(context, pause, sleep),
            fatal_status_codes=FATAL,
            iphone_support=False,
        )

    def get_anonymous_session(self) -> requests.Session:
        return self._through(super().get_anonymous_session())

    def get_json(
        self,
        path: str,
        params: dict[str, Any],
        host: str = "www.instagram.com",
        session: requests.Session | None = None,
        response_headers: dict[str, Any] | None = None,
        use_post: bool = False,
    ) -> dict[str, Any]:
        # the library copies sessions without what is mounted on them
        chosen = self._through(session) if session is not None else None
        return super().get_json(path, params, host, chosen, response_headers, use_post)

    def doc_id_graphql_query(
        self, doc_id: str, variables: dict[str, Any], referer: str | None = None, web_api: bool = False
    ) -> dict[str, Any]:
        code = variables.get("shortcode")
        if isinstance(code, str):
            if not self.wanted(code):
                raise Passed(code)
            self.asked = code
        return super().doc_id_graphql_query(doc_id, variables, referer, web_api)

    def error(self, msg: str, repeat_at_end: bool = True) -> None:  # noqa: ARG002
        """The library would print it; what matters comes as an exception too."""
        self.error_log.append(msg)

    def login(self, user: str, passwd: str) -> NoReturn:  # noqa: ARG002
        raise ProviderRefused("nobody logs in here", provider=_PROVIDER)

    def load_session(self, username: str, sessiondata: Any) -> NoReturn:  # noqa: ARG002
        raise ProviderRefused("nobody logs in here", provider=_PROVIDER)

    def load_session_from_file(self, username: str, sessionfile: Any) -> NoReturn:  # noqa: ARG002
        """The file would be unpickled."""
        raise ProviderRefused("nobody logs in here", provider=_PROVIDER)

    def close(self) -> None:
        self._session.close()

    def _through(self, session: requests.Session) -> requests.Session:
        session.trust_env = False  # no proxy and no .netrc of the environment
        for prefix in ("https://", "http://"):
            session.mount(prefix, self._gate)
        return session
