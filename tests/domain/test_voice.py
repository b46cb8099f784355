"""Voice drift, measured on posts in five kinds of voice, and shots that were there before."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from zirelia.definitions.personas import load_persona
from zirelia.definitions.voices import load_voices
from zirelia.domain.novelty import POSES, changed, novelty, seen_before
from zirelia.domain.shot import Framing
from zirelia.domain.text_repeats import ALIKE, NEAR, overlap
from zirelia.domain.voice import LEAST_POSTS, Sound, drift
from zirelia.domain.voice_style import FEATURES, Pronouns, style

POSTS = yaml.safe_load(Path(__file__).with_name("voices.yaml").read_text(encoding="utf-8"))
KINDS = {kind: texts for kind, texts in POSTS["others"].items() if kind != "unseen"}
SHIPPED = load_voices("en")
LUNA = Path(__file__).parents[2] / "examples" / "luna" / "persona.yaml"
EXAMPLES = {
    "mira": list(load_persona("mira").persona.voice.examples),
    "luna": yaml.safe_load(LUNA.read_text(encoding="utf-8"))["voice"]["examples"],
}


@pytest.fixture(scope="module")
def sounds():
    """Every text as a Sound, embedded at once by the shipped embedder."""
    pytest.importorskip("wordllama")
    from zirelia.language.embeddings import WordLlamaEmbedder

    texts = [*SHIPPED.posts, *EXAMPLES["mira"], *EXAMPLES["luna"], *POSTS["mira"], *POSTS["luna"]]
    texts += [text for kind in POSTS["others"].values() for text in kind]
    texts += [text for pair in POSTS["repeats"] for text in pair]
    vectors = WordLlamaEmbedder().embed(texts).tolist()
    return {text: Sound(style(text, SHIPPED.pronouns), vector) for text, vector in zip(texts, vectors, strict=True)}


def measured(sounds, who, texts, *, count, seed=0):
    """(AUC, share of her held-out posts refused, share of the other texts refused) with `count` posts known."""
    held = POSTS[who][:]
    random.Random(seed).shuffle(held)
    known = count - len(EXAMPLES[who])
    own = [sounds[text] for text in (*EXAMPLES[who], *held[:known])]
    others = [sounds[text] for text in SHIPPED.posts]
    mine = [drift(sounds[text], own, others) for text in held[known:]]
    theirs = [drift(sounds[text], own, others) for text in texts]
    pairs = [(a.score > b.score) + 0.5 * (a.score == b.score) for a in mine for b in theirs]
    refused = [sum(one.outcome == "failed" for one in judged) / len(judged) for judged in (mine, theirs)]
    return sum(pairs) / len(pairs), *refused


def averaged(sounds, who, texts, count):
    rows = [measured(sounds, who, texts, count=count, seed=seed) for seed in range(6)]
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))


@pytest.mark.parametrize(
    ("who", "count", "area", "false", "caught"),
    [
        ("mira", 8, 0.91, 0.08, 0.68),
        ("mira", 12, 0.92, 0.08, 0.68),
        ("mira", 20, 0.95, 0.06, 0.68),
        ("luna", 8, 0.95, 0.05, 0.68),
        ("luna", 20, 0.96, 0.05, 0.80),
    ],
)
def test_other_voices_are_told_apart(sounds, who, count, area, false, caught):
    texts = [text for kind in KINDS.values() for text in kind]
    got = averaged(sounds, who, texts, count)
    print(f"{who}, {count} posts: AUC {got[0]:.3f}, false alarms {got[1]:.3f}, caught {got[2]:.3f}")  # noqa: T201
    assert got[0] >= area
    assert got[1] <= false
    assert got[2] >= caught


@pytest.mark.parametrize("who", ["mira", "luna"])
def test_kinds_that_no_shipped_post_shows_are_told_apart(sounds, who):
    got = averaged(sounds, who, POSTS["others"]["unseen"], 12)
    print(f"{who}, unseen kinds: AUC {got[0]:.3f}, false alarms {got[1]:.3f}, caught {got[2]:.3f}")  # noqa: T201
    assert got[0] >= 0.8


def test_the_writer_is_told_what_to_change(sounds):
    own = [sounds[text] for text in (*EXAMPLES["mira"], *POSTS["mira"])]
    others = [sounds[text] for text in SHIPPED.posts]
    remark = drift(sounds[POSTS["others"]["advertisement"][0]], own, others)
    assert remark.outcome == "failed"
    assert remark.score < remark.threshold
    assert "capitals" in remark.explanation or "exclamation" in remark.explanation


def test_without_an_embedder_the_style_alone_is_judged(sounds):
    own = [Sound(sounds[text].style) for text in (*EXAMPLES["mira"], *POSTS["mira"])]
    others = [Sound(sounds[text].style) for text in SHIPPED.posts]
    assert drift(Sound(sounds[POSTS["others"]["advertisement"][0]].style), own, others).outcome == "failed"
    assert drift(own[9], own, others).outcome == "passed"


def test_too_few_posts_say_nothing(sounds):
    own = [sounds[text] for text in POSTS["mira"][: LEAST_POSTS - 1]]
    remark = drift(own[0], own, [sounds[text] for text in SHIPPED.posts])
    assert (remark.outcome, remark.score) == ("not_checked", None)


@pytest.mark.parametrize("text", ["", "…", "🎉", "!" * 50, "word " * 3000])
def test_any_text_has_a_style(text):
    assert len(style(text)) == len(FEATURES)


def test_pronouns_count_without_their_apostrophes():
    at = FEATURES.index(("speak less of yourself", "speak more of yourself"))
    assert style("I’m late. You are not.", Pronouns(first_person=frozenset({"im"})))[at] == pytest.approx(1 / 5)


def test_the_same_in_other_words_is_alike_and_different_posts_are_not(sounds):
    def cosine(one, other):
        return sum(a * b for a, b in zip(sounds[one].vector, sounds[other].vector, strict=True))

    again = [cosine(one, other) for one, other in POSTS["repeats"]]
    different = [
        (cosine(one, other), overlap(one, other))
        for who in ("mira", "luna")
        for at, one in enumerate(POSTS[who])
        for other in POSTS[who][:at]
    ]
    print(f"repeats from {min(again):.2f}; {len(different)} different pairs up to {max(different)[0]:.2f}")  # noqa: T201
    assert min(again) > ALIKE + 0.03
    assert max(cos for cos, _ in different) < ALIKE - 0.2
    assert max(shared for _, shared in different) < NEAR / 2


def test_a_shot_repeats_by_clothes_place_framing_and_pose(attempt):
    shot = attempt.shot
    assert seen_before(shot.model_copy(update={"expression": "calm", "outfit": "HOODIE"}), [shot]) == shot
    assert seen_before(shot.model_copy(update={"pose": "sits"}), [shot]) is None


def test_a_repeated_shot_changes_its_pose_then_its_framing_then_its_clothes(attempt):
    shot = attempt.shot
    recent = [shot]
    seen = []
    for _ in range(len(POSES) + 1):
        recent.append(changed(shot, recent, ["coat"], tuple(Framing), POSES))
        seen.append((recent[-1].pose, recent[-1].framing, recent[-1].outfit))
    assert len(set(seen)) == len(seen)
    assert [pose for pose, framing, _ in seen if framing == shot.framing] == [pose for pose in POSES if pose != shot.pose]
    small = changed(shot, [shot], ["coat"], [shot.framing])
    assert (small.outfit, small.pose, small.scene) == ("coat", shot.pose, shot.scene)
    assert changed(shot, [shot], [], [shot.framing]) == shot


def test_what_became_of_a_shot_is_said(attempt):
    shot = attempt.shot
    other = shot.model_copy(update={"outfit": "coat"})
    assert novelty([shot], shot, []).explanation == "the first picture"
    assert novelty([other], other, [shot]).explanation == "unlike the last 1 pictures"
    assert "asked for again" in novelty([shot, other], other, [shot]).explanation
    assert "changed" in novelty([shot, shot, shot], other, [shot]).explanation
    stuck = novelty([shot, shot, shot], shot, [shot])
    assert (stuck.outcome, stuck.advisory) == ("failed", True)
    assert "nothing else is left" in stuck.explanation
