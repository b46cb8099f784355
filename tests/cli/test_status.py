"""What the daemon does, what comes next and what needs a person, at a glance; the switch that stops it; giving a post up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from zirelia.domain.cadence import Slot
from zirelia.domain.post import PostState, move
from zirelia.domain.publication import Publication, PublicationState
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore


@pytest.fixture
def store(home):
    with SqlStore(home / "home" / "zirelia.db", MediaStore(home / "home" / "media")) as opened:
        yield opened


class TestStatus:
    def test_a_new_home_says_how_to_begin(self, zirelia):
        said = zirelia("status")
        assert "not running: zirelia up" in said.out
        assert "none yet" in said.out
        assert said.code == 0
        assert zirelia("status", "--check").code == 10

    def test_a_node_that_lives_is_up(self, zirelia, store):
        store.register("laptop-1-abc", name="laptop", roles=("clock", "work"), host="laptop", pid=1)
        said = zirelia("status", "--check")
        assert (said.code, "laptop-1-abc (clock, work)" in said.out) == (0, True)
        (node,) = zirelia("status", "--json").json["nodes"]
        assert (node["id"], node["alive"]) == ("laptop-1-abc", True)

    def test_what_comes_next(self, zirelia, stored, store):
        stored(PostState.APPROVED)
        at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        slot = Slot(persona="mira", day=at.date(), window="noon", at=at)
        store.plan_slots("mira", [slot], until=at, cadence_sha256="x", lead=timedelta(hours=12), at=datetime.now(UTC))
        said = zirelia("status")
        assert "publish post 1" in said.out
        assert f"{slot.id}, begun" in said.out
        shape = zirelia("status", "--json").json
        assert (shape["posts"], shape["next"][0]["kind"]) == ({"approved": 1}, "publish")

    def test_what_was_given_up_says_how_to_go_on(self, zirelia, stored, store):
        stored(PostState.APPROVED)
        store.bury(1, "folder: the disk is full")
        store.register("laptop-1-abc", name="laptop", roles=("clock",), host="laptop", pid=1)
        said = zirelia("status", "--check")
        assert "post 1, publish: folder: the disk is full; zirelia retry 1, or cancel 1" in said.out
        assert said.code == 10

    def test_posts_that_wait_for_a_person_are_counted(self, zirelia, stored):
        stored()
        stored(PostState.HELD, number=2)
        assert "2 posts wait for you: zirelia queue" in zirelia("status").out


class TestPause:
    def test_everything_and_one_persona(self, zirelia, home):
        assert zirelia("pause", "--because", "on holiday", "--by", "ana").out.startswith("everything is paused")
        assert "on holiday (ana, " in zirelia("status").out
        assert zirelia("pause", "mira").code == 0
        assert zirelia("status", "--json").json["paused_personas"] == ["mira"]
        assert "still paused: on holiday" in zirelia("resume", "mira").out
        assert zirelia("resume").out == "everything goes on\n"
        assert zirelia("status", "--json").json["paused"] is None
        assert zirelia("resume").out == "everything was not paused\n"

    def test_an_empty_file_that_somebody_touched_pauses(self, zirelia, home, store):
        (home / "home" / "PAUSED").touch()
        assert zirelia("status", "--json").json["paused"] == "PAUSED is there"

    def test_a_switch_that_cannot_be_read_is_on(self, zirelia, home, store):
        (home / "home" / "PAUSED").mkdir()
        assert "cannot be read" in zirelia("status", "--json").json["paused"]

    def test_the_setting_stays(self, zirelia, write_env):
        write_env(ZIRELIA_ENGINE_PAUSED="1")
        assert "still paused: ZIRELIA_ENGINE_PAUSED is set" in zirelia("resume").out


class TestCancel:
    def test_a_post_that_waits_is_rejected(self, zirelia, stored, store):
        stored(PostState.APPROVED)
        assert zirelia("cancel", 1, "--because", "the shop has closed", "--by", "ana").code == 0
        post = store.get_post(1)
        assert post.state is PostState.REJECTED
        assert store.events(1)[-1].because == "the shop has closed"
        assert store.job(1) is None

    def test_of_an_unknown_outcome_it_must_be_said_what_is_true(self, zirelia, unknown, store):
        said = zirelia("cancel", 1, "--because", "looked")
        assert said.code != 0
        assert "--went-out URL or --not-out" in said.err
        assert store.get_post(1).state is PostState.UNKNOWN

    def test_it_went_out(self, zirelia, unknown, store):
        url = "https://social.example/@mira/1"
        assert zirelia("cancel", 1, "--because", "looked", "--went-out", url, "--by", "ana").code == 0
        (publication,) = store.publications(1)
        assert store.get_post(1).state is PostState.PUBLISHED
        assert (publication.state, publication.receipt.url, publication.note) == ("published", url, "ana: looked")

    def test_it_did_not(self, zirelia, unknown, store):
        assert zirelia("cancel", 1, "--because", "looked", "--not-out").code == 0
        assert store.get_post(1).state is PostState.REJECTED
        assert [one.state for one in store.publications(1)] == [PublicationState.NOT_PUBLISHED]

    def test_an_outcome_that_is_known_is_not_told(self, zirelia, stored):
        stored(PostState.APPROVED)
        assert "its outcome is known" in zirelia("cancel", 1, "--because", "x", "--not-out").err

    @pytest.fixture
    def unknown(self, stored, store):
        post = stored(PostState.APPROVED)
        state = PublicationState.UNKNOWN
        publication = Publication(post_id=post.id, channel="folder", state=state, at=post.updated, note="no answer")
        for to in (PostState.PUBLISHING, PostState.UNKNOWN):
            moved, event = move(post, to, at=post.updated, actor="publisher", because="no answer")
            store.save_post(moved, expected_version=post.version, events=[event], publication=publication)
            post = moved
        return post
