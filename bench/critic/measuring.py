"""Pictures shown to the panel: the good ones, and each fault on some of them.

    for done, of in measure(panel, rows, good=300, each=40): ...

A case is made once for all the faults that are planted on it. Which cases a fault falls on is fixed, and spreads it over all
people, shots and both sorts of picture.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from bench.critic.rows import GOOD, Key, Row, Rows, Said
from zirelia.domain.verdict import Outcome, fold
from zirelia.pocket.defects import DEFECTS, SEVERITIES, Case, good_case
from zirelia.pocket.defects.cases import CAST, RUBRIC, Soften, is_soft
from zirelia.ports import Exhibit, Panel

if TYPE_CHECKING:
    from PIL.Image import Image

    from zirelia.pocket.looks import LooksEncoder

FIRST = 10_000
"""Number of the first case; instruments are tuned on smaller ones."""
STRIDE, OFFSET = 7, 11
"""From one case of a fault to its next, and from one fault's first case to the next fault's; neither divides 20 people."""
Job = tuple[str, int]


def jobs(good: int, each: int) -> dict[int, list[Job]]:
    """Case number → the faults and severities planted on it; a fault falls on a case at most once."""
    plan: dict[int, list[Job]] = {number: [] for number in range(good)}
    cells = [(kind, severity) for kind in DEFECTS for severity in SEVERITIES]
    for start, cell in enumerate(cells):
        for turn in range(min(each, good)):
            number = (OFFSET * start + STRIDE * turn) % good
            while cell in plan[number]:
                number = (number + 1) % good
            plan[number].append(cell)
    return plan


def planned(good: int, each: int) -> frozenset[Key]:
    """The rows of a bench of that size; a larger one leaves more behind."""
    plan = jobs(good, each)
    wanted = {(kind, severity, FIRST + number) for number, cells in plan.items() for kind, severity in cells}
    return frozenset(wanted | {(GOOD, 0, FIRST + number) for number in plan})


def measure(
    panel: Panel, rows: Rows, *, good: int, each: int, soften: Soften, encoder: LooksEncoder, between: Callable[[int], None]
) -> Iterator[tuple[int, int]]:
    """Judges what `rows` does not hold yet; yields (done, of) after each case. `between` is called before each case."""
    plan = jobs(good, each)
    wanted_rows = planned(good, each)
    known: set[int] = set()
    for number, planted in plan.items():
        seed = FIRST + number
        wanted = [(GOOD, 0), *planted]
        if all((kind, severity, seed) in rows for kind, severity in wanted):
            continue
        between(number)
        case = good_case(seed, soften if is_soft(number) else None)
        if number % CAST not in known:
            panel.examine(case.exhibit())  # a persona's references are learnt once, so that is not a picture's time
            known.add(number % CAST)
        for kind, severity in wanted:
            if (kind, severity, seed) not in rows:
                rows.add(_judged(panel, case, kind, severity, seed, encoder))
        yield sum(key in rows for key in wanted_rows), len(wanted_rows)


def _judged(panel: Panel, case: Case, kind: str, severity: int, seed: int, encoder: LooksEncoder) -> Row:
    defect = DEFECTS.get(kind)
    exhibit = case.exhibit() if defect is None else defect.exhibit(case, severity, seed)
    started = time.perf_counter()
    findings = panel.examine(exhibit)
    seconds = time.perf_counter() - started
    failed = [finding for finding in findings if finding.outcome is Outcome.FAILED]
    return Row(
        kind=kind,
        severity=severity,
        case=seed,
        soft=case.route.soft is not None,
        passed=fold(findings, RUBRIC).passed,
        found=defect is not None and any(defect.names(finding.criterion, finding.aspect) for finding in failed),
        seconds=seconds,
        said=tuple(Said(f.criterion, f.aspect, f.outcome, f.instrument, f.score, f.threshold, f.seconds) for f in findings),
        read=_read(encoder, exhibit, case) if defect is None else {},
    )


def _read(encoder: LooksEncoder, exhibit: Exhibit, case: Case) -> dict[str, tuple[float, bool]]:
    """How sure each head of the encoder is, and whether it is right."""
    from zirelia.pocket.looks import labels_of

    truth = labels_of(case.character, case.world)
    seen = encoder.attributes([exhibit.image])[0]
    return {head: (sure, value == truth[head]) for head, (value, sure) in seen.items() if truth.get(head) is not None}


def autoencoder() -> Soften:
    """There and back through the autoencoder of the shipped pipeline."""
    import numpy as np
    from diffusers import AutoencoderKL
    from PIL import Image as Pillow

    from zirelia.pocket.autoencoder import decode, encode
    from zirelia.pocket.weights import pipeline_dir

    vae = AutoencoderKL.from_pretrained(pipeline_dir() / "vae").float().eval()

    def soften(picture: Image) -> Image:
        pixels = np.asarray(picture.convert("RGB"))[None]
        return Pillow.fromarray(decode(vae, encode(vae, pixels))[0])

    return soften
