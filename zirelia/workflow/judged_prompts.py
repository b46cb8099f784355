"""The fixed prompts by which checkpoints are judged: the face in new settings, other people, and nobody in particular.

    prompts = fixed_prompts(persona, vocabulary, trigger="mirelo", shown=dataset_shots, count=12)
    asked(prompts[0], persona.look, trigger="mirelo", scale=0.8, ...)       # the ImagePrompt, composed as for a post

Of twelve, eight have the trigger, two describe another person and two leave the trigger out. Settings that the dataset does
not show come first, so that memory is no help. The same persona and dataset always give the same prompts.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

from zirelia.domain.judgement import JudgedPrompt, Question
from zirelia.domain.lora import LoraChoice
from zirelia.domain.persona import Look, Persona, Trait
from zirelia.domain.prompt import compose, seed_for
from zirelia.domain.shot import Framing, ImagePrompt, Shot, ShotVocabulary
from zirelia.domain.text import plain

FEWEST = 3
"""One prompt for each question."""
_MORE_SCENES = ("railway station", "snowy forest", "market hall", "museum", "flower garden", "harbour", "rooftop", "bookshop")
_LIGHTS = ("daylight", "golden hour", "night", "overcast light")
_EXPRESSIONS = ("smiling", "serious", "laughing", "surprised")
_OUTFITS = ("white t-shirt", "black blazer", "green sweater", "red coat")


def _stranger(noun: str, hair: str, eyes: str, skin: str) -> Look:
    said = {"hair": hair, "eyes": eyes, "skin": skin}
    return Look(noun=noun, traits=tuple(Trait(feature=name, value=words, phrase=words) for name, words in said.items()))


_STRANGERS = (
    _stranger("man", "short black hair", "brown eyes", "tan skin"),
    _stranger("woman", "curly red hair", "green eyes", "fair skin"),
    _stranger("woman", "straight blonde hair", "blue eyes", "tan skin"),
    _stranger("man", "short brown hair", "green eyes", "dark skin"),
    _stranger("woman", "curly black hair", "brown eyes", "dark skin"),
)


def shares(count: int) -> tuple[int, int, int]:
    """How many of `count` prompts (3 or more) ask for the face, for another person, and for nobody in particular."""
    if count < FEWEST:
        raise ValueError(f"{FEWEST} prompts or more are needed, one for each question, not {count}")
    others = max(1, count // 6)
    return count - 2 * others, others, others


def fixed_prompts(
    persona: Persona, vocabulary: ShotVocabulary | None, *, trigger: str, shown: Collection[Shot], count: int
) -> tuple[JudgedPrompt, ...]:
    """The prompts, numbered from 1. `shown` are the shots of the dataset, where they are known."""
    faces, others, plains = shares(count)
    questions = [Question.FACE] * faces + [Question.OTHER] * others + [Question.PLAIN] * plains
    known = {(plain(shot.scene), plain(shot.light)) for shot in shown}
    shots = _settings(persona, vocabulary, known, count)
    prompts = []
    for number, (question, shot) in enumerate(zip(questions, shots, strict=True), start=1):
        prompt = JudgedPrompt(
            number=number, question=question, shot=shot, text="-", shown=(plain(shot.scene), plain(shot.light)) in known
        )
        text = asked(prompt, persona.look, trigger=trigger, scale=1.0, seed=0, size=(64, 64), vocabulary=vocabulary).text
        prompts.append(prompt.model_copy(update={"text": text}))
    return tuple(prompts)


def some(prompts: Sequence[JudgedPrompt], count: int) -> tuple[JudgedPrompt, ...]:
    """`count` of the prompts, in the shares of the questions; all of them when there are no more."""
    wanted = dict(zip(Question, shares(count), strict=True))
    return tuple(each for question in Question for each in [p for p in prompts if p.question is question][: wanted[question]])


def asked(
    prompt: JudgedPrompt,
    look: Look,
    *,
    trigger: str,
    scale: float,
    seed: int,
    size: tuple[int, int],
    steps: int | None = None,
    vocabulary: ShotVocabulary | None = None,
) -> ImagePrompt:
    """What the image model is given, by the rules that posts follow."""
    described = _strangers_for(look)[prompt.number % 2] if prompt.question is Question.OTHER else look
    choice = None if prompt.question is Question.OTHER else LoraChoice(trigger=trigger, scale=scale)
    composed = compose(
        prompt.shot, described, lora=choice, seed=seed, width=size[0], height=size[1], steps=steps, vocabulary=vocabulary
    )
    if prompt.question is Question.FACE:
        return composed
    text = composed.text
    if prompt.question is Question.PLAIN:
        rest = text.removeprefix(trigger).strip()
        text = f"{'an' if rest[:1].lower() in 'aeiou' else 'a'} {rest}"
    return composed.model_copy(update={"text": text, "trigger": None, "lora_scale": scale})


def seed_of(persona: str, prompt: JudgedPrompt, turn: int) -> int:
    """The same for every checkpoint and scale, so that they differ by their weights alone."""
    return seed_for(f"judge:{persona}:{prompt.number}", turn)


def _strangers_for(look: Look) -> list[Look]:
    """Those whose words have least in common with the persona's, first."""
    own = {word for phrase in look.identity_words() for word in plain(phrase).split()} | {plain(look.noun)}

    def common(stranger: Look) -> int:
        words = [stranger.noun, *(word for phrase in stranger.identity_words() for word in phrase.split())]
        return len(own.intersection(words))

    return sorted(_STRANGERS, key=common)


def _settings(
    persona: Persona, vocabulary: ShotVocabulary | None, known: Collection[tuple[str, str]], count: int
) -> tuple[Shot, ...]:
    """Scenes and lights that the dataset does not show before those that it does; the rest varies in step."""
    if vocabulary:
        scenes, lights = list(vocabulary.scenes), list(vocabulary.lights)
        framings, expressions = list(vocabulary.framings), list(vocabulary.expressions)
        outfits = [o for o in persona.look.wardrobe if o in vocabulary.outfits] or list(vocabulary.outfits)
    else:
        own = [scene for entry in persona.routine for scene in entry.scenes]
        scenes, lights = list(dict.fromkeys([*own, *_MORE_SCENES])), list(_LIGHTS)
        framings, expressions = list(Framing), list(_EXPRESSIONS)
        outfits = list(persona.look.wardrobe or _OUTFITS)
    # turn by turn, so that neighbours differ in both scene and light
    pairs = [(scene, lights[(s + turn) % len(lights)]) for turn in range(len(lights)) for s, scene in enumerate(scenes)]
    pairs.sort(key=lambda pair: (plain(pair[0]), plain(pair[1])) in known)
    return tuple(
        Shot(
            scene=scene,
            light=light,
            outfit=outfits[n % len(outfits)],
            expression=expressions[n % len(expressions)],
            framing=framings[(n + 1) % len(framings)],
        )
        for n, (scene, light) in enumerate(itertools.islice(itertools.cycle(pairs), count))
    )
