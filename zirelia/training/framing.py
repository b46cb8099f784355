"""How a picture is cut for a training: to the plan's square, or to the bucket nearest to its own shape, around its face.

    frame = frame_picture(folder / "3.png", face, plan, multiple=16)
    frame.size                     # (1024, 1024), or a bucket such as (832, 1216)
    image = frame.cut()            # RGB of exactly that size; nothing is ever enlarged

It knows no model; what a subject weighs is in `masks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from zirelia.domain.box import Box
from zirelia.errors import MediaError, TrainingError
from zirelia.pictures import aspect_buckets, bucket_for, crop_box, load_picture
from zirelia.training.plan import TrainingPlan

BUCKET_STEP = 64
"""The sides of buckets from 512 pixels on are multiples of this, whatever finer step the model would take."""
_FINE_BELOW = 512


@dataclass(frozen=True)
class Frame:
    """One picture and what of it is trained on: `size` in pixels (width, height) of the cut, `face` and `mask` where known.

    `placed` says that the cut follows the face or a bucket; else it is the middle square.
    """

    path: Path
    size: tuple[int, int]
    face: Box | None = None
    mask: Path | None = None
    placed: bool = False

    def cut(self) -> Image.Image:
        return self._cut(load(self.path))

    def cut_mask(self) -> Image.Image | None:
        """The mask beside the picture, cut alike: white is the subject. Raises TrainingError when it has another size."""
        if self.mask is None:
            return None
        picture, mask = load(self.path), load(self.mask)
        if mask.size != picture.size:
            raise TrainingError(
                f"the mask {self.mask} has {mask.width} x {mask.height} pixels, its picture {picture.width} x {picture.height}",
                hint="a mask has the size of its picture; white is the subject",
            )
        return self._cut(mask).convert("L")

    def crop(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Left, top, right, bottom, in pixels of a picture of that size, of what is cut out."""
        if self.placed:
            return crop_box(size, self.size[0] / self.size[1], None if self.face is None else _corners(self.face))
        side = min(size)
        left, top = (size[0] - side) / 2, (size[1] - side) / 2
        return left, top, left + side, top + side

    def _cut(self, image: Image.Image) -> Image.Image:
        if not self.placed:
            return ImageOps.fit(image, self.size, Image.Resampling.LANCZOS)
        return image.resize(self.size, Image.Resampling.LANCZOS, box=self.crop(image.size))


def frame_picture(path: Path, face: Box | None, plan: TrainingPlan, *, multiple: int) -> Frame:
    """Chooses the cut. `multiple` is what the model's sides must divide by, in pixels.

    Raises TrainingError for a picture that cannot be read, or that would have to be enlarged.
    """
    size = load(path).size
    beside = mask_of(path)
    mask = beside if plan.background_weight is not None and beside.is_file() else None
    if not plan.buckets:
        if min(size) < plan.resolution:
            raise TrainingError(
                f"the picture {path} is {min(size)} pixels on its shorter side, the plan wants {plan.resolution}",
                hint=_TOO_SMALL,
            )
        return Frame(path, (plan.resolution, plan.resolution), face, mask, placed=face is not None)
    bucket = bucket_for(size, buckets_of(plan, multiple))
    if bucket is None:
        raise TrainingError(
            f"the picture {path} has {size[0]} x {size[1]} pixels, which covers no bucket of {plan.resolution}", hint=_TOO_SMALL
        )
    return Frame(path, bucket, face, mask, placed=True)


_TOO_SMALL = "use a larger picture or a plan of a lower resolution; nothing is enlarged silently"


def buckets_of(plan: TrainingPlan, multiple: int) -> tuple[tuple[int, int], ...]:
    step = BUCKET_STEP if plan.resolution >= _FINE_BELOW else multiple
    return aspect_buckets(plan.resolution, step=step)


def mask_of(path: Path) -> Path:
    """Where a picture's mask lies when there is one: `3.png` → `3.mask.png`."""
    return path.with_suffix(".mask.png")


def load(path: Path) -> Image.Image:
    """The picture, upright and RGB. Raises TrainingError."""
    try:
        return load_picture(path)
    except MediaError as error:
        raise TrainingError(f"the picture {path} cannot be read: {error.message}", hint=error.hint or "replace it") from error


def _corners(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom
