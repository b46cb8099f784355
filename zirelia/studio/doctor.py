"""What every role would use, why, and whether it works: facts and one tiny real call each.

    for report in examine(studio, call=True): ...

A call that would cost money is not made unless it is asked for.
"""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from zirelia.domain.connection import ConnectionState
from zirelia.errors import ConfigurationError, ZireliaError
from zirelia.ports import ChatRequest
from zirelia.settings import is_installed
from zirelia.studio import face_roles
from zirelia.workflow.connections import how_to_fix

if TYPE_CHECKING:
    from zirelia.ports import Chat
    from zirelia.studio import Studio

Health = Literal["works", "fails", "not called", "none"]
_FREE = frozenset({"embedded", "pocket", "flux", "kontext", "klein", "qwen-edit"})
_EXTRAS = {
    "faces": ("dlib", "face_recognition_models"),
    "tensorboard": ("tensorboardX",),
    "quantised": ("bitsandbytes",),
}
"""Extras that no backend chooses: what photographs, curves and cards with little memory need → the modules of each."""


class _Ready(BaseModel):
    """The doctor's one question."""

    ready: bool


@dataclass(frozen=True)
class Report:
    """One role: what stands behind it, why, whether it answered, and in how many seconds."""

    role: str
    backend: str
    model: str
    why: str
    health: Health
    note: str = ""
    seconds: float = 0.0


def examine(studio: Studio, *, call: bool, spend: bool = False) -> Iterator[Report]:
    """A report for each role, in the order of a turn.

    Args:
        call: make the tiny calls. spend: also those that cost money.
    """
    calls: dict[str, Callable[[], str]] = {
        "chat": lambda: _chat(studio.chat),
        "vision": lambda: _vision(studio.vision),
        "embeddings": lambda: _embed(studio),
        "image": lambda: _image(studio),
        "edit": lambda: face_roles.edit(studio, _NoCall()),
    }
    for role, probe in calls.items():
        choice = studio.choices[role]
        if choice.backend == "none":
            yield Report(role, "none", "", choice.why, "none")
            continue
        paid = choice.backend not in _FREE and not (role not in {"image", "edit"} and studio.settings.openai.base_url)
        blocked = "skipped" if not call else "it may cost money; --spend calls it" if paid and not spend else ""
        if choice.missing_extra:
            yield Report(
                role, choice.backend, choice.model, choice.why, "fails", f"pip install 'zirelia[{choice.missing_extra}]'"
            )
        elif blocked:
            yield Report(role, choice.backend, choice.model, choice.why, "not called", blocked)
        else:
            yield _called(role, choice.backend, choice.model, choice.why, probe)
    local: tuple[tuple[str, str, str, str, Callable[[], str]], ...] = (
        ("critic", "offline panel", "", "instruments that run on this machine", lambda: _critic(studio)),
        ("recogniser", *face_roles.eyes(studio), lambda: face_roles.see(studio)),
        ("store", "sqlite", str(studio.settings.home), "ZIRELIA_HOME", lambda: _store(studio)),
        ("channel", "accounts", "", "the persona's channels", lambda: _channel(studio)),
    )
    for role, backend, model, why, probe in local:
        if call or role not in {"critic", "recogniser"}:
            yield _called(role, backend, model, why, probe)
        else:
            yield Report(role, backend, model, why, "not called", "skipped")
    yield _training(studio)


def machine(home: Path) -> dict[str, str]:
    """Versions, device and free space, as text for a person."""
    shown = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    for package in ("zirelia", "torch", "diffusers", "transformers", "peft", "langchain", "replicate", "openai"):
        try:
            shown[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            shown[package] = "not installed"
    for extra, modules in _EXTRAS.items():
        there = all(is_installed(module) for module in modules)
        shown[extra] = "installed" if there else f"not installed: pip install 'zirelia[{extra}]'"
    shown["device"] = _device()
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    shown["free disk"] = f"{shutil.disk_usage(existing).free / 1e9:.1f} GB at {existing}"
    return shown


def _device() -> str:
    try:
        import torch
    except ImportError:
        return "torch is not installed"
    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        kind = "ROCm" if torch.version.hip else "CUDA"
        return f"{kind} {card.name}, {card.total_memory / 1e9:.1f} GB"
    return "MPS" if torch.backends.mps.is_available() else f"CPU, {torch.get_num_threads()} threads"


def _called(role: str, backend: str, model: str, why: str, probe: Callable[[], str]) -> Report:
    started = time.monotonic()
    try:
        note, health = probe(), "works"
    except ZireliaError as error:
        note, health = str(error), "fails"
    except ImportError as error:
        note, health = f"a package is missing: {error.name}", "fails"
    except Exception as error:
        # whatever is broken, the other roles are still looked at; texts of other libraries may quote a request
        note, health = f"{type(error).__name__} inside Zirelia or a library that it uses", "fails"
    return Report(role, backend, model, why, "works" if health == "works" else "fails", note, time.monotonic() - started)


def _chat(chat: Chat) -> str:
    answer = chat.ask(ChatRequest(system="Answer in JSON.", user="Are you ready?", max_tokens=40), _Ready)
    return f"answered with {answer.usage.tokens_out} tokens"


def _vision(chat: Chat | None) -> str:
    if chat is None:
        return ""
    request = ChatRequest(system="Answer in JSON.", user="Do you see a picture?", images=(_square(),), max_tokens=40)
    return f"answered with {chat.ask(request, _Ready).usage.tokens_out} tokens"


def _square() -> bytes:
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (64, 64), "#3d6fd6").save(out, format="PNG")
    return out.getvalue()


def _embed(studio: Studio) -> str:
    embedder = studio.embedder
    if embedder is None:
        return ""
    near, far = (
        embedder.embed(["a cup of coffee", "an espresso", "a mountain hike"])[0]
        @ embedder.embed(["an espresso", "a mountain hike"]).T
    )
    return f"coffee is closer to espresso ({near:.2f}) than to a hike ({far:.2f})"


def _image(studio: Studio) -> str:
    from zirelia.domain.shot import ImagePrompt

    width, height = studio.images.size()
    prompt = ImagePrompt(text="a woman in a park, daylight", seed=1, width=width, height=height, steps=2)
    made = studio.images.make(prompt, lora=None, call=_NoCall(), progress=lambda fraction, note: None)  # noqa: ARG005
    return f"{width}x{height}, 2 steps in {made.provenance.seconds:.1f} s"


class _NoCall:
    """The doctor's picture has no ledger row: with --spend, the person has asked for it."""

    external_id = None

    def created(self, external_id: str) -> None: ...


def _critic(studio: Studio) -> str:
    subject = studio.subject()
    findings = 0
    if subject.references:
        from zirelia.domain.post import Brief
        from zirelia.domain.prompt import compose
        from zirelia.ports import Exhibit
        from zirelia.workflow.compare import scene_shots

        persona = subject.persona
        shot = scene_shots(persona, None, 1)[0]
        prompt = compose(shot, persona.look, lora=persona.lora, seed=0, width=128, height=128)
        brief = Brief(topic="check", angle="check", activity="check", scene=shot.scene, light=shot.light)
        exhibit = Exhibit(
            image=subject.references[0],
            shot=shot,
            brief=brief,
            persona=persona,
            prompt=prompt,
            references=subject.references,
        )
        # the offline instruments alone: a vision model has its own line above
        panel = studio.panel(persona.kind, vision=False)
        findings = sum(finding.outcome != "not_checked" for finding in panel.examine(exhibit))
    return f"{findings} findings on a reference of {subject.persona.name}"


def _training(studio: Studio) -> Report:
    """Whether a training could begin; not being set up for one is no fault."""
    backend, model, why = face_roles.place(studio)
    if said := face_roles.hindrance(studio):
        return Report("training", backend, model, why, "none", said)
    return _called("training", backend, model, why, lambda: face_roles.readiness(studio))


def _store(studio: Studio) -> str:
    problems = studio.store.problems()
    return "; ".join(problems) if problems else f"{len(studio.store.posts(limit=10_000))} posts, integrity ok"


def _channel(studio: Studio) -> str:
    """Whether she may post where her pack says, as far as can be told without a call."""
    persona = studio.persona()
    channels = studio.channels_of(persona.name)
    missing = [name for name in persona.channels if name not in channels]
    if missing:
        raise ConfigurationError(
            f"{persona.name} posts on {', '.join(missing)}, which is not set up",
            hint=f"zirelia connect {missing[0]} --persona {persona.name}; or change 'channels' in the persona pack",
        )
    lost = [one for one in studio.store.connections(persona.name) if one.state is ConnectionState.NEEDS_PERSON]
    if lost:
        raise ConfigurationError(
            "; ".join(f"{one.channel} needs a person: {one.problem}" for one in lost), hint=how_to_fix(lost[0])
        )
    if len(channels) > 1:
        studio.vault.check()
    return ", ".join(f"{name} {facts.model}" for name, facts in ((name, one.facts()) for name, one in channels.items()))
