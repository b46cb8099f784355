"""The daemon: its work, its log, its port, what it learns and whom it tells."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from zirelia.settings.groups.base import Group, Seconds


class EngineSettings(Group):
    """The daemon, `zirelia up`."""

    personas: str | None = Field(
        default=None,
        min_length=1,
        description="packs that the daemon runs: names with commas between, or all; empty: that of ZIRELIA_PERSONA",
    )
    paused: bool = Field(default=False, description="1 starts nothing and publishes nothing, as `zirelia pause` does")
    lead_hours: float = Field(default=12.0, ge=0, le=168, description="hours before its slot at which a post is made")
    late_minutes: int = Field(default=120, ge=1, le=1440, description="minutes after its slot at which a post may still go out")
    undecided: Literal["postpone", "expire", "auto_approve"] = Field(
        default="postpone",
        description="what becomes of a post that nobody decided on at its slot: postpone to the next one, expire (it is held), "
        "or auto_approve what the critic passed; never what is held",
    )
    workers: int | None = Field(
        default=None, ge=1, le=64, description="turns written at a time; empty: 1 with the embedded chat model, else 8"
    )
    publish_tries: int = Field(default=8, ge=1, le=100, description="tries to publish, before a person must look")
    stuck_minutes: int = Field(default=60, ge=1, le=10_080, description="minutes without progress after which you are told")
    stop_s: Seconds = Field(default=30.0, description="seconds in which work may end after a stop; the rest is handed back")
    tick_s: float = Field(default=1.0, ge=0.05, le=60, description="seconds between two looks at what is due")
    node: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9][\w.-]{0,59}$", description="this node's name; empty: the machine's"
    )


class LogSettings(Group):
    """The daemon's log, on standard error. Secrets are filtered out."""

    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: console on a terminal, else a JSON object a line"
    )


class WebSettings(Group):
    """Where the role `web` listens: /healthz, /readyz, /metrics."""

    host: str = Field(default="127.0.0.1", min_length=1, description="address; other machines see none on loopback")
    port: int = Field(default=8750, ge=0, le=65_535, description="port; 0 takes a free one and logs it")


class ResultSettings(Group):
    """What comes back from the platforms."""

    learn: bool = Field(
        default=True, description="1 lets the planner prefer topics, scenes and hours that did better; 0 only shows them"
    )


class NotifySettings(Group):
    """Who is told when a post is held, stuck, or its outcome unknown, and when a node is gone."""

    command: str | None = Field(
        default=None, min_length=1, description="program with arguments; gets the message as JSON on standard input"
    )
    url: SecretStr | None = Field(default=None, description="webhook that gets the message as a JSON POST")
    timeout_s: Seconds = Field(default=10.0, description="seconds to wait for either")
