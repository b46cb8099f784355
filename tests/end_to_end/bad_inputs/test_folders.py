"""Folders of pictures that exist, and what came along with them: captions, metadata.jsonl, kohya's dataset.toml."""

from __future__ import annotations

import json

import pytest


def from_folder(make, *more):
    return lambda desk: ["dataset", "build", "luna", "--from-folder", make(desk), *more]


def empty(desk):
    (desk.given / "pics").mkdir()
    return desk.given / "pics"


def with_file(name, said):
    """Five good pictures, and one more file."""

    def make(desk):
        desk.put(f"pics/{name}", said)
        return desk.pictures()

    return make


def broken(desk):
    for number in range(3):
        desk.put(f"pics/{number}.jpg", desk.encoded(form="JPEG")[:2000])
    return desk.given / "pics"


def metadata(*lines):
    return with_file("metadata.jsonl", "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))


GOOD = {"file_name": "0.png", "text": "in a park"}
REFUSED = [
    pytest.param(empty, 3, ["there is no picture in", "pics", "pictures end in .jpeg, .jpg, .png, .webp"], id="empty"),
    pytest.param(
        lambda d: d.put("pics/notes.txt", "no picture").parent, 3, ["there is no picture in", "pictures end in"], id="notes"
    ),
    pytest.param(broken, 9, ["none of the 3 pictures", "can be read", "0.jpg", "cut off", "again"], id="all broken"),
    pytest.param(
        with_file("3.txt", "caf\xe9 und\nwei\xdf".encode("latin-1")),
        2,
        ["3.txt:1", "not UTF-8", "save the file as UTF-8"],
        id="a caption in Latin-1",
    ),
    pytest.param(
        metadata(GOOD, "", GOOD, '{"file_name": '),
        2,
        ["metadata.jsonl:4", "is not JSON", "one JSON object a line"],
        id="metadata: a broken line",
    ),
    pytest.param(
        metadata(GOOD, {"text": "x"}), 2, ["metadata.jsonl:2", "has no file_name", "one JSON object"], id="metadata: no name"
    ),
    pytest.param(
        metadata(GOOD, {"file_name": "../../secret.png"}),
        2,
        ["metadata.jsonl:2: file_name", "'../../secret.png' is not a path inside the folder", "pictures lie in"],
        id="metadata: a way out",
    ),
    pytest.param(
        metadata(GOOD, {"file_name": "a\0b.png"}), 2, ["metadata.jsonl:2: file_name", "inside the folder"], id="metadata: NUL"
    ),
    pytest.param(
        with_file("dataset.toml", "[general]\nx = = 1\n"),
        2,
        ["dataset.toml:2", "is not valid TOML", "kohya"],
        id="TOML: syntax",
    ),
    pytest.param(
        with_file("dataset.toml", "[general]\n"),
        2,
        ["dataset.toml", "names no [[datasets.subsets]]", "image_dir"],
        id="TOML: no subsets",
    ),
    pytest.param(
        with_file("dataset.toml", '[[datasets]]\n[[datasets.subsets]]\nimage_dir = "gone"\n'),
        2,
        ["dataset.toml: datasets[0].subsets[0].image_dir", "there is no folder", "gone"],
        id="TOML: no such folder",
    ),
    pytest.param(
        with_file("dataset.toml", '[[datasets]]\n[[datasets.subsets]]\nimage_dir = "."\nnum_repeats = 0\n'),
        2,
        ["datasets[0].subsets[0].num_repeats", "a whole number from 1"],
        id="TOML: no repeats",
    ),
]


@pytest.mark.parametrize(("make", "code", "says"), REFUSED)
def test_a_folder_that_is_refused(judged, desk, make, code, says):
    judged(from_folder(make), code, says)
    assert not (desk.dataset / "dataset.json").exists()


def test_no_folder(judged):
    judged(from_folder(lambda d: d.given / "none"), 2, ["none' does not exist"])
    judged(from_folder(lambda d: d.photo()), 2, ["photo.png' is a file"])


SMALL = {"scene": "kitchen", "cloth": "pink"}


def small(desk):
    for number, picture in enumerate(sorted(desk.pictures().iterdir())):
        if number > 2:
            desk.photo(f"pics/{picture.name}", desk.drawn(seed=number, **SMALL).resize((64, 64)))
    return desk.given / "pics"


def copies(desk):
    for number in range(4):
        desk.photo(f"pics/{number}.png", compress_level=number)
    return desk.given / "pics"


def with_strangers(desk):
    desk.photo("pics/b.png", desk.drawn("bruno"))
    desk.photo("pics/two.png", desk.drawn(people=2))
    return desk.pictures()


def one_broken(desk):
    desk.photo("pics/x\n\x1b[31m.png", desk.drawn(seed=9))
    return desk.pictures()


def one(desk):
    return desk.pictures(1)


# kept, reasons of those that are not, words of the notes
JUDGED = [
    pytest.param(lambda d: d.pictures(), 5, {}, [], id="no captions"),
    pytest.param(small, 3, {"too small": 2}, [], id="too small"),
    pytest.param(with_strangers, 5, {"another person": 1, "several subjects": 1}, [], id="strangers"),
    pytest.param(
        one_broken, 5, {}, ["is not there by that name: rename it"], id="one is broken, and named to drive a terminal"
    ),
]
NOTHING_KEPT = [
    pytest.param(one, {"not checked": 1}, id="one picture"),
]


@pytest.mark.parametrize(("make", "kept", "refused", "notes"), JUDGED)
def test_a_folder_that_is_curated(judged, desk, make, kept, refused, notes):
    said = judged(from_folder(make, "--json", "--licence", "my own"), 0, notes)
    assert (said.json["kept"], said.json["rejected"]) == (kept, refused)
    dataset = json.loads((desk.dataset / "dataset.json").read_text())
    for reference in dataset["references"]:
        assert reference["caption"].split().count(dataset["trigger"]) == 1
        assert reference["licence"] == "my own"
    if refused:
        report = (desk.dataset / "rejected" / "report.txt").read_text()
        assert all(kind in report for kind in refused)


def test_one_picture_is_no_set(judged, desk):
    judged(from_folder(one), 9, ["0 pictures kept", "1 not checked", "report.txt"])
    assert not (desk.dataset / "dataset.json").exists()
    assert "fewer than 3 pictures without a start picture" in (desk.dataset / "rejected" / "report.txt").read_text()


def test_copies_of_one_picture(judged, desk):
    said = judged(from_folder(copies, "--json"), 0, [])
    assert said.json["kept"] <= 1


CAPTIONS = [
    pytest.param("luna in a park", "pufelunax woman, luna in a park", id="without the trigger"),
    pytest.param("pufelunax, pufelunax woman in a park", "pufelunax woman in a park", id="the trigger twice"),
    pytest.param("PUFELUNAX woman in a park", "pufelunax woman in a park", id="the trigger in capitals"),
    pytest.param("pufelunax woman in a park", "pufelunax woman in a park", id="right"),
    pytest.param("", "pufelunax woman", id="empty"),
    pytest.param("\x07pufelunax\nwoman\tin a park", "pufelunax woman in a park", id="driving a terminal"),
]


@pytest.mark.parametrize(("brought", "written"), CAPTIONS)
def test_a_caption_that_came_along(judged, desk, brought, written):
    judged(from_folder(with_file("0.txt", brought)), 0, [])
    assert (desk.dataset / "brought-1.txt").read_text() == f"{written}\n"
