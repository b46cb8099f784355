"""Captions of a dataset: by template from the cells, or by a model that looks; the trigger once and first; leaks named.

    report = caption_dataset(kit, persona, style=CaptionStyle.VARYING, looking=True)
    report.leaking          # captions that still say constants of the look, with the words

A template caption is the very sentence that a prompt for the same shot will be. Words that came with a brought picture are kept
when they say the trigger once, and get it put first otherwise; either is reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from zirelia.definitions.answers import DatasetCaptionAnswer
from zirelia.domain.captions import CaptionStyle, leaks, said_once, with_trigger
from zirelia.domain.dataset import Candidate, Dataset, Reference
from zirelia.domain.persona import Persona
from zirelia.domain.shot import ShotVocabulary
from zirelia.domain.shotlist import Cell
from zirelia.domain.wording import caption, turned
from zirelia.errors import BudgetExceeded, ConfigurationError, NotFound, ProviderError
from zirelia.ports import ChatRequest
from zirelia.workflow.accounts import Account, put
from zirelia.workflow.consent import check_consent
from zirelia.workflow.dataset_kit import DatasetKit


class Source(StrEnum):
    """Where a caption comes from."""

    TEMPLATE = "template"
    SEEN = "seen by a vision model"
    BROUGHT = "brought"
    PUT_FIRST = "brought, trigger put first"
    STOOD = "stood there"
    NOTHING = "nothing known"


@dataclass(frozen=True)
class Captioned:
    """One picture's caption. leaks: words for constants that it says though it should not."""

    path: str
    caption: str
    source: Source
    leaks: tuple[str, ...] = ()


@dataclass(frozen=True)
class CaptionReport:
    """All captions of a dataset, in its order."""

    captions: tuple[Captioned, ...]
    style: CaptionStyle

    @property
    def leaking(self) -> tuple[Captioned, ...]:
        return tuple(one for one in self.captions if one.leaks)

    @property
    def unknown(self) -> tuple[Captioned, ...]:
        """Pictures of which nothing but the trigger could be said."""
        return tuple(one for one in self.captions if one.source is Source.NOTHING)


def caption_dataset(
    kit: DatasetKit, persona: Persona, *, style: CaptionStyle = CaptionStyle.VARYING, looking: bool = False
) -> CaptionReport:
    """Writes the captions of the folder's dataset anew and returns them with what leaked.

    Args:
        looking: a vision model says what it sees; where it cannot, the template stands in and the watcher is told.

    Raises NotFound without a dataset, ConsentRequired, and ConfigurationError when nobody can look.
    """
    check_consent(kit, persona)
    if looking and (kit.vision is None or not kit.vision.vision or kit.captioner is None):
        raise ConfigurationError("captions by looking need a vision model", hint="set one under [vision], or use the template")
    with kit.folder.writing():
        if kit.folder.dataset() is None:
            raise NotFound(f"there is no dataset in {kit.folder.path}", hint="build one first")
        if kit.folder.build() is None:
            raise ConfigurationError(
                f"the dataset in {kit.folder.path} was not built here: there are no records of its pictures",
                hint="bring it in as a folder: zirelia dataset build NAME --from-folder DIR; or edit its caption files",
            )
        kept = tuple(one for one in kit.folder.candidates() if one.kept)
        shots = kit.folder.shots()
        cells = {cell.id: cell for cell in shots.cells} if shots is not None else {}
        kit.watcher.step("captions", f"{len(kept)} pictures, {style}")
        said = []
        for number, one in enumerate(kept, start=1):
            kit.watcher.progress(number / len(kept), one.path)
            said.append(_captioned(kit, persona, one, cells.get(one.cell), style=style, looking=looking))
        kit.folder.finish(_dataset(persona, kept, said))
    report = CaptionReport(tuple(said), style)
    for leaking in report.leaking:
        kit.watcher.note(f"{leaking.path} still says {', '.join(leaking.leaks)}")
    kit.watcher.done(f"{len(said)} captions, {len(report.leaking)} with leaks")
    return report


def check_captions(kit: DatasetKit, persona: Persona) -> CaptionReport:
    """What stands there, with its leaks; writes nothing. Raises NotFound, DefinitionError."""
    dataset = kit.folder.dataset()
    if dataset is None:
        raise NotFound(f"there is no dataset in {kit.folder.path}", hint="build one first")
    return CaptionReport(
        tuple(
            Captioned(one.path, one.caption, Source.STOOD, leaks(one.caption, persona.look, dataset.trigger))
            for one in dataset.references
        ),
        CaptionStyle.VARYING,
    )


def written(
    kit: DatasetKit, persona: Persona, kept: Sequence[Candidate], cells: Mapping[str, Cell], *, style: CaptionStyle
) -> Dataset:
    """The dataset of these pictures: captions that stand beside them, else those that came with them or the template's."""
    said = []
    for one in kept:
        there = kit.folder.caption(one)
        if there is not None and said_once(_trigger(persona), there):
            said.append(Captioned(one.path, there, Source.STOOD))
        else:
            said.append(_captioned(kit, persona, one, cells.get(one.cell), style=style, looking=False))
    return _dataset(persona, kept, said)


def _captioned(
    kit: DatasetKit, persona: Persona, one: Candidate, cell: Cell | None, *, style: CaptionStyle, looking: bool
) -> Captioned:
    trigger = _trigger(persona)
    if one.caption is not None:
        stands = said_once(trigger, one.caption)
        said = one.caption if stands else with_trigger(one.caption, trigger, persona.look.noun)
        return _checked(persona, style, one.path, said, Source.BROUGHT if stands else Source.PUT_FIRST)
    if looking and (seen := _seen(kit, persona, one, cell, style)) is not None:
        return _checked(persona, style, one.path, seen, Source.SEEN)
    if cell is None:
        return Captioned(one.path, f"{trigger} {persona.look.noun}", Source.NOTHING)
    said = _template(kit, persona, cell, style)
    return _checked(persona, style, one.path, said, Source.TEMPLATE)


def _template(kit: DatasetKit, persona: Persona, cell: Cell, style: CaptionStyle) -> str:
    """The prompt's own sentence; what leaks of the constants is left out of it too."""
    words: ShotVocabulary | None = kit.editor.vocabulary() if kit.editor is not None else None
    trigger, constants = _trigger(persona), style is CaptionStyle.CONSTANTS
    said = caption(turned(cell), persona.look, trigger, constants=constants, vocabulary=words)
    found = () if constants else leaks(said, persona.look, trigger)
    return caption(turned(cell), persona.look, trigger, also=found, vocabulary=words) if found else said


def _seen(kit: DatasetKit, persona: Persona, one: Candidate, cell: Cell | None, style: CaptionStyle) -> str | None:
    """What the vision model says, asked once more when constants slipped in; None when it could not be asked."""
    if kit.vision is None or kit.captioner is None:
        return None
    look, trigger, agent = persona.look, _trigger(persona), kit.captioner
    account = Account(persona=persona.name, name=f"captions/{persona.name}")
    never = list(look.identity_words())
    said: str | None = None
    for turn in (1, 2):
        asked_for = _template(kit, persona, cell, CaptionStyle.VARYING).replace(trigger, "a") if cell is not None else None
        system, user = agent.render({"noun": look.noun, "never": never, "shot": asked_for})
        request = ChatRequest(
            system=system,
            user=user,
            images=(kit.folder.read(one),),
            temperature=agent.temperature,
            max_tokens=agent.max_tokens,
        )
        try:
            key = f"{one.sha256[:16]}/{turn}"
            answer = put(
                kit, account, "vision", kit.vision, request, DatasetCaptionAnswer, key=key, estimate=kit.vision_estimate_usd
            )
        except (ProviderError, BudgetExceeded) as error:
            kit.watcher.note(f"{one.path}: nobody looked ({error.message})")
            break
        said = with_trigger(answer.value.caption, trigger, look.noun)
        found = leaks(said, look, trigger)
        if not found:
            break
        never = list(dict.fromkeys((*found, *never)))
    if said is not None and style is CaptionStyle.CONSTANTS:
        subject = f"{trigger} {look.noun}"
        return f"{subject} with {', '.join(look.identity_words())}{said.removeprefix(subject)}"
    return said


def _checked(persona: Persona, style: CaptionStyle, path: str, said: str, source: Source) -> Captioned:
    found = leaks(said, persona.look, _trigger(persona)) if style is CaptionStyle.VARYING else ()
    return Captioned(path, said, source, found)


def _dataset(persona: Persona, kept: Sequence[Candidate], said: Sequence[Captioned]) -> Dataset:
    return Dataset(
        persona=persona.name,
        trigger=_trigger(persona),
        consent=persona.consent,
        references=tuple(
            Reference(
                path=one.path,
                sha256=one.sha256,
                origin=one.origin,
                licence=one.licence,
                caption=words.caption,
                cell=one.cell,
                generator=one.generator,
                face=one.face,
            )
            for one, words in zip(kept, said, strict=True)
        ),
    )


def _trigger(persona: Persona) -> str:
    if persona.lora is None:
        raise ConfigurationError(
            f"'{persona.name}' has no trigger word", hint="give the pack a lora with a trigger; weights may be left out"
        )
    return persona.lora.trigger
