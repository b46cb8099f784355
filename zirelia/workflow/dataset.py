"""From a start to a dataset: more pictures than wanted, the gate, and again for the cells that stayed empty.

    cost = estimate(kit, persona, Photos.read([photo]), load_shot_list("30"))       # shown before anything is paid
    built = build_dataset(kit, persona, Photos.read([photo]), load_shot_list("30"))
    built.coverage.missing, built.dataset

The same call again goes on where the last one stopped: what is in the folder is not made again, and what was ordered is not
ordered again. Nothing is made of a person without a valid consent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from zirelia.domain.captions import CaptionStyle
from zirelia.domain.dataset import Candidate, Dataset, StartKind
from zirelia.domain.fitting import fitted
from zirelia.domain.persona import Persona
from zirelia.domain.shotlist import Cell, Coverage, ShotList, coverage
from zirelia.domain.trigger import trigger_complaints
from zirelia.errors import ConfigurationError, NotFound
from zirelia.ports import Edit, ImageEditor, MadeImage, PaidCall, Progress
from zirelia.workflow.accounts import Account, settle_kept
from zirelia.workflow.bring import bring
from zirelia.workflow.captions import written
from zirelia.workflow.consent import check_consent
from zirelia.workflow.curate import curate
from zirelia.workflow.dataset_kit import DatasetKit
from zirelia.workflow.edits import edit_for
from zirelia.workflow.making import Making, candidate_of
from zirelia.workflow.rounds import Effort, filled, missing_tries, round_under_way
from zirelia.workflow.starts import Begun, Folder, Start, begin, prepare

USUAL = Effort()


@dataclass(frozen=True)
class Cost:
    """What a build will make and pay, without what is in the folder already.

    pictures, usd: of the next round; most_pictures, most_usd: when every cell stays empty in every round. each_usd: the dearest
    picture.
    """

    cells: int
    pictures: int
    usd: float
    most_pictures: int
    most_usd: float
    each_usd: float
    backend: str
    model: str
    licence: str


@dataclass(frozen=True)
class Built:
    """What a build came to. dataset: None when no picture was kept. spent_usd: in this call."""

    dataset: Dataset | None
    coverage: Coverage
    kept: tuple[Candidate, ...]
    rejected: tuple[Candidate, ...]
    spent_usd: float
    notes: tuple[str, ...] = ()


def estimate(
    kit: DatasetKit,
    persona: Persona,
    start: Start | None,
    wanted: ShotList | None = None,
    *,
    effort: Effort = USUAL,
    keep_out: frozenset[tuple[str, str]] = frozenset(),
) -> Cost:
    """What the same build would cost. Writes nothing; raises what the build would raise before its first picture."""
    begun = _checked(kit, persona, start)
    if begun.build.start is StartKind.FOLDER:
        return Cost(0, 0, 0.0, 0, 0.0, 0.0, "none", "none", start.licence if isinstance(start, Folder) else "not stated")
    editor, cells = _editor(kit), _cells(kit, wanted, keep_out)
    there = kit.folder.candidates()
    prices = {cell.id: editor.estimate_usd(edit_for(editor, persona, begun, cell, 1)) for cell in cells.cells}
    tries = effort.tries(cells.cells)
    first = {cell: len(numbers) for cell, numbers in missing_tries(cells, there, tries, round_under_way(there, tries))}
    most = {cell: len(numbers) for cell, numbers in missing_tries(cells, there, tries, effort.rounds)}
    facts = editor.facts()
    return Cost(
        cells=len(cells.cells),
        pictures=sum(first.values()),
        usd=sum(prices[cell] * count for cell, count in first.items()),
        most_pictures=sum(most.values()),
        most_usd=sum(prices[cell] * count for cell, count in most.items()),
        each_usd=max(prices.values()),
        backend=facts.backend,
        model=facts.model,
        licence=editor.licence(),
    )


def build_dataset(
    kit: DatasetKit,
    persona: Persona,
    start: Start | None = None,
    wanted: ShotList | None = None,
    *,
    effort: Effort = USUAL,
    keep_out: frozenset[tuple[str, str]] = frozenset(),
) -> Built:
    """Makes or brings the pictures, lets the curator choose, writes the dataset with template captions.

    Args:
        start: None goes on with what the folder began with.
        wanted: None takes the folder's own shots.yaml; another list than that is a ConfigurationError.
        keep_out: settings (scene, light) that must not appear; only where the editor's words are limited.

    Raises ConsentRequired, BudgetExceeded, Conflict, ConfigurationError, MediaError, and the model's third error in a row.
    """
    with kit.folder.writing():
        begun = _checked(kit, persona, start)
        if begun.build.start is StartKind.FOLDER:
            begin(kit, begun)
            notes = bring(kit, start) if isinstance(start, Folder) else ()
            curate(kit, anchors=(), cells={})
            return _finished(kit, persona, None, 0.0, notes)
        editor, cells = _editor(kit), _cells(kit, wanted, keep_out)
        begin(kit, begun)
        kit.folder.save_shots(cells)
        spent = _made(kit, persona, editor, begun, cells, effort)
        return _finished(kit, persona, cells, spent, ())


def check_dataset(kit: DatasetKit, persona: Persona) -> Built:
    """Examines all pictures of the folder again, rejected ones included, and makes none."""
    with kit.folder.writing():
        begun = _checked(kit, persona, None)
        cells = kit.folder.shots()
        curate(kit, anchors=begun.references, cells=_by_id(cells), again=True)
        return _finished(kit, persona, cells, 0.0, ())


def _checked(kit: DatasetKit, persona: Persona, start: Start | None) -> Begun:
    """The start, when consent and trigger word allow it."""
    check_consent(kit, persona)
    if persona.lora is None:
        raise ConfigurationError(
            f"'{persona.name}' has no trigger word", hint="give the pack a lora with a trigger; weights may be left out"
        )
    complaints = trigger_complaints(persona.lora.trigger, kit.known_words, kit.other_triggers)
    if complaints:
        raise ConfigurationError(
            f"the trigger word '{persona.lora.trigger}' cannot be used: it {'; it '.join(complaints)}",
            hint="invent another word, such as the name with its letters changed",
        )
    return prepare(kit, start)


def _editor(kit: DatasetKit) -> ImageEditor:
    if kit.editor is None:
        raise ConfigurationError(
            "making pictures from others needs an edit backend",
            hint="choose one with --backend; the embedded one draws illustrated personas only",
        )
    return kit.editor


def _cells(kit: DatasetKit, wanted: ShotList | None, keep_out: frozenset[tuple[str, str]]) -> ShotList:
    """The folder's own list, else the wanted one in the editor's words."""
    there = kit.folder.shots()
    if there is not None:
        if wanted is not None and wanted.name != there.name:
            raise ConfigurationError(
                f"the dataset in {kit.folder.path} is built from the shot list '{there.name}', not '{wanted.name}'",
                hint="edit its shots.yaml, or move that folder away to begin anew",
            )
        return there
    if wanted is None:
        raise NotFound(f"{kit.folder.path} has no shots.yaml yet", hint="say which shot list to build, such as 30")
    words = kit.editor.vocabulary() if kit.editor is not None else None
    return fitted(wanted, words, keep_out=keep_out) if words is not None else wanted


def _made(kit: DatasetKit, persona: Persona, editor: ImageEditor, begun: Begun, cells: ShotList, effort: Effort) -> float:
    """All rounds; returns what they cost."""
    account = Account(persona=persona.name, name=f"dataset/{persona.name}/{begun.build.name}")
    settle_kept(kit, account, {f"{one.cell}/{one.number}": one.cost_usd for one in kit.folder.candidates()})
    tries, spent = effort.tries(cells.cells), 0.0
    for turn in range(round_under_way(kit.folder.candidates(), tries), effort.rounds + 1):
        missing = tuple(missing_tries(cells, kit.folder.candidates(), tries, turn))
        if missing:
            total = sum(len(numbers) for _, numbers in missing)
            kit.watcher.step("pictures", f"round {turn} of at most {effort.rounds}: {total} for {len(missing)} cells")
            making = Making(kit, account, total)
            for name, numbers in missing:
                _fill(kit, persona, editor, begun, cells.cell(name), numbers, making)
            spent += making.spent
            kit.watcher.done(f"{making.made} made for ${making.spent:.2f}")
        after = curate(kit, anchors=begun.references, cells=_by_id(cells))
        if not coverage(cells, filled(after)).missing:
            break
    return spent


def _fill(
    kit: DatasetKit,
    persona: Persona,
    editor: ImageEditor,
    begun: Begun,
    cell: Cell,
    numbers: Sequence[int],
    making: Making,
) -> None:
    for number in numbers:
        edit = edit_for(editor, persona, begun, cell, number)
        making.one(
            key=f"{cell.id}/{number}",
            facts=editor.facts(),
            estimate=editor.estimate_usd(edit),
            make=partial(_drawn, editor, edit),
            keep=partial(_kept, kit, editor, begun, cell, number),
        )


def _drawn(editor: ImageEditor, edit: Edit, call: PaidCall, progress: Progress) -> MadeImage:
    return editor.edit(edit, call=call, progress=progress)


def _kept(kit: DatasetKit, editor: ImageEditor, begun: Begun, cell: Cell, number: int, made: MadeImage) -> None:
    sources = ", ".join(picture.path for picture in begun.build.pictures)
    record = candidate_of(
        made, folder="candidates", cell=cell.id, number=number, origin=f"edited from {sources}", licence=editor.licence()
    )
    kit.folder.add(record, made.data)


def _by_id(cells: ShotList | None) -> dict[str, Cell]:
    return {cell.id: cell for cell in cells.cells} if cells is not None else {}


def _finished(kit: DatasetKit, persona: Persona, cells: ShotList | None, spent: float, notes: tuple[str, ...]) -> Built:
    """Writes what was kept. A caption that is there already stays."""
    there = kit.folder.candidates()
    kept = tuple(one for one in there if one.kept)
    dataset = written(kit, persona, kept, _by_id(cells), style=CaptionStyle.VARYING) if kept else None
    if dataset is not None:
        kit.folder.finish(dataset)
    return Built(
        dataset=dataset,
        coverage=coverage(cells, filled(there)) if cells is not None else Coverage(kept=(), missing=()),
        kept=kept,
        rejected=tuple(one for one in there if one.examined and not one.kept),
        spent_usd=spent,
        notes=notes,
    )
