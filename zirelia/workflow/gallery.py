"""Pictures that are drawn once and looked at once: each is kept with what was seen in it, so that a killed judging goes on.

    with Gallery(folder, kit, recogniser) as gallery:
        seen = gallery.show([Wish(prompt, lora, shot)], "coarse")
        seen[0].file, seen[0].sighting

<hash>.png is the picture, <hash>.json what was seen; the hash is of all that decides the pixels. A picture that another
recogniser looked at is looked at again, not drawn again. Local image models only: it makes many pictures and keeps no ledger.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pydantic import ValidationError

from zirelia.domain.lora import Lora, WornLora
from zirelia.domain.shot import ImagePrompt, Shot
from zirelia.domain.value import Text, Value
from zirelia.domain.verdict import Criterion, Finding, Outcome
from zirelia.errors import ConfigurationError, Conflict, MediaError, ZireliaError
from zirelia.files import alone, sweep, whole_file
from zirelia.pictures import encode_png, open_picture, upright_rgb
from zirelia.ports import Exhibit, Instrument, Progress, Recogniser, Sighting
from zirelia.workflow.kit import Kit
from zirelia.workflow.layout import thumbnail

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

_SHOWN = frozenset({Criterion.BRIEF, Criterion.FRAMING})


class Unpaid:
    """A local call creates nothing at a provider."""

    external_id = None

    def created(self, external_id: str) -> None:
        raise ConfigurationError(f"a local image model created '{external_id}' at a provider")


def refuse_paid(kit: Kit, what: str) -> None:
    """Raises ConfigurationError when the image model costs money: many pictures are made, and no budget is counted."""
    facts = kit.images.facts()
    if facts.paid:
        raise ConfigurationError(
            f"{what} makes many pictures, and {facts.backend} ({facts.model}) is paid",
            hint="choose a local image backend for it: ZIRELIA_IMAGE_BACKEND=flux or pocket",
        )


@dataclass(frozen=True)
class Wish:
    """A picture that is wanted, the shot that its prompt says, and what is worn: the face, and styles beside it."""

    prompt: ImagePrompt
    lora: Lora | None
    shot: Shot
    beside: tuple[WornLora, ...] = ()


class _Record(Value):
    """What was seen in one picture, by which recogniser and which instruments."""

    recogniser: Text
    instruments: tuple[str, ...]
    subjects: int | None
    embedding: tuple[float, ...] | None
    attributes: dict[str, tuple[str, float]]
    agreement: float | None
    faulty: bool | None


@dataclass(frozen=True)
class Seen:
    """The name of the picture's file in the folder, its layout (`layout.thumbnail`), and what was seen in it.

    agreement: share of the instruments' remarks on brief and framing that passed; faulty: whether a technical one failed;
    None where none was made.
    """

    file: str
    layout: NDArray[np.float32]
    sighting: Sighting
    agreement: float | None
    faulty: bool | None


class Gallery:
    """The folder of one judging; one process at a time works in it.

    Args:
        instruments: further ones, none that costs money: their remarks on brief and framing stand for what a picture shows,
            those on technique for its faults. One that fails leaves its criterion unmeasured.
        exhibit: what the instruments are given, made of the picture, its shot and its prompt.
    """

    def __init__(
        self,
        folder: Path,
        kit: Kit,
        recogniser: Recogniser,
        *,
        instruments: Sequence[Instrument] = (),
        exhibit: Callable[[Image, Shot, ImagePrompt], Exhibit] | None = None,
    ) -> None:
        facts = recogniser.facts()
        self._folder, self._kit, self._recogniser = folder, kit, recogniser
        self._seer = f"{facts.backend}/{facts.model}"
        self._instruments, self._exhibit = tuple(instruments), exhibit
        self._names = tuple(instrument.name for instrument in self._instruments)
        self._held = ExitStack()
        self._complained: set[str] = set()

    def __enter__(self) -> Self:
        """Raises Conflict when another process judges in this folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._held.enter_context(alone(self._folder / ".lock", busy=self._busy))
        sweep(self._folder)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._held.close()

    def _busy(self, holder: str) -> Exception:
        return Conflict(f"another process ({holder}) is judging in {self._folder}", hint="wait for it, or stop it")

    def show(self, wishes: Sequence[Wish], what: str) -> list[Seen]:
        """All of them in order, those of one LoRA drawn together. Raises what the image model and the recogniser raise."""
        self._kit.watcher.step(what, f"{len(wishes)} pictures")
        order = sorted(range(len(wishes)), key=lambda n: (_worn(wishes[n]), wishes[n].prompt.lora_scale))
        found = {n: self._kept(wishes[n]) for n in order}
        missing = [n for n in order if found[n] is None]
        if len(missing) < len(wishes):
            self._kit.watcher.note(f"{len(wishes) - len(missing)} are there already")
        started = time.monotonic()
        for done, n in enumerate(missing):
            rate = f", {(time.monotonic() - started) / done:.2f} s each" if done else ""
            found[n] = self._look(wishes[n], self._progress(done, len(missing), f"picture {done + 1} of {len(missing)}{rate}"))
        self._kit.watcher.done(f"{len(missing)} drawn")
        return [seen for seen in (found[n] for n in range(len(wishes))) if seen is not None]

    def _progress(self, done: int, total: int, note: str) -> Progress:
        whole = note

        def tell(fraction: float, note: str) -> None:  # noqa: ARG001 - the steps of one small picture say nothing
            self._kit.watcher.progress((done + fraction) / total, whole)

        tell(0.0, "")
        return tell

    def _kept(self, wish: Wish) -> Seen | None:
        """What an earlier run left; None when the picture or the record is not there, is damaged or is another's."""
        name = self._name(wish)
        try:
            record = _Record.model_validate_json((self._folder / f"{name}.json").read_bytes())
            image = upright_rgb(open_picture((self._folder / f"{name}.png").read_bytes(), what=f"{name}.png"))
        except (FileNotFoundError, ValidationError, MediaError):
            return None
        if record.recogniser != self._seer or record.instruments != self._names:
            return None
        return _seen(f"{name}.png", image, record)

    def _look(self, wish: Wish, progress: Progress) -> Seen:
        name = self._name(wish)
        image = self._drawn(wish, self._folder / f"{name}.png", progress)
        sighting = self._recogniser.see([image])[0]
        agreement, faulty = self._examined(wish, image)
        record = _Record(
            recogniser=self._seer,
            instruments=self._names,
            subjects=sighting.subjects,
            embedding=None if sighting.embedding is None else tuple(float(x) for x in sighting.embedding),
            attributes=dict(sighting.attributes),
            agreement=agreement,
            faulty=faulty,
        )
        with whole_file(self._folder / f"{name}.json") as part:
            part.write_text(record.model_dump_json(), encoding="utf-8")
        return _seen(f"{name}.png", image, record)

    def _drawn(self, wish: Wish, path: Path, progress: Progress) -> Image:
        if path.is_file():
            try:
                return upright_rgb(open_picture(path.read_bytes(), what=path.name))
            except MediaError:
                self._kit.watcher.note(f"{path.name} is damaged and is drawn again")
        made = self._kit.images.make(wish.prompt, lora=wish.lora, beside=wish.beside, call=Unpaid(), progress=progress)
        image = upright_rgb(open_picture(made.data, what="a judged picture"))
        with whole_file(path) as part:
            part.write_bytes(encode_png(image))
        return image

    def _examined(self, wish: Wish, image: Image) -> tuple[float | None, bool | None]:
        findings: list[Finding] = []
        for instrument in self._instruments:
            if self._exhibit is None:
                break
            try:
                findings += instrument.examine(self._exhibit(image, wish.shot, wish.prompt))
            except ZireliaError as error:
                if instrument.name not in self._complained:
                    self._complained.add(instrument.name)
                    self._kit.watcher.note(f"{instrument.name} measures nothing: {error.message}")
        if any(finding.cost_usd > 0 for finding in findings):
            raise ConfigurationError("an instrument that costs money was given to a judging, which counts no budget")
        checked = [finding for finding in findings if finding.outcome is not Outcome.NOT_CHECKED]
        shown = [finding.outcome is Outcome.PASSED for finding in checked if finding.criterion in _SHOWN]
        technical = [finding.outcome is Outcome.FAILED for finding in checked if finding.criterion is Criterion.TECHNICAL]
        return (sum(shown) / len(shown) if shown else None), (any(technical) if technical else None)

    def _name(self, wish: Wish) -> str:
        facts = self._kit.images.facts()
        wanted = [
            facts.backend,
            facts.model,
            wish.prompt.model_dump(mode="json"),
            _worn(wish),
            wish.shot.model_dump(mode="json"),
            *([each.lora.sha256, each.scale] for each in wish.beside),
        ]
        return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:32]


def _worn(wish: Wish) -> str:
    return wish.lora.sha256 if wish.lora else ""


def _seen(file: str, image: Image, record: _Record) -> Seen:
    import numpy as np

    embedding = None if record.embedding is None else np.asarray(record.embedding, dtype=np.float32)
    sighting = Sighting(subjects=record.subjects, face=None, embedding=embedding, attributes=record.attributes)
    return Seen(file=file, layout=thumbnail(image), sighting=sighting, agreement=record.agreement, faulty=record.faulty)
