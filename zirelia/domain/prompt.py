"""From a shot to an image prompt: a pure function, so that every rule about prompts stands in one table of tests.

    compose(shot, look, lora=choice, seed=7, width=1024, height=1024).text
    "mirelo woman, half body portrait, smiling, wearing a red hoodie, in a cafe, daylight"

Rules: the trigger word exactly once and first; identity words left out when a LoRA carries them and put in when none does;
nothing that contradicts the look; a framing that models ignore is spelled out; repairs of failed findings applied. Each thing
left out or changed is written into `notes`. Knows nothing of the model but its vocabulary.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from zirelia.domain.lora import LoraChoice
from zirelia.domain.persona import Look
from zirelia.domain.shot import Framing, ImagePrompt, Shot, ShotVocabulary
from zirelia.domain.verdict import Repair, RepairKind

MAX_LORA_SCALE = 1.4
LORA_SCALE_STEP = 0.1

_FRAMING_NAMED = {
    Framing.CLOSE_UP: "the face fills the picture",
    Framing.HALF_BODY: "seen from the waist up",
    Framing.FULL_BODY: "standing, seen from head to shoes, the ground visible",
}
_PLACES = {
    "beach": "on the beach",
    "mountains": "in the mountains",
    "city street": "on a city street",
    "street": "on a street",
    "home": "at home",
    "terrace": "on a terrace",
    "balcony": "on a balcony",
    "rooftop": "on a rooftop",
}
_PREPOSITIONS = ("in ", "on ", "at ", "under ", "by ", "near ", "inside ", "outside ", "beside ", "along ", "among ")
_MANY = ("trousers", "jeans", "shorts", "pyjamas", "overalls", "leggings", "clothes")


def seed_for(slot_id: str, attempt: int) -> int:
    """A seed that every node draws the same for one attempt of one slot, in [0, 2**32)."""
    digest = hashlib.sha256(f"{slot_id}#{attempt}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def compose(
    shot: Shot,
    look: Look,
    *,
    lora: LoraChoice | None,
    seed: int,
    width: int,
    height: int,
    steps: int | None = None,
    repairs: Sequence[Repair] = (),
    vocabulary: ShotVocabulary | None = None,
) -> ImagePrompt:
    """The prompt for one attempt.

    Args:
        lora: the choice that carries the identity; None puts the look's constants into words.
        repairs: what failed findings asked for, applied in order; those about the shot itself belong to `repair_shot`.
        vocabulary: of a model limited to some words; it gets no style, no free phrases and no negative prompt.
    """
    notes: list[str] = []
    asked = [_cleaned(part, look, lora, notes) for part in _parts(shot, free=vocabulary is None)]
    parts = [_subject(look, lora), *(part for part in asked if part)]
    negative: list[str] = []
    scale = lora.scale if lora else 1.0
    for repair in repairs:
        match repair.kind:
            case RepairKind.RAISE_LORA_SCALE:
                scale = min(MAX_LORA_SCALE, round(scale + LORA_SCALE_STEP, 2))
            case RepairKind.MORE_STEPS:
                steps = round(steps * 1.5) if steps else None
            case RepairKind.EMPHASISE:
                parts = _raised(parts, _cleaned(repair.phrase, look, lora, notes), free=vocabulary is None)
            case RepairKind.REMOVE_WORDS:
                parts = [parts[0], *filter(None, (_without(part, repair.phrase) for part in parts[1:]))]
                negative.append(repair.phrase)
            case RepairKind.ONE_PERSON:
                negative.append("two people, crowd")
                parts = _raised(parts, "alone", free=vocabulary is None)
            case RepairKind.NAME_FRAMING:
                parts = _raised(parts, _FRAMING_NAMED[shot.framing], free=vocabulary is None)
            case RepairKind.HIDE_HANDS:
                negative.append("visible hands")
            case RepairKind.SAFER_WORDING:
                negative.append("nudity, revealing clothes")
                parts = _raised(parts, "fully clothed", free=vocabulary is None)
            case _:
                pass  # a new seed, another shot and a person's note are applied before the prompt is composed
        notes.append(f"{repair.kind}: {repair.because}")
    if vocabulary is None and look.style:
        parts.append(look.style)
    return ImagePrompt(
        text=", ".join(dict.fromkeys(parts)),
        negative="" if vocabulary else ", ".join(dict.fromkeys(filter(None, negative))),
        trigger=lora.trigger if lora else None,
        lora_scale=scale,
        seed=seed,
        width=width,
        height=height,
        steps=steps,
        notes=tuple(notes),
    )


def repair_shot(
    shot: Shot, repairs: Sequence[Repair], look: Look, *, attempt: int, vocabulary: ShotVocabulary | None = None
) -> Shot:
    """The shot of the next attempt: closer framing, hands out of the way, another outfit and expression or light."""
    changes: dict[str, object] = {}
    for repair in repairs:
        match repair.kind:
            case RepairKind.CLOSER_FRAMING:
                order = [f for f in Framing if vocabulary is None or f in vocabulary.framings]
                at = order.index(shot.framing) if shot.framing in order else 0
                changes["framing"] = order[max(0, at - 1)]
            case RepairKind.HIDE_HANDS:
                changes |= {"pose": "hands out of frame", "props": ""}
            case RepairKind.SAFER_WORDING:
                outfits = vocabulary.outfits if vocabulary else look.wardrobe
                modest = [o for o in outfits if any(word in o for word in ("sweater", "hoodie", "coat", "blazer"))]
                changes["outfit"] = modest[attempt % len(modest)] if modest else "sweater and long trousers"
            case RepairKind.OTHER_SETTING:
                changes |= _other_setting(shot, look, attempt, vocabulary)
            case _:
                pass  # the prompt, not the shot, takes the other repairs
    return shot.model_copy(update=changes)


def place(scene: str) -> str:
    """The scene as a prompt says it: "in a cafe", "on the beach"."""
    scene = scene.strip()
    if scene.lower().startswith(_PREPOSITIONS):
        return scene
    return _PLACES.get(scene.lower()) or f"in {_article(scene)}"


def _parts(shot: Shot, *, free: bool) -> list[str]:
    parts = [f"{shot.framing} portrait", shot.expression, f"wearing {_article(shot.outfit)}"]
    if free:
        parts += [shot.pose, f"with {shot.props}" if shot.props else ""]
        if shot.framing is Framing.FULL_BODY:
            parts[0] = f"full body photo, {_FRAMING_NAMED[Framing.FULL_BODY]}"
    return [*parts, place(shot.scene), shot.light]


def _subject(look: Look, lora: LoraChoice | None) -> str:
    if lora:
        return f"{lora.trigger} {look.noun}"
    return f"{_article(look.noun)} with {', '.join(look.identity_words())}"


def _article(noun: str) -> str:
    noun = noun.strip()
    if re.match(r"(?i)(an?|the|his|her|their|some|two|no)\b", noun) or noun.lower().endswith(_MANY):
        return noun
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def _cleaned(part: str, look: Look, lora: LoraChoice | None, notes: list[str]) -> str:
    """The part without what contradicts the look, without the trigger, and without identity words that a LoRA carries."""
    for word, trait in look.contradictions().items():
        shorter = _without(part, word)
        if shorter != part:
            notes.append(f"left out '{word}': it contradicts the {trait.feature} ({trait.value})")
            part = shorter
    if lora:
        part = _without(part, lora.trigger)
        for trait in look.traits:
            for word in (trait.phrase, *trait.synonyms):
                shorter = _without(part, word)
                if shorter != part:
                    notes.append(f"left out '{word}': the LoRA carries it")
                    part = shorter
    return part


def _without(part: str, words: str) -> str:
    if not words.strip():
        return part
    pattern = re.compile(rf"(?<!\w){re.escape(words.strip())}(?!\w)", re.IGNORECASE)
    if not pattern.search(part):
        return part
    rest = re.sub(r"\s{2,}", " ", pattern.sub("", part)).strip(" ,;")
    # what is left of "with short hair" is no phrase any more
    return "" if re.fullmatch(r"(?i)(with|wearing|and|a|an|the|in|on|at|of|her|his|\s)*", rest) else rest


def _raised(parts: list[str], phrase: str, *, free: bool) -> list[str]:
    """The part that says the phrase moved behind the subject; a new part for it where the model takes free phrases."""
    if not phrase:
        return parts
    held = [part for part in parts[1:] if phrase.lower() in part.lower() or part.lower() in phrase.lower()]
    front = held or ([phrase] if free else [])
    return [parts[0], *front, *(part for part in parts[1:] if part not in front)]


def _other_setting(shot: Shot, look: Look, attempt: int, vocabulary: ShotVocabulary | None) -> dict[str, object]:
    changes: dict[str, object] = {}
    outfits = [o for o in (vocabulary.outfits if vocabulary else look.wardrobe) if o != shot.outfit]
    if look.wardrobe and vocabulary:
        outfits = [o for o in outfits if o in look.wardrobe] or outfits
    if outfits:
        changes["outfit"] = outfits[attempt % len(outfits)]
    framings = [f for f in (vocabulary.framings if vocabulary else tuple(Framing)) if f is not shot.framing]
    if framings:
        changes["framing"] = framings[attempt % len(framings)]
    if vocabulary:
        others = [e for e in vocabulary.expressions if e != shot.expression]
        if others:
            changes["expression"] = others[attempt % len(others)]
    return changes
