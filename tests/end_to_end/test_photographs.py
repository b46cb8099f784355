"""A photographic persona through the command line: a hosted model "makes" photographs in the public domain of two people."""

from __future__ import annotations

import functools
import io
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from zirelia.critic import faces
from zirelia.definitions.scaffold import new_persona
from zirelia.pocket.drawing import render
from zirelia.pocket.world import HELD_OUT, WorldShot
from zirelia.testing.http_peer import Request
from zirelia.testing.replicate_server import ReplicateServer

pytestmark = pytest.mark.skipif(
    find_spec("dlib") is None or find_spec("face_recognition_models") is None, reason="the extra 'faces' is not installed"
)
PHOTOGRAPHS = Path(__file__).parents[1] / "critic" / "photographs"
SIDE = 384


def cut(name: str, box: tuple[int, int, int, int], *, mirrored: bool = False) -> bytes:
    """Another picture of the same moment: a part of it, at the size that is asked for."""
    with Image.open(PHOTOGRAPHS / f"{name}.jpg") as whole:
        part = whole.convert("RGB").crop(box).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    target = io.BytesIO()
    (part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else part).save(target, "JPEG", quality=92)
    return target.getvalue()


def flat() -> bytes:
    target = io.BytesIO()
    shot = WorldShot("hoodie", "red", "smiling", "beach", "daylight", "half body", seed=5)
    render(HELD_OUT["mira"], shot, SIDE).save(target, "PNG")
    return target.getvalue()


def landscape() -> bytes:
    target = io.BytesIO()
    Image.effect_noise((24, 24), 90).resize((SIDE, SIDE), Image.Resampling.BICUBIC).convert("RGB").save(target, "PNG")
    return target.getvalue()


def together() -> bytes:
    target = io.BytesIO()
    both = Image.new("RGB", (SIDE, SIDE), "grey")
    for left, data in ((0, HERSELF), (SIDE // 2, ANOTHER)):
        with Image.open(io.BytesIO(data)) as one:
            both.paste(one.convert("RGB").resize((SIDE // 2, SIDE // 2)).crop((0, 0, SIDE // 2, SIDE // 2)), (left, SIDE // 4))
    both.resize((2 * SIDE, 2 * SIDE)).save(target, "PNG")
    return target.getvalue()


HERSELF, CLOSER = cut("collins", (20, 0, 364, 344)), cut("collins", (30, 0, 350, 320), mirrored=True)
ANOTHER, ANOTHER_AGAIN = cut("hopper", (0, 20, 384, 404)), cut("hopper", (10, 10, 374, 374), mirrored=True)


class Photographer(ReplicateServer):
    """Replicate that gives the told pictures in turn, the last one again and again."""

    def __init__(self) -> None:
        super().__init__(b"")
        self.film: list[bytes] = []

    def _create(self, request: Request, *, by_name: bool) -> Any:
        self.picture = self.film.pop(0) if len(self.film) > 1 else self.film[0]
        return super()._create(request, by_name=by_name)


@pytest.fixture(scope="module", autouse=True)
def _one_reading_of_the_models():
    """Every command would read dlib's 130 MB again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faces, "_Models", functools.cache(faces._Models))
        yield


@pytest.fixture
def replicate():
    with Photographer() as server:
        yield server


@pytest.fixture
def pack(home, env, write_env):
    """A persona whose face is in one photograph; her LoRA is built into the hosted model; no eyes but dlib's."""
    file = new_persona("ada", home / "persona" / "ada")
    shutil.copy(PHOTOGRAPHS / "collins.jpg", file.parent / "references" / "01.jpg")
    words = {
        "kind: illustrated": "kind: photographic",
        "references: []": "references: [references/01.jpg]",
        "flat illustration, soft colours": "photograph, soft light",
    }
    text = file.read_text()
    for old, new in words.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text + "\nrubric:\n  must_check: [identity, safety, technical, subjects, framing]\n")
    env |= {"ZIRELIA_PERSONA": "ada", "ZIRELIA_VISION_MODEL": "", "ZIRELIA_IMAGE_WIDTH": SIDE, "ZIRELIA_IMAGE_HEIGHT": SIDE}
    env |= {"MAX_DAILY_POSTS": 1}
    write_env(env)
    return file


def findings(attempt, criterion):
    return [f for f in attempt["verdict"]["findings"] if f["criterion"] == criterion and f["instrument"] == "photographs"]


def test_the_right_person_passes_at_once(zirelia, pack, replicate):
    replicate.film = [HERSELF]
    made = zirelia("produce", "--json", "--quiet")
    (post,) = made.json
    assert (made.code, post["state"], replicate.paid) == (0, "awaiting_review", 1), post["held_because"]
    (identity,) = findings(post["attempts"][0], "identity")
    assert identity["score"] >= identity["threshold"] >= 0.9
    assert identity["region"] is not None
    assert zirelia("approve-and-post", 1, "--because", "it is she").code == 0


def test_another_person_is_tried_three_times_at_most_and_then_held(zirelia, pack, replicate):
    replicate.film = [ANOTHER, ANOTHER_AGAIN, ANOTHER]
    made = zirelia("produce", "--json", "--quiet")
    (post,) = made.json
    assert (made.code, post["state"], replicate.paid) == (8, "held", 3)
    assert "failed: identity" in post["held_because"]
    for attempt in post["attempts"]:
        (identity,) = findings(attempt, "identity")
        assert identity["outcome"] == "failed"
        assert identity["score"] < identity["threshold"]
    assert [
        mend["gone"] for attempt in post["attempts"] for mend in attempt["verdict"]["mends"] if mend["aspect"] == "face"
    ] == [
        False,
        False,
    ]
    prompts = [prediction["input"] for prediction in replicate.predictions]
    assert len({prompt["seed"] for prompt in prompts}) == 3
    refused = zirelia("approve-and-post", 1)
    assert refused.code != 0


def test_the_right_person_after_another_is_the_chosen_one(zirelia, pack, replicate):
    replicate.film = [ANOTHER, HERSELF]
    (post,) = zirelia("produce", "--json", "--quiet").json
    assert (post["state"], post["chosen"], replicate.paid) == ("awaiting_review", 2, 2), post["held_because"]
    assert all(mend["gone"] for mend in post["attempts"][1]["verdict"]["mends"] if mend["criterion"] == "identity")
    replayed = zirelia("critic", "replay", 1, "--attempt", 1, "--json").json
    assert (replayed["before"]["passed"], replayed["after"]["passed"]) == (False, False)
    assert replicate.paid == 2


@pytest.mark.parametrize("picture", [landscape, flat, together], ids=["no face", "a drawing", "two people"])
def test_what_shows_no_face_or_one_too_many_is_held(zirelia, pack, replicate, picture):
    replicate.film = [picture()]
    (post,) = zirelia("produce", "--json", "--quiet").json
    assert post["state"] == "held"
    assert 1 <= replicate.paid <= 3
    for attempt in post["attempts"]:
        said = {f["criterion"]: f["outcome"] for f in attempt["verdict"]["findings"] if f["instrument"] == "photographs"}
        if picture is together:
            assert said["subjects"] == "failed"
        else:
            assert said["identity"] == "not_checked"
            assert "passed" not in said.values()


def test_calibrate_measures_her_by_the_other_people_here(zirelia, pack, env, write_env, home):
    strangers = home / "strangers"
    strangers.mkdir()
    (strangers / "hopper.jpg").write_bytes(ANOTHER)
    write_env(env | {"ZIRELIA_CRITIC_IMPOSTORS": strangers})
    (line,) = zirelia("critic", "calibrate", "ada", "--json").json
    assert (line["n"], line["impostors"], line["separates"]) == (1, 1, True)
    assert line["false_accept"] == 0
    assert line["threshold"] >= line["floor"]
    said = zirelia("critic", "calibrate", "ada").out
    assert "1 reference" in said
