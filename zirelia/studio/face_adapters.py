"""Settings → the adapters that the making of a face needs: editor, recogniser, curator, trainer.

As in `adapters`, heavy packages are imported inside the function that needs them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from zirelia.domain.persona import Kind
from zirelia.errors import ConfigurationError
from zirelia.settings import Choice, Settings, conflicts, resolve_backends
from zirelia.studio import adapters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zirelia.ports import Curator, ImageEditor, Recogniser, Trainer
    from zirelia.training.plan import TrainingPlan

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
    adapters.require(choice, f"the edit backend '{choice.backend}'")
    if choice.backend == "pocket":
        from zirelia.pocket.editor import PocketEditor

        return PocketEditor(adapters.looks_encoder())
    if choice.backend in {"kontext", "klein", "qwen-edit"}:
        from zirelia.images.edit_diffusers import DiffusersImageEditor

        image = Choice("flux", choice.model, choice.why)
        token = settings.passed_on.get("HF_TOKEN")
        return DiffusersImageEditor(choice.model, adapters.profile(settings, image), offline=settings.offline, token=token)
    price = settings.prices.edit_usd
    hosted: dict[str, Any] = {"price_per_image": EDIT_PRICE_USD if price is None else price, **adapters.wanted_size(settings)}
    hosted["timeout"] = settings.image.timeout_s
    if choice.backend == "replicate":
        from zirelia.images.edit_replicate import ReplicateImageEditor

        return ReplicateImageEditor(
            adapters.replicate_token(settings), choice.model, base_url=settings.replicate.base_url, **hosted
        )
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
        return adapters.dlib_reader()
    from zirelia.critic.sightings import LooksRecogniser

    encoder = adapters.looks_encoder()
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
    plan: TrainingPlan, *, kind: str, base: str | None, profile: str, scratch: Path, samples: Sequence[str], tensorboard: bool
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
            tensorboard=tensorboard,
        )
    if base is None or not Path(base).is_dir():
        raise ConfigurationError(
            f"the base model {base} is not a folder on this machine",
            hint="download it and set ZIRELIA_TRAINING_BASE to its folder, or train with --where replicate",
        )
    return LocalTrainer(Path(base), profile_named(profile).fit(plan), samples=samples, tensorboard=tensorboard)


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
        adapters.replicate_token(settings),
        settings.training.trainer_version or TRAINER,
        destination,
        plan,
        base_url=settings.replicate.base_url,
        **priced,
    )
