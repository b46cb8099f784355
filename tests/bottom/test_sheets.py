from __future__ import annotations

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from zirelia.sheets import Row, contact_sheet

SIDE = 64
RED, BLUE = (255, 0, 0), (0, 0, 255)
FRAME = (217, 209, 195)


def picture(colour: tuple[int, ...] = RED, size: tuple[int, int] = (10, 10), mode: str = "RGB") -> Image.Image:
    return Image.new(mode, size, colour)


def opened(png: bytes) -> Image.Image:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return image.convert("RGB")


def pixels_of(png: bytes, colour: tuple[int, int, int]) -> tuple[int, int, int, int] | None:
    """The box that holds every pixel of the colour."""
    image = opened(png)
    return Image.frombytes("L", image.size, bytes(255 * (pixel == colour) for pixel in image.get_flattened_data())).getbbox()


def test_pictures_lie_side_by_side_and_rows_below_each_other() -> None:
    sheet = contact_sheet([Row("first", [picture(), picture(BLUE)]), Row("second", [picture((0, 255, 0))])], side=SIDE)
    red, blue, green = (pixels_of(sheet, colour) for colour in (RED, BLUE, (0, 255, 0)))
    assert red
    assert blue
    assert green
    assert red[1] == blue[1]
    assert red[2] < blue[0]
    assert green[0] == red[0]
    assert green[1] > red[3]


@pytest.mark.parametrize("size", [(10, 10), (300, 300), (200, 100), (50, 400)], ids=str)
def test_a_picture_keeps_its_proportions(size: tuple[int, int]) -> None:
    box = pixels_of(contact_sheet([Row("", [picture(size=size)])], side=SIDE), RED)
    assert box is not None
    width, height = box[2] - box[0], box[3] - box[1]
    assert max(width, height) == SIDE
    assert width / height == pytest.approx(size[0] / size[1], rel=0.15)


def test_transparent_parts_show_the_mat() -> None:
    assert pixels_of(contact_sheet([Row("", [picture((0, 0, 0, 0), mode="RGBA")])]), (0, 0, 0)) is None
    assert pixels_of(contact_sheet([Row("", [picture((0,), mode="L")])]), (0, 0, 0)) is not None


def test_an_empty_cell_is_drawn_and_takes_its_place() -> None:
    filled = contact_sheet([Row("row", [picture(), picture(BLUE)], ["here", "there"])], side=SIDE)
    waiting = contact_sheet([Row("row", [None, picture(BLUE)], ["missing", "there"])], side=SIDE)
    assert pixels_of(waiting, RED) is None
    assert pixels_of(waiting, BLUE) == pixels_of(filled, BLUE)
    assert pixels_of(contact_sheet([Row("", [None])], side=SIDE), FRAME) == (40, 40, 40 + SIDE, 40 + SIDE)


def test_without_rows_it_is_still_a_sheet() -> None:
    assert opened(contact_sheet([])).width > 0
    assert contact_sheet([], title="nothing yet") != contact_sheet([])


def test_headings_and_titles_take_room_of_their_own() -> None:
    plain = contact_sheet([Row("", [picture()])], side=SIDE)
    boxes = [
        pixels_of(contact_sheet([Row(title, [picture()])], side=SIDE, title=head, columns=columns), RED)
        for title, head, columns in (("row", "", ()), ("", "sheet", ()), ("", "", ("column",)))
    ]
    start = pixels_of(plain, RED)
    assert start is not None
    assert all(box is not None and box[1] > start[1] and box[0] == start[0] for box in boxes)


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("café, Zoë, naïve", "cafe, Zoe, naive"),
        ("Straße – 3×4 → Łódź", "Strasse - 3x4 -> Lodz"),
        ("part Ⅳ", "part IV"),
        ("cafe\u0301…", "cafe…"),
        ("Москва", "…"),
        ("¨", "…"),
        ("東京 tower", "… tower"),
        ("東京タワー by 東京", "… by …"),
        ("smile 🙂", "smile …"),
        ("two\nlines\tand\x1b[31m red", "two lines and[31m red"),
        ("abc\u202eevil\u200b", "abcevil"),
    ],
)
def test_text_is_spelt_in_the_letters_that_are_there(text: str, drawn: str) -> None:
    assert contact_sheet([Row(text, [])]) == contact_sheet([Row(drawn, [])])


@pytest.mark.parametrize("text", ["a caption far too long for the cell that it stands under", "W" * 200, "東" * 50 + "x" * 100])
def test_what_is_too_wide_stays_in_its_cell(text: str) -> None:
    one = contact_sheet([Row("", [None, None], [text, ""])], side=SIDE)
    none = contact_sheet([Row("", [None, None], ["", ""])], side=SIDE)
    cell = opened(one).crop((40 + SIDE, 0, opened(one).width, opened(one).height))
    assert cell.tobytes() == opened(none).crop((40 + SIDE, 0, opened(one).width, opened(one).height)).tobytes()
    assert one != none


@given(text=st.text(max_size=40))
def test_any_text_can_be_drawn(text: str) -> None:
    blank = all(unicodedata.category(char)[0] in "CMZ" for char in text)
    drawn = contact_sheet([Row(text, [], [])], title=text, columns=[text], side=SIDE)
    assert blank or drawn != contact_sheet([Row(" ", [], [])], title=" ", columns=[" "], side=SIDE)


def test_the_same_sheet_gives_the_same_bytes() -> None:
    assert contact_sheet([Row("a", [picture()], ["b"])]) == contact_sheet([Row("a", [picture()], ["b"])])


def test_captions_belong_to_cells() -> None:
    with pytest.raises(ValueError, match="the row 'who' has 2 cells and 1 captions"):
        Row("who", [picture(), None], ["only one"])
