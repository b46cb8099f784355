"""A dataset's folder: whole or absent, nothing deleted, what a person edits counts, and folders of others in every layout."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia import resources
from zirelia.definitions.shotlists import load_shot_list
from zirelia.domain.dataset import (
    Build,
    Candidate,
    Dataset,
    Fault,
    FaultKind,
    Reference,
    StartKind,
    StartPicture,
)
from zirelia.domain.persona import Consent
from zirelia.errors import Conflict, DefinitionError, NotFound, StoreError, ZireliaError
from zirelia.store.brought import read_brought
from zirelia.store.datasets import DatasetFiles

BLURRED = Fault(kind=FaultKind.BLURRED, explanation="soft", score=12.0, threshold=40.0)


def tried(cell: str, number: int, data: bytes = b"picture", **changes: object) -> Candidate:
    made = Candidate(
        cell=cell,
        number=number,
        path=f"candidates/{cell}-{number}.png",
        sha256=hashlib.sha256(data).hexdigest(),
        origin="edited from start/01.png",
        licence="CC0-1.0",
    )
    return made.model_copy(update=changes)


@pytest.fixture
def folder(tmp_path: Path) -> DatasetFiles:
    return DatasetFiles(tmp_path / "dataset")


def names(folder: DatasetFiles) -> set[str]:
    return {str(path.relative_to(folder.path)) for path in folder.path.rglob("*") if path.is_file() and path.name != ".lock"}


def test_candidates_come_back_in_order(folder):
    with folder.writing():
        for cell, number in (("b", 1), ("a", 10), ("a", 2)):
            folder.add(tried(cell, number, f"{cell}{number}".encode()), f"{cell}{number}".encode())
    found = folder.candidates()
    assert [(one.cell, one.number) for one in found] == [("a", 2), ("a", 10), ("b", 1)]
    assert folder.read(found[1]) == b"a10"


def test_what_was_found_moves_pictures_and_deletes_nothing(folder):
    good, bad = tried("a", 1, b"good"), tried("a", 2, b"bad")
    with folder.writing():
        folder.add(good, b"good")
        folder.add(bad, b"bad")
        done = {"examined": True, "identity": 0.8}
        folder.settle([good.model_copy(update=done), bad.model_copy(update={**done, "faults": (BLURRED,)})])
    assert names(folder) == {
        "a-1.png", "candidates/a-1.json", "candidates/a-2.json", "rejected/a-2.png", "rejected/report.jsonl",
        "rejected/report.txt",
    }  # fmt: skip
    kept, rejected = folder.candidates()
    assert (kept.path, kept.kept, rejected.path, rejected.kept) == ("a-1.png", True, "rejected/a-2.png", False)
    assert (folder.read(kept), folder.read(rejected)) == (b"good", b"bad")
    line = json.loads((folder.path / "rejected/report.jsonl").read_text())
    assert (line["file"], line["identity"], line["faults"][0]["kind"]) == ("a-2.png", 0.8, "blurred")
    report = (folder.path / "rejected/report.txt").read_text()
    assert "1 x blurred" in report
    assert "blurred: soft [measured 12, limit 40]" in report


def test_a_picture_may_come_back_from_the_rejected(folder):
    bad = tried("a", 1, b"x", examined=True, faults=(BLURRED,))
    with folder.writing():
        folder.add(tried("a", 1, b"x"), b"x")
        folder.settle([bad])
        folder.settle([bad.model_copy(update={"faults": ()})])
    assert "a-1.png" in names(folder)
    assert (folder.path / "rejected/report.jsonl").read_text() == ""


def test_moves_that_a_kill_interrupted_are_ended(folder):
    one, two = tried("a", 1, b"1", examined=True), tried("a", 2, b"2", examined=True, faults=(BLURRED,))
    with folder.writing():
        folder.add(tried("a", 1, b"1"), b"1")
        folder.add(tried("a", 2, b"2"), b"2")
    whole = [one.model_copy(update={"path": "a-1.png"}), two.model_copy(update={"path": "rejected/a-2.png"})]
    (folder.path / "settling.json").write_text(json.dumps([each.model_dump(mode="json") for each in whole]))
    (folder.path / "candidates/a-1.png").rename(folder.path / "a-1.png")  # killed after the first move
    assert [each.kept for each in folder.candidates()] == [True, False]
    assert folder.read(folder.candidates()[1]) == b"2"
    with folder.writing():
        assert names(folder) >= {"a-1.png", "rejected/a-2.png"}
        assert "settling.json" not in names(folder)


def test_a_picture_without_a_record_was_never_finished(folder):
    with folder.writing():
        (folder.path / "candidates").mkdir()
        (folder.path / "candidates/a-1.png").write_bytes(b"half")
        (folder.path / "candidates/.a-1.77.part.json").write_bytes(b"{")
        assert folder.candidates() == ()
        folder.add(tried("a", 1, b"whole"), b"whole")
    with folder.writing():
        assert names(folder) == {"candidates/a-1.png", "candidates/a-1.json"}
    assert folder.read(folder.candidates()[0]) == b"whole"


def test_a_picture_that_a_person_took_away_is_not_kept(folder):
    with folder.writing():
        folder.add(tried("a", 1, b"x"), b"x")
        folder.settle([tried("a", 1, b"x", examined=True)])
    (folder.path / "a-1.png").unlink()
    (one,) = folder.candidates()
    assert [fault.kind for fault in one.faults] == [FaultKind.TAKEN_AWAY]
    with pytest.raises(NotFound, match="no longer in"):
        folder.read(one)


def test_wrong_adds_are_refused(folder):
    with folder.writing():
        folder.add(tried("a", 1, b"x"), b"x")
        with pytest.raises(Conflict, match="already"):
            folder.add(tried("a", 1, b"x"), b"x")
        with pytest.raises(StoreError, match="hash differs"):
            folder.add(tried("a", 2, b"x"), b"y")
        for path in ("../a-3.png", "rejected/a-3.png", "candidates/../../a-3.png", "/tmp/a-3.png"):  # noqa: S108
            with pytest.raises(StoreError, match="is not in candidates/"):
                folder.add(tried("a", 3, b"x", path=path), b"x")


@pytest.mark.parametrize("path", ["../mine.png", "/etc/hostname", "candidates/../../mine.png"])
def test_a_record_of_somebody_else_moves_and_reads_nothing_outside(folder, tmp_path, path):
    mine = tmp_path / "mine.png"
    mine.write_bytes(b"picture")
    one = tried("a", 1, path=path)
    with folder.writing():
        folder.add(tried("a", 1), b"picture")
        record = folder.path / "candidates" / "a-1.json"
        record.write_text(one.model_dump_json())
        with pytest.raises(DefinitionError, match="not a path inside the folder"):
            folder.candidates()
        record.unlink()
        (folder.path / "settling.json").write_text(json.dumps([one.model_dump(mode="json")]))
        with pytest.raises(DefinitionError, match="not a path inside the folder"):
            folder.candidates()
        with pytest.raises(DefinitionError, match="not a path inside the folder"):
            folder.start_picture(StartPicture(path=path, sha256=one.sha256, source="me.png"))
    assert mine.read_bytes() == b"picture"


def test_one_process_writes_at_a_time(folder):
    with folder.writing(), pytest.raises(Conflict, match="another process"), folder.writing():
        pass
    with folder.writing():
        pass


def test_a_folder_that_cannot_be_written_is_a_store_error(folder, tmp_path):
    (tmp_path / "dataset").write_text("a file")
    with pytest.raises(StoreError), folder.writing():
        pass


def test_a_full_disk_leaves_the_old_file(folder, monkeypatch):
    with folder.writing():
        folder.add(tried("a", 1, b"x"), b"x")

        def full(self: Path, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(StoreError, match="No space left"):
            folder.add(tried("a", 2, b"y"), b"y")
    assert len(folder.candidates()) == 1
    assert not [name for name in names(folder) if "part" in name]


def test_the_build_its_start_and_its_list(folder):
    picture = StartPicture(path="start/01.png", sha256=hashlib.sha256(b"photo").hexdigest(), source="me.jpg")
    build = Build(name="photos-1", start=StartKind.PHOTOS, pictures=(picture,))
    wanted = load_shot_list("15")
    assert (folder.build(), folder.shots(), folder.anchors(), folder.dataset()) == (None, None, (), None)
    with folder.writing():
        folder.begin(build, [b"photo"])
        folder.save_shots(wanted)
        folder.add_anchor(tried("anchor", 2, b"2", path="anchors/anchor-2.png"), b"2")
    assert (folder.build(), folder.shots(), folder.start_picture(picture)) == (build, wanted, b"photo")
    assert folder.read(folder.anchors()[0]) == b"2"
    assert folder.candidates() == ()
    (folder.path / "start/01.png").write_bytes(b"another")
    with pytest.raises(StoreError, match="hash differs"):
        folder.start_picture(picture)
    (folder.path / "start/01.png").unlink()
    with pytest.raises(NotFound, match="is gone"):
        folder.start_picture(picture)


def dataset(*captions: str) -> Dataset:
    return Dataset(
        persona="mira",
        trigger="mirelo",
        consent=Consent(fictional=True),
        references=tuple(
            Reference(path=f"a-{number}.png", sha256="0" * 64, origin="o", licence="l", caption=caption, cell="a")
            for number, caption in enumerate(captions, start=1)
        ),
    )


def test_a_finished_dataset_and_what_a_person_writes_beside_it(folder):
    with folder.writing():
        folder.finish(dataset("mirelo woman, smiling", "mirelo woman"))
    for name in ("a-1.png", "a-2.png"):
        (folder.path / name).write_bytes(b"x")
    assert folder.dataset() == dataset("mirelo woman, smiling", "mirelo woman")
    assert (folder.path / "a-1.txt").read_text() == "mirelo woman, smiling\n"
    lines = [json.loads(line) for line in (folder.path / "metadata.jsonl").read_text().splitlines()]
    assert lines[0] == {"file_name": "a-1.png", "text": "mirelo woman, smiling", "cell": "a", "origin": "o", "licence": "l"}
    (folder.path / "a-2.txt").write_text("mirelo woman,\n in rain\n")
    assert folder.dataset() == dataset("mirelo woman, smiling", "mirelo woman, in rain")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda text: text[:40], "is damaged"),
        (lambda text: text.replace('"trigger": "mirelo"', '"trigger": "no word"'), "dataset.json: trigger: is damaged"),
        (lambda text: text.replace("a-1.png", "../a-1.png"), "not a path inside"),
        (lambda text: text.replace("a-1.png", "gone.png"), "the picture 'gone.png' is not there"),
    ],
)
def test_a_damaged_dataset_is_named(folder, change, complaint):
    with folder.writing():
        folder.finish(dataset("mirelo woman"))
    (folder.path / "a-1.png").write_bytes(b"x")
    path = folder.path / "dataset.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(DefinitionError, match=complaint):
        folder.dataset()


def test_the_shipped_dataset_loads():
    shipped = DatasetFiles(resources.folder("persona") / "mira" / "dataset").dataset()
    assert shipped is not None
    assert (shipped.trigger, len(shipped.references)) == ("mirelo", 36)


# ---- folders of others


def pictures(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def found(folder: Path) -> list[tuple[str, str | None, int]]:
    return [(Path(one.path).name, one.caption, one.repeats) for one in read_brought(folder)]


def test_pictures_with_captions_beside_them(tmp_path):
    pictures(tmp_path, "b.JPG", "a.png", "notes.md", "c.webp", "sub/d.png")
    (tmp_path / "a.txt").write_text("a woman\n  smiling\x1b[31m")
    assert found(tmp_path) == [("a.png", "a woman smiling[31m", 1), ("b.JPG", None, 1), ("c.webp", None, 1)]


def test_metadata_of_hugging_face(tmp_path):
    pictures(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "c.txt").write_text("the file beside it counts")
    lines = [
        {"file_name": "a.png", "text": "one"},
        {"file_name": "b.png", "caption": "two"},
        {"file_name": "c.png", "text": "x"},
    ]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    assert found(tmp_path) == [("a.png", "one", 1), ("b.png", "two", 1), ("c.png", "the file beside it counts", 1)]


def test_kohyas_file(tmp_path):
    pictures(tmp_path, "10_mira/a.png", "other/b.png")
    (tmp_path / "10_mira/a.caption").write_text("one")
    (tmp_path / "other/b.txt").write_text("two")
    (tmp_path / "dataset.toml").write_text(
        '[general]\ncaption_extension = ".caption"\n[[datasets]]\nresolution = 512\n'
        '[[datasets.subsets]]\nimage_dir = "10_mira"\nnum_repeats = 10\n'
        '[[datasets.subsets]]\nimage_dir = "other"\ncaption_extension = ".txt"\n'
    )
    assert found(tmp_path) == [("a.png", "one", 10), ("b.png", "two", 1)]


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("metadata.jsonl", '{"file_name": "a.png"', "metadata.jsonl:1: is not JSON"),
        ("metadata.jsonl", '\n["a"]', "metadata.jsonl:2: file_name: has no file_name"),
        ("metadata.jsonl", '{"file_name": "../../etc/passwd", "text": "x"}', "not a path inside"),
        ("metadata.jsonl", '{"file_name": "a\\u0000.png", "text": "x"}', "not a path inside"),
        ("metadata.jsonl", b"\xff\xfe", "is not UTF-8"),
        ("dataset.toml", "[[datasets", "is not valid TOML"),
        ("dataset.toml", "datasets = 3", "datasets: is not a list of tables"),
        ("dataset.toml", "[[datasets]]\nsubsets = [1]", "is not a table"),
        ("dataset.toml", "[general]\n", r"names no \[\[datasets.subsets\]\]"),
        ("dataset.toml", "[[datasets]]\n[[datasets.subsets]]\n", "image_dir: is required"),
        ("dataset.toml", '[[datasets]]\n[[datasets.subsets]]\nimage_dir = "nowhere"', "there is no folder"),
        ("dataset.toml", '[[datasets]]\n[[datasets.subsets]]\nimage_dir = "."\nnum_repeats = 0', "whole number from 1"),
        ("dataset.toml", '[[datasets]]\n[[datasets.subsets]]\nimage_dir = "."\ncaption_extension = "txt"', "an extension"),
        ("a.txt", b"\xff\xfe", "a.txt:1: is not UTF-8"),
    ],
)
def test_folders_that_do_not_fit_are_named(tmp_path, name, text, complaint):
    pictures(tmp_path, "a.png")
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DefinitionError, match=complaint):
        read_brought(tmp_path)


def test_folders_without_pictures(tmp_path):
    with pytest.raises(NotFound, match="there is no picture"):
        read_brought(tmp_path)
    with pytest.raises(NotFound, match="there is no folder"):
        read_brought(tmp_path / "nowhere")


@given(st.sampled_from(["metadata.jsonl", "dataset.toml"]), st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_stands_there_ends_in_pictures_or_a_clear_error(tmp_path_factory, name, data):
    folder = pictures(tmp_path_factory.mktemp("any"), "a.png")
    (folder / name).write_bytes(data)
    with contextlib.suppress(ZireliaError):  # anything else fails the test
        assert len(read_brought(folder)) == 1
