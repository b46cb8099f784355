"""Building the pocket weights from nothing but the world's rules, in stages that survive kill -9.

    build(LAPTOP, out=Path("weights"), work=Path("/tmp/pocket-work"), progress=lambda p: console.print(str(p)))

render -> vae -> latents -> looks -> base. A finished stage leaves a file or folder in `work` (or `out`) and is not
done again; an unfinished one goes on from its last snapshot. `init` is a pipeline folder to start from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zirelia.errors import ConfigurationError
from zirelia.pocket import weights
from zirelia.pocket.progress import Report, silent
from zirelia.pocket.recipe import Recipe

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

    from zirelia.pocket.pictures import Pixels

STAGES = ("render", "vae", "latents", "looks", "base")
SAMPLES = 8


def build(
    recipe: Recipe,
    *,
    out: Path,
    work: Path,
    stages: Sequence[str] = STAGES,
    init: Path | None = None,
    progress: Report = silent,
) -> Path:
    """Run the stages that are not done yet and return `out`: base/, looks and composition (.safetensors, .json), manifest."""
    if unknown := set(stages) - set(STAGES):
        raise ConfigurationError(f"no such stage: {', '.join(sorted(unknown))}", hint=f"stages: {', '.join(STAGES)}")
    work.mkdir(parents=True, exist_ok=True)
    bench = _Bench(recipe, out, work, init, progress)
    with _tuned(recipe):
        for stage in STAGES:
            if stage in stages:
                getattr(bench, stage)()
    out.mkdir(parents=True, exist_ok=True)
    weights.seal(out)
    return out


@dataclass(frozen=True, slots=True)
class _Bench:
    """The stages, one method each; what one leaves behind, the next picks up from the work folder."""

    recipe: Recipe
    out: Path
    work: Path
    init: Path | None
    progress: Report

    def render(self) -> None:
        from zirelia.pocket.pictures import crowd_of, draw_plates, plates_of, strangers_of

        for name, plates in (("pictures", plates_of), ("crowd", crowd_of), ("strangers", strangers_of)):
            draw_plates(
                plates(self.recipe),
                size=self.recipe.size,
                at=self.work / f"{name}.npy",
                workers=self.recipe.renderers,
                report=self.progress,
            )

    def vae(self) -> None:
        from zirelia.files import whole_folder
        from zirelia.pocket.autoencoder import decode, encode, train_autoencoder

        if (self.work / "vae").exists():
            return
        pixels = _pixels(self.work / "pictures.npy")
        shown = pixels[-SAMPLES:]

        def look(vae: AutoencoderKL, done: int) -> None:
            self._sheet(f"vae-{done:06d}", {"drawn": shown, "rebuilt": decode(vae, encode(vae, shown))})

        init = self.init / "vae" if self.init else None
        vae = train_autoencoder(self.recipe, pixels, self.work, init=init, report=self.progress, on_snapshot=look)
        with whole_folder(self.work / "vae") as part:
            vae.cpu().save_pretrained(part)

    def latents(self) -> None:
        import numpy as np
        from diffusers import AutoencoderKL

        from zirelia.files import whole_file, whole_folder
        from zirelia.pocket.autoencoder import encode_all, whiten

        if (self.work / "latents.npy").exists():
            return
        vae = AutoencoderKL.from_pretrained(self.work / "vae")
        latents = encode_all(vae, _pixels(self.work / "pictures.npy")[: self.recipe.encoded], self.progress)
        latents = whiten(vae, latents)
        with whole_folder(self.work / "whitened") as part:
            vae.save_pretrained(part)
        with whole_file(self.work / "latents.npy") as part:
            np.save(part, latents.half().numpy())

    def looks(self) -> None:
        from zirelia.pocket.composition import SEED, learn_composition
        from zirelia.pocket.looks import LooksEncoder
        from zirelia.pocket.looks_training import gallery_of, train_looks

        if not (self.out / "looks.json").exists():
            gallery = gallery_of(self.recipe, self.work)
            trained = train_looks(self.recipe, gallery, self.work, report=self.progress)
            trained.save(self.out / "looks.safetensors", self.recipe.looks_widths)
        if not (self.out / "composition.json").exists():
            # of the encoder as it was written, because the probe reads what is loaded from there
            features = LooksEncoder.load(self.out / "looks.safetensors").features
            probe = learn_composition(features, pictures=self.recipe.lessons, seed=SEED)
            probe.save(self.out / "composition.safetensors")

    def base(self) -> None:
        import numpy as np
        import torch
        from diffusers import AutoencoderKL

        from zirelia.pocket.base import train_base
        from zirelia.pocket.flux import PocketFlux, assemble, paint, save_pipeline
        from zirelia.pocket.pictures import plates_of
        from zirelia.pocket.tokenizers import new_tokenizers
        from zirelia.pocket.world import caption

        if (self.out / "base").exists():
            return
        recipe, tokenizers = self.recipe, new_tokenizers(self.recipe)
        vae = AutoencoderKL.from_pretrained(self.work / "whitened")
        latents, plates = torch.from_numpy(np.load(self.work / "latents.npy")), plates_of(recipe)
        shown = _pixels(self.work / "pictures.npy")[-SAMPLES:]
        prompts = [caption(plate.character, plate.shot) for plate in plates[-SAMPLES:]]

        def look(flux: PocketFlux, done: int) -> None:
            painted = paint(
                assemble(vae, flux, tokenizers), prompts, list(range(SAMPLES)), size=recipe.size, length=recipe.t5_length
            )
            self._sheet(f"base-{done:06d}", {"drawn": shown, "painted": np.stack([np.asarray(p) for p in painted])})

        flux = train_base(
            recipe, latents, plates[: len(latents)], tokenizers, self.work,
            init=self.init, report=self.progress, on_snapshot=look,
        )  # fmt: skip
        save_pipeline(assemble(vae, flux, tokenizers), self.out / "base")

    def _sheet(self, name: str, rows: dict[str, Pixels]) -> None:
        from PIL import Image

        from zirelia.files import whole_file
        from zirelia.sheets import Row, contact_sheet

        drawn = [Row(label, [Image.fromarray(p) for p in pixels]) for label, pixels in rows.items()]
        with whole_file(self.work / "sheets" / f"{name}.png") as part:
            part.write_bytes(contact_sheet(drawn, title=name, side=128))


def _pixels(path: Path) -> Pixels:
    import numpy as np

    pixels: Pixels = np.load(path, mmap_mode="r")
    return pixels


@contextmanager
def _tuned(recipe: Recipe) -> Iterator[None]:
    """The recipe's threads, and no denormal numbers, which are slow; both as they were afterwards."""
    import torch

    threads = torch.get_num_threads()
    torch.set_flush_denormal(True)
    torch.set_num_threads(recipe.threads or threads)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)
