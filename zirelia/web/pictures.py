"""Pictures that a platform is about to fetch, under /media/ and names that nobody can guess; nothing else of the home.

    Starlette(routes=[*picture_routes(settings)])       # none, unless hosting.backend is own

A name is one path segment of a fixed shape, looked up in one folder without following links. Nothing is listed.
"""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from zirelia.settings import Settings
from zirelia.studio.hosting import own_host


def picture_routes(settings: Settings) -> tuple[Route, ...]:
    """Raises ConfigurationError."""
    host = own_host(settings)
    if host is None:
        return ()

    def picture(request: Request) -> Response:
        found = host.picture(request.path_params["name"], datetime.now(UTC))
        return PlainTextResponse("Not Found", 404) if found is None else Response(found, media_type="image/jpeg")

    return (Route("/media/{name}", picture, methods=["GET"]),)
