"""Pictures on this machine: any diffusers text-to-image pipeline by name or folder, FLUX first of all.

    maker = DiffusersImageMaker("black-forest-labs/FLUX.1-dev", PROFILES["vram24"])
    made = maker.make(prompt, lora=lora, call=call, progress=progress)       # same prompt value, same pixels

Noise always comes from a generator on the CPU, so a seed means the same on every device; equal pixels are promised on the
same device and library versions. Knows nothing of personas, settings or money: it costs none.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from zirelia.domain.box import Box
from zirelia.domain.lora import Lora, WornLora
from zirelia.domain.shot import Beside, ImagePrompt, Provenance, ShotVocabulary
from zirelia.errors import ConfigurationError
from zirelia.images.base import INPAINT, Base, BaseKey, has_form, is_warm, warm_base, warm_class
from zirelia.images.drawing import check_size, run, teller, turn
from zirelia.images.families import Settings, call_arguments, settings_for
from zirelia.images.inpaint import put_back, soft_mask, to_draw
from zirelia.images.loras import wear
from zirelia.images.profiles import Profile
from zirelia.pictures import encode_png, prepare_start
from zirelia.ports import BackendFacts, MadeImage, PaidCall, Progress

if TYPE_CHECKING:
    from PIL.Image import Image

_DEFAULT_SIDE = 1024
_PROVIDER = "diffusers"


class DiffusersImageMaker:
    """`ports.ImageMaker` over a warm diffusers pipeline; makers of the same model and profile share it.

    Args:
        model: a hub name such as "black-forest-labs/FLUX.1-schnell", or a folder with model_index.json.
        profile: how to run it, see `profiles`.
        name: what provenance calls the model; the hub name, or the folder's name, when left out.
        revision: a branch, tag or commit of the hub.
        vocabulary: the words that a small model can draw; None for one that is not limited.
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
        vocabulary: ShotVocabulary | None = None,
        offline: bool = False,
        token: SecretStr | None = None,
    ) -> None:
        self._key = BaseKey(str(model), revision, profile)
        self._profile = profile
        self._name = name or (Path(model).name if Path(model).is_dir() else str(model))
        self._vocabulary = vocabulary
        self._offline = offline
        self._token = token

    def __repr__(self) -> str:
        return f"DiffusersImageMaker({self._name!r}, {self._profile!r})"

    def facts(self) -> BackendFacts:
        shown = {key: str(value) for key, value in asdict(self._profile).items() if value is not None}
        return BackendFacts(
            backend=_PROVIDER,
            model=self._name,
            local=True,
            paid=False,
            details=shown | {"loaded": "yes" if is_warm(self._key) else "no"},
        )

    def vocabulary(self) -> ShotVocabulary | None:
        return self._vocabulary

    def size(self) -> tuple[int, int]:
        """The profile's, else the size that the folder's autoencoder was trained at, else 1024 x 1024."""
        if self._profile.width is not None and self._profile.height is not None:
            return self._profile.width, self._profile.height
        side = _trained_side(Path(self._key.model))
        return side, side

    def estimate_usd(self, prompt: ImagePrompt) -> float:  # noqa: ARG002 - the port's signature
        return 0.0

    def can_inpaint(self) -> bool:
        """Whether diffusers has an inpainting form of the pipeline; no for a model of the hub that is not loaded yet."""
        name = warm_class(self._key) or _class_of(Path(self._key.model))
        return name is not None and has_form(name, INPAINT)

    def make(
        self,
        prompt: ImagePrompt,
        *,
        lora: Lora | None,
        beside: Sequence[WornLora] = (),
        start_from: bytes | None = None,
        within: Box | None = None,
        call: PaidCall,  # noqa: ARG002 - nothing is paid here, and a resumed call draws the same pixels again
        progress: Progress,
    ) -> MadeImage:
        """One PNG. An error raised by `progress` ends the drawing after the current step and comes through."""
        check_size(prompt)
        if within is not None and start_from is None:
            raise ConfigurationError("a part can only be drawn anew in a picture", hint="give the start picture")
        worn = [] if lora is None else [WornLora(lora=lora, scale=prompt.lora_scale)]
        worn += beside
        start = None if start_from is None else prepare_start(start_from, width=prompt.width, height=prompt.height)
        mask = None if within is None else soft_mask(within, width=prompt.width, height=prompt.height)
        progress(0.0, f"preparing {self._name}")
        base = warm_base(
            self._key, local_only=self._offline, token=None if self._token is None else self._token.get_secret_value()
        )
        with turn(base, progress):
            began = time.monotonic()
            image, used = self._draw(base, prompt, worn, start, mask, progress)
            seconds = time.monotonic() - began
        return MadeImage(
            data=encode_png(image),
            media_type="image/png",
            provenance=Provenance(
                backend=_PROVIDER,
                model=self._name,
                revision=base.revision or (self._key.revision or ""),
                prompt=prompt,
                lora_sha256=None if lora is None else lora.sha256,
                beside=tuple(Beside(sha256=each.lora.sha256, scale=each.scale) for each in beside),
                steps=used.steps,
                guidance=used.true_cfg if used.true_cfg > 1.0 else used.guidance,
                seconds=seconds,
                parents=() if start_from is None else (hashlib.sha256(start_from).hexdigest(),),
                made_at=datetime.now(UTC),
            ),
        )

    def _draw(
        self,
        base: Base,
        prompt: ImagePrompt,
        worn: Sequence[WornLora],
        start: Image | None,
        mask: Image | None,
        progress: Progress,
    ) -> tuple[Image, Settings]:
        import torch

        wear(base, worn)
        pipeline = base.pipeline(image_to_image=start is not None, inpaint=mask is not None)
        arguments = call_arguments(
            pipeline,
            self._profile,
            prompt,
            generator=torch.Generator("cpu").manual_seed(prompt.seed),
            start=start,
            mask=None if mask is None else to_draw(mask),
            on_step=teller(progress),
        )
        image = run(base, pipeline, arguments, name=self._name, seed=prompt.seed)
        if start is not None and mask is not None:
            image = put_back(start, image, mask)
        return image, settings_for(pipeline, self._profile, prompt)


def _class_of(folder: Path) -> str | None:
    """The pipeline's class as its folder names it; None when there is no such folder."""
    index = folder / "model_index.json"
    if not index.is_file():
        return None
    try:
        name = json.loads(index.read_text(encoding="utf-8")).get("_class_name")
    except ValueError as error:
        raise ConfigurationError(f"{index} is damaged: {error}", hint="install the model again") from error
    return name if isinstance(name, str) else None


def _trained_side(folder: Path) -> int:
    config = folder / "vae" / "config.json"
    if not config.is_file():
        return _DEFAULT_SIDE
    try:
        side = json.loads(config.read_text(encoding="utf-8")).get("sample_size", _DEFAULT_SIDE)
    except ValueError as error:
        raise ConfigurationError(f"{config} is damaged: {error}", hint="install the model again") from error
    return side if isinstance(side, int) else _DEFAULT_SIDE
