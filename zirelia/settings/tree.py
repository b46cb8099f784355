"""The tree of settings: the groups under one root, and every setting in it with its name.

    Settings().chat.timeout_s                       # 60.0: the defaults, nothing is read
    Settings(image=ImageSettings(backend="flux"))

A setting `image.steps` is ZIRELIA_IMAGE_STEPS in .env and the environment and `steps` under [image] in TOML; names that
users know from elsewhere are kept as they are (OPENAI_API_KEY). Types, ranges, defaults and meanings stand in `groups`, a
topic each. Reads no file; `loading` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from zirelia.settings.groups.base import Group
from zirelia.settings.groups.daemon import EngineSettings, LogSettings, NotifySettings, ResultSettings, WebSettings
from zirelia.settings.groups.language import ChatSettings, EmbeddingSettings, OpenAISettings, VisionSettings
from zirelia.settings.groups.money import BudgetSettings, PriceSettings
from zirelia.settings.groups.persona import OverrideSettings
from zirelia.settings.groups.pictures import CriticSettings, EditSettings, ImageSettings, ReplicateSettings, TrainingSettings
from zirelia.settings.groups.publishing import ChannelSettings, ConnectSettings, HostingSettings, ProvenanceSettings

__all__ = [
    "CONFIG_NAME",
    "BudgetSettings",
    "ChannelSettings",
    "ChatSettings",
    "ConnectSettings",
    "CriticSettings",
    "EditSettings",
    "EmbeddingSettings",
    "EngineSettings",
    "HostingSettings",
    "ImageSettings",
    "Leaf",
    "LogSettings",
    "NotifySettings",
    "OpenAISettings",
    "OverrideSettings",
    "PriceSettings",
    "ProvenanceSettings",
    "ReplicateSettings",
    "ResultSettings",
    "Settings",
    "TrainingSettings",
    "VisionSettings",
    "WebSettings",
    "leaves",
]

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class Settings(BaseSettings):
    """Everything that can be set. `Settings()` has the defaults and reads nothing; `load_settings` reads.

    passed_on: other names found in .env, for LangChain providers that look in the environment (ANTHROPIC_API_KEY).
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    home: Path = Field(default=Path("home"), description="folder for database, media and logs; beside .env when relative")
    persona: str = Field(default="mira", min_length=1, description="name or folder of the persona pack")
    offline: bool = Field(default=False, description="1 forbids every connection but loopback, enforced at the socket")
    log_level: LogLevel = Field(default="INFO", description="least important message that the daemon logs")
    database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL in place of the file in the home: postgresql://user:password@host/name"
    )
    token_key: SecretStr | None = Field(
        default=None, description="key that seals the stored tokens of accounts; empty: that of the system's keyring"
    )
    token_keys: SecretStr | None = Field(
        default=None, description="older keys, with commas between: what they sealed is read, and sealed anew in time"
    )
    openai: OpenAISettings = OpenAISettings()
    replicate: ReplicateSettings = ReplicateSettings()
    overrides: OverrideSettings = OverrideSettings()
    chat: ChatSettings = ChatSettings()
    vision: VisionSettings = VisionSettings()
    embeddings: EmbeddingSettings = EmbeddingSettings()
    image: ImageSettings = ImageSettings()
    edit: EditSettings = EditSettings()
    training: TrainingSettings = TrainingSettings()
    critic: CriticSettings = CriticSettings()
    budget: BudgetSettings = BudgetSettings()
    prices: PriceSettings = PriceSettings()
    channels: ChannelSettings = ChannelSettings()
    hosting: HostingSettings = HostingSettings()
    connect: ConnectSettings = ConnectSettings()
    provenance: ProvenanceSettings = ProvenanceSettings()
    engine: EngineSettings = EngineSettings()
    logs: LogSettings = LogSettings()
    web: WebSettings = WebSettings()
    results: ResultSettings = ResultSettings()
    notify: NotifySettings = NotifySettings()
    passed_on: dict[str, SecretStr] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @property
    def outbox(self) -> Path:
        return self.channels.folder_outbox or self.home / "outbox"


@dataclass(frozen=True)
class Leaf:
    """One setting: its place in the tree, its name in .env and the environment, and its field."""

    group: str
    key: str
    env: str
    field: FieldInfo

    @property
    def dotted(self) -> str:
        return f"{self.group}.{self.key}" if self.group else self.key

    @property
    def place(self) -> tuple[str, ...]:
        return (self.group, self.key) if self.group else (self.key,)

    @property
    def secret(self) -> bool:
        return "SecretStr" in str(self.field.annotation)


CONFIG_NAME = "ZIRELIA_CONFIG"
"""Not a setting but the name of the file over config/default.toml, such as `production`."""


def leaves() -> Iterator[Leaf]:
    """Every setting in the tree's order."""
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Group):
            for key, inner in field.annotation.model_fields.items():
                extra = inner.json_schema_extra if isinstance(inner.json_schema_extra, dict) else {}
                yield Leaf(name, key, str(extra.get("env") or f"ZIRELIA_{name}_{key}".upper()), inner)
        elif name != "passed_on":
            yield Leaf("", name, f"ZIRELIA_{name}".upper(), field)
