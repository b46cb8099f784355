"""The text: asked again with what is wrong, held when no draft keeps the rules, and the shot narrowed to what can be drawn."""

from __future__ import annotations

import re

import pytest

from zirelia.domain.post import Draft, PostState
from zirelia.domain.text_length import length
from zirelia.domain.text_remark import ChannelLimits
from zirelia.pocket.vocabulary import shot_vocabulary
from zirelia.workflow.draft import caption_limit, usual_hashtags
from zirelia.workflow.produce import produce, retry

GOOD = "The man on the tram hums. I draw him, and he gets louder."
BAD = [
    ("Blessed to draw on the tram today, truly, and so on it goes.", "do not mention 'blessed'"),
    ("I drew a pamphlet about the election on the tram today.", "do not mention 'election'"),
    ("Hello from {{city}}, where I drew a man who hums today.", "leave no placeholders"),
    ("He hums on the tram again. He hums on the tram again.", "do not repeat"),
    ("The man at the next table draws the foam on his coffee before he drinks it. I am not the only one, then. One good "
     "detail a day, and it is only nine.", "do not copy"),
]  # fmt: skip


@pytest.mark.parametrize(("caption", "complaint"), BAD)
def test_a_draft_that_breaks_a_rule_is_asked_for_again(desk, slot, caption, complaint):
    desk.chat.script({}, {"caption": caption}, {"caption": GOOD})
    post = produce(desk.kit(), desk.subject, slot())
    assert post.state is PostState.AWAITING_REVIEW
    assert post.draft.caption == GOOD
    assert complaint in desk.chat.asked[2].user
    assert complaint in desk.diary.said("note")


def test_three_bad_drafts_hold_the_post(desk, slot):
    desk.chat.script({}, *[{"caption": BAD[0][0]}] * 3)
    held = produce(desk.kit(), desk.subject, slot())
    assert held.state is PostState.HELD
    assert "no draft kept the rules: do not mention 'blessed'" in held.held_because
    assert (held.draft, desk.images.made) == (None, [])
    assert retry(desk.kit(), desk.subject, held.id).state is PostState.AWAITING_REVIEW


def test_a_caption_of_before_is_not_posted_again(desk, slot):
    desk.chat.script({}, {"caption": GOOD})
    produce(desk.kit(), desk.subject, slot())
    desk.chat.script({}, {"caption": GOOD.upper()})
    post = produce(desk.kit(), desk.subject, slot("night", 21))
    assert post.draft.caption != GOOD.upper()
    assert "was posted before" in desk.diary.said("note")


def test_several_candidates_are_written_and_one_is_kept(desk, slot):
    desk.chat.script({}, {"caption": BAD[0][0]}, {"caption": GOOD}, {}, {"caption": BAD[2][0]})
    post = produce(desk.kit(candidates=3), desk.subject, slot())
    assert post.draft.caption == GOOD
    assert len(desk.chat.asked) == 6  # the text critic is asked about the one that keeps the rules


def test_the_drafter_hears_voice_boundaries_and_limits(desk, slot):
    produce(desk.kit(), desk.subject, slot())
    asked = desk.chat.asked[1]
    for words in ("dry humour", "one good detail a day", "gambling", "at most", "Mira"):
        assert words in asked.system + asked.user


def test_her_own_hashtags_come_first_and_once(desk, slot):
    desk.chat.values = {"hashtags": ["Sketchbook", "rain", "RAIN"]}
    post = produce(desk.kit(), desk.subject, slot())
    tags = [tag.lower() for tag in post.draft.hashtags]
    assert tags == ["sketchbook", "lisbon", "virtualartist", "rain"]


def test_scene_and_light_of_the_brief_stand_and_clothes_are_hers(desk, slot):
    post = produce(desk.kit(), desk.subject, slot())
    assert (post.shot.scene, post.shot.light) == (post.brief.scene, post.brief.light)
    assert post.shot.outfit in desk.subject.persona.look.wardrobe
    assert post.shot.framing in shot_vocabulary().framings
    assert (post.shot.pose, post.shot.props) == ("", "")


def test_what_was_worn_lately_is_no_choice(desk, slot):
    worn = []
    for day in range(22, 26):
        post = produce(desk.kit(), desk.subject, slot("evening", 18, day=day))
        worn.append(post.shot.outfit)
    assert len(set(worn)) == 4


def test_a_model_without_limits_chooses_freely_but_not_the_place(desk, slot):
    desk.images._vocabulary = None
    desk.chat.values = {"scene": "the moon", "light": "black", "outfit": "a raincoat", "pose": "on one leg", "props": "a broom"}
    post = produce(desk.kit(), desk.subject, slot())
    assert post.shot.scene == post.brief.scene
    assert (post.shot.outfit, post.shot.pose, post.shot.props) == ("a raincoat", "on one leg", "a broom")
    assert "with a broom" in post.chosen_attempt.provenance.prompt.text


def _limits(counts: str, caption: int) -> ChannelLimits:
    return ChannelLimits(channel=counts, caption=caption, hashtags=30, alt_text=100, counts=counts)


@pytest.mark.parametrize(
    ("limits", "tags", "line", "expected"),
    [
        ([], ("tea", "rain"), "Made with AI.", 2200),
        ([_limits("graphemes", 300)], (), None, 300),
        ([_limits("graphemes", 300)], ("tea", "rain"), None, 300 - len("\n\n#tea #rain")),
        ([_limits("graphemes", 300)], ("tea", "rain"), "Made with AI.", 300 - len("\n\n#tea #rain\n\nMade with AI.")),
        ([_limits("x-weighted", 280)], ("茶",), "Made with AI 🤖", 280 - len("\n\n#..\n\nMade with AI ..")),
        ([_limits("graphemes", 2000), _limits("bytes", 300)], ("thé",), None, 300 - len("\n\n#th..")),
        ([_limits("graphemes", 60)], ("tea" * 9, "rain" * 7), None, 40),
    ],
)
def test_the_writer_is_told_what_hashtags_and_the_line_leave(limits, tags, line, expected):
    assert caption_limit(limits, tags, line) == expected
    for one in limits if expected > 40 else ():
        fits = Draft(caption="x" * expected, hashtags=tags, alt_text=".").for_reader(line)
        assert length(fits, one.counts) <= one.caption


def test_hashtags_are_expected_as_long_as_the_last_ones(desk):
    persona = desk.subject.persona
    own = persona.voice.hashtags
    unknown = usual_hashtags(persona, ())
    assert (unknown[: len(own)], len(unknown)) == (own, 8)
    past = [Draft(caption=f"{n}.", hashtags=tags, alt_text=".") for n, tags in enumerate([("a", "b"), (), ("rain",) * 4])]
    assert usual_hashtags(persona, past) == ("rain",) * 4
    assert usual_hashtags(persona, past[:2]) == ("a", "b")


def test_a_rewrite_is_told_what_its_own_hashtags_leave(desk, slot):
    desk.chat.script({}, {"caption": BAD[0][0], "hashtags": ["abcdefghijklmnopqrst"] * 2}, {"caption": GOOD})
    post = produce(desk.kit(), desk.subject, slot())
    told = [int(re.search(r"at most (\d+) characters", one.user)[1]) for one in desk.chat.asked[1:3]]
    channel, own = desk.folder.capabilities().caption_limit, post.disclosure
    used = (*desk.subject.persona.voice.hashtags, "abcdefghijklmnopqrst")
    beside = "".join(f"#{tag} " for tag in used)[:-1]
    assert told[1] == min(2200, channel - len(f"\n\n{beside}\n\n{own}"))
