"""What a post says of itself, up to the platform: the AI line, the ad label, the signature."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from zirelia.channels.folder import FolderChannel
from zirelia.definitions.disclosure import disclosure_words
from zirelia.domain.adapted import adapted
from zirelia.domain.post import PostState, Relation
from zirelia.domain.text_remark import ChannelLimits
from zirelia.errors import ConfigurationError, IllegalTransition
from zirelia.provenance.certificate import own_certificate
from zirelia.provenance.jpeg import read_provenance
from zirelia.provenance.reading import SignatureState, examine
from zirelia.provenance.sealer import JpegSealer
from zirelia.provenance.signing import Signer
from zirelia.workflow.produce import produce
from zirelia.workflow.publish import publish
from zirelia.workflow.review import approve, edit
from zirelia.workflow.undecided import decide

S = PostState
OPTED_OUT = {"visible_line": None, "because": "the label is enough", "by": "ana", "since": "2026-11-20"}
LINE = "Virtual character, made with AI."


class Unlabelled(FolderChannel):
    """A folder whose platform has no AI label."""

    def capabilities(self):
        return replace(super().capabilities(), ai_label=False)


def card_of(desk, post):
    return json.loads((desk.home / "outbox" / f"pub-{post.id}-folder.json").read_text())


def published(desk, post, **changes):
    kit = desk.kit(**changes)
    approve(kit, post.id, by="ana")
    return publish(kit, desk.subject, post.id)


def test_an_opt_out_is_in_the_posts_history_and_the_line_is_gone_where_the_platform_labels(desk, slot):
    desk.as_persona(disclosure=OPTED_OUT)
    post = produce(desk.kit(), desk.subject, slot())
    assert post.disclosure is None
    assert desk.store.events(post.id)[0].because.endswith("; without the visible line: the label is enough (ana, 2026-11-20)")
    published(desk, post)
    assert card_of(desk, post)["caption"] == post.draft.for_reader()


def test_an_opt_out_does_not_count_where_the_platform_has_no_label(desk, slot):
    desk.as_persona(disclosure=OPTED_OUT)
    channel = Unlabelled(desk.home / "outbox", now=desk.clock)
    post = produce(desk.kit(channels={"folder": channel}), desk.subject, slot())
    published(desk, post, channels={"folder": channel})
    card = card_of(desk, post)
    assert card["caption"].endswith(f"\n\n{LINE}")
    assert (card["disclosure"], card["more"]["disclosure"]) == (LINE, LINE)
    label = read_provenance((desk.home / "outbox" / f"pub-{post.id}-folder.jpg").read_bytes())
    assert label.description == card["caption"]


def test_a_forced_line_counts_when_the_text_is_measured(desk, slot):
    desk.as_persona(disclosure=OPTED_OUT)
    post = produce(desk.kit(), desk.subject, slot())
    room = len(post.draft.for_reader()) + 5

    class Tight(Unlabelled):
        def capabilities(self):
            return replace(super().capabilities(), caption_limit=room)

    kit = desk.kit(channels={"folder": Tight(desk.home / "outbox", now=desk.clock)})
    longer = post.draft.model_copy(update={"caption": f"{post.draft.caption} Ha."})
    with pytest.raises(IllegalTransition, match="write at most"):
        edit(kit, desk.subject.persona, post.id, longer, by="ana")


def sponsored(post, brand="Acme", relation=Relation.PAID):
    return post.draft.model_copy(update={"sponsor": disclosure_words("en").sponsor(brand, relation)})


def test_a_sponsors_label_stands_above_the_text_on_every_channel_and_in_the_picture(desk, slot):
    post = produce(desk.kit(), desk.subject, slot())
    approve(desk.kit(), post.id, by="ana")
    marked = edit(desk.kit(), desk.subject.persona, post.id, sponsored(post), by="ben")
    assert marked.state is S.AWAITING_REVIEW  # who approved had not seen the label
    assert desk.store.get_post(post.id).draft.sponsor.brand == "Acme"
    assert desk.store.decisions(post.id)[-1].changes == {"sponsor": ("None", "Advertisement · Acme (paid)")}
    published(desk, marked)
    caption = card_of(desk, post)["caption"]
    assert caption == f"Advertisement · Acme\n\n{post.caption_for_reader()}"
    label = read_provenance((desk.home / "outbox" / f"pub-{post.id}-folder.jpg").read_bytes())
    assert label.description == caption


def test_a_label_is_never_what_a_short_channel_leaves_out(desk, slot):
    post = produce(desk.kit(), desk.subject, slot())
    draft = sponsored(post).model_copy(update={"caption": "One good detail. And then quite another one, which is longer."})
    limits = ChannelLimits(channel="short", caption=75, hashtags=3, alt_text=100)
    text = adapted(draft, LINE, limits)
    assert text.caption == f"Advertisement · Acme\n\nOne good detail.\n\n{LINE}"
    with pytest.raises(ConfigurationError, match="first sentence"):
        adapted(draft, LINE, limits.model_copy(update={"caption": 60}))


def test_a_label_is_taken_away_only_with_a_reason(desk, slot):
    post = produce(desk.kit(), desk.subject, slot())
    marked = edit(desk.kit(), desk.subject.persona, post.id, sponsored(post), by="ben")
    plain = marked.draft.model_copy(update={"sponsor": None, "caption": "Another text, with one good detail in it."})
    for because in (None, " "):
        with pytest.raises(IllegalTransition, match="is sponsored by Acme: its label stays"):
            edit(desk.kit(), desk.subject.persona, post.id, plain, by="ben", because=because)
    assert desk.store.get_post(post.id) == marked
    edit(desk.kit(), desk.subject.persona, post.id, plain, by="ben", because="another post was meant")
    assert desk.store.decisions(post.id)[-1].because == "another post was meant"
    # any other edit leaves it where it is
    again = edit(desk.kit(), desk.subject.persona, post.id, sponsored(marked), by="ben")
    kept = edit(desk.kit(), desk.subject.persona, post.id, again.draft.model_copy(update={"alt_text": "A cup."}), by="ben")
    assert kept.draft.sponsor == again.draft.sponsor


def test_an_unlabelled_advertisement_is_approved_by_nobody(desk, slot):
    post = produce(desk.kit(), desk.subject, slot())
    advert = post.draft.model_copy(update={"caption": "Tea on the roof again, and my promo code is MIRA10."})
    post = edit(desk.kit(), desk.subject.persona, post.id, advert, by="ben")
    with pytest.raises(IllegalTransition, match="reads like an advertisement \\('promo code'\\)") as refused:
        approve(desk.kit(), post.id, by="ana", because="it is fine")
    assert refused.value.hint == f"name who pays: zirelia edit {post.id} --sponsored BRAND; or take the words out of the text"
    desk.clock.at = post.due
    held = decide(desk.kit(), desk.subject.persona, post.id, policy="auto_approve")
    assert held.state is S.AWAITING_REVIEW
    assert "it reads like an advertisement ('promo code')" in desk.store.events(post.id)[-1].because
    edit(desk.kit(), desk.subject.persona, post.id, sponsored(held), by="ben")
    assert approve(desk.kit(), post.id, by="ana").state is S.APPROVED


@pytest.mark.parametrize("dies_at", [".jpg", ".json", ".receipt.json"])
def test_a_death_while_a_signed_picture_goes_out_leaves_one_whole_publication(desk, slot, monkeypatch, dies_at):
    """Each try signs anew, so that the bytes differ: what is out at the end belongs together."""
    certificate = own_certificate(desk.home / "provenance")
    sealer = JpegSealer(Signer(lambda: certificate))
    post = approve(desk.kit(), produce(desk.kit(), desk.subject, slot()).id, by="ana")
    write = FolderChannel._write

    def dying(channel, name, data):
        if name.endswith(dies_at):
            raise SystemExit(9)
        write(channel, name, data)

    with monkeypatch.context() as patch:
        patch.setattr(FolderChannel, "_write", dying)
        with pytest.raises(SystemExit):
            publish(desk.kit(sealer=sealer), desk.subject, post.id)
    assert publish(desk.kit(sealer=sealer), desk.subject, post.id).state is S.PUBLISHED
    picture = (desk.home / "outbox" / f"pub-{post.id}-folder.jpg").read_bytes()
    assert examine(picture, known=[certificate.chain]).state is SignatureState.TRUSTED
    assert card_of(desk, post)["image"]["bytes"] == len(picture)
    before = {path.name: path.read_bytes() for path in (desk.home / "outbox").iterdir()}
    publish(desk.kit(sealer=sealer), desk.subject, post.id)
    assert {path.name: path.read_bytes() for path in (desk.home / "outbox").iterdir()} == before
