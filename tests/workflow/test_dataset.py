"""Building a dataset: enough pictures, each paid for once, the good ones kept, empty cells tried again, and consent first."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from zirelia.definitions.shotlists import load_shot_list, shot_list_text
from zirelia.domain.dataset import FaultKind, StartKind
from zirelia.domain.ledger import LedgerEntry, LedgerState
from zirelia.domain.shot import Framing, Shot
from zirelia.domain.shotlist import Cell, ShotList
from zirelia.errors import (
    BudgetExceeded,
    ConfigurationError,
    Conflict,
    ConsentRequired,
    MediaError,
    NotFound,
    ProviderRefused,
    RateLimited,
)
from zirelia.ports import Opinion
from zirelia.store.brought import read_brought
from zirelia.testing.curation import good, refused
from zirelia.testing.editor import FakeImageEditor
from zirelia.workflow.anchors import anchors_usd, make_anchors
from zirelia.workflow.dataset import build_dataset, check_dataset, estimate
from zirelia.workflow.kit import Budget
from zirelia.workflow.rounds import Effort
from zirelia.workflow.starts import Anchor, Folder, Photos

LIST = load_shot_list("15")
LIST = LIST.model_copy(update={"cells": LIST.cells[::3]})
"""Five cells: two faces, a bust and two full bodies, which a small world shows closer."""
CALM = Effort(factor=1.0, rounds=2)


def photos(lab, *more: bytes) -> Photos:
    return Photos((("me.jpg", lab.photo), *((f"{number}.jpg", one) for number, one in enumerate(more))))


def test_every_cell_gets_its_best_picture(lab):
    scores = {"close-up-01-2.png": 0.95}
    lab.curator.rule = lambda one: Opinion(faults=(), identity=scores.get(one.name, 0.9))
    cost = estimate(lab.kit(), lab.persona, photos(lab), LIST)
    assert (cost.cells, cost.pictures, cost.usd) == (5, 10, pytest.approx(0.40))
    assert (cost.most_pictures, cost.most_usd, cost.each_usd) == (30, pytest.approx(1.20), 0.04)
    assert (cost.model, cost.licence) == ("edited rectangles", "CC0-1.0")
    assert not lab.folder.path.exists()
    built = build_dataset(lab.kit(), lab.persona, photos(lab), LIST)
    assert (lab.editor.paid, built.spent_usd) == (10, pytest.approx(0.40))
    assert (len(built.kept), len(built.rejected), built.coverage.share) == (5, 5, 1.0)
    assert [one.number for one in built.kept if one.cell == "close-up-01"] == [2]
    assert {fault.kind for one in built.rejected for fault in one.faults} == {FaultKind.SPARE}
    assert lab.folder.dataset() == built.dataset
    assert (lab.curator.anchors, lab.curator.sides) == ([1], [64])
    assert estimate(lab.kit(), lab.persona, None).pictures == 0


def test_records_say_where_a_picture_came_from(lab):
    built = build_dataset(lab.kit(), lab.persona, photos(lab), LIST, effort=CALM)
    reference = built.dataset.references[0]
    assert (reference.origin, reference.licence) == ("edited from start/01.png", "CC0-1.0")
    assert (reference.generator, reference.cell, reference.path) == (
        "fake: edited rectangles",
        "close-up-01",
        "close-up-01-1.png",
    )
    assert reference.caption.startswith("mirelo woman, close-up portrait, ")
    assert hashlib.sha256((lab.folder.path / reference.path).read_bytes()).hexdigest() == reference.sha256
    assert built.dataset.consent.fictional
    build = lab.folder.build()
    assert (build.start, build.pictures[0].source) == (StartKind.PHOTOS, "me.jpg")
    assert set(lab.rows()) == {f"dataset/mira/{build.name}/{one.cell}/1" for one in built.kept}
    assert set(lab.rows().values()) == {("done", 0.04)}


def test_only_empty_cells_are_tried_again_with_new_seeds(lab):
    bad = {"close-up-01-1.png", "half-body-02-1.png", "half-body-02-2.png"}
    lab.curator.rule = lambda one: refused(FaultKind.BLURRED) if one.name in bad else good(one)
    built = build_dataset(lab.kit(), lab.persona, photos(lab), LIST, effort=Effort(factor=1.0, rounds=3))
    assert lab.editor.paid == 5 + 2 + 1
    assert built.coverage.missing == ()
    assert {one.path for one in built.kept if one.number > 1} == {"close-up-01-2.png", "half-body-02-3.png"}
    assert len({edit.prompt.seed for edit in lab.editor.edited}) == 8
    # what is kept is looked at again beside the new ones
    assert [len(names) for names in lab.curator.seen] == [5, 5, 5]


def test_rounds_end_and_what_is_missing_is_said(lab):
    lab.curator.rule = lambda one: refused(FaultKind.ANOTHER_PERSON) if one.name.startswith("close-up-03") else good(one)
    built = build_dataset(lab.kit(), lab.persona, photos(lab), LIST, effort=CALM)
    assert built.coverage.missing == ("close-up-03",)
    assert "another person" in lab.diary.said("done")
    assert lab.editor.paid == 6


def test_a_kept_picture_may_lose_its_place_to_a_copy(lab):
    def rule(one):
        if one.name == "close-up-01-1.png" and len(lab.curator.seen) > 1:
            return refused(FaultKind.NEAR_DUPLICATE)
        return refused(FaultKind.BLURRED) if one.name == "close-up-02-1.png" else good(one)

    lab.curator.rule = rule
    built = build_dataset(lab.kit(), lab.persona, photos(lab), LIST, effort=Effort(factor=1.0, rounds=3))
    assert built.coverage.missing == ()
    assert {one.path for one in built.kept if one.number > 1} == {"close-up-01-2.png", "close-up-02-2.png"}
    assert (lab.folder.path / "rejected/close-up-01-1.png").is_file()


def test_nothing_good_gives_no_dataset(lab):
    lab.curator.rule = lambda one: refused(FaultKind.UNSAFE)
    built = build_dataset(lab.kit(), lab.persona, photos(lab), LIST, effort=CALM)
    assert (built.dataset, built.kept, len(built.rejected)) == (None, (), 10)
    assert lab.folder.dataset() is None


@pytest.mark.parametrize(("factor", "pictures"), [(1.0, 5), (2.5, 12), (3.0, 15)])
def test_the_factor_is_spread_over_the_cells(lab, factor, pictures):
    assert estimate(lab.kit(), lab.persona, photos(lab), LIST, effort=Effort(factor=factor)).pictures == pictures


@pytest.mark.parametrize(("factor", "rounds"), [(0.5, 3), (6, 3), (2, 0), (2, 11), (float("nan"), 3)])
def test_efforts_that_cannot_be(factor, rounds):
    with pytest.raises(ConfigurationError, match="factor is 1 to 5"):
        Effort(factor=factor, rounds=rounds)


def test_settings_are_kept_out(lab):
    unseen = frozenset({("gym", "night"), ("park", "daylight")})
    build_dataset(lab.kit(), lab.persona, photos(lab), LIST, effort=CALM, keep_out=unseen)
    shots = [edit.cell.shot for edit in lab.editor.edited]
    assert not unseen & {(shot.scene, shot.light) for shot in shots}


def test_a_free_model_is_told_in_words_and_given_the_garment(lab, paint, tmp_path):
    (tmp_path / "coat.png").write_bytes(paint(3))
    shot = Shot(scene="harbour", outfit="coat", expression="glad", framing=Framing.FULL_BODY, light="dusk")
    cells = (
        Cell(id="worn", shot=shot, garment=str(tmp_path / "coat.png")),
        Cell(id="clean", shot=shot.model_copy(update={"outfit": "shirt", "scene": "wall"}), instruction="remove the hat"),
    )
    lab.editor = FakeImageEditor(size=(64, 96), most_references=2)
    start = photos(lab, paint(1), paint(2))
    built = build_dataset(lab.kit(), lab.persona, start, ShotList(name="two", cells=cells), effort=CALM)
    worn, clean = lab.editor.edited
    assert (len(worn.references), len(clean.references)) == (2, 2)
    assert "those of the last picture" in worn.prompt.text
    assert clean.prompt.text.startswith("Remove the hat. Change nothing else in the first 2 pictures.")
    assert (worn.prompt.width, worn.prompt.height) == (64, 96)
    assert len(built.kept) == 2
    assert lab.curator.anchors == [3]
    (tmp_path / "coat.png").unlink()
    with pytest.raises((MediaError, ConfigurationError), match=r"garment|coat"):
        estimate(lab.kit(), lab.persona, start)


# ---- going on


def test_the_same_call_again_makes_nothing(lab):
    first = build_dataset(lab.kit(), lab.persona, photos(lab), LIST)
    again = build_dataset(lab.kit(), lab.persona)
    assert (again.dataset, again.spent_usd, lab.editor.paid) == (first.dataset, 0.0, 10)


def test_failures_of_a_moment_do_not_lose_the_build(lab):
    lab.editor.failures = [RateLimited("later", provider="fake"), ProviderRefused("not this", provider="fake")]
    built = build_dataset(lab.kit(), lab.persona, photos(lab), LIST, effort=CALM)
    assert built.coverage.missing == ()
    assert "going on with the others" in lab.diary.said("note")
    assert lab.editor.paid == 3 + 2 * 2  # the two that failed get what they missed, and the second round's


def test_three_failures_in_a_row_stop_and_the_next_call_goes_on(lab):
    build_of_five = [RateLimited("later", provider="fake") for _ in range(3)]
    lab.editor.failures = list(build_of_five)
    with pytest.raises(RateLimited):
        build_dataset(lab.kit(), lab.persona, photos(lab), LIST)
    assert lab.editor.paid == 0
    assert build_dataset(lab.kit(), lab.persona).coverage.missing == ()
    assert lab.editor.paid == 10


def test_the_months_budget_stops_it_and_more_money_goes_on(lab):
    with pytest.raises(BudgetExceeded, match=r"\$0.20 of \$0.21"):
        build_dataset(lab.kit(budget=Budget(month_usd=0.21)), lab.persona, photos(lab), LIST)
    assert (lab.editor.paid, len(lab.folder.candidates())) == (5, 5)
    built = build_dataset(lab.kit(budget=Budget(month_usd=5)), lab.persona)
    assert (lab.editor.paid, built.coverage.share) == (10, 1.0)


def test_a_row_that_a_crash_left_open_is_closed_and_not_paid_again(lab):
    build_dataset(lab.kit(), lab.persona, photos(lab), LIST, effort=CALM)
    name = lab.folder.build().name
    entry = LedgerEntry(
        id=f"dataset/mira/{name}/close-up-01/1~2", at=lab.desk.clock(), persona="mira", post_id=None, role="image",
        provider="fake", model="m", state=LedgerState.INTENT, estimate_usd=0.04,
    )  # fmt: skip
    lab.desk.store.open_call(entry)
    build_dataset(lab.kit(), lab.persona)
    assert lab.rows()[entry.id] == ("done", 0.04)
    assert lab.editor.paid == 5


def test_what_was_ordered_before_a_crash_is_fetched(lab):
    kit = lab.kit()

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    real, lab.folder.add = lab.folder.add, killed
    with pytest.raises(Killed):
        build_dataset(kit, lab.persona, photos(lab), LIST, effort=CALM)
    lab.folder.add = real
    assert (lab.editor.paid, lab.folder.candidates()) == (1, ())
    assert build_dataset(kit, lab.persona, effort=CALM).coverage.share == 1.0
    assert lab.editor.paid == 5


def test_a_persons_edits_of_list_and_captions_count(lab):
    build_dataset(lab.kit(), lab.persona, photos(lab), LIST, effort=CALM)
    shots = lab.folder.shots()
    changed = shots.model_copy(update={"cells": (*shots.cells[:-1], shots.cells[-1].model_copy(update={"id": "mine"}))})
    (lab.folder.path / "shots.yaml").write_text(shot_list_text(changed))
    (lab.folder.path / "close-up-01-1.txt").write_text("mirelo woman, as I say it")
    (lab.folder.path / "close-up-02-1.txt").write_text("somebody without the word")
    built = build_dataset(lab.kit(), lab.persona, effort=CALM)
    said = {one.path: one.caption for one in built.dataset.references}
    assert lab.editor.paid == 6
    assert "mine-1.png" in said
    assert said["close-up-01-1.png"] == "mirelo woman, as I say it"
    assert said["close-up-02-1.png"].startswith("mirelo woman, close-up portrait")


def test_a_picture_that_a_person_deleted_is_made_anew(lab):
    build_dataset(lab.kit(), lab.persona, photos(lab), LIST, effort=CALM)
    (lab.folder.path / "close-up-01-1.png").unlink()
    built = build_dataset(lab.kit(), lab.persona, effort=CALM)
    assert {one.path for one in built.kept if one.cell == "close-up-01"} == {"close-up-01-2.png"}


def test_a_check_examines_everything_again(lab):
    lab.curator.rule = lambda one: refused(FaultKind.BLURRED) if one.name.endswith("-1.png") else good(one)
    build_dataset(lab.kit(), lab.persona, photos(lab), LIST)
    lab.curator.rule = lambda one: good(one) if one.name.endswith("-1.png") else refused(FaultKind.NEAR_DUPLICATE)
    checked = check_dataset(lab.kit(), lab.persona)
    assert {one.number for one in checked.kept} == {1}
    assert (len(checked.kept), len(checked.rejected)) == (5, 5)
    assert (lab.folder.path / "rejected/report.txt").read_text().startswith("5 pictures were not kept")


# ---- what is refused


def test_nothing_is_made_without_consent(lab):
    consent = {
        "fictional": False, "person": "Ana", "scope": "posts", "expires": "2026-11-20", "document_sha256": "a" * 64
    }  # fmt: skip
    lab.desk.as_persona(consent=consent)
    for doing in (
        lambda: estimate(lab.kit(), lab.persona, photos(lab), LIST),
        lambda: build_dataset(lab.kit(), lab.persona, photos(lab), LIST),
        lambda: make_anchors(lab.kit(), lab.persona),
        lambda: build_dataset(lab.kit(), lab.persona, Folder(())),
    ):
        with pytest.raises(ConsentRequired, match="Ana's likeness ended on 2026-11-20"):
            doing()
    assert (lab.editor.paid, lab.desk.images.made) == (0, [])
    lab.desk.as_persona(consent=consent | {"expires": "2026-11-21"})
    assert build_dataset(lab.kit(), lab.persona, photos(lab), LIST).dataset.consent.person == "Ana"


def test_trigger_words_that_mean_something_are_refused(lab):
    for words, complaint in (
        ({"known_words": frozenset({"mirelo"})}, "a word that models know"),
        ({"other_triggers": ("mirela",)}, "shares its beginning"),
    ):
        with pytest.raises(ConfigurationError, match=complaint):
            build_dataset(lab.kit(**words), lab.persona, photos(lab), LIST)
    lab.desk.as_persona(lora=None)
    with pytest.raises(ConfigurationError, match="has no trigger word"):
        build_dataset(lab.kit(), lab.persona, photos(lab), LIST)


def test_another_start_or_list_is_refused(lab, paint):
    with pytest.raises(NotFound, match="no dataset was begun"):
        build_dataset(lab.kit(), lab.persona)
    with pytest.raises(NotFound, match=r"no shots\.yaml yet"):
        build_dataset(lab.kit(), lab.persona, photos(lab))
    build_dataset(lab.kit(), lab.persona, photos(lab), LIST, effort=CALM)
    with pytest.raises(Conflict, match=r"began from photos \(me.jpg\), not from photos \(other.jpg\)"):
        build_dataset(lab.kit(), lab.persona, Photos((("other.jpg", paint(9)),)))
    with pytest.raises(ConfigurationError, match="built from the shot list 'shots-15', not 'shots-30'"):
        build_dataset(lab.kit(), lab.persona, photos(lab), load_shot_list("30"))
    with pytest.raises(ConfigurationError, match="needs an edit backend"):
        build_dataset(lab.kit(editor=None), lab.persona)
    with lab.folder.writing(), pytest.raises(Conflict, match="another process"):
        build_dataset(lab.kit(), lab.persona)


def test_photos_that_cannot_be_read(lab, tmp_path):
    with pytest.raises(NotFound, match="there is no photo"):
        Photos.read([tmp_path / "none.jpg"])
    with pytest.raises(MediaError, match="cannot be read"):
        Photos.read([tmp_path])
    with pytest.raises(MediaError, match="1 to 16 photos, not 0"):
        Photos.read([])
    (tmp_path / "x.jpg").write_bytes(b"no picture")
    with pytest.raises(MediaError, match=r"the photo x\.jpg is "):
        build_dataset(lab.kit(), lab.persona, Photos.read([tmp_path / "x.jpg"]), LIST)
    assert lab.folder.build() is None


# ---- from words


def test_anchors_are_made_once_and_one_is_picked(lab):
    lab.desk.images._price = 0.02
    assert anchors_usd(lab.kit(), lab.persona) == pytest.approx(0.32)
    anchors = make_anchors(lab.kit(images_licence="Apache-2.0"), lab.persona)
    assert [one.number for one in anchors] == list(range(1, 17))
    seeds = Counter(one.seed for one in anchors)
    assert sorted(seeds.values()) == [1] * 12 + [4]
    assert len({one.sha256 for one in anchors}) == 16
    assert (anchors[0].licence, anchors[0].generator) == ("Apache-2.0", "fake: rectangles")
    assert "long wavy teal hair" in lab.desk.images.made[0].text
    assert make_anchors(lab.kit(), lab.persona) == anchors
    assert (lab.desk.images.paid, anchors_usd(lab.kit(), lab.persona)) == (16, 0)
    assert lab.rows()["dataset/mira/anchor/16"] == ("done", 0.02)
    with pytest.raises(NotFound, match="there is no anchor 17"):
        build_dataset(lab.kit(), lab.persona, Anchor(17), LIST)
    built = build_dataset(lab.kit(), lab.persona, Anchor(7), LIST, effort=CALM)
    assert (built.coverage.share, lab.folder.build().pictures[0].source) == (1.0, "anchors/anchor-7.png")
    with pytest.raises(Conflict):
        build_dataset(lab.kit(), lab.persona, Anchor(8))


def test_anchors_need_an_image_model(lab):
    for doing in (make_anchors, anchors_usd):
        if doing is make_anchors:
            with pytest.raises(ConfigurationError, match="needs an image model"):
                doing(lab.kit(images=None), lab.persona)
        else:
            assert doing(lab.kit(images=None), lab.persona) == 0.0


# ---- a folder that exists


def brought(folder: Path, paint) -> Path:
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.png").write_bytes(paint(number))
    (folder / "4.jpg").write_bytes(paint(4, form="JPEG"))
    (folder / "5.webp").write_bytes(paint(5, form="WEBP"))
    (folder / "6.png").write_bytes(paint(0))  # the first one again
    (folder / "7.png").write_bytes(b"no picture")
    (folder / "0.txt").write_text("mirelo woman in rain")
    (folder / "1.txt").write_text("a woman with teal hair")
    return folder


def test_a_folder_is_copied_curated_and_captioned(lab, paint, tmp_path):
    source = brought(tmp_path / "pics", paint)
    lab.curator.rule = lambda one: refused(FaultKind.TOO_SMALL) if one.name == "brought-4.png" else good(one)
    start = Folder(read_brought(source), licence="my own photos")
    assert estimate(lab.kit(editor=None), lab.persona, start).usd == 0.0
    built = build_dataset(lab.kit(editor=None), lab.persona, start)
    assert [one.path for one in built.kept] == [
        "brought-1.png", "brought-2.png", "brought-3.png", "brought-5.jpg", "brought-6.png",
    ]  # fmt: skip
    assert (lab.folder.path / "brought-5.jpg").read_bytes() == (source / "4.jpg").read_bytes()
    assert [one.origin for one in built.rejected] == ["brought: 3.png"]
    assert built.notes[0].startswith("7.png is ")
    said = [one.caption for one in built.dataset.references]
    assert said[:3] == ["mirelo woman in rain", "mirelo woman with teal hair", "mirelo woman"]
    assert {one.licence for one in built.dataset.references} == {"my own photos"}
    assert len(list(source.iterdir())) == 10
    again = build_dataset(lab.kit(editor=None), lab.persona, start)
    assert again.dataset == built.dataset
    assert len(lab.folder.candidates()) == 6


def test_different_repeats_are_not_taken_over_silently(lab, paint, tmp_path):
    source = brought(tmp_path / "pics", paint)
    pictures = read_brought(source)
    mixed = tuple(one.model_copy(update={"repeats": 10}) if index else one for index, one in enumerate(pictures))
    built = build_dataset(lab.kit(), lab.persona, Folder(mixed))
    assert any("num_repeats of dataset.toml (1, 10) is not taken over" in note for note in built.notes)


def _cmyk(noise: Image.Image) -> tuple[Image.Image, dict[str, object]]:
    return noise.convert("CMYK"), {"format": "JPEG"}


def _turned(noise: Image.Image) -> tuple[Image.Image, dict[str, object]]:
    exif = Image.Exif()
    exif[0x0112] = 6
    return noise, {"format": "JPEG", "exif": exif}


def _see_through(noise: Image.Image) -> tuple[Image.Image, dict[str, object]]:
    noise.putalpha(128)
    return noise, {"format": "PNG"}


def _sixteen_bits(noise: Image.Image) -> tuple[Image.Image, dict[str, object]]:
    return noise.convert("L").convert("I").convert("I;16"), {"format": "PNG"}


@pytest.mark.parametrize("odd", [_cmyk, _turned, _see_through, _sixteen_bits])
def test_odd_pictures_are_kept_as_what_everybody_sees(lab, paint, tmp_path, odd):
    noise = Image.open(io.BytesIO(paint(1))).convert("RGB").resize((64, 32))
    image, options = odd(noise)
    image.save(tmp_path / "odd.png", **options)
    (one,) = build_dataset(lab.kit(), lab.persona, Folder(read_brought(tmp_path), licence="mine")).kept
    with Image.open(lab.folder.path / one.path) as kept:
        assert (kept.format, kept.mode) == ("PNG", "RGB")
        assert kept.size == ((32, 64) if odd is _turned else (64, 32))
        assert not kept.info.get("exif")
