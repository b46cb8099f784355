"""A place from which platforms fetch a picture: a bucket that speaks S3, or the role `web` of one's own.

    host = S3Host("pictures", endpoint="https://s3.example", access_key=..., secret_key=...)
    host = OwnHost(home / "hosted", public_url="https://mira.example")
    with host(jpeg, "image/jpeg") as url:       # looked at from here first: status, type, length, SHA-256
        container = make_container(url)
    host.sweep(datetime.now(UTC))               # deletes what is over; kept for a day after the block, platforms come late

Names have 192 bits that nobody can guess, and nothing lists them. Without a public address of the bucket the URL is signed and
ends by itself. Keys are in no message, log line or repr. Knows no platform.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import stat
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from zirelia.errors import ConfigurationError, MissingExtra, ProviderError, ProviderRefused, StoreError
from zirelia.files import write_atomically
from zirelia.network.certificates import trusted
from zirelia.network.failures import call_with_retry, map_http_error, map_transport_error
from zirelia.network.offline import is_loopback_url

KEPT = timedelta(hours=24)
_BLOCK = timedelta(hours=1)
"""For how long a picture is in use at most, before it is merely kept."""
_LONGEST_SIGNED = timedelta(days=7)
_NAME = re.compile(r"[A-Za-z0-9_-]{32}\.jpg")
_JPEG = "image/jpeg"
_PREFIX = "zirelia/"
_PROVIDER = "hosting"
_SET = "set ZIRELIA_HOSTING_BACKEND to s3 or own: docs/channels/hosting.md"


def nowhere(_data: bytes, _media_type: str) -> AbstractContextManager[str]:
    """The host where none is set. Raises ProviderRefused: nothing was published."""
    raise ProviderRefused("no place is set from which the platform could fetch the picture", provider=_PROVIDER, hint=_SET)


class _Host(ABC):
    """What both places share. timeout: seconds for one call. sleep: replaced in tests."""

    def __init__(self, *, keep: timedelta, timeout: float, sleep: Callable[[float], None]) -> None:
        if not timedelta() < keep <= _LONGEST_SIGNED:
            raise ConfigurationError("pictures are kept for 1 hour to 7 days", hint="set ZIRELIA_HOSTING_KEEP_HOURS")
        self._keep, self._timeout, self._sleep = keep, timeout, sleep

    @contextmanager
    def __call__(self, data: bytes, media_type: str) -> Iterator[str]:
        """An address from which anybody who knows it fetches the picture, within the block and for a while after it.

        Raises ProviderError when it cannot be put there, or does not come back as it is.
        """
        if media_type != _JPEG or not data.startswith(b"\xff\xd8\xff"):
            raise ProviderRefused(f"a picture must be a JPEG, not {media_type}", provider=_PROVIDER)
        name = f"{secrets.token_urlsafe(24)}.jpg"
        url = self._put(name, data)
        call_with_retry(lambda: look(url, data, timeout=self._timeout), sleep=self._sleep, longest_wait=5.0)
        yield url

    @abstractmethod
    def sweep(self, now: datetime) -> int:
        """Deletes what is over; how many."""

    @abstractmethod
    def _put(self, name: str, data: bytes) -> str:
        """Stores it; its address."""

    def _over(self, put: datetime, now: datetime) -> bool:
        return now - put > self._keep + _BLOCK


class S3Host(_Host):
    """Implements containers.Host on any bucket that speaks S3.

    Args:
        endpoint: the service's address; None for Amazon's. public_url: under which the bucket's objects are fetched without a
            signature; None has each URL signed. keep: for how long after its use a picture can be fetched.

    Raises MissingExtra without boto3, ConfigurationError.
    """

    def __init__(
        self,
        bucket: str,
        *,
        access_key: SecretStr,
        secret_key: SecretStr,
        endpoint: str | None = None,
        region: str = "us-east-1",
        public_url: str | None = None,
        keep: timedelta = KEPT,
        timeout: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(keep=keep, timeout=timeout, sleep=sleep)
        for url in (endpoint, public_url):
            if url is not None:
                _secure(url)
        self._bucket, self._public_url = bucket, public_url.rstrip("/") if public_url is not None else None
        self._secrets = (access_key, secret_key)
        self._client = self._connected(endpoint, region)

    def sweep(self, now: datetime) -> int:
        """Raises ProviderError. Only names that were made here are deleted."""
        over: list[str] = []
        with self._failures():
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=_PREFIX):
                over += [
                    entry["Key"]
                    for entry in page.get("Contents", ())
                    if _NAME.fullmatch(entry["Key"].removeprefix(_PREFIX)) and self._over(entry["LastModified"], now)
                ]
            # one by one: not every service takes many at once
            for key in over:
                self._client.delete_object(Bucket=self._bucket, Key=key)
        return len(over)

    def _put(self, name: str, data: bytes) -> str:
        place = {"Bucket": self._bucket, "Key": _PREFIX + name}
        with self._failures():
            self._client.put_object(**place, Body=data, ContentType=_JPEG)
            if self._public_url is not None:
                return f"{self._public_url}/{place['Key']}"
            lasts = min(self._keep + _BLOCK, _LONGEST_SIGNED)
            return str(self._client.generate_presigned_url("get_object", Params=place, ExpiresIn=int(lasts.total_seconds())))

    def _connected(self, endpoint: str | None, region: str) -> Any:
        try:
            from boto3.session import Session
            from botocore.config import Config
        except ImportError:
            raise MissingExtra("s3", "hosting pictures in a bucket") from None
        # what it says below that level holds the access key and signatures
        for name in ("botocore", "boto3"):
            logging.getLogger(name).setLevel(logging.INFO)
        access_key, secret_key = self._secrets
        session = Session(
            aws_access_key_id=access_key.get_secret_value(),
            aws_secret_access_key=secret_key.get_secret_value(),
            region_name=region,
        )
        config = Config(
            signature_version="s3v4",
            connect_timeout=self._timeout,
            read_timeout=self._timeout,
            retries={"mode": "standard", "total_max_attempts": 3},
            proxies={},
            s3={"addressing_style": "auto" if endpoint is None else "path"},
            # newer checksums are unknown to many services that speak S3
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        try:
            return session.client("s3", endpoint_url=endpoint, config=config)
        except ValueError as error:
            raise ConfigurationError(
                f"the bucket cannot be reached so: {error}", hint="check ZIRELIA_HOSTING_ENDPOINT"
            ) from None

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Its errors as ours, without their cause, which holds keys."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            told, status = (
                error.response.get("Error", {}),
                error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500),
            )
            said = self._shown(f"HTTP {status} {told.get('Code', '')}: {told.get('Message', '')}")
            if status >= 500 or status in {408, 429}:
                raise ProviderError(said, provider=_PROVIDER, retryable=True) from None
            raise ProviderRefused(said, provider=_PROVIDER, hint="check bucket, region and keys (ZIRELIA_HOSTING_…)") from None
        except BotoCoreError as error:
            mapped = map_transport_error(error, _PROVIDER)
            if not isinstance(mapped, ProviderError):
                raise mapped from None
            said = self._shown(mapped.message.removeprefix(f"{_PROVIDER}: "))
            raise ProviderError(said, provider=_PROVIDER, retryable=True, hint="is the endpoint right, and up?") from None

    def _shown(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret.get_secret_value(), "[secret]")
        return " ".join(text.split())[:300]


class OwnHost(_Host):
    """Implements containers.Host by a folder that the role `web` shows under /media/.

    Args:
        folder: of its own, in the home. public_url: the address under which the whole internet reaches the role `web`.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        folder: Path,
        *,
        public_url: str,
        keep: timedelta = KEPT,
        timeout: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(keep=keep, timeout=timeout, sleep=sleep)
        _secure(public_url)
        self._folder, self._public_url = folder, public_url.rstrip("/")

    def sweep(self, now: datetime) -> int:
        """Raises StoreError. What a crash left half written goes too."""
        over = 0
        try:
            for path in self._folder.iterdir() if self._folder.is_dir() else ():
                ours = _NAME.fullmatch(path.name) or path.name.startswith(".part-")
                if ours and self._over(datetime.fromtimestamp(path.lstat().st_mtime, UTC), now):
                    path.unlink(missing_ok=True)
                    over += 1
        except OSError as error:
            raise StoreError(f"{self._folder}: pictures that are over cannot be deleted ({error.strerror})") from error
        return over

    def picture(self, name: str, now: datetime) -> bytes | None:
        """What lies under that name; None for every other name, and for what is over."""
        if not _NAME.fullmatch(name):
            return None
        try:
            handle = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or self._over(datetime.fromtimestamp(found.st_mtime, UTC), now):
                return None
            return os.read(handle, found.st_size)
        finally:
            os.close(handle)

    def _put(self, name: str, data: bytes) -> str:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(self._folder / name, data, temporary_folder=self._folder)
        except OSError as error:
            raise ProviderError(f"{self._folder} cannot be written: {error.strerror}", provider=_PROVIDER) from error
        return f"{self._public_url}/media/{name}"


def look(url: str, data: bytes, *, timeout: float) -> None:
    """Fetches the picture as a platform would. Raises ProviderError that says what is different."""
    place = urlsplit(url).netloc
    try:
        # not by a client, which logs the address with its signature
        with httpx.HTTPTransport(verify=trusted(), trust_env=False) as transport:
            asked = httpx.Request("GET", url, extensions={"timeout": httpx.Timeout(timeout).as_dict()})
            response = transport.handle_request(asked)
            try:
                body = _at_most(response, len(data) + 1)
            finally:
                response.close()
    except httpx.HTTPError as error:
        mapped = map_transport_error(error, _PROVIDER)
        raise mapped from None
    if response.status_code != 200:
        mapped_status = map_http_error(httpx.Response(response.status_code, request=asked), _PROVIDER)
        raise ProviderError(
            f"the picture cannot be fetched from {place}: HTTP {response.status_code}",
            provider=_PROVIDER,
            retryable=mapped_status.retryable,
            hint="is the public address right, and may everybody read there?",
        )
    kind, length = response.headers.get("content-type", "none").partition(";")[0], response.headers.get("content-length")
    if kind.strip().lower() != _JPEG:
        raise ProviderError(f"{place} gives the picture as {kind[:60]}, not as {_JPEG}", provider=_PROVIDER)
    if len(body) != len(data) or (length is not None and length != str(len(data))):
        raise ProviderError(f"{place} gives {length or len(body)} bytes of {len(data)}", provider=_PROVIDER, retryable=True)
    if hashlib.sha256(body).digest() != hashlib.sha256(data).digest():
        raise ProviderError(
            f"{place} gives another picture", provider=_PROVIDER, hint="does something in between change pictures?"
        )


def _at_most(response: httpx.Response, limit: int) -> bytes:
    received = bytearray()
    for chunk in response.iter_bytes():
        received += chunk
        if len(received) >= limit:
            break
    return bytes(received)


def _secure(url: str) -> None:
    if not (url.startswith("https://") or is_loopback_url(url)):
        raise ConfigurationError(
            f"{urlsplit(url).netloc or url} is not reached by https", hint="use https, or an address of this machine"
        )
