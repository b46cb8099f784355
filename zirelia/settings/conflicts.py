"""Settings that are fine one by one and cannot be true together.

    conflicts(settings)      # () or sentences, each naming the settings that it is about

Pure: looks at no file and no network.
"""

from __future__ import annotations

from collections.abc import Iterator

from zirelia.network.offline import is_loopback_url
from zirelia.settings.tree import Settings

LOCAL_PROVIDERS = frozenset({"ollama", "huggingface"})
"""LangChain providers that run on this machine."""


def conflicts(settings: Settings) -> tuple[str, ...]:
    """Every contradiction, one sentence each; empty when there is none."""
    return tuple(
        sentence
        for check in (_volume, _budget, _chat, _vision, _image, _edit, _critic, _hosted, _training, _offline)
        for sentence in check(settings)
    )


def is_on_this_machine(url: str | None) -> bool:
    """Whether a base URL means this machine. None is the provider's own address, somewhere else."""
    return is_loopback_url(url)


def _volume(settings: Settings) -> Iterator[str]:
    low, high = settings.overrides.min_daily_posts, settings.overrides.max_daily_posts
    if low is not None and high is not None and low > high:
        yield f"MIN_DAILY_POSTS ({low}) is above MAX_DAILY_POSTS ({high})"


def _budget(settings: Settings) -> Iterator[str]:
    if settings.budget.post_usd > settings.budget.month_usd:
        yield (
            f"ZIRELIA_BUDGET_POST_USD ({settings.budget.post_usd:g}) is above "
            f"ZIRELIA_BUDGET_MONTH_USD ({settings.budget.month_usd:g})"
        )


def _chat(settings: Settings) -> Iterator[str]:
    chat = settings.chat
    if chat.backend == "openai" and not (settings.openai.api_key or settings.openai.base_url):
        yield "ZIRELIA_CHAT_BACKEND=openai needs OPENAI_API_KEY or OPENAI_BASE_URL"
    if chat.backend == "langchain" and ":" not in (chat.model or ""):
        yield "ZIRELIA_CHAT_BACKEND=langchain needs ZIRELIA_CHAT_MODEL=provider:model, such as anthropic:claude-sonnet-4-5"
    if chat.backend == "embedded" and chat.model:
        yield "ZIRELIA_CHAT_BACKEND=embedded has one model only: take ZIRELIA_CHAT_MODEL out"
    has_server = settings.openai.api_key or settings.openai.base_url
    if chat.backend == "auto" and chat.model and not has_server:
        yield _unserved("CHAT")


def _vision(settings: Settings) -> Iterator[str]:
    vision = settings.vision
    has_server = settings.openai.api_key or settings.openai.base_url
    if vision.backend == "openai" and not has_server:
        yield "ZIRELIA_VISION_BACKEND=openai needs OPENAI_API_KEY or OPENAI_BASE_URL"
    if vision.backend == "auto" and vision.model and not has_server:
        yield _unserved("VISION")
    if vision.backend == "langchain" and ":" not in (vision.model or ""):
        yield "ZIRELIA_VISION_BACKEND=langchain needs ZIRELIA_VISION_MODEL=provider:model"
    if vision.backend == "none" and vision.model:
        yield "ZIRELIA_VISION_BACKEND=none and ZIRELIA_VISION_MODEL contradict each other"


def _unserved(role: str) -> str:
    return (
        f"ZIRELIA_{role}_MODEL names a model but nothing serves it: set OPENAI_API_KEY, OPENAI_BASE_URL "
        f"or ZIRELIA_{role}_BACKEND"
    )


def _image(settings: Settings) -> Iterator[str]:
    image = settings.image
    if image.backend in ("pocket", "replicate") and image.model:
        other = "REPLICATE_MODEL_VERSION names its model" if image.backend == "replicate" else "it has one model only"
        yield f"ZIRELIA_IMAGE_BACKEND={image.backend} and ZIRELIA_IMAGE_MODEL contradict each other: {other}"
    if (image.width is None) != (image.height is None):
        yield "set both ZIRELIA_IMAGE_WIDTH and ZIRELIA_IMAGE_HEIGHT, or neither"
    if image.device == "cpu" and image.quantisation not in ("auto", "none"):
        yield f"ZIRELIA_IMAGE_QUANTISATION={image.quantisation} needs a GPU, but ZIRELIA_IMAGE_DEVICE=cpu"
    if image.device == "cpu" and image.offload in ("model", "sequential"):
        yield f"ZIRELIA_IMAGE_OFFLOAD={image.offload} needs a GPU, but ZIRELIA_IMAGE_DEVICE=cpu"


def _edit(settings: Settings) -> Iterator[str]:
    edit = settings.edit
    if edit.backend == "pocket" and edit.model:
        yield "ZIRELIA_EDIT_BACKEND=pocket has one model only: take ZIRELIA_EDIT_MODEL out"
    if edit.backend == "replicate" and not settings.replicate.api_token:
        yield "ZIRELIA_EDIT_BACKEND=replicate needs REPLICATE_API_TOKEN"
    if edit.backend == "openai" and not (settings.openai.api_key or settings.openai.base_url):
        yield "ZIRELIA_EDIT_BACKEND=openai needs OPENAI_API_KEY"


def _critic(settings: Settings) -> Iterator[str]:
    critic = settings.critic
    if critic.identity == "auraface" and critic.auraface is None:
        yield "ZIRELIA_CRITIC_IDENTITY=auraface needs ZIRELIA_CRITIC_AURAFACE, the folder of its ONNX files"
    if critic.identity == "dinov2" and critic.dinov2 is None:
        yield "ZIRELIA_CRITIC_IDENTITY=dinov2 needs ZIRELIA_CRITIC_DINOV2, a hub name or a folder"
    if critic.dinov2 is not None and critic.identity not in ("auto", "dinov2"):
        yield f"ZIRELIA_CRITIC_DINOV2 and ZIRELIA_CRITIC_IDENTITY={critic.identity} contradict each other"


def _training(settings: Settings) -> Iterator[str]:
    training = settings.training
    if training.where == "replicate":
        if not settings.replicate.api_token:
            yield "ZIRELIA_TRAINING_WHERE=replicate needs REPLICATE_API_TOKEN"
        if not training.destination:
            yield "ZIRELIA_TRAINING_WHERE=replicate needs ZIRELIA_TRAINING_DESTINATION, the model that receives the LoRA"


def _hosted(settings: Settings) -> Iterator[str]:
    if settings.image.backend == "openai" and not (settings.openai.api_key or settings.openai.base_url):
        yield "ZIRELIA_IMAGE_BACKEND=openai needs OPENAI_API_KEY"
    if settings.image.backend == "replicate":
        if not settings.replicate.api_token:
            yield "ZIRELIA_IMAGE_BACKEND=replicate needs REPLICATE_API_TOKEN"
        if not settings.replicate.model_version:
            yield "ZIRELIA_IMAGE_BACKEND=replicate needs REPLICATE_MODEL_VERSION"


def _offline(settings: Settings) -> Iterator[str]:
    """Only what was forced: `auto` finds its way to this machine by itself."""
    if not settings.offline:
        return
    openai_here = is_on_this_machine(settings.openai.base_url)
    for name, role in (("CHAT", settings.chat), ("VISION", settings.vision)):
        if role.backend == "openai" and not openai_here:
            yield f"ZIRELIA_OFFLINE=1 and ZIRELIA_{name}_BACKEND=openai contradict each other: its server is elsewhere"
        if role.backend == "langchain" and (role.model or "").partition(":")[0] not in LOCAL_PROVIDERS:
            yield f"ZIRELIA_OFFLINE=1 and ZIRELIA_{name}_MODEL={role.model} contradict each other"
    if settings.image.backend == "openai" and not openai_here:
        yield "ZIRELIA_OFFLINE=1 and ZIRELIA_IMAGE_BACKEND=openai contradict each other: its server is elsewhere"
    if settings.edit.backend == "openai" and not openai_here:
        yield "ZIRELIA_OFFLINE=1 and ZIRELIA_EDIT_BACKEND=openai contradict each other: its server is elsewhere"
    if not is_on_this_machine(settings.replicate.base_url):
        hosted = {"IMAGE_BACKEND": settings.image.backend, "EDIT_BACKEND": settings.edit.backend}
        for name, chosen in (hosted | {"TRAINING_WHERE": settings.training.where}).items():
            if chosen == "replicate":
                yield f"ZIRELIA_OFFLINE=1 and ZIRELIA_{name}=replicate contradict each other"
