"""Out into the world, once: whatever dies, hangs or is asked twice."""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import dataclass, field, replace

import pytest

from zirelia.channels.folder import FolderChannel
from zirelia.domain.post import PostState
from zirelia.domain.publication import PublicationState, Receipt
from zirelia.errors import ConfigurationError, Conflict, ConsentRequired, IllegalTransition, ProviderError, ProviderRefused
from zirelia.ports import BackendFacts, Capabilities, Plan, Uncertain
from zirelia.provenance.jpeg import read_provenance
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.workflow.produce import produce
from zirelia.workflow.publish import publish
from zirelia.workflow.review import approve

S, P = PostState, PublicationState


@dataclass
class Platform:
    """A channel whose platform does what the test says; it counts what really went out."""

    clock: object
    name: str = "folder"
    caption_limit: int = 2200
    out: dict[str, Receipt] = field(default_factory=dict)
    sent: list[Plan] = field(default_factory=list)
    submit_says: list[object] = field(default_factory=list)
    reconcile_says: list[Exception] = field(default_factory=list)
    settles_after: float = 0.0

    def facts(self):
        return BackendFacts("platform", "test", local=True, paid=False)

    def capabilities(self):
        return Capabilities(self.caption_limit, 30, 1000, 8_000_000, ai_label=True)

    def submit(self, plan, sending):
        self.sent.append(plan)
        said = self.submit_says.pop(0) if self.submit_says else None
        if isinstance(said, ProviderError):
            raise said
        self.out[plan.publication_id] = Receipt(platform_id="1", url=f"https://example.com/{len(self.sent)}", at=self.clock())
        if isinstance(said, BaseException):
            raise said  # it is out, and then the process dies
        return said or self.out[plan.publication_id]

    def reconcile(self, plan, sending):
        if self.reconcile_says:
            raise self.reconcile_says.pop(0)
        return self.out.get(plan.publication_id)


@pytest.fixture
def platform(desk):
    return Platform(desk.clock)


@pytest.fixture
def approved(desk, slot):
    return approve(desk.kit(), produce(desk.kit(), desk.subject, slot()).id, by="ana")


def on(desk, *platforms):
    return desk.kit(channels={platform.name: platform for platform in platforms})


def test_a_publication_is_a_labelled_picture_a_card_and_a_receipt(desk, approved):
    post = publish(desk.kit(), desk.subject, approved.id)
    assert post.state is S.PUBLISHED
    assert desk.states(post.id)[-2:] == ["publishing", "published"]
    outbox = desk.home / "outbox"
    card = json.loads((outbox / "pub-1-folder.json").read_text())
    assert card["caption"] == post.caption_for_reader()
    assert card["caption"].endswith(desk.subject.persona.disclosure.visible_line)
    assert card["alt_text"] == post.draft.alt_text
    label = read_provenance((outbox / "pub-1-folder.jpg").read_bytes())
    assert label.made_by_ai
    (publication,) = desk.store.publications(post.id)
    assert publication.receipt.platform_id == "pub-1-folder"


def test_a_second_call_changes_nothing(desk, approved):
    post = publish(desk.kit(), desk.subject, approved.id)
    before = {path.name: path.read_bytes() for path in (desk.home / "outbox").iterdir()}
    events = desk.store.events(post.id)
    assert publish(desk.kit(), desk.subject, approved.id) == post
    assert {path.name: path.read_bytes() for path in (desk.home / "outbox").iterdir()} == before
    assert desk.store.events(post.id) == events


def test_what_the_platform_made_is_kept_for_the_next_try(desk, approved, platform):
    seen = []

    class Container(Platform):
        def submit(self, plan, sending):
            seen.append(sending.created)
            if sending.created is None:
                sending.keep("container-1")
                raise ProviderError("busy", provider="platform", retryable=True)
            return super().submit(plan, sending)

    channel = Container(desk.clock)
    with pytest.raises(ProviderError):
        publish(on(desk, channel), desk.subject, approved.id)
    (publication,) = desk.store.publications(approved.id)
    assert (publication.state, publication.created) == (P.NOT_PUBLISHED, "container-1")
    assert publish(on(desk, channel), desk.subject, approved.id).state is S.PUBLISHED
    assert seen == [None, "container-1"]


def test_a_channel_gets_what_it_has_room_for(desk, approved, platform):
    platform.caption_limit = 150
    publish(on(desk, platform), desk.subject, approved.id)
    (plan,) = platform.sent
    assert len(plan.caption) <= 150
    assert plan.caption.endswith(approved.disclosure)
    assert plan.sidecar["left_out"]


def test_what_nobody_approved_is_not_published(desk, slot):
    post = produce(desk.kit(), desk.subject, slot())
    with pytest.raises(IllegalTransition, match="is awaiting_review, not approved"):
        publish(desk.kit(), desk.subject, post.id)
    assert not (desk.home / "outbox").exists()


def test_a_refusal_leaves_the_post_approved_and_can_be_tried_again(desk, approved, platform):
    platform.submit_says = [ProviderRefused("the picture is too wide", provider="platform")]
    with pytest.raises(ProviderRefused):
        publish(on(desk, platform), desk.subject, approved.id)
    stored = desk.store.get_post(approved.id)
    assert stored.state is S.APPROVED
    assert desk.store.publications(stored.id)[0].state is P.NOT_PUBLISHED
    assert desk.store.events(stored.id)[-1].because == "platform: the picture is too wide"
    assert publish(on(desk, platform), desk.subject, approved.id).state is S.PUBLISHED
    assert len(platform.sent) == 2


def test_an_unclear_answer_waits_and_is_looked_up_before_anything_is_sent(desk, approved, platform):
    platform.submit_says = [Uncertain(because="no answer within 30 s")]
    post = publish(on(desk, platform), desk.subject, approved.id)
    assert post.state is S.UNKNOWN
    assert desk.store.events(post.id)[-1].because == "no answer within 30 s"
    platform.reconcile_says = [ProviderError("HTTP 503", provider="platform", retryable=True)]
    assert publish(on(desk, platform), desk.subject, approved.id).state is S.UNKNOWN
    assert publish(on(desk, platform), desk.subject, approved.id).state is S.PUBLISHED
    assert len(platform.sent) == 1  # the platform had it all the time
    assert desk.store.publications(post.id)[0].receipt.url == "https://example.com/1"


def test_what_certainly_is_not_there_is_sent_again(desk, approved, platform):
    platform.submit_says = [Uncertain(because="a cut line")]
    publish(on(desk, platform), desk.subject, approved.id)
    platform.out.clear()
    post = publish(on(desk, platform), desk.subject, approved.id)
    assert post.state is S.PUBLISHED
    assert len(platform.sent) == 2
    assert desk.states(post.id)[-4:] == ["unknown", "approved", "publishing", "published"]


@pytest.mark.parametrize("death", [SystemExit(9), KeyboardInterrupt(), RuntimeError("a defect")])
@pytest.mark.parametrize("out", [True, False])
def test_a_death_between_intent_and_receipt_publishes_exactly_once(desk, approved, platform, death, out):
    platform.submit_says = [death]
    with pytest.raises(type(death)):
        publish(on(desk, platform), desk.subject, approved.id)
    assert desk.store.get_post(approved.id).state is S.PUBLISHING
    assert desk.store.publications(approved.id)[0].state is P.SENDING
    if not out:
        platform.out.clear()
    assert publish(on(desk, platform), desk.subject, approved.id).state is S.PUBLISHED
    assert len(platform.sent) == (1 if out else 2)
    assert len(platform.out) == 1


def test_a_death_before_the_last_write_publishes_once(desk, approved, platform, monkeypatch):
    """The receipt is stored, the post's state is not."""
    with monkeypatch.context() as patch:
        patch.setattr("zirelia.workflow.publish._settle", lambda *_: (_ for _ in ()).throw(SystemExit(9)))
        with pytest.raises(SystemExit):
            publish(on(desk, platform), desk.subject, approved.id)
    assert publish(on(desk, platform), desk.subject, approved.id).state is S.PUBLISHED
    assert len(platform.sent) == 1


def test_two_channels_keep_their_own_receipts(desk, approved, platform):
    second = Platform(desk.clock, name="mastodon")
    second.submit_says = [ProviderError("HTTP 500", provider="mastodon", retryable=True)]
    subject = desk.as_persona(channels=["folder", "mastodon"])
    kit = on(desk, platform, second)
    with pytest.raises(ProviderError, match="HTTP 500"):
        publish(kit, subject, approved.id)
    states = {p.channel: p.state for p in desk.store.publications(approved.id)}
    assert states == {"folder": P.PUBLISHED, "mastodon": P.NOT_PUBLISHED}
    assert publish(kit, subject, approved.id).state is S.PUBLISHED
    assert (len(platform.sent), len(second.sent)) == (1, 2)


def test_a_refusal_beside_an_unclear_answer_waits_for_a_person(desk, approved, platform):
    second = Platform(desk.clock, name="mastodon")
    platform.submit_says, second.submit_says = [Uncertain(because="cut")], [ProviderRefused("no", provider="mastodon")]
    subject = desk.as_persona(channels=["folder", "mastodon"])
    assert publish(on(desk, platform, second), subject, approved.id).state is S.UNKNOWN
    assert publish(on(desk, platform, second), subject, approved.id).state is S.PUBLISHED
    assert (len(platform.sent), len(second.sent)) == (1, 2)


def test_a_channel_that_is_not_set_up_stops_it_before_anything_is_sent(desk, approved, platform):
    subject = desk.as_persona(channels=["folder", "bluesky"])
    with pytest.raises(ConfigurationError, match="posts on bluesky, which is not set up"):
        publish(on(desk, platform), subject, approved.id)
    assert not platform.sent
    assert desk.store.get_post(approved.id).state is S.APPROVED


def test_a_caption_that_is_too_long_stops_it_before_anything_is_sent(desk, approved, platform):
    platform.caption_limit = 20
    with pytest.raises(ConfigurationError, match="takes 20 with the disclosure line"):
        publish(on(desk, platform), desk.subject, approved.id)
    assert not platform.sent


def test_a_consent_that_ended_stops_it(desk, approved, platform):
    consent = {"fictional": False, "person": "Ada", "scope": "posts", "expires": "2026-11-20", "document_sha256": "0" * 64}
    with pytest.raises(ConsentRequired):
        publish(on(desk, platform), desk.as_persona(consent=consent), approved.id)
    assert not platform.sent


def test_another_process_that_publishes_right_now_is_a_conflict(desk, approved):
    with desk.store.lock(f"publish-{approved.id}"), pytest.raises(Conflict):
        publish(desk.kit(), desk.subject, approved.id)


def _publish_in_a_process(home, kit, subject, post_id, ready, go, said):
    store = SqlStore(home / "zirelia.db", MediaStore(home / "media"))
    kit = replace(kit(store), store=store)
    ready.release()
    go.wait(30)
    try:
        said.put(str(publish(kit, subject, post_id).state))
    except Conflict:
        said.put("conflict")


def test_two_processes_at_once_publish_once(desk, approved):
    context = multiprocessing.get_context("fork")
    ready, go, said = context.Semaphore(0), context.Event(), context.Queue()
    desk.store.close()

    def kit(store):
        return desk.kit(store=store, channels={"folder": FolderChannel(desk.home / "outbox")})

    arguments = (desk.home, kit, desk.subject, approved.id, ready, go, said)
    processes = [context.Process(target=_publish_in_a_process, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for _ in processes:
        assert ready.acquire(timeout=30)
    go.set()
    outcomes = sorted(said.get(timeout=30) for _ in processes)
    for process in processes:
        process.join(30)
    assert outcomes in (["conflict", "published"], ["published", "published"])
    assert [e.after for e in desk.store.events(approved.id)].count(S.PUBLISHING) == 1
    assert len(list((desk.home / "outbox").glob("*.receipt.json"))) == 1
