"""Settings → one adapter each. Heavy packages are imported here, inside the function that needs them."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from zirelia.domain.lora import Lora
from zirelia.errors import ConfigurationError, MissingExtra
from zirelia.settings import Choice, Settings, is_installed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zirelia.critic.faces import FaceRecogniser
    from zirelia.images.profiles import Profile
    from zirelia.language.chat import LangChainChat
    from zirelia.pocket.looks import LooksEncoder
    from zirelia.ports import Embedder, ImageMaker, LanguageIdentifier

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
_KEY_NAMES = {"google_genai": ("GOOGLE_API_KEY", "GEMINI_API_KEY")}
"""Providers whose key is not named after them."""
_VISION_QUESTIONS = 26
"""A persona's questions with the usual number of second askings."""
IMPOSTORS = 120
RELIABLE = 0.95
"""Share of unseen pictures that an attribute head must read rightly before it may judge."""
MISREAD = frozenset({"earrings"})
"""Heads that read drawings well and generated pictures badly: of 60, which all show hoops, this one denied 39."""


def chat(settings: Settings, choice: Choice) -> LangChainChat:
    require(choice, "the embedded chat model")
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
    provider = model.partition(":")[0]
    names = _KEY_NAMES.get(provider, (f"{provider.upper().replace('-', '_')}_API_KEY",))
    secret = next((settings.passed_on[name] for name in names if name in settings.passed_on), None)
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


def looking_usd(model: str) -> float:
    """What judging one picture with that model may cost at most, by its list price."""
    return _VISION_QUESTIONS * _estimate(PRICES.get(model, UNKNOWN_PRICE))


def _estimate(price: tuple[float, float]) -> float:
    return sum(tokens * each for tokens, each in zip(_ESTIMATED_TOKENS, price, strict=True)) / 1_000_000


def embedder(choice: Choice) -> Embedder | None:
    require(choice, "the embedded text embeddings")
    if choice.backend == "none":
        return None
    from zirelia.language.embeddings import WordLlamaEmbedder

    return WordLlamaEmbedder()


def identifier() -> LanguageIdentifier | None:
    """What tells languages apart; None where its package is not installed, and then languages are not checked."""
    if not is_installed("py3langid"):
        return None
    from zirelia.language.identify import PyLangIdentifier

    return PyLangIdentifier()


def images(settings: Settings, choice: Choice, trigger: str | None) -> ImageMaker:
    require(choice, f"the image backend '{choice.backend}'")
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
        replicate_token(settings),
        choice.model,
        base_url=settings.replicate.base_url,
        trigger=trigger,
        price_per_image=IMAGE_PRICE_USD if price is None else price,
        timeout=settings.image.timeout_s,
        **wanted_size(settings),
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
        **wanted_size(settings),
    )


def wanted_size(settings: Settings) -> dict[str, Any]:
    """The size that the settings ask of hosted pictures, as an argument; empty leaves it to the adapter."""
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


def replicate_token(settings: Settings) -> SecretStr:
    """Raises ConfigurationError without one."""
    token = settings.replicate.api_token
    if token is None:
        raise ConfigurationError("Replicate needs a token", hint="set REPLICATE_API_TOKEN in .env")
    return token


@cache
def looks_encoder() -> LooksEncoder:
    """The pocket world's encoder. Raises MissingExtra."""
    try:
        from zirelia.pocket.looks import LooksEncoder
    except ImportError as error:
        raise MissingExtra("embedded", "the looks encoder") from error
    from zirelia.pocket.weights import looks_path

    return LooksEncoder.load(looks_path())


@cache
def dlib_reader() -> FaceRecogniser:
    """One a process: its networks take 100 MB, and are asked by one thread at a time anyway."""
    from zirelia.critic.faces import FaceRecogniser

    return FaceRecogniser()


@cache
def looks_bank() -> tuple[LooksEncoder, dict[str, tuple[str, ...]], NDArray[np.float32], str]:
    """The pocket world's encoder, those of its heads that may judge, the embeddings of other characters, and its version."""
    from zirelia.files import sha256_of

    encoder = looks_encoder()
    from zirelia.pocket.drawing import render
    from zirelia.pocket.weights import looks_path
    from zirelia.pocket.world import HELD_OUT_HAIR, random_character, random_shot

    draw = random.Random(0)  # noqa: S311 - the same impostors every time
    # every fourth has the one hair colour that nobody else has, so that a look-alike is among them
    people = [random_character(draw) for _ in range(IMPOSTORS)]
    people[::4] = [replace(character, hair=HELD_OUT_HAIR) for character in people[::4]]
    strangers = [render(character, random_shot(draw), 96) for character in people]
    # a head that misreads its own world too often would send good pictures back
    heads = {head: tuple(words) for head, words in encoder.heads.items() if encoder.calibration.accuracy[head] >= RELIABLE}
    heads = {head: words for head, words in heads.items() if head not in MISREAD}
    return encoder, heads, encoder.embed(strangers), sha256_of(looks_path())[:12]


def require(choice: Choice, what: str) -> None:
    """Raises MissingExtra when the backend's packages are not installed."""
    if choice.missing_extra:
        raise MissingExtra(choice.missing_extra, what)
