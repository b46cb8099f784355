"""Whether a picture shows what the brief and the look ask for, by SigLIP: the wanted words against words for something else.

    siglip = SiglipInstrument(SiglipEncoder(Source("google/siglip2-base-patch16-224")))
    siglip.examine(exhibit)      # "scene: 'beach' 0.97 against 'kitchen' 0.02"

A bare similarity says nothing, so each wanted phrase stands against others, and the shares among them are judged: sure of the
wanted one passes, sure of another fails, anything between is `not_checked`. Traits of the look are judged only where the
references show them. SigLIP counts badly and reads no negations: subjects, hands and things not worn are not its business. The
code is tested with a small random model of the same class; the real weights have never run here, and SURE is unmeasured.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from zirelia.critic.checkpoints import Source, load
from zirelia.critic.contrasts import Comparison, of_shot, of_trait
from zirelia.critic.kept import Kept
from zirelia.critic.kept_lines import fingerprint
from zirelia.critic.repairs import look_repair
from zirelia.domain.verdict import Criterion, Finding, Outcome, Repair, RepairKind
from zirelia.errors import ConfigurationError
from zirelia.ports import BackendFacts, Exhibit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

SURE = 0.9
BATCH = 8
KEPT_PHRASES = 2048
KEPT_CALIBRATIONS = 32


class Matcher(Protocol):
    """What the instrument asks of a model."""

    def match(self, images: Sequence[Image], phrases: Sequence[str]) -> NDArray[np.float32]:
        """How well each phrase fits each picture, [len(images), len(phrases)]: logits, comparable within a row."""
        ...


class SiglipEncoder:
    """SigLIP or SigLIP 2 with a fixed picture size; loaded at the first question. The base model: 0.8 to 1.5 GB in float32.

    Args:
        source: which weights. batch: pictures at a time; phrases go through four times as many at once.
    """

    def __init__(self, source: Source, *, batch: int = BATCH) -> None:
        if batch < 1:
            raise ValueError(f"a batch holds at least one picture, not {batch}")
        self._source, self._batch = source, batch
        self._parts: tuple[Any, ...] | None = None
        self._loading = threading.Lock()
        self._phrases: dict[str, NDArray[np.float32]] = {}

    def facts(self) -> BackendFacts:
        details = {"revision": self._source.revision or "newest", "device": self._source.device}
        return BackendFacts(backend="siglip", model=self._source.model, local=True, paid=False, details=details)

    def match(self, images: Sequence[Image], phrases: Sequence[str]) -> NDArray[np.float32]:
        """As the protocol. Raises as `checkpoints.load`, and ConfigurationError for broken weights."""
        if not images or not phrases:
            return np.zeros((len(images), len(phrases)), dtype=np.float32)
        with self._loading:
            if self._parts is None:
                self._parts = load(self._source, "SiglipModel", "AutoImageProcessor", "AutoTokenizer")
            model, processor, tokenizer = self._parts
            words = self._words(model, tokenizer, phrases)
        seen = [self._seen(model, processor, images[i : i + self._batch]) for i in range(0, len(images), self._batch)]
        scale = float(model.logit_scale.detach().exp())
        logits: NDArray[np.float32] = (scale * np.concatenate(seen) @ words.T).astype(np.float32)
        return logits

    def _words(self, model: Any, tokenizer: Any, phrases: Sequence[str]) -> NDArray[np.float32]:
        missing = [phrase for phrase in dict.fromkeys(phrases) if phrase not in self._phrases]
        if len(self._phrases) + len(missing) > KEPT_PHRASES:
            self._phrases.clear()
            missing = list(dict.fromkeys(phrases))
        torch: Any = importlib.import_module("torch")
        for start in range(0, len(missing), 4 * self._batch):
            some = missing[start : start + 4 * self._batch]
            # both generations were trained on small letters, padded to their full length
            tokens = tokenizer(
                [phrase.lower() for phrase in some],
                padding="max_length",
                truncation=True,
                max_length=model.config.text_config.max_position_embeddings,
                return_tensors="pt",
            )["input_ids"].to(model.device)
            with torch.inference_mode():
                self._phrases.update(zip(some, self._unit(model.get_text_features(input_ids=tokens)), strict=True))
        return np.stack([self._phrases[phrase] for phrase in phrases])

    def _seen(self, model: Any, processor: Any, images: Sequence[Image]) -> NDArray[np.float32]:
        torch: Any = importlib.import_module("torch")
        pixels = processor(images=[image.convert("RGB") for image in images], return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            return self._unit(model.get_image_features(pixel_values=pixels.to(model.device, model.dtype)))

    def _unit(self, features: Any) -> NDArray[np.float32]:
        rows = features.pooler_output.float().cpu().numpy()
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or (lengths < 1e-6).any():
            raise ConfigurationError(
                f"{self._source.model} gives embeddings that are no numbers",
                hint="use dtype float32, or fetch the weights anew",
            )
        unit: NDArray[np.float32] = (rows / lengths).astype(np.float32)
        return unit


@dataclass(frozen=True)
class _Read:
    """What one comparison gave: the share of the wanted phrase, and the likeliest other with its share."""

    wanted: float
    other: str
    share: float


class SiglipInstrument:
    """Implements `ports.Instrument`.

    Args:
        matcher: the model. sure: share from which it is believed, above one half and below 1; for traits more, where it was
        wrong about the references.
    """

    name = "siglip"
    criteria = frozenset({Criterion.BRIEF, Criterion.FRAMING, Criterion.LOOK})

    def __init__(self, matcher: Matcher, *, sure: float = SURE) -> None:
        if not 0.5 < sure < 1:
            raise ValueError(f"a share is sure above 0.5 and below 1, not {sure}")
        self._matcher = matcher
        self._sure = sure
        self._known: Kept[dict[str, float]] = Kept(KEPT_CALIBRATIONS)

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        return (*self._shot(exhibit), *self._look(exhibit))

    def _shot(self, exhibit: Exhibit) -> list[Finding]:
        comparisons = of_shot(exhibit.shot, exhibit.persona)
        reads = self._read([exhibit.image], comparisons)[0]
        findings = []
        for comparison, read in zip(comparisons, reads, strict=True):
            framing = comparison.aspect == "framing"
            criterion = Criterion.FRAMING if framing else Criterion.BRIEF
            kind = RepairKind.NAME_FRAMING if framing else RepairKind.EMPHASISE
            findings.append(self._judge(criterion, comparison, read, partial(_repair, kind, comparison.said), self._sure))
        return findings

    def _look(self, exhibit: Exhibit) -> list[Finding]:
        traits = exhibit.persona.look.traits
        asked = [(trait, of_trait(trait, exhibit.persona.look.noun)) for trait in traits]
        sure = self._learn(exhibit, [comparison for _, comparison in asked if comparison is not None])
        findings = []
        for trait, comparison in asked:
            if comparison is None:
                reason = f"{trait.feature}: the look names nothing that '{trait.phrase}' could be compared with"
            elif not exhibit.references:
                reason = f"{trait.feature}: there are no references to see whether the model understands it"
            elif trait.feature not in sure:
                reason = f"{trait.feature}: the model does not see '{trait.phrase}' in the references either"
            else:
                read = self._read([exhibit.image], [comparison])[0][0]
                repair = partial(look_repair, exhibit, trait)
                findings.append(self._judge(Criterion.LOOK, comparison, read, repair, sure[trait.feature]))
                continue
            findings.append(self._unchecked(Criterion.LOOK, trait.feature, reason))
        return findings

    def _judge(
        self, criterion: Criterion, comparison: Comparison, read: _Read | None, repair: Callable[[str], Repair], sure: float
    ) -> Finding:
        if read is None:
            return self._unchecked(criterion, comparison.aspect, f"{comparison.aspect}: nothing to compare with")
        said = f"{comparison.aspect}: '{comparison.said}' {read.wanted:.2f} against '{read.other}' {read.share:.2f}"
        failed = read.share >= sure and read.other in comparison.rivals
        if read.wanted < sure and not failed:
            return self._unchecked(criterion, comparison.aspect, f"{said}; {sure:.2f} would be sure")
        return Finding(
            criterion=criterion,
            aspect=comparison.aspect,
            outcome=Outcome.FAILED if failed else Outcome.PASSED,
            instrument=self.name,
            explanation=said,
            score=read.wanted,
            threshold=sure,
            repair=repair(said) if failed else None,
        )

    def _unchecked(self, criterion: Criterion, aspect: str, reason: str) -> Finding:
        return Finding(
            criterion=criterion, aspect=aspect, outcome=Outcome.NOT_CHECKED, instrument=self.name, explanation=reason
        )

    def _read(self, images: Sequence[Image], comparisons: Sequence[Comparison]) -> list[list[_Read | None]]:
        """One row a picture, one reading a comparison; None for one without others."""
        phrases = [phrase for comparison in comparisons for phrase in comparison.phrases]
        logits = self._matcher.match(images, phrases)
        rows: list[list[_Read | None]] = []
        for line in logits:
            start, row = 0, []
            for comparison in comparisons:
                row.append(_reading(comparison, line[start : start + len(comparison.phrases)]))
                start += len(comparison.phrases)
            rows.append(row)
        return rows

    def _learn(self, exhibit: Exhibit, comparisons: Sequence[Comparison]) -> dict[str, float]:
        """How sure each trait must be read to count; a trait that most references contradict is absent."""
        if not exhibit.references or not comparisons:
            return {}
        key = exhibit.persona.look.model_dump_json() + fingerprint(exhibit.references)
        return self._known.get(key, lambda: self._certainties(exhibit.references, comparisons))

    def _certainties(self, references: Sequence[Image], comparisons: Sequence[Comparison]) -> dict[str, float]:
        rows = self._read(references, comparisons)
        sure: dict[str, float] = {}
        for place, comparison in enumerate(comparisons):
            reads = [read for row in rows if (read := row[place]) is not None]
            wrong = [read.share for read in reads if read.share >= read.wanted]
            if reads and 2 * len(wrong) < len(reads):
                # surer than it ever was of something wrong, though never beyond what a share can reach
                sure[comparison.aspect] = min(0.999, max(self._sure, *wrong, 0.0))
        return sure


def _reading(comparison: Comparison, logits: NDArray[np.float32]) -> _Read | None:
    if len(logits) < 2:
        return None
    weights = np.exp(logits.astype(np.float64) - float(logits.max()))
    shares = weights / weights.sum()
    best = 1 + int(shares[1:].argmax())
    return _Read(float(shares[0]), comparison.others[best - 1], float(shares[best]))


def _repair(kind: RepairKind, phrase: str, because: str) -> Repair:
    return Repair(kind=kind, because=because, phrase=phrase)
