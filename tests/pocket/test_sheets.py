from __future__ import annotations

from pathlib import Path

from PIL import Image

from zirelia.pocket.sheets import Row, contact_sheet


def test_a_sheet_shows_its_pictures_where_they_belong(tmp_path: Path) -> None:
    red, blue = Image.new("RGB", (10, 10), "#ff0000"), Image.new("RGB", (300, 300), "#0000ff")
    contact_sheet([Row("first", [red, blue], ["one", "a note far too long for its cell"])], at=tmp_path / "s.png", cell=64)
    with Image.open(tmp_path / "s.png") as sheet:
        colours = {colour for _, colour in sheet.getcolors(1 << 16)}
        assert {(255, 0, 0), (0, 0, 255)} <= colours
        assert sheet.width > 2 * 64


def test_an_empty_sheet_is_a_sheet(tmp_path: Path) -> None:
    contact_sheet([], at=tmp_path / "s.png", title="nothing yet")
    assert (tmp_path / "s.png").is_file()
