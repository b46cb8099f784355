"""Settings → one adapter each. Heavy packages are imported here, inside the function that needs them."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from zirelia.domain.lora import Lora
from zirelia.domain.persona import Kind
from zirelia.errors import ConfigurationError, MissingExtra
from zirelia.settings import Choice, Settings, conflicts, resolve_backends

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zirelia.images.profiles import Profile
    from zirelia.language.chat import LangChainChat
    from zirelia.pocket.looks import LooksEncoder
    from zirelia.ports import Curator, Embedder, ImageEditor, ImageMaker, Instrument, Recogniser, Trainer
    from zirelia.training.plan import TrainingPlan

PRICES: dict[str, tuple[float, float]] = {
    "gpt-4.1": (2.0, 8.0),
    "gpt-4.1-mini": (0.4, 1.6),
    "gpt-4.1-nano": (0.1, 0.4),
    "gpt-4o": (2.5, 10.0),
    "gpt-4o-mini": (0.15, 0.6),
}
"""US dollars per million tokens in and out, list prices of 2025; ZIRELIA_PRICES_* say what you really pay."""

UNKNOWN_PRICE = (5.0, 20.0)
"""Counted for a paid model whose price nobody told us: too much rather than too little, so that a budget still stops it."""

IMAGE_PRICE_USD = 0.05
"""Counted for a hosted picture whose price nobody told us."""

_PROFILES = {"cpu": "cpu", "8gb": "vram8", "12gb": "vram12", "16gb": "vram16", "24gb": "vram24", "40gb": "vram40"}
_DTYPES = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
_ESTIMATED_TOKENS = (3000, 600)
_VISION_QUESTIONS = 14
IMPOSTORS = 120
RELIABLE = 0.95
"""Share of unseen pictures that an attribute head must read rightly before it may judge."""


def chat(settings: Settings, choice: Choice) -> LangChainChat:
    _require(choice, "the embedded chat model")
    if choice.backend == "embedded":
        from zirelia.language.embedded import open_embedded_chat

        return open_embedded_chat(timeout=settings.chat.timeout_s)
    price_in, price_out = _chat_price(settings, choice)
    return _remote_chat(settings, choice, vision=False, timeout=settings.chat.timeout_s, price_in=price_in, price_out=price_out)


def vision(settings: Settings, choice: Choice) -> LangChainChat:
    price_in, price_out = _vision_price(settings, choice)
    return _remote_chat(
        settings, choice, vision=True, timeout=settings.vision.timeout_s, price_in=price_in, price_out=price_out
    )


def _remote_chat(settings: Settings, choice: Choice, **common: Any) -> LangChainChat:
    from zirelia.language.chat import open_chat

    if choice.backend == "langchain":
        return open_chat(choice.model, api_key=_provider_key(settings, choice.model), **common)
    key = settings.openai.api_key
    return open_chat(
        choice.model,
        base_url=settings.openai.base_url,
        api_key=key.get_secret_value() if key else None,
        **common,
    )


def _provider_key(settings: Settings, model: str) -> str | None:
    """The provider's own key, such as ANTHROPIC_API_KEY, where .env has one; else LangChain looks in the environment."""
    name = f"{model.partition(':')[0].upper().replace('-', '_')}_API_KEY"
    secret = settings.passed_on.get(name)
    return secret.get_secret_value() if secret else None


def _chat_price(settings: Settings, choice: Choice) -> tuple[float, float]:
    return _price(settings, choice, settings.prices.chat_in_usd, settings.prices.chat_out_usd)


def _vision_price(settings: Settings, choice: Choice) -> tuple[float, float]:
    return _price(settings, choice, settings.prices.vision_in_usd, settings.prices.vision_out_usd)


def _price(settings: Settings, choice: Choice, said_in: float | None, said_out: float | None) -> tuple[float, float]:
    free = choice.backend == "embedded" or (choice.backend == "openai" and settings.openai.base_url is not None)
    known = (0.0, 0.0) if free else PRICES.get(choice.model, UNKNOWN_PRICE)
    return (known[0] if said_in is None else said_in, known[1] if said_out is None else said_out)


def chat_estimate_usd(settings: Settings, choice: Choice) -> float:
    """What one question may cost at most."""
    return _estimate(_chat_price(settings, choice))


def vision_estimate_usd(settings: Settings, choice: Choice) -> float:
    """What judging one picture may cost at most."""
    return _VISION_QUESTIONS * _estimate(_vision_price(settings, choice))


def _estimate(price: tuple[float, float]) -> float:
    return sum(tokens * each for tokens, each in zip(_ESTIMATED_TOKENS, price, strict=True)) / 1_000_000


def embedder(choice: Choice) -> Embedder | None:
    _require(choice, "the embedded text embeddings")
    if choice.backend == "none":
        return None
    from zirelia.language.embeddings import WordLlamaEmbedder

    return WordLlamaEmbedder()


def images(settings: Settings, choice: Choice, trigger: str | None) -> ImageMaker:
    _require(choice, f"the image backend '{choice.backend}'")
    if choice.backend in {"pocket", "flux"}:
        return _diffusers(settings, choice)
    if choice.backend == "replicate":
        return _replicate(settings, choice, trigger)
    return _openai_images(settings, choice)


def _diffusers(settings: Settings, choice: Choice) -> ImageMaker:
    from zirelia.images.flux import DiffusersImageMaker

    if choice.backend == "pocket":
        from zirelia.pocket.vocabulary import shot_vocabulary
        from zirelia.pocket.weights import pipeline_dir

        return DiffusersImageMaker(
            pipeline_dir(), profile(settings, choice), name="pocket-flux", vocabulary=shot_vocabulary(), offline=True
        )
    return DiffusersImageMaker(
        choice.model,
        profile(settings, choice),
        revision=settings.image.revision,
        offline=settings.offline,
        token=settings.passed_on.get("HF_TOKEN"),
    )


def profile(settings: Settings, choice: Choice) -> Profile:
    """The named profile, with what the settings say on top."""
    from zirelia.images.profiles import profile_for_memory, profile_named

    image = settings.image
    if choice.backend == "pocket":
        return replace(profile_named("pocket"), steps=image.steps or profile_named("pocket").steps)
    if image.profile != "auto":
        named = profile_named(_PROFILES[image.profile])
    else:
        named = profile_named(profile_for_memory(_card_gigabytes()))
    changes: dict[str, Any] = {"steps": image.steps, "guidance": image.guidance, "width": image.width, "height": image.height}
    changes |= {
        name: value
        for name, value in (("device", image.device), ("offload", image.offload), ("quantisation", image.quantisation))
        if value != "auto"
    }
    if image.dtype != "auto":
        changes["dtype"] = _DTYPES[image.dtype]
    return replace(named, **{name: value for name, value in changes.items() if value is not None})


def _card_gigabytes() -> float:
    """Memory of the first CUDA or ROCm card; 0 without one."""
    import torch

    return torch.cuda.get_device_properties(0).total_memory / 1e9 if torch.cuda.is_available() else 0.0


def image_steps(settings: Settings, choice: Choice) -> int | None:
    """The step count that a repair may raise; None where the backend decides."""
    if choice.backend == "pocket":
        from zirelia.images.profiles import profile_named

        return settings.image.steps or profile_named("pocket").steps
    return settings.image.steps if choice.backend == "flux" else None


def _replicate(settings: Settings, choice: Choice, trigger: str | None) -> ImageMaker:
    from zirelia.images.replicate import ReplicateImageMaker

    price = settings.prices.image_usd
    return ReplicateImageMaker(
        _replicate_token(settings),
        choice.model,
        base_url=settings.replicate.base_url,
        trigger=trigger,
        price_per_image=IMAGE_PRICE_USD if price is None else price,
        timeout=settings.image.timeout_s,
        **_wanted_size(settings),
    )


def _openai_images(settings: Settings, choice: Choice) -> ImageMaker:
    from zirelia.images.openai import OpenAIImageMaker

    price = settings.prices.image_usd
    return OpenAIImageMaker(
        settings.openai.api_key or SecretStr("none"),
        choice.model,
        base_url=settings.openai.base_url,
        price_per_image=IMAGE_PRICE_USD if price is None else price,
        timeout=settings.image.timeout_s,
        **_wanted_size(settings),
    )


def _wanted_size(settings: Settings) -> dict[str, Any]:
    image = settings.image
    return {"size": (image.width, image.height)} if image.width and image.height else {}


def lora(path: Path, trigger: str) -> Lora:
    """The weights with their hash and rank. Raises ConfigurationError for a file that is not a LoRA."""
    from zirelia.files import sha256_of
    from zirelia.safetensors_header import read_header

    header = read_header(path)
    ranks = [shape[0] for name, (_, shape) in header.tensors.items() if ".lora_A." in name or ".lora_down." in name]
    if not ranks:
        raise ConfigurationError(
            f"{path} holds no LoRA", hint="its tensors are named lora_A and lora_B, or lora_down and lora_up"
        )
    base_model = header.metadata.get("ss_base_model_version") or header.metadata.get("modelspec.architecture") or "unknown"
    return Lora(path=str(path), sha256=sha256_of(path), trigger=trigger, base_model=base_model, rank=max(ranks))


def instruments(identity: Instrument | None) -> list[Instrument]:
    """The instruments that run offline."""
    from zirelia.critic.duplicates import DuplicatesInstrument
    from zirelia.critic.safety import SafetyInstrument
    from zirelia.critic.technical import TechnicalInstrument

    offline: list[Instrument] = [TechnicalInstrument(), SafetyInstrument(), DuplicatesInstrument()]
    return offline if identity is None else [identity, *offline]


EDIT_PRICE_USD = 0.08
"""Counted for a hosted edit whose price nobody told us."""

COUNTED_RELIABLE = 0.97
"""Share of unseen pictures that a head must read rightly before training pictures are refused by it."""

TRAINER = "ostris/flux-dev-lora-trainer"


def editor_choice(settings: Settings, backend: str | None) -> Choice:
    """What the settings lead to, with another backend in place of theirs. Raises ConfigurationError when it cannot work."""
    if backend is None:
        return resolve_backends(settings)["edit"]
    own = settings.edit.backend == backend
    edit = settings.edit.model_copy(update={"backend": backend} if own else {"backend": backend, "model": None})
    changed = settings.model_copy(update={"edit": edit})
    if said := conflicts(changed):
        raise ConfigurationError(f"the edit backend '{backend}' cannot be used", hint="; ".join(said))
    return resolve_backends(changed)["edit"]


def editor(settings: Settings, choice: Choice) -> ImageEditor:
    """The model that makes new pictures of a given person."""
    _require(choice, f"the edit backend '{choice.backend}'")
    if choice.backend == "pocket":
        from zirelia.pocket.editor import PocketEditor

        return PocketEditor(_looks_encoder())
    if choice.backend in {"kontext", "klein", "qwen-edit"}:
        from zirelia.images.edit_diffusers import DiffusersImageEditor

        image = Choice("flux", choice.model, choice.why)
        token = settings.passed_on.get("HF_TOKEN")
        return DiffusersImageEditor(choice.model, profile(settings, image), offline=settings.offline, token=token)
    price = settings.prices.edit_usd
    hosted: dict[str, Any] = {"price_per_image": EDIT_PRICE_USD if price is None else price, **_wanted_size(settings)}
    hosted["timeout"] = settings.image.timeout_s
    if choice.backend == "replicate":
        from zirelia.images.edit_replicate import ReplicateImageEditor

        return ReplicateImageEditor(_replicate_token(settings), choice.model, base_url=settings.replicate.base_url, **hosted)
    from zirelia.images.edit_openai import OpenAIImageEditor

    key = settings.openai.api_key or SecretStr("none")
    return OpenAIImageEditor(key, choice.model, base_url=settings.openai.base_url, **hosted)


def images_licence(choice: Choice) -> str:
    """The terms of the image model's pictures."""
    if choice.backend == "pocket":
        return "Apache-2.0"
    from zirelia.images.edit_models import known

    return known(choice.model).licence


def recogniser(kind: Kind) -> Recogniser:
    """Who tells people of this kind apart. Raises MissingExtra."""
    if kind is Kind.PHOTOGRAPHIC:
        from zirelia.critic.faces import FaceRecogniser

        return FaceRecogniser()
    from zirelia.critic.sightings import LooksRecogniser

    encoder = _looks_encoder()
    accuracy = encoder.calibration.accuracy
    heads = {head: words for head, words in encoder.heads.items() if accuracy[head] >= COUNTED_RELIABLE}
    return LooksRecogniser(encoder, heads, model="pocket looks")


def curator(kind: Kind) -> Curator:
    """The gate for training pictures of this kind."""
    from zirelia.critic.curation import SetCurator
    from zirelia.critic.safety import SafetyInstrument

    return SetCurator(recogniser(kind), safety=SafetyInstrument(), kind=kind)


def base_family(base: str) -> str:
    """flux, sdxl or sd15, of a pipeline's folder; a hub name is taken to be FLUX. Raises TrainingError."""
    from zirelia.training.families import family_of

    return family_of(Path(base)).name if Path(base).is_dir() else "flux"


def local_trainer(
    plan: TrainingPlan, *, kind: str, base: str | None, profile: str, scratch: Path, samples: Sequence[str]
) -> Trainer:
    """Training on this machine. `scratch` receives the pictures of other people that the pocket base is preserved on.

    Raises MissingExtra, and ConfigurationError for a base that is not on this machine.
    """
    from zirelia.training.local import LocalTrainer
    from zirelia.training.profiles import profile as profile_named

    if kind == "pocket":
        from zirelia.pocket.characters import other_captions, other_pictures
        from zirelia.pocket.weights import pipeline_dir

        # the recipe is measured as it is, whatever card there is
        return LocalTrainer(
            pipeline_dir(),
            plan,
            other_captions(),
            other_pictures(scratch / "others"),
            base_model="pocket-flux",
            samples=samples,
        )
    if base is None or not Path(base).is_dir():
        raise ConfigurationError(
            f"the base model {base} is not a folder on this machine",
            hint="download it and set ZIRELIA_TRAINING_BASE to its folder, or train with --where replicate",
        )
    return LocalTrainer(Path(base), profile_named(profile).fit(plan), samples=samples)


def replicate_trainer(settings: Settings, plan: TrainingPlan) -> Trainer:
    """Training at Replicate. Raises ConfigurationError without a destination or a token."""
    from zirelia.training.replicate import ReplicateTrainer

    destination = settings.training.destination
    if destination is None:
        raise ConfigurationError(
            "training at Replicate needs a model that receives the LoRA",
            hint="set ZIRELIA_TRAINING_DESTINATION=you/your-character",
        )
    price = settings.prices.training_second_usd
    priced: dict[str, Any] = {} if price is None else {"price_per_second": price}
    return ReplicateTrainer(
        _replicate_token(settings),
        settings.training.trainer_version or TRAINER,
        destination,
        plan,
        base_url=settings.replicate.base_url,
        **priced,
    )


def _replicate_token(settings: Settings) -> SecretStr:
    token = settings.replicate.api_token
    if token is None:
        raise ConfigurationError("Replicate needs a token", hint="set REPLICATE_API_TOKEN in .env")
    return token


@cache
def _looks_encoder() -> LooksEncoder:
    try:
        from zirelia.pocket.looks import LooksEncoder
    except ImportError as error:
        raise MissingExtra("embedded", "the looks encoder") from error
    from zirelia.pocket.weights import looks_path

    return LooksEncoder.load(looks_path())


@cache
def looks() -> Instrument:
    """The instrument for illustrated personas: the pocket world's encoder, with a bank of other characters as impostors."""
    encoder = _looks_encoder()
    from zirelia.critic.looks import LooksInstrument
    from zirelia.pocket.drawing import render
    from zirelia.pocket.world import HELD_OUT_HAIR, random_character, random_shot

    draw = random.Random(0)  # noqa: S311 - the same impostors every time
    # every fourth has the one hair colour that nobody else has, so that a look-alike is among them
    people = [random_character(draw) for _ in range(IMPOSTORS)]
    people[::4] = [replace(character, hair=HELD_OUT_HAIR) for character in people[::4]]
    strangers = [render(character, random_shot(draw), 96) for character in people]
    # a head that misreads its own world too often would send good pictures back
    heads = {head: words for head, words in encoder.heads.items() if encoder.calibration.accuracy[head] >= RELIABLE}
    return LooksInstrument(encoder, heads=heads, impostors=encoder.embed(strangers))


def _require(choice: Choice, what: str) -> None:
    if choice.missing_extra:
        raise MissingExtra(choice.missing_extra, what)
