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
from functools import lru_cache

from zirelia.domain.lora import LoraChoice
from zirelia.domain.persona import Look
from zirelia.domain.shot import Framing, ImagePrompt, Shot, ShotVocabulary
from zirelia.domain.verdict import Repair, RepairKind

MAX_LORA_SCALE = 1.4
MIN_LORA_SCALE = 0.6
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
# what to insist on when a model ignored the framing, besides what the prompt says anyway
_FRAMING_INSISTED = _FRAMING_NAMED | {Framing.FULL_BODY: "wide shot from a distance, shoes on the ground, room above the head"}
_MANY = ("trousers", "jeans", "shorts", "pyjamas", "overalls", "leggings", "clothes", "shoes", "boots", "sneakers", "glasses")
_MODEST = ("sweater", "hoodie", "coat", "blazer")
MAX_STEPS = 200


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
    free = vocabulary is None
    asked = [*_parts(shot, free=free), look.style if free else ""]
    parts = [_subject(look, lora), *filter(None, (_cleaned(part, look, lora, notes) for part in asked))]
    negative: list[str] = []
    scale = lora.scale if lora else 1.0
    for repair in repairs:
        if repair.kind in {RepairKind.RAISE_LORA_SCALE, RepairKind.LOWER_LORA_SCALE}:
            scale = _rescaled(scale, repair.kind) if lora else scale
        elif repair.kind is RepairKind.MORE_STEPS:
            steps = min(MAX_STEPS, round(steps * 1.5)) if steps else None
        elif repair.kind is RepairKind.REMOVE_WORDS:
            rest = (_cleaned(_without(part, repair.phrase), look, lora, notes) for part in parts[1:])
            parts = [parts[0], *filter(None, rest)]
        parts = _raised(parts, _cleaned(_to_raise(repair, shot.framing), look, lora, notes), free=free)
        negative.append(_to_avoid(repair, lora))
        notes.append(f"{repair.kind}: {repair.because}")
    return ImagePrompt(
        text=", ".join(dict.fromkeys(parts)),
        negative=", ".join(dict.fromkeys(filter(None, negative))) if free else "",
        trigger=lora.trigger if lora else None,
        lora_scale=scale,
        seed=seed,
        width=width,
        height=height,
        steps=steps,
        notes=tuple(notes),
        shot=shot,
    )


def _rescaled(scale: float, kind: RepairKind) -> float:
    """One step up or down; a scale that a person set beyond the limits stays where it is."""
    if kind is RepairKind.RAISE_LORA_SCALE:
        return max(scale, min(MAX_LORA_SCALE, round(scale + LORA_SCALE_STEP, 2)))
    return min(scale, max(MIN_LORA_SCALE, round(scale - LORA_SCALE_STEP, 2)))


def repair_shot(
    shot: Shot, repairs: Sequence[Repair], look: Look, *, attempt: int, vocabulary: ShotVocabulary | None = None
) -> Shot:
    """The shot of the next attempt: closer framing, hands out of the way, no pose, another outfit and expression or light."""
    changes: dict[str, object] = {}
    for repair in repairs:
        match repair.kind:
            case RepairKind.CLOSER_FRAMING:
                changes["framing"] = _closer(shot.framing, vocabulary)
            case RepairKind.HIDE_HANDS:
                changes |= {"pose": "hands out of frame", "props": ""}
                if vocabulary:  # such a model is told of no pose, so the hands leave the picture another way
                    changes["framing"] = _closer(shot.framing, vocabulary)
            case RepairKind.REMOVE_WORDS if shot.pose and repair.phrase == shot.pose:
                changes["pose"] = ""  # else the picture would be held against a pose that nobody asks for any more
            case RepairKind.SAFER_WORDING:
                changes["outfit"] = _modest(shot, look, attempt, vocabulary)
            case RepairKind.OTHER_SETTING:
                changes |= _other_setting(shot, look, attempt, vocabulary)
            case _:
                pass  # the prompt, not the shot, takes the other repairs
    return shot.model_copy(update=changes)


def _closer(framing: Framing, vocabulary: ShotVocabulary | None) -> Framing:
    """The next closer framing that the model can draw; the same when there is none."""
    closer = [f for f in tuple(Framing)[: tuple(Framing).index(framing)] if vocabulary is None or f in vocabulary.framings]
    return closer[-1] if closer else framing


def _modest(shot: Shot, look: Look, attempt: int, vocabulary: ShotVocabulary | None) -> str:
    """Another outfit that covers; the same one only when a limited model draws no other."""
    outfits = [o for o in (vocabulary.outfits if vocabulary else look.wardrobe) if o != shot.outfit]
    modest = [o for o in outfits if any(word in o.lower() for word in _MODEST)]
    if modest:
        return modest[attempt % len(modest)]
    return shot.outfit if vocabulary else "sweater and long trousers"


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
        return f"{lora.trigger} {_without(look.noun, lora.trigger)}".strip()
    return f"{_article(look.noun)} with {', '.join(look.identity_words())}"


def _article(noun: str) -> str:
    noun = noun.strip()
    if re.match(r"(?i)(an?|the|his|her|their|some|two|no)\b", noun) or noun.lower().endswith(_MANY):
        return noun
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def _cleaned(part: str, look: Look, lora: LoraChoice | None, notes: list[str]) -> str:
    """The part without what contradicts the look, without the trigger, and without identity words that a LoRA carries."""
    left_out = [(word, f"it contradicts the {t.feature} ({t.value})") for word, t in look.contradictions().items()]
    if lora:
        left_out.append((lora.trigger, "the trigger word stands first and once"))
        left_out += [(word, "the LoRA carries it") for t in look.traits for word in (t.phrase, *t.synonyms)]
    before = None
    while part != before:  # again, because what closes around a gap may say another of the words
        before = part
        for word, reason in left_out:
            shorter = _without(part, word)
            if shorter != part:
                notes.append(f"left out '{word}': {reason}")
                part = shorter
    return part


def _without(part: str, words: str) -> str:
    """The part without the words, whatever their case and whether spaces or hyphens join them."""
    pattern = _saying(words)
    if pattern is None or not pattern.search(part):
        return part
    rest = re.sub(r"\s+", " ", pattern.sub("", part))
    rest = re.sub(r"(?i)\b(with|wearing) and\b", r"\1", re.sub(r"\s*,[\s,]*", ", ", rest)).strip(" ,;")
    rest = re.sub(r"(?i)(\s*\b(with|wearing|and|an?|the|in|on|at|of|her|his))+$", "", rest)
    # what is left of "with short hair" is no phrase any more
    return rest if re.search(r"\w", rest) else ""


@lru_cache(maxsize=512)
def _saying(words: str) -> re.Pattern[str] | None:
    """What finds the words; None when there are none. Kept, because a look's words are searched for in every prompt."""
    joined = r"[\s-]+".join(re.escape(word) for word in re.split(r"[\s-]+", words) if word)
    return re.compile(rf"(?<!\w){joined}(?!\w)", re.IGNORECASE) if joined else None


def _to_raise(repair: Repair, framing: Framing) -> str:
    """What the repair wants said early in the prompt; empty for repairs of another kind."""
    match repair.kind:
        case RepairKind.EMPHASISE:
            return repair.phrase
        case RepairKind.ONE_PERSON:
            return "alone"
        case RepairKind.NAME_FRAMING:
            named = "" if repair.phrase in set(Framing) else repair.phrase
            return named or _FRAMING_INSISTED[framing]
        case RepairKind.SAFER_WORDING:
            return "fully clothed"
        case _:
            return ""


def _to_avoid(repair: Repair, lora: LoraChoice | None) -> str:
    """What the repair puts into the negative prompt."""
    match repair.kind:
        case RepairKind.REMOVE_WORDS:
            return _without(repair.phrase, lora.trigger) if lora else repair.phrase
        case RepairKind.ONE_PERSON:
            return "two people, crowd"
        case RepairKind.HIDE_HANDS:
            return "visible hands"
        case RepairKind.SAFER_WORDING:
            return "nudity, revealing clothes"
        case _:
            return ""


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
