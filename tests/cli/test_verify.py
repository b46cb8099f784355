"""`zirelia verify`: what it says and answers; and the commands that mark a sponsor."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from zirelia.domain.post import PostState
from zirelia.provenance.certificate import own_certificate
from zirelia.provenance.signing import Signer

MADE_BY_AI = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
CAPTURED = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"


@pytest.fixture
def published(zirelia, stored, write_env, home: Path) -> Path:
    write_env()
    post = stored(PostState.APPROVED)
    assert zirelia("post", post.id).code == 0
    return home / "home" / "outbox" / f"pub-{post.id}-folder.jpg"


def test_what_the_studio_publishes_is_signed_and_says_so(zirelia, published: Path, home: Path) -> None:
    said = zirelia("verify", published)
    assert said.code == 0
    assert "signed, unchanged since, by a signer that is known here" in said.out
    assert "Zirelia home · Zirelia (self-signed)" in said.out
    assert "created · 2026-11-21T09:00:00Z · Zirelia" in said.out
    assert "it calls itself made by AI" in said.out
    assert "lineage seed           1" in said.out
    assert "mirelo woman" not in said.out
    told = zirelia("verify", published, "--json")
    assert told.code == 0
    assert (told.json["state"], told.json["says_made_by_ai"]) == ("trusted", True)
    assert told.json["actions"][0]["source_type"] == MADE_BY_AI
    assert (home / "home" / "provenance" / "signer.pem").stat().st_mode & 0o77 == 0


def test_a_changed_picture_is_told_from_an_unsigned_one_and_from_none(zirelia, published: Path, tmp_path: Path) -> None:
    data = bytearray(published.read_bytes())
    data[-100] ^= 1
    changed = tmp_path / "changed.jpg"
    changed.write_bytes(data)
    said = zirelia("verify", changed)
    assert said.code == 12
    assert "the picture was changed after it was signed" in said.out
    assert zirelia("verify", changed, "--json").json["state"] == "invalid"

    stripped = tmp_path / "stripped.jpg"
    with Image.open(published) as opened:
        opened.convert("RGB").save(stripped, "JPEG")
    said = zirelia("verify", stripped)
    assert said.code == 13
    assert "not signed" in said.out
    assert "it does not say that AI made it" in said.out

    for path, content in ((tmp_path / "words.jpg", b"words"), (tmp_path / "empty.jpg", b"")):
        path.write_bytes(content)
        said = zirelia("verify", path)
        assert said.code == 9
        assert "not a JPEG, PNG or WebP picture" in said.err
    assert zirelia("verify", tmp_path / "nowhere.jpg").code == 9


@pytest.fixture
def foreign(tmp_path: Path) -> Callable[[str], tuple[Path, str]]:
    """A PNG that somebody else signed with a tool of theirs: the file, and their certificate."""

    def make(words: str) -> tuple[Path, str]:
        from c2pa import Builder, C2paSignerInfo, Context
        from c2pa import Signer as Native

        theirs = own_certificate(tmp_path / "theirs")
        taken = {"action": "c2pa.created", "digitalSourceType": CAPTURED, "softwareAgent": words}
        definition = {
            "claim_generator_info": [{"name": words}],
            "assertions": [{"label": "c2pa.actions", "data": {"actions": [taken]}}],
        }
        picture, out = io.BytesIO(), io.BytesIO()
        Image.new("RGB", (32, 32), "teal").save(picture, "PNG")
        picture.seek(0)
        info = C2paSignerInfo(b"es256", theirs.chain.encode(), theirs.key.get_secret_value().encode(), None)
        settings = {"version": 1, "builder": {"thumbnail": {"enabled": False}}}
        with Context.from_dict(settings, signer=Native.from_info(info)) as context, Builder(definition, context=context) as one:
            one.sign("image/png", picture, out)
        path = tmp_path / "foreign.png"
        path.write_bytes(out.getvalue())
        return path, theirs.chain

    return make


def test_a_strangers_picture_is_valid_until_its_signer_is_named(zirelia, foreign, write_env, tmp_path: Path) -> None:
    write_env()
    path, chain = foreign("Camera 3000")
    said = zirelia("verify", path)
    assert said.code == 0
    assert "by a signer that is not known here" in said.out
    assert "Camera 3000" in said.out
    assert "it does not say that AI made it" in said.out
    (tmp_path / "known.pem").write_text(chain)
    write_env(ZIRELIA_PROVENANCE_KNOWN=tmp_path / "known.pem")
    assert "that is known here" in zirelia("verify", path).out
    write_env(ZIRELIA_PROVENANCE_KNOWN=tmp_path / "gone.pem")
    said = zirelia("verify", path)
    assert said.code == 2
    assert "gone.pem is not a PEM file that can be read" in said.err


def test_a_strangers_words_drive_no_terminal(zirelia, foreign, write_env) -> None:
    write_env()
    path, _ = foreign("evil\x1b[2J\x07\ntool")
    said = zirelia("verify", path)
    assert said.code == 0
    assert "\x1b[2J" not in said.out
    assert "\x07" not in said.out
    assert "\x1b[2J" not in zirelia("verify", path, "--json").out


def test_the_users_own_certificate_signs_in_place_of_the_homes(zirelia, stored, write_env, home: Path, tmp_path: Path) -> None:
    made = own_certificate(tmp_path / "mine")
    (tmp_path / "chain.pem").write_text(made.chain)
    (tmp_path / "chain.key").write_text(made.key.get_secret_value())
    write_env(ZIRELIA_PROVENANCE_CERTIFICATE=tmp_path / "chain.pem", ZIRELIA_PROVENANCE_KEY=tmp_path / "chain.key")
    post = stored(PostState.APPROVED)
    assert zirelia("post", post.id).code == 0
    assert not (home / "home" / "provenance").exists()
    assert "that is known here" in zirelia("verify", home / "home" / "outbox" / f"pub-{post.id}-folder.jpg").out
    write_env(ZIRELIA_PROVENANCE_CERTIFICATE=tmp_path / "chain.pem")
    said = zirelia("verify", tmp_path / "x.jpg")
    assert said.code in {2, 9}
    other = stored(PostState.APPROVED, number=2)
    said = zirelia("post", other.id)
    assert said.code == 2
    assert "certificate and key go together" in said.err


def test_a_certificate_that_cannot_be_read_stops_the_publication_before_it(zirelia, stored, write_env, tmp_path: Path) -> None:
    write_env(ZIRELIA_PROVENANCE_CERTIFICATE=tmp_path / "no.pem", ZIRELIA_PROVENANCE_KEY=tmp_path / "no.key")
    post = stored(PostState.APPROVED)
    said = zirelia("post", post.id)
    assert said.code == 2
    assert "no.pem cannot be read" in said.err
    assert zirelia("show", post.id, "--json").json["state"] == "approved"


def test_a_sponsor_is_marked_shown_and_taken_away_with_a_reason(zirelia, stored, write_env) -> None:
    write_env()
    post = stored(PostState.AWAITING_REVIEW)
    assert zirelia("edit", post.id, "--sponsored", "Acme", "--relation", "gift", "--by", "ana").code == 0
    shown = zirelia("show", post.id)
    assert "Advertisement · Acme (gift)" in shown.out
    told = zirelia("show", post.id, "--json").json
    assert told["draft"]["sponsor"] == {"brand": "Acme", "relation": "gift", "label": "Advertisement · Acme"}
    assert told["reader_caption"].startswith("Advertisement · Acme\n\n")
    said = zirelia("edit", post.id, "--not-sponsored")
    assert said.code == 4
    assert "its label stays" in said.err
    assert zirelia("edit", post.id, "--not-sponsored", "--because", "the wrong post", "--by", "ana").code == 0
    assert zirelia("show", post.id, "--json").json["draft"]["sponsor"] is None


def test_an_advertisement_without_a_label_says_how_to_get_one(zirelia, stored, write_env) -> None:
    write_env()
    post = stored(PostState.AWAITING_REVIEW, caption="My discount code for this kettle is MIRA.")
    said = zirelia("approve", post.id)
    assert said.code == 4
    assert "zirelia edit 1 --sponsored BRAND" in said.err
    assert zirelia("edit", post.id, "--sponsored", "Kettle & Co").code == 0
    assert zirelia("approve", post.id).code == 0


@pytest.mark.parametrize(
    "options", [("--sponsored", "A", "--not-sponsored"), ("--relation", "gift"), ("--sponsored", ""), ("--sponsored", "a\nb")]
)
def test_options_that_say_nothing_are_refused(zirelia, stored, write_env, options: tuple[str, ...]) -> None:
    write_env()
    post = stored(PostState.AWAITING_REVIEW)
    assert zirelia("edit", post.id, *options).code == 2


def test_a_signer_makes_no_key_before_it_signs(tmp_path: Path) -> None:
    Signer(lambda: own_certificate(tmp_path / "provenance"))
    assert not (tmp_path / "provenance").exists()
