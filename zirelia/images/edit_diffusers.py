"""Edits on this machine: FLUX.1 Kontext, FLUX.2 (klein) and Qwen-Image-Edit, as diffusers runs them.

    editor = DiffusersImageEditor("black-forest-labs/FLUX.2-klein-4B", PROFILES["vram24"])
    made = editor.edit(Edit(prompt=prompt, cell=cell, references=(photo,)), call=call, progress=progress)

FLUX.2 and Qwen-Image-Edit-Plus read a list of references. Kontext reads one: a second (a garment) is set beside it, which is
how its authors show it. The warm base is the one of `images.flux`, so an editor and a maker of the same model share it. Knows
nothing of personas, settings or money.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import json
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from zirelia.domain.shot import ImagePrompt, Provenance, ShotVocabulary
from zirelia.errors import ConfigurationError
from zirelia.images.base import Base, BaseKey, is_warm, warm_base
from zirelia.images.drawing import check_size, run, teller, turn
from zirelia.images.edit_models import known
from zirelia.images.edit_pictures import Opened, opened, shrunk, side_by_side
from zirelia.images.families import Settings, call_arguments, settings_for
from zirelia.images.loras import wear
from zirelia.images.profiles import Profile
from zirelia.pictures import encode_png
from zirelia.ports import BackendFacts, Edit, MadeImage, PaidCall, Progress

if TYPE_CHECKING:
    from PIL.Image import Image

_PROVIDER = "diffusers"
_SIDE = 1024
_KONTEXT_PIXELS = 1024 * 1024


@dataclass(frozen=True)
class EditFamily:
    """The authors' numbers for editing, and whether a list of references is read.

    true_cfg: above 1, a second pass with the negative prompt, which then is never empty.
    """

    steps: int
    guidance: float | None = None
    true_cfg: float = 1.0
    several: bool = True


_FAMILIES: dict[str, EditFamily] = {
    "FluxKontext": EditFamily(steps=28, guidance=2.5, several=False),
    "Flux2Klein": EditFamily(steps=4, guidance=1.0),
    "Flux2": EditFamily(steps=50, guidance=4.0),
    "QwenImageEditPlus": EditFamily(steps=40, true_cfg=4.0),
    "QwenImageEdit": EditFamily(steps=50, true_cfg=4.0, several=False),
}
"""Beginning of the class name → family; the longest that fits counts."""

_UNDISTILLED = EditFamily(steps=50, guidance=4.0)
_NOTHING = " "
"""Qwen's authors give one space as the empty negative prompt."""


class DiffusersImageEditor:
    """`ports.ImageEditor` over a warm diffusers pipeline.

    Args:
        model: a hub name such as "black-forest-labs/FLUX.2-klein-4B", or a folder with model_index.json.
        profile: how to run it, see `profiles`; its steps, guidance and true_cfg count before the family's own.
        name: what provenance calls the model; the hub name, or the folder's name, when left out.
        revision: a branch, tag or commit of the hub.
        licence: the terms, for weights whose name does not tell them.
        offline: load from this machine only.
        token: for gated models of the hub.
    """

    def __init__(
        self,
        model: str | Path,
        profile: Profile,
        *,
        name: str | None = None,
        revision: str | None = None,
        licence: str | None = None,
        offline: bool = False,
        token: SecretStr | None = None,
    ) -> None:
        self._key = BaseKey(str(model), revision, profile)
        self._profile = profile
        self._name = name or (Path(model).name if Path(model).is_dir() else str(model))
        self._class = _class_name(Path(model))
        self._known = known(self._name, self._class)
        self._licence = licence or self._known.licence
        self._offline = offline
        self._token = token

    def __repr__(self) -> str:
        return f"DiffusersImageEditor({self._name!r}, {self._profile!r})"

    def facts(self) -> BackendFacts:
        shown = {key: str(value) for key, value in asdict(self._profile).items() if value is not None}
        return BackendFacts(
            backend=_PROVIDER,
            model=self._name,
            local=True,
            paid=False,
            details=shown | {"loaded": "yes" if is_warm(self._key) else "no", "licence": self._licence},
        )

    def vocabulary(self) -> ShotVocabulary | None:
        return None

    def size(self) -> tuple[int, int]:
        """The profile's, else 1024 x 1024, at which these models were trained."""
        return self._profile.width or _SIDE, self._profile.height or _SIDE

    def most_references(self) -> int:
        return self._known.most

    def licence(self) -> str:
        return self._licence

    def estimate_usd(self, edit: Edit) -> float:  # noqa: ARG002 - the port's signature
        return 0.0

    def edit(
        self,
        edit: Edit,
        *,
        call: PaidCall,  # noqa: ARG002 - nothing is paid here, and a resumed call draws the same pixels again
        progress: Progress,
    ) -> MadeImage:
        """One PNG. An error raised by `progress` ends the drawing after the current step and comes through."""
        check_size(edit.prompt)
        pictures = opened(edit.references, most=self._known.most)
        progress(0.0, f"preparing {self._name}")
        base = self._base()
        with turn(base, progress):
            began = time.monotonic()
            image, used = self._draw(base, edit.prompt, pictures, progress)
            seconds = time.monotonic() - began
        return MadeImage(
            data=encode_png(image),
            media_type="image/png",
            provenance=Provenance(
                backend=_PROVIDER,
                model=self._name,
                revision=base.revision or (self._key.revision or ""),
                prompt=edit.prompt,
                steps=used.steps,
                guidance=used.true_cfg if used.true_cfg > 1.0 else used.guidance,
                seconds=seconds,
                parents=tuple(hashlib.sha256(reference).hexdigest() for reference in edit.references),
                made_at=datetime.now(UTC),
            ),
        )

    def _base(self) -> Base:
        if "qwen" in f"{self._name} {self._class}".lower() and importlib.util.find_spec("torchvision") is None:
            raise ConfigurationError(
                f"{self._name} cannot be loaded: transformers reads its processor only with torchvision",
                hint="install the torchvision that belongs to your torch, from the same index; klein and kontext need none",
            )
        token = None if self._token is None else self._token.get_secret_value()
        return warm_base(self._key, local_only=self._offline, token=token)

    def _draw(self, base: Base, prompt: ImagePrompt, pictures: list[Opened], progress: Progress) -> tuple[Image, Settings]:
        import torch

        pipeline = base.text_to_image
        family = edit_family(pipeline)
        wear(base, ())
        pipeline = base.pipeline(image_to_image=True)
        profile = _with_numbers(self._profile, family)
        asked = prompt.model_copy(update={"negative": prompt.negative or _NOTHING}) if profile.true_cfg > 1.0 else prompt
        arguments = call_arguments(
            pipeline,
            profile,
            asked,
            generator=torch.Generator("cpu").manual_seed(prompt.seed),
            start=_given(pictures, prompt, family),
            on_step=teller(progress),
        )
        arguments |= _exact_size(pipeline, prompt)
        image = run(base, pipeline, arguments, name=self._name, seed=prompt.seed)
        return image, settings_for(pipeline, profile, prompt)


def edit_family(pipeline: Any) -> EditFamily:
    """Raises ConfigurationError for a pipeline that takes no references: its image-to-image form only paints over."""
    name = type(pipeline).__name__
    prefix = max((one for one in _FAMILIES if name.startswith(one)), key=len, default=None)
    if prefix is None:
        raise ConfigurationError(
            f"{name} is no edit model: it cannot be given references",
            hint="use FLUX.1-Kontext-dev, FLUX.2-klein or Qwen-Image-Edit",
        )
    if prefix == "Flux2Klein" and not pipeline.config.is_distilled:
        return _UNDISTILLED
    return _FAMILIES[prefix]


def _with_numbers(profile: Profile, family: EditFamily) -> Profile:
    return replace(
        profile,
        steps=profile.steps or family.steps,
        guidance=family.guidance if profile.guidance is None else profile.guidance,
        true_cfg=profile.true_cfg if profile.true_cfg > 1.0 else family.true_cfg,
    )


def _given(pictures: list[Opened], prompt: ImagePrompt, family: EditFamily) -> Image | list[Image]:
    """The references as the pipeline takes them, no larger than the picture that is wanted: more costs memory and time."""
    pixels = prompt.width * prompt.height
    if family.several:
        return [shrunk(picture.image, pixels=pixels) for picture in pictures]
    return shrunk(side_by_side([picture.image for picture in pictures]), pixels=pixels)


def _exact_size(pipeline: Any, prompt: ImagePrompt) -> dict[str, Any]:
    """Kontext brings every picture to a megapixel unless told otherwise; the reference stays at its size below that."""
    if "max_area" not in inspect.signature(type(pipeline).__call__).parameters:
        return {}
    pixels = prompt.width * prompt.height
    return {"max_area": pixels, "_auto_resize": pixels >= _KONTEXT_PIXELS}


def _class_name(folder: Path) -> str:
    """The pipeline class that a folder names; empty for anything else, which loading will explain."""
    index = folder / "model_index.json"
    if not index.is_file():
        return ""
    try:
        named = json.loads(index.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigurationError(f"{index} is damaged: {error}", hint="install the model again") from error
    return str(named.get("_class_name", "")) if isinstance(named, dict) else ""
