"""The tree of settings: every name, type, range, default and meaning, in one place.

    Settings().chat.timeout_s                       # 60.0: the defaults, nothing is read
    Settings(image=ImageSettings(backend="flux"))

A setting `image.steps` is ZIRELIA_IMAGE_STEPS in .env and the environment and `steps` under [image] in TOML; names that users
know from elsewhere are kept as they are (OPENAI_API_KEY). Reads no file; `loading` does.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from zirelia.domain.lora import TriggerWord


def _url(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ValueError(f"is not a URL ({error})") from error
    if url.scheme not in ("http", "https") or not url.host or any(character.isspace() for character in text):
        raise ValueError("is not a URL such as http://127.0.0.1:11434/v1")
    if url.userinfo or url.query or url.fragment:
        raise ValueError("must be a plain URL, without user, query or fragment")
    return text.rstrip("/")


def _zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"'{name}' is not an IANA time zone such as Europe/Lisbon") from error
    return name


Url = Annotated[str, AfterValidator(_url)]
Zone = Annotated[str, AfterValidator(_zone)]
ReplicateVersion = Annotated[
    str,
    StringConstraints(pattern=r"^([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(:[0-9a-f]{64})?|[0-9a-f]{64})$"),
]
Seconds = Annotated[float, Field(gt=0, le=7200)]
Dollars = Annotated[float, Field(ge=0, le=1_000_000)]
Side = Annotated[int, Field(ge=64, le=2048, multiple_of=8)]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _known_as(name: str, default: Any, description: str) -> Any:
    """A field whose name in the environment is one that users know already."""
    return Field(default=default, description=description, json_schema_extra={"env": name})


class OpenAISettings(Group):
    """OpenAI, or any server that speaks its protocol (Ollama, vLLM, llama.cpp)."""

    api_key: SecretStr | None = _known_as("OPENAI_API_KEY", None, "key; a server of one's own often needs none")
    base_url: Url | None = _known_as("OPENAI_BASE_URL", None, "another server's address, with /v1 where it has one")


class ReplicateSettings(Group):
    """Hosted images at replicate.com."""

    api_token: SecretStr | None = _known_as("REPLICATE_API_TOKEN", None, "token from the account's API page")
    model_version: ReplicateVersion | None = _known_as(
        "REPLICATE_MODEL_VERSION", None, "your trained model: owner/name, owner/name:version or a 64-digit version"
    )
    base_url: Url | None = _known_as("REPLICATE_BASE_URL", None, "another address of the API, without /v1 (for tests)")


class OverrideSettings(Group):
    """What .env says in place of the persona pack; empty leaves the pack's own."""

    trigger_word: TriggerWord | None = _known_as("LORA_TRIGGER_WORD", None, "the word that calls up the LoRA's face")
    min_daily_posts: int | None = Field(
        default=None, ge=0, le=24, description="fewest posts a day", json_schema_extra={"env": "MIN_DAILY_POSTS"}
    )
    max_daily_posts: int | None = Field(
        default=None, ge=0, le=24, description="most posts a day", json_schema_extra={"env": "MAX_DAILY_POSTS"}
    )
    timezone: Zone | None = _known_as("TIMEZONE", None, "IANA name of the persona's time zone, such as Europe/Lisbon")


class ChatSettings(Group):
    """The model that plans, writes and directs."""

    backend: Literal["auto", "embedded", "openai", "langchain"] = Field(
        default="auto", description="auto: openai with a key or a base URL, else the embedded model"
    )
    model: str | None = Field(
        default=None, min_length=1, description="model name; for langchain provider:model, such as anthropic:claude-sonnet-4-5"
    )
    timeout_s: Seconds = Field(default=60.0, description="seconds to wait for one answer")
    candidates: int = Field(default=6, ge=1, le=12, description="drafts written by the embedded model, the best is kept")


class VisionSettings(Group):
    """The model that looks at pictures for the critic. Without one, those criteria are 'not checked'."""

    backend: Literal["auto", "none", "openai", "langchain"] = Field(
        default="auto", description="auto: openai when a vision model is named or the real OpenAI is used, else none"
    )
    model: str | None = Field(default=None, min_length=1, description="a model that takes images; as for chat")
    timeout_s: Seconds = Field(default=60.0, description="seconds to wait for one answer")


class EmbeddingSettings(Group):
    """Text similarity: ranks drafts and finds repetition."""

    backend: Literal["auto", "embedded", "none"] = Field(
        default="auto", description="auto: embedded when its package is installed, else none"
    )


class ImageSettings(Group):
    """The model that makes pictures."""

    backend: Literal["auto", "pocket", "flux", "replicate", "openai"] = Field(
        default="auto", description="auto: replicate with token and version, flux with a model, else pocket"
    )
    model: str | None = Field(
        default=None, min_length=1, description="for flux a hub name or a folder; for openai a model name"
    )
    revision: str | None = Field(default=None, min_length=1, description="commit or tag of the hub model")
    pipeline: str | None = Field(
        default=None, pattern=r"^[A-Z][A-Za-z0-9]*Pipeline$", description="diffusers class, when it is not the model's own"
    )
    profile: Literal["auto", "cpu", "8gb", "12gb", "16gb", "24gb", "40gb"] = Field(
        default="auto", description="memory profile: sets dtype, offload, quantisation and steps that are left on auto"
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(default="auto", description="cuda also means ROCm")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(default="auto", description="number format of the weights")
    offload: Literal["auto", "none", "model", "sequential"] = Field(default="auto", description="what waits in main memory")
    quantisation: Literal["auto", "none", "int8", "nf4", "fp8"] = Field(default="auto", description="smaller weights")
    steps: int | None = Field(default=None, ge=1, le=200, description="denoising steps; empty: the profile's")
    guidance: float | None = Field(default=None, ge=0, le=30, description="guidance scale; empty: the profile's")
    width: Side | None = Field(default=None, description="pixels, a multiple of 8; empty: the backend's")
    height: Side | None = Field(default=None, description="pixels, a multiple of 8; empty: the backend's")
    timeout_s: Seconds = Field(default=600.0, description="seconds to wait for one hosted picture")


class EditSettings(Group):
    """The model that makes new pictures of a character from given ones: for datasets, and for identity by references."""

    backend: Literal["auto", "pocket", "kontext", "klein", "qwen-edit", "replicate", "openai"] = Field(
        default="auto", description="auto: replicate or openai with a model and a key, else pocket"
    )
    model: str | None = Field(
        default=None, min_length=1, description="hub name or folder, or the hosted model; empty: the backend's own"
    )
    over_generation: float = Field(default=2.0, ge=1, le=5, description="pictures made for each picture of a dataset")


class TrainingSettings(Group):
    """Where and how a LoRA is trained."""

    where: Literal["here", "replicate"] = Field(default="here", description="on this machine, or by Replicate's trainer")
    base: str | None = Field(
        default=None, min_length=1, description="folder of the base model here; empty: the image model, or the pocket one"
    )
    profile: Literal["auto", "cpu", "8gb", "12gb", "16gb", "24gb", "40gb"] = Field(
        default="auto", description="memory profile: sets what of the base is made smaller"
    )
    tensorboard: bool = Field(default=False, description="1 writes event files for TensorBoard beside each training")
    trainer_version: str | None = Field(
        default=None, pattern=r"^[\w.-]+/[\w.-]+:[0-9a-f]{64}$", description="Replicate's trainer: owner/name:version"
    )
    destination: str | None = Field(
        default=None, pattern=r"^[\w.-]+/[\w.-]+$", description="Replicate model that receives the LoRA: owner/name"
    )


class CriticSettings(Group):
    """The judge of every picture."""

    attempts: int = Field(default=3, ge=1, le=3, description="pictures made for one post at most; then it is held")
    identity: Literal["auto", "looks", "dlib", "auraface", "dinov2"] = Field(
        default="auto",
        description="what measures the face; auto: looks for drawings, auraface with its folder, else dlib for photographs",
    )
    auraface: Path | None = Field(default=None, description="folder with AuraFace's ONNX files, for photographs")
    dinov2: str | None = Field(
        default=None, min_length=1, description="hub name or folder of a DINOv2, for drawings of a world of your own"
    )
    siglip: str | None = Field(
        default=None,
        min_length=1,
        description="hub name or folder of a SigLIP, for scene, clothes and light without a vision model",
    )
    impostors: Path | None = Field(
        default=None, description="folder with pictures of other people, from whom a photographed persona is told apart"
    )
    together: bool = Field(default=False, description="1 asks the vision model all questions of a picture in one call")
    picture_usd: Dollars | None = Field(
        default=None, description="US dollars that the questions about one picture may cost; what is left is not checked"
    )


class BudgetSettings(Group):
    """Hard limits, retries included. A call that would go beyond them is not made, and its post is held with the reason."""

    month_usd: Dollars = Field(default=20.0, description="US dollars for one persona in a calendar month")
    day_usd: Dollars | None = Field(default=None, description="US dollars for one persona on one day, by her own calendar")
    post_usd: Dollars = Field(default=1.0, description="US dollars for one post")
    month_images: int | None = Field(default=None, ge=0, description="pictures for one persona in a calendar month")
    day_images: int | None = Field(default=None, ge=0, description="pictures for one persona on one day, by her own calendar")


class PriceSettings(Group):
    """What a call costs, where you know better than the built-in list."""

    chat_in_usd: Dollars | None = Field(default=None, description="US dollars for a million tokens read by the chat model")
    chat_out_usd: Dollars | None = Field(default=None, description="US dollars for a million tokens it writes")
    vision_in_usd: Dollars | None = Field(default=None, description="US dollars for a million tokens read by the vision model")
    vision_out_usd: Dollars | None = Field(default=None, description="US dollars for a million tokens it writes")
    image_usd: Dollars | None = Field(default=None, description="US dollars for one hosted picture")
    edit_usd: Dollars | None = Field(default=None, description="US dollars for one hosted edit")
    x_post_usd: Dollars = Field(default=0.015, description="US dollars for one post on X")
    x_link_usd: Dollars = Field(default=0.2, description="US dollars for one post on X with a link")
    training_second_usd: Dollars | None = Field(default=None, description="US dollars for one second of a hosted training")


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
