"""What is done with LoRAs between the trainer's files, the library and the packs: bring in, hand out, keep, put to use.

    brought = bring_in(library, Path("friend.safetensors"), now=now, base=BaseInUse("pocket-flux", folder))
    kept = keep_chosen(library, judged, now=now)
    put_to_use(pack, kept, scale=0.9)

Functions over plain arguments, so that the command line and the web app share them.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from zirelia.definitions.pack_edit import checked, set_lora
from zirelia.definitions.personas import FILE, LoadedPersona
from zirelia.domain.dataset import Dataset
from zirelia.domain.judgement import Judgement
from zirelia.domain.lora import Checkpoint, LoraChoice, TriggerWord
from zirelia.domain.lora_card import Brought, CardScores, ConsentSummary, LibraryCard, Trained
from zirelia.domain.lora_names import trained_for
from zirelia.domain.trigger import trigger_complaints
from zirelia.domain.value import printable
from zirelia.errors import ConfigurationError, StoreError, ZireliaError
from zirelia.files import sha256_of, whole_file
from zirelia.safetensors_header import read_header
from zirelia.settings import Choice
from zirelia.store.loras import KeptLora, LoraLibrary

_UNKNOWN = "unknown"
_LONGEST_TERMS = 200
_WORD: TypeAdapter[str] = TypeAdapter(TriggerWord)
# what the file said of its old shape is not true of the new one
_OUTDATED = re.compile(r"zirelia\.|lora_adapter_metadata$|sshs_|modelspec\.hash|ss_network_(dim|alpha|args)$|format$")


@dataclass(frozen=True)
class BaseInUse:
    """The base model that pictures are made with: its name, and its folder where it lies on this machine."""

    name: str
    folder: Path | None


@dataclass(frozen=True)
class Judged:
    """A training whose checkpoints were judged; dataset: what it was trained on, where that is still there."""

    judgement: Judgement
    checkpoints: tuple[Checkpoint, ...]
    dataset: Dataset | None


@dataclass(frozen=True)
class BroughtIn:
    """notes: what was changed, left out or could not be checked, one line each."""

    kept: KeptLora
    notes: tuple[str, ...]


def base_in_use(choice: Choice) -> BaseInUse | None:
    """The base that the image backend draws with; None for a hosted one."""
    if choice.backend == "pocket" and not choice.missing_extra:
        from zirelia.pocket.weights import pipeline_dir

        return BaseInUse("pocket-flux", pipeline_dir())
    if choice.backend == "flux":
        folder = Path(choice.model)
        return BaseInUse(folder.name if folder.is_dir() else choice.model, folder if folder.is_dir() else None)
    return None


def bring_in(
    library: LoraLibrary,
    file: Path,
    *,
    now: datetime,
    base: BaseInUse | None = None,
    name: str | None = None,
    trigger: str | None = None,
    base_model: str | None = None,
    licence: str | None = None,
) -> BroughtIn:
    """Checks somebody's LoRA file, converts it to our own layout and puts it into the library.

    Args:
        base: held against the layers; a misfit is refused when `base_model` names this base or its folder, else it is a note.

    Raises ConfigurationError for a file that cannot be used, StoreError and Conflict as the library does.
    """
    from zirelia.training.layouts import encode_lora, read_lora_file

    read = read_lora_file(file)
    notes = list(read.notes)
    original = sha256_of(file)
    word = _trigger(trigger, read.metadata.get("modelspec.trigger_phrase", ""), notes)
    named = _slug(name or read.metadata.get("modelspec.title") or file.stem)
    model = trained_for(read.metadata) or _UNKNOWN
    said = {key: value for key, value in read.metadata.items() if not _OUTDATED.match(key)}
    said |= {"modelspec.trigger_phrase": word} if word else {}
    said |= {"ss_network_dim": str(read.rank), "ss_network_alpha": str(read.rank), "zirelia.origin_sha256": original}
    with tempfile.TemporaryDirectory(prefix="zirelia-lora-") as scratch:
        weights = Path(scratch) / file.name
        own = not read.changed and "zirelia.base_model" in read.metadata
        weights.write_bytes(file.read_bytes() if own else encode_lora(read.tensors, said | {"zirelia.base_model": model}))
        fits = _held_against(base, weights, file, asked=base_model, notes=notes)
        # what the file said of its base is what a misfit is told with; only then does another word count
        better = base_model or (base.name if fits and base is not None and model == _UNKNOWN else model)
        if better != model and not own:
            weights.write_bytes(encode_lora(read.tensors, said | {"zirelia.base_model": better}))
        model = better
        terms = licence or printable(read.metadata.get("modelspec.license", "")).strip()[:_LONGEST_TERMS]
        if not terms:
            notes.append("no licence is named: find out under which terms it may be used, and give --licence")
        card = LibraryCard(
            name=named,
            trigger=word,
            base_model=model,
            rank=read.rank,
            sha256=sha256_of(weights),
            created=now,
            licences=(terms,) if terms else (),
            brought=Brought(file=file.name, sha256=original, changes=read.notes),
        )
        if word:
            others = library.triggers(but=named)
            notes += (f"the trigger '{word}' {each}" for each in trigger_complaints(word, (), others))
        return BroughtIn(library.add(card, weights), tuple(notes))


def _held_against(base: BaseInUse | None, weights: Path, file: Path, *, asked: str | None, notes: list[str]) -> bool:
    """Whether what was made of `file` fits the base in use. Raises ConfigurationError when that base was asked for."""
    from zirelia.images.shapes import shapes_in
    from zirelia.images.weights import check_lora

    folder = base.folder if base else None
    if asked is not None and Path(asked).is_dir():
        folder = Path(asked)
    if folder is None:
        notes.append("the base model is not on this machine, so the layers were not held against it")
        return False
    try:
        check_lora(read_header(weights), shapes_in(folder))
    except ConfigurationError as error:
        if asked is not None and (base is None or asked == base.name or Path(asked).is_dir()):
            raise ConfigurationError(error.message.replace(str(weights), str(file)), hint=error.hint) from error
        notes.append(f"it does not fit the base in use, {folder.name if base is None else base.name}: {_why(error)}")
        return False
    return True


def _why(error: ConfigurationError) -> str:
    """The message without the path in front."""
    return error.message.rpartition(": ")[2]


def hand_out(kept: KeptLora, layout: str, out: Path) -> None:
    """Writes a LoRA of the library in the layout of another tool, with all that the card says in its metadata.

    Raises StoreError when the weights are not those of the card, ConfigurationError for a layer that the tool cannot name.
    """
    from zirelia.training.layouts import Layout, read_lora_file, write_lora_file

    if not kept.weights.is_file() or sha256_of(kept.weights) != kept.card.sha256:
        raise StoreError(f"{kept.weights} is not the file that its card names", hint="bring it in again")
    read = read_lora_file(kept.weights)
    said = {key: value for key, value in read.metadata.items() if key not in {"format", "lora_adapter_metadata"}}
    try:
        write_lora_file(out, read.tensors, Layout(layout), said | kept.card.metadata() | {"zirelia.layout": layout})
    except OSError as error:
        raise StoreError(
            f"{out} cannot be written: {error.strerror or error}", hint="check the disk's space and the folder's rights"
        ) from error


def keep_chosen(library: LoraLibrary, judged: Judged, *, now: datetime) -> KeptLora:
    """Puts the chosen checkpoint into the library, with its scores, its training and the terms of its pictures."""
    judgement, dataset = judged.judgement, judged.dataset
    choice, chosen = judgement.choice, judgement.choice.chosen
    checkpoint = next((each for each in judged.checkpoints if each.step == choice.step), None)
    if checkpoint is None or judgement.loras.get(choice.step) != checkpoint.lora.sha256:
        raise StoreError(f"the checkpoint of step {choice.step} is not the one that was judged", hint="judge again")
    path = Path(checkpoint.lora.path)
    said = read_header(path).metadata
    references = dataset.references if dataset else ()
    named = {part for part in said.get("modelspec.license", "").split("; ") if part}
    terms = named | {each.licence for each in references}
    card = LibraryCard(
        name=judgement.persona,
        persona=judgement.persona,
        trigger=judgement.trigger,
        base_model=judgement.base_model,
        rank=checkpoint.lora.rank,
        sha256=checkpoint.lora.sha256,
        created=now,
        licences=tuple(sorted(terms)),
        generators=tuple(sorted({each.generator for each in references if each.generator})),
        consent=ConsentSummary.of(dataset.consent) if dataset else None,
        trained=Trained(
            dataset_sha256=said["zirelia.dataset_sha256"],
            images=int(said["ss_num_train_images"]),
            step=choice.step,
            plan=said["zirelia.plan"],
            run=said.get("zirelia.run", ""),
        )
        if "zirelia.plan" in said
        else None,
        brought=None if "zirelia.plan" in said else Brought(file=path.name, sha256=checkpoint.lora.sha256),
        scores=CardScores(
            scale=choice.scale,
            identity=chosen.identity,
            tenth=chosen.tenth,
            real=judgement.real.median,
            agreement=chosen.agreement,
            leaked=chosen.leaked,
            diversity=chosen.diversity,
            memorised=chosen.memorised,
            fit=choice.fit,
            passed=choice.passed,
            because=choice.because,
            recogniser=judgement.recogniser,
        ),
    )
    return library.add(card, path)


def put_to_use(pack: LoadedPersona, kept: KeptLora, *, scale: float) -> LoraChoice:
    """Copies the weights into the pack and names them in its persona.yaml; what is written there of other things stays.

    Other weights of that name are kept beside them, under their hash.

    Raises ConfigurationError when the LoRA has no trigger, DefinitionError when the pack cannot be changed.
    """
    if kept.card.trigger is None:
        raise ConfigurationError(
            f"the LoRA {kept.card.name} has no trigger word, so it carries no face", hint="name it under styles"
        )
    choice = LoraChoice(trigger=kept.card.trigger, weights=f"lora/{pack.persona.name}.safetensors", scale=scale)
    file, target = pack.folder / FILE, pack.folder / str(choice.weights)
    checked(file, choice)
    try:
        if target.is_file() and (old := sha256_of(target)) != kept.card.sha256:
            with whole_file(target.with_name(f"{target.stem}-{old[:12]}{target.suffix}")) as part:
                shutil.copyfile(target, part)
        with whole_file(target) as part:
            shutil.copyfile(kept.weights, part)
        set_lora(file, choice)
    except OSError as error:
        raise StoreError(
            f"the pack {pack.folder} cannot be written: {error.strerror or error}", hint="copy it to ./persona"
        ) from error
    return choice


def in_use(packs: Iterable[LoadedPersona]) -> dict[str, tuple[str, ...]]:
    """Hash of weights → the personas that wear them, as their face or as a style."""
    worn: dict[str, list[str]] = {}
    for pack in packs:
        for path in (*filter(None, (pack.lora_path(),)), *pack.style_paths()):
            if path.is_file():
                worn.setdefault(sha256_of(path), []).append(pack.persona.name)
    return {sha256: tuple(dict.fromkeys(names)) for sha256, names in worn.items()}


def known_packs() -> tuple[LoadedPersona, ...]:
    """All packs that load; `zirelia persona check` names the others."""
    from zirelia.definitions.personas import load_persona, persona_names

    packs = []
    for name in persona_names():
        try:
            packs.append(load_persona(name))
        except ZireliaError:
            continue
    return tuple(packs)


def _trigger(given: str | None, said: str, notes: list[str]) -> str | None:
    try:
        return _WORD.validate_python(given if given is not None else said.strip())
    except ValidationError:
        if given is not None:
            raise ConfigurationError(
                f"'{printable(given)}' cannot be a trigger", hint="one word of 3 to 32 letters, digits and underscores"
            ) from None
    if said.strip():
        notes.append(f"the file's trigger '{printable(said.strip())[:80]}' is not one word: give the word with --trigger")
    else:
        notes.append("no trigger word is named: give it with --trigger, or use the LoRA as a style")
    return None


def _slug(said: str) -> str:
    """A name that is safe in a path, made from a title or a file's name."""
    made = re.sub(r"[^a-z0-9]+", "-", said.lower()).strip("-")[:40].strip("-")
    return made if made[:1].isalpha() else f"lora-{made}"[:40].strip("-")
