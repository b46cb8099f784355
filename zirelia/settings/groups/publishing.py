"""Where posts go: platforms and their apps, the pictures' signature, and the address where platforms fetch them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from zirelia.settings.groups.base import Group, Seconds, Url


class ChannelSettings(Group):
    """Where approved posts go."""

    folder_outbox: Path | None = Field(default=None, description="folder of the channel 'folder'; empty: outbox in the home")
    timeout_s: Seconds = Field(default=30.0, description="seconds to wait for one answer of a platform")
    daily_limit: int = Field(default=3, ge=1, le=1000, description="posts that the daemon sends to one account in 24 hours")
    min_gap_minutes: int = Field(default=30, ge=0, le=1440, description="minutes between two of them")
    meta_version: str = Field(
        default="v25.0", pattern=r"^v\d+\.\d+$", description="version of the interface of Instagram and Facebook"
    )
    threads_version: str = Field(default="v1.0", pattern=r"^v\d+\.\d+$", description="version of the interface of Threads")
    instagram_url: Url | None = Field(default=None, description="another address in place of Instagram's (for tests)")
    threads_url: Url | None = Field(default=None, description="another address in place of Threads' (for tests)")
    facebook_url: Url | None = Field(default=None, description="another address in place of Facebook's (for tests)")
    x_url: Url | None = Field(default=None, description="another address in place of X's (for tests)")


class ConnectSettings(Group):
    """Apps that you registered at the platforms, for `zirelia connect`. Bluesky and Mastodon need none."""

    redirect_url: Url | None = Field(
        default=None,
        description="where a platform sends your browser back to, as it is registered there; empty: "
        "http://127.0.0.1:8751/callback, and https://localhost:8751/callback for Instagram and Threads, which take only https",
    )
    instagram_app_id: str | None = Field(default=None, min_length=1, description="the Instagram app's id")
    instagram_app_secret: SecretStr | None = Field(default=None, description="its secret")
    threads_app_id: str | None = Field(default=None, min_length=1, description="the Threads app's id")
    threads_app_secret: SecretStr | None = Field(default=None, description="its secret")
    facebook_app_id: str | None = Field(default=None, min_length=1, description="the Facebook app's id")
    facebook_app_secret: SecretStr | None = Field(default=None, description="its secret")
    x_client_id: str | None = Field(default=None, min_length=1, description="the X app's OAuth 2 client id")
    x_client_secret: SecretStr | None = Field(
        default=None, description="its secret, where X's console calls it a confidential client"
    )


class ProvenanceSettings(Group):
    """Whose certificate signs the pictures that go out (C2PA). Without one, Zirelia makes its own in the home, once."""

    certificate: Path | None = Field(
        default=None, description="PEM file with your signing certificate and its issuers; empty: one made in the home"
    )
    key: Path | None = Field(default=None, description="PEM file with its private key, without a password")
    known: Path | None = Field(
        default=None, description="PEM file of certificates whose signatures `zirelia verify` trusts, beside your own"
    )

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together: set both, or neither")
        return self


class HostingSettings(Group):
    """Where Instagram and Threads fetch a picture from: they take an address, not the picture."""

    backend: Literal["none", "s3", "own"] = Field(
        default="none", description="s3: a bucket; own: the role web of `zirelia up`, where the internet reaches it"
    )
    public_url: Url | None = Field(
        default=None,
        description="https address under which the internet reaches the bucket's objects (empty: signed URLs), or the role web",
    )
    endpoint: Url | None = Field(default=None, description="address of the service that speaks S3; empty: Amazon's")
    bucket: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="the bucket's name")
    region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]{1,40}$", description="its region; auto at some services")
    access_key: SecretStr | None = Field(default=None, description="key id that may put, read, list and delete in the bucket")
    secret_key: SecretStr | None = Field(default=None, description="the secret to it")
    keep_hours: int = Field(default=24, ge=1, le=167, description="hours for which a picture can be fetched after its use")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.backend == "s3" and not (self.bucket and self.access_key and self.secret_key):
            raise ValueError("s3 needs bucket, access_key and secret_key")
        if self.backend == "own" and not self.public_url:
            raise ValueError("own needs public_url, the address under which the internet reaches the role web")
        return self
