"""The report of a judging: what was chosen and why, the curves, every picture, the leak, the sweep, and where it comes from.

    judgement_page(judgement, picture=lambda name: Image.open(folder / name), training=[("dataset", "24 pictures")])

It shows what was measured and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL.Image import Image

from zirelia.domain.choice import Measured
from zirelia.domain.judgement import BARE_BASE, JudgedPicture, JudgedPrompt, Judgement, Question
from zirelia.reports.curves import Curve, Level, Series, curve
from zirelia.reports.page import render
from zirelia.reports.sheet import Cell, Figure, Line, Table, cell

Facts = Sequence[tuple[str, str]]
SMALL_SIDE = 192
_NONE = "–"
HEADINGS = (
    "step", "scale", "pictures", "identity", "10th percentile", "error", "agreement", "leaked", "diversity",
    "nearest", "faulty", "floors",
)  # fmt: skip


@dataclass(frozen=True)
class _Numbers:
    cells: tuple[str, ...]
    chosen: bool


def judgement_page(judgement: Judgement, *, picture: Callable[[str], Image], training: Facts = (), made: Facts = ()) -> str:
    """The page as HTML text.

    Args:
        picture: opens a picture of the judging by its file name. training: what is known of the training, as (name, text):
            plan, dataset hash, base, times, licence. made: further lines on where the page comes from, such as a version.
    """
    choice = judgement.choice
    curves, unmeasured = _curves(judgement)
    return render(
        "judgement.html",
        title=f"{judgement.persona}: step {choice.step} at scale {choice.scale:g}",
        persona=judgement.persona,
        choice=choice,
        fit={"good": "A good fit:", "underfit": "Underfit:", "overfit": "Overfit:"}[choice.fit],
        threshold=judgement.threshold,
        prompts=judgement.prompts,
        figures=_figures(judgement),
        curves=curves,
        unmeasured=unmeasured,
        faces=_by_step(judgement, picture, "with the trigger", {Question.FACE}),
        leaks=_by_step(judgement, picture, "everybody else", {Question.OTHER, Question.PLAIN}),
        sweep=_by_scale(judgement, picture) if judgement.sweep else None,
        sweep_curves=_sweep_curves(judgement),
        headings=HEADINGS,
        numbers=[_row(judgement, each) for each in choice.measured],
        training=training,
        provenance=[*_provenance(judgement), *made],
    )


def _figures(judgement: Judgement) -> list[Figure]:
    chosen, real = judgement.choice.chosen, judgement.real.median
    share = f"{chosen.identity / real:.0%} of real pictures ({real:.2f})" if real > 0 else f"real pictures: {real:.2f}"
    return [
        Figure("identity, median", f"{chosen.identity:.2f}", share),
        Figure("identity, 10th percentile", f"{chosen.tenth:.2f}", f"the bare base: {judgement.base.median:.2f} median"),
        Figure(
            "leaked", _share(chosen.leaked), f"{len(chosen.leaks)} pictures of others; {judgement.floors.leaked:.0%} may be"
        ),
        Figure("agreement", _share(chosen.agreement), f"{judgement.floors.agreement:.0%} is wanted"),
    ]


def _curves(judgement: Judgement) -> tuple[list[Curve], list[str]]:
    """The curves that have a value, and the names of those that have none."""
    choice = judgement.choice
    own = [each for each in choice.measured if each.scale == choice.scale]
    others = sorted({each.scale for each in choice.measured} - {choice.scale})
    identity = [
        Series("median", [(each.step, each.identity) for each in own]),
        Series("10th percentile", [(each.step, each.tenth) for each in own]),
        *(
            Series(f"median at {scale:g}", [(e.step, e.identity) for e in choice.measured if e.scale == scale], quiet=True)
            for scale in others
        ),
    ]
    levels = [Level("real pictures", judgement.real.median), Level("bare base", judgement.base.median)]
    leak, agreement = [Level("may be", judgement.floors.leaked)], [Level("wanted", judgement.floors.agreement)]
    wanted: list[tuple[str, list[tuple[float, float | None]], list[Level], str]] = [
        ("leaked", [(e.step, e.leaked) for e in own], leak, "Share of pictures of others that are taken for the character."),
        ("agreement", [(e.step, e.agreement) for e in own], agreement, "Share of what was asked that is shown."),
        ("diversity", [(e.step, e.diversity) for e in own], [], "How different the pictures are; a fall says they become one."),
        ("nearest training picture", [(e.step, e.memorised) for e in own], [], "By layout; a rise says it is painted again."),
        ("faulty", [(e.step, e.artefacts) for e in own], [], "Share of pictures with technical faults."),
    ]
    drawn = [
        curve(name, [Series(name, points)], levels=lines, marked=choice.step, note=note) for name, points, lines, note in wanted
    ]
    first = curve("identity", identity, levels=levels, marked=choice.step)
    unmeasured = [name for (name, *_), each in zip(wanted, drawn, strict=True) if not each]
    return [each for each in (first, *drawn) if each], unmeasured


def _sweep_curves(judgement: Judgement) -> list[Curve]:
    series = [
        Series("identity", [(each.scale, each.identity) for each in judgement.sweep]),
        Series("agreement", [(each.scale, each.agreement) for each in judgement.sweep]),
        Series("leaked", [(each.scale, each.leaked) for each in judgement.sweep]),
    ]
    measured = [each for each in series if any(y is not None for _, y in each.points)]
    drawn = curve("by scale", measured, marked=judgement.choice.scale, axis="scale")
    return [drawn] if drawn else []


def _by_step(judgement: Judgement, picture: Callable[[str], Image], title: str, questions: set[Question]) -> Table:
    """Rows are prompts; columns are the bare base where it was drawn, then the steps at the chosen scale."""
    prompts = [each for each in judgement.prompts if each.question in questions]
    scale = judgement.choice.scale
    steps = sorted({each.step for each in judgement.choice.measured})
    places = [(step, scale) for step in steps]
    names = [f"step {step}" for step in steps]
    if Question.FACE in questions:
        places, names = [(BARE_BASE, 1.0), *places], ["bare base", *names]
    return _table(judgement, picture, title, prompts, places, names, chosen=(judgement.choice.step, scale))


def _by_scale(judgement: Judgement, picture: Callable[[str], Image]) -> Table:
    step = judgement.choice.step
    places = [(step, each.scale) for each in judgement.sweep]
    drawn = {each.prompt for place in places for each in judgement.pictures_of(step=step, scale=place[1])}
    # a prompt that only the judged scales have would be a row of gaps
    full = [p for p in judgement.prompts if p.number in drawn and all(_find(judgement, at, p) for at in places)]
    names = [f"scale {scale:g}" for _, scale in places]
    return _table(judgement, picture, "by scale", full, places, names, chosen=(step, judgement.choice.scale))


def _table(
    judgement: Judgement,
    picture: Callable[[str], Image],
    title: str,
    prompts: Sequence[JudgedPrompt],
    places: Sequence[tuple[int, float]],
    names: Sequence[str],
    *,
    chosen: tuple[int, float],
) -> Table:
    rows = []
    for prompt in prompts:
        cells = [_cell(judgement, prompt, _find(judgement, place, prompt), picture) for place in places]
        said = f"{prompt.shot.scene}, {prompt.shot.light}"
        asks = said if prompt.question is Question.FACE else f"{prompt.question}: {said}"
        rows.append(Line(asks, cells))
    return Table(title, names, rows, chosen=list(places).index(chosen) if chosen in places else None)


def _find(judgement: Judgement, place: tuple[int, float], prompt: JudgedPrompt) -> JudgedPicture | None:
    own = (each for each in judgement.pictures_of(step=place[0], scale=place[1]) if each.prompt == prompt.number)
    return next(own, None)


def _cell(
    judgement: Judgement, prompt: JudgedPrompt, found: JudgedPicture | None, picture: Callable[[str], Image]
) -> Cell | None:
    if found is None:
        return None
    same = found.identity >= judgement.threshold
    right = same if prompt.question is Question.FACE else not same
    return cell(picture(found.file), f"{found.identity:.2f}", alt=prompt.text, tone="good" if right else "bad", side=SMALL_SIDE)


def _row(judgement: Judgement, each: Measured) -> _Numbers:
    missed = judgement.floors.missed(each, judgement.real.median)
    cells = (
        str(each.step),
        f"{each.scale:g}",
        str(len(each.identities) + len(each.leaks)),
        f"{each.identity:.3f}",
        f"{each.tenth:.3f}",
        f"{each.error:.3f}",
        _share(each.agreement, _NONE),
        _share(each.leaked, _NONE),
        _NONE if each.diversity is None else f"{each.diversity:.3f}",
        _NONE if each.memorised is None else f"{each.memorised:.2f}",
        _share(each.artefacts, _NONE),
        "; ".join(missed) or "kept",
    )
    return _Numbers(cells, chosen=(each.step, each.scale) == (judgement.choice.step, judgement.choice.scale))


def _provenance(judgement: Judgement) -> list[tuple[str, str]]:
    drawn = len(judgement.pictures)
    return [
        ("persona and trigger", f"{judgement.persona}, {judgement.trigger}"),
        ("base model of the LoRA", judgement.base_model),
        ("pictures made by", judgement.image_model),
        ("identity measured by", f"{judgement.recogniser}, threshold {judgement.threshold:.3f}"),
        ("real pictures", f"{len(judgement.real.values)}, each against the others: median {judgement.real.median:.3f}"),
        ("pictures looked at", f"{drawn}, in {judgement.seconds:.0f} s"),
        *((f"LoRA of step {step}", sha256) for step, sha256 in sorted(judgement.loras.items())),
    ]


def _share(share: float | None, none: str = "not measured") -> str:
    return none if share is None else f"{share:.0%}"
