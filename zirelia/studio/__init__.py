"""The one place that wires settings → adapters → use cases. Nobody else chooses an adapter.

    with open_studio(TerminalWatcher()) as studio:
        post = produce(studio.kit(), studio.subject("mira"))

Adapters are built when they are first used: `zirelia queue` opens a database and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from zirelia.channels.folder import FolderChannel
from zirelia.definitions.agents import agent_names, load_agent
from zirelia.definitions.personas import LoadedPersona, load_persona, override_persona
from zirelia.domain.lora import Lora, WornLora
from zirelia.domain.persona import Identity, Kind, Persona
from zirelia.errors import ConfigurationError, MediaError
from zirelia.network import forbid_outside_connections
from zirelia.provenance.sealer import JpegSealer
from zirelia.settings import Choice, Settings, load_settings, resolve_backends
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.studio import accounts, adapters, hosting, instruments, making, sealing
from zirelia.workflow.kit import Kit, Subject

if TYPE_CHECKING:
    from PIL.Image import Image

    from zirelia.channels.containers import Host
    from zirelia.critic.panel import CriticPanel
    from zirelia.language.chat import LangChainChat
    from zirelia.ports import Channel, Chat, Embedder, ImageMaker, Watcher
    from zirelia.provenance.signing import Signer
    from zirelia.store.datasets import DatasetFiles
    from zirelia.studio.instruments import Deferred
    from zirelia.studio.loras import Judged
    from zirelia.training.plan import TrainingPlan
    from zirelia.workflow.train import TrainKit

DATABASE = "zirelia.db"
_EMBEDDED = {
    "chat": {"backend": "embedded", "model": None},
    "vision": {"backend": "none", "model": None},
    "embeddings": {"backend": "auto"},
    "image": {"backend": "pocket", "model": None, "width": None, "height": None},
    "edit": {"backend": "pocket", "model": None},
}


class Studio:
    """Adapters and use cases of one process. Close it, so that the embedded model and the database stop cleanly."""

    def __init__(self, settings: Settings, watcher: Watcher) -> None:
        self.settings = settings
        self.watcher = watcher
        self._opened: list[LangChainChat] = []
        self._packs: dict[str, LoadedPersona] = {}
        self._panels: dict[tuple[Kind, bool], CriticPanel] = {}

    def close(self) -> None:
        for chat in self._opened:
            chat.close()
        if "store" in self.__dict__:
            self.store.close()
        if self.choices["chat"].backend == "embedded" and self._opened:
            from zirelia.language.embedded import shared_server

            shared_server().close()

    @cached_property
    def choices(self) -> dict[str, Choice]:
        """Role → the backend that the settings lead to."""
        return {str(role): choice for role, choice in resolve_backends(self.settings).items()}

    @cached_property
    def media(self) -> MediaStore:
        return MediaStore(self.settings.home / "media")

    @cached_property
    def store(self) -> SqlStore:
        url = self.settings.database_url
        return SqlStore(url.get_secret_value() if url is not None else self.settings.home / DATABASE, self.media)

    @cached_property
    def chat(self) -> Chat:
        chat = adapters.chat(self.settings, self.choices["chat"])
        self._opened.append(chat)
        return chat

    @cached_property
    def vision(self) -> Chat | None:
        choice = self.choices["vision"]
        if choice.backend == "none":
            return None
        vision = adapters.vision(self.settings, choice)
        self._opened.append(vision)
        return vision

    @cached_property
    def embedder(self) -> Embedder | None:
        return adapters.embedder(self.choices["embeddings"])

    @cached_property
    def images(self) -> ImageMaker:
        return adapters.images(self.settings, self.choices["image"], self._trigger)

    @property
    def _trigger(self) -> str | None:
        lora = self.persona().lora
        return lora.trigger if lora else None

    @cached_property
    def channels(self) -> dict[str, Channel]:
        folder = FolderChannel(self.settings.outbox)
        return {folder.name: folder}

    @cached_property
    def vault(self) -> accounts.KeptVault:
        return accounts.KeptVault(self.settings)

    @cached_property
    def host(self) -> Host:
        """Where Instagram and Threads fetch pictures from."""
        return hosting.host_of(self.settings)

    @cached_property
    def _accounts(self) -> dict[str, accounts.Accounts]:
        return {}

    def channels_of(self, name: str) -> Mapping[str, Channel]:
        """The accounts of that persona, as they are connected at the moment of asking."""
        if name not in self._accounts:
            self._accounts[name] = accounts.Accounts(self, name, self.channels)
        return self._accounts[name]

    def _weights(self) -> tuple[Path | None, ...]:
        return tuple(loaded.lora_path() for loaded in self._packs.values())

    @cached_property
    def signer(self) -> Signer:
        return sealing.signer(self.settings)

    def persona(self, name: str | None = None) -> Persona:
        """The pack with what the settings say in its place."""
        pack = self._pack(name).persona
        own = pack.name == self._pack(None).persona.name
        overrides = self.settings.overrides
        return override_persona(
            pack,
            # the other overrides are about when to post; a trigger belongs to one face
            trigger=overrides.trigger_word if own else None,
            min_daily=overrides.min_daily_posts,
            max_daily=overrides.max_daily_posts,
            timezone=overrides.timezone,
        )

    def subject(self, name: str | None = None) -> Subject:
        """The persona at work, with verified weights and decoded references.

        Raises ConfigurationError when the pack names files that are not there.
        """
        loaded = self._pack(name)
        persona = self.persona(name)
        references = self.references(name)
        if persona.identity is Identity.REFERENCES:
            # the words say who it is, and the pictures show it
            return Subject(persona=persona.model_copy(update={"lora": None}), lora=None, references=references)
        return Subject(
            persona=persona, lora=self._lora(loaded, persona), references=references, beside=self._styles(loaded, persona)
        )

    def references(self, name: str | None = None) -> tuple[Image, ...]:
        """The persona's reference pictures. Raises ConfigurationError for one that cannot be read."""
        return _pictures(self._pack(name))

    def images_for(self, subject: Subject) -> ImageMaker:
        """What makes this persona's pictures: the image model, or an edit model that is given her references."""
        return self.reference_maker(subject) if subject.persona.identity is Identity.REFERENCES else self.images

    # ---- the making of a face, see `studio.making`

    def pack_folder(self, name: str | None = None) -> Path:
        """The folder of the persona's pack."""
        return self._pack(name).folder

    def forget_pack(self, name: str) -> None:
        """Reads the pack anew at its next use: it was changed."""
        self._packs.pop(name, None)

    def dataset_folder(self, name: str) -> DatasetFiles:
        return making.dataset_folder(self, name)

    def training_folder(self, name: str) -> Path:
        return making.training_folder(self, name)

    def training_base(self) -> tuple[str, str | None]:
        return making.training_base(self)

    def train_kit(
        self, name: str, plan: TrainingPlan, *, where: making.Where | None = None, profile: str | None = None
    ) -> TrainKit:
        return making.train_kit(self, name, plan, where=where, profile=profile)

    def judge_checkpoints(self, name: str, checkpoints: Path | None = None) -> Judged:
        return making.judge_checkpoints(self, name, checkpoints)

    def write_judgement_report(self, judged: Judged, report: Path, *, checkpoints: Path | None = None) -> None:
        making.write_judgement_report(self, judged, report, checkpoints=checkpoints)

    def reference_maker(self, subject: Subject) -> ImageMaker:
        return making.reference_maker(self, subject)

    def kit(self, subject: Subject | None = None) -> Kit:
        """Everything a use case works with; `subject` is whom it makes pictures of, where it makes any."""
        settings = self.settings
        # asked of the subject, because the image model of a persona that is edited may not even be installed
        if subject is not None:
            instruments.require(self.settings, subject.persona.kind)
        edited = subject is not None and subject.persona.identity is Identity.REFERENCES
        images = self.images if subject is None else self.images_for(subject)
        embedded = self.choices["chat"].backend == "embedded"
        return Kit(
            store=self.store,
            media=self.media,
            chat=self.chat,
            images=images,
            panel=self.panel(subject.persona.kind if subject else self.persona().kind),
            channels=self.channels_of(subject.persona.name if subject else self.persona().name),
            sealer=JpegSealer(self.signer, known=sealing.known_loras(making.library(self), self._weights)),
            agents={name: load_agent(name) for name in agent_names()},
            now=lambda: datetime.now(UTC),
            watcher=self.watcher,
            embedder=self.embedder,
            identifier=adapters.identifier(),
            budget=making.budget(settings, subject.persona if subject else self.persona()),
            attempts=settings.critic.attempts,
            candidates=settings.chat.candidates if embedded else 1,
            short_voice=embedded,
            image_steps=None if edited else adapters.image_steps(settings, self.choices["image"]),
            vision=self.vision,
            vision_estimate_usd=adapters.vision_estimate_usd(settings, self.choices["vision"]) if self.vision else 0.0,
            chat_estimate_usd=adapters.chat_estimate_usd(settings, self.choices["chat"]),
            memory=self.store,
            learn=settings.results.learn,
        )

    def panel(self, kind: Kind, *, vision: bool = True) -> CriticPanel:
        """The critic for one kind of persona: instruments that run offline, and the vision model when there is one.

        Args:
            vision: False leaves the vision model out, so that nothing is paid, and keeps nothing: for looking once more.
        """
        if (kind, vision) not in self._panels:
            from zirelia.critic.panel import CriticPanel

            asked = instruments.offline(self.settings, kind, memory=self.store if vision else None)
            warm_up = {one.name: instruments.WARM_UP_SECONDS for one in asked if isinstance(one, instruments.Deferred)}
            limits, prices = {}, {}
            if vision and self.vision is not None:
                eyes = instruments.vision(self.settings, self.vision, memory=self.store)
                asked.append(eyes)
                limits[eyes.name] = instruments.VISION_SECONDS
                prices[eyes.name] = adapters.vision_estimate_usd(self.settings, self.choices["vision"])
            self._panels[kind, vision] = CriticPanel(asked, time_limits=limits, warm_up=warm_up, unanswered_usd=prices)
        return self._panels[kind, vision]

    def identity(self, persona: Persona, *, afresh: bool = False) -> Deferred:
        """The instrument that measures likeness for this persona. Raises MissingExtra.

        Args:
            afresh: measures the line anew, and keeps it, even where one is kept.
        """
        instruments.require(self.settings, persona.kind)
        memory = instruments.Afresh(self.store) if afresh else self.store
        return instruments.identity(self.settings, persona.kind, memory=memory)

    def _pack(self, name: str | None) -> LoadedPersona:
        wanted = name or self.settings.persona
        if wanted not in self._packs:
            self._packs[wanted] = load_persona(wanted)
        return self._packs[wanted]

    def _lora(self, loaded: LoadedPersona, persona: Persona) -> Lora | None:
        path = loaded.lora_path()
        if persona.lora is None or path is None or self.choices["image"].backend not in {"pocket", "flux"}:
            return None
        if not path.is_file():
            raise ConfigurationError(
                f"the LoRA {path} of '{persona.name}' is missing",
                hint="restore the file, or take 'weights' out of the pack when a hosted model has them built in",
            )
        return adapters.lora(path, persona.lora.trigger)

    def _styles(self, loaded: LoadedPersona, persona: Persona) -> tuple[WornLora, ...]:
        worn = []
        for path, style in zip(loaded.style_paths(), persona.styles, strict=True):
            if self.choices["image"].backend not in {"pocket", "flux"}:
                raise ConfigurationError(
                    f"'{persona.name}' wears the style {style.weights}, which only a local image model can",
                    hint="take 'styles' out of the pack, or set ZIRELIA_IMAGE_BACKEND=flux",
                )
            if not path.is_file():
                raise ConfigurationError(f"the style {path} of '{persona.name}' is missing", hint="restore the file")
            worn.append(WornLora(lora=adapters.lora(path, "style"), scale=style.scale))
        return tuple(worn)


def _pictures(loaded: LoadedPersona) -> tuple[Image, ...]:
    from zirelia.pictures import load_picture

    pictures = []
    for path in loaded.reference_paths():
        try:
            pictures.append(load_picture(path))
        except MediaError as error:
            raise ConfigurationError(
                f"the reference picture {path} cannot be read: {error.message}",
                hint=f"zirelia persona check {loaded.persona.name}",
            ) from error
    return tuple(pictures)


class SilentWatcher:
    """Tells nobody: for commands without steps, for `--quiet`, and for machines."""

    def step(self, name: str, note: str = "") -> None: ...

    def progress(self, fraction: float, note: str) -> None: ...

    def note(self, text: str) -> None: ...

    def done(self, note: str = "") -> None: ...

    def failed(self, note: str) -> None: ...


@contextmanager
def open_studio(
    watcher: Watcher | None = None, *, embedded: bool = False, settings: Settings | None = None, root: Path | None = None
) -> Iterator[Studio]:
    """The studio of these settings, closed at the end.

    Args:
        embedded: take the embedded models whatever the settings say, so that nothing is paid and nothing leaves the machine.
    """
    settings = settings or load_settings(root)
    if embedded:
        groups = {name: getattr(settings, name).model_copy(update=change) for name, change in _EMBEDDED.items()}
        settings = settings.model_copy(update=groups)
    if settings.offline:
        forbid_outside_connections()
    studio = Studio(settings, watcher or SilentWatcher())
    try:
        yield studio
    finally:
        studio.close()


__all__ = ["SilentWatcher", "Studio", "open_studio"]
