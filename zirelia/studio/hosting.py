"""Where platforms fetch a picture from, as the settings say.

    host = host_of(settings)                # S3Host, OwnHost, or one that refuses with a hint
    sweep(settings, now)                    # a chore of the daemon: deletes hosted pictures that are over

Knows no platform.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from zirelia.errors import ConfigurationError
from zirelia.settings import Settings

if TYPE_CHECKING:
    from zirelia.channels.containers import Host
    from zirelia.channels.hosting import OwnHost, S3Host


def host_of(settings: Settings) -> Host:
    """Raises ConfigurationError, MissingExtra."""
    from zirelia.channels.hosting import nowhere

    return _place(settings) or nowhere


def own_host(settings: Settings) -> OwnHost | None:
    """The folder that the role web shows, where that is the place."""
    from zirelia.channels.hosting import OwnHost

    hosting = settings.hosting
    if hosting.backend != "own":
        return None
    if hosting.public_url is None:
        raise ConfigurationError("hosting by the role web has no public address", hint="set ZIRELIA_HOSTING_PUBLIC_URL")
    keep = timedelta(hours=hosting.keep_hours)
    return OwnHost(settings.home / "hosted", public_url=hosting.public_url, keep=keep, timeout=settings.channels.timeout_s)


def sweep(settings: Settings, now: datetime) -> int:
    """How many were deleted. Raises ProviderError, StoreError, ConfigurationError."""
    place = _place(settings)
    return 0 if place is None else place.sweep(now)


def _place(settings: Settings) -> OwnHost | S3Host | None:
    from zirelia.channels.hosting import S3Host

    hosting = settings.hosting
    if hosting.backend != "s3":
        return own_host(settings)
    if hosting.bucket is None or hosting.access_key is None or hosting.secret_key is None:
        raise ConfigurationError(
            "the bucket for pictures is not set up",
            hint="set ZIRELIA_HOSTING_BUCKET, ZIRELIA_HOSTING_ACCESS_KEY and ZIRELIA_HOSTING_SECRET_KEY",
        )
    return S3Host(
        hosting.bucket,
        access_key=hosting.access_key,
        secret_key=hosting.secret_key,
        endpoint=hosting.endpoint,
        region=hosting.region,
        public_url=hosting.public_url,
        keep=timedelta(hours=hosting.keep_hours),
        timeout=settings.channels.timeout_s,
    )
