"""Shot lists as files: the shipped ones are what they promise, mistakes are named with line and key, and a list reads back."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.definitions.shotlists import load_shot_list, shot_list_names, shot_list_text
from zirelia.domain.shot import Framing, Shot
from zirelia.domain.shotlist import Cell, ShotList, Yaw
from zirelia.errors import DefinitionError, NotFound

GOOD = """\
name: mine
most_of_one: 1.0
cells:
  - id: one
    framing: close-up
    expression: calm
    light: daylight
    scene: cafe
    outfit: coat
"""


@pytest.mark.parametrize(
    ("name", "faces", "busts", "bodies", "turned", "cleaned"),
    [("15", 5, 4, 4, 2, 0), ("25", 8, 8, 6, 3, 0), ("30", 10, 9, 8, 3, 0), ("50", 16, 13, 13, 5, 3)],
)
def test_the_shipped_lists(name, faces, busts, bodies, turned, cleaned):
    wanted = load_shot_list(name)
    assert (wanted.name, len(wanted.cells)) == (f"shots-{name}", int(name))
    assert (wanted.repeats(), wanted.most_of_one) == ((), 0.2)
    kinds = Counter(
        "cleaned" if cell.instruction else str(cell.shot.framing) if cell.yaw.frontal else "turned" for cell in wanted.cells
    )
    assert kinds == Counter(
        {"close-up": faces, "half body": busts, "full body": bodies, "turned": turned}
        | ({"cleaned": cleaned} if cleaned else {})
    )
    yaws = {cell.yaw for cell in wanted.cells}
    assert {Yaw.FRONT, Yaw.THREE_QUARTER_LEFT, Yaw.THREE_QUARTER_RIGHT, Yaw.BACK} < yaws
    said = " ".join(cell.shot.expression for cell in wanted.cells)
    assert all(word in said for word in (("mouth", "smiling") if name == "15" else ("mouth", "nose", "eyes")))


def test_names_and_near_misses():
    assert shot_list_names() == ("15", "25", "30", "50")
    with pytest.raises(NotFound, match="there is no shot list '300'; did you mean '30'"):
        load_shot_list("300")
    with pytest.raises(NotFound, match="no shot list at"):
        load_shot_list(Path("nowhere.yaml"))
    with pytest.raises(NotFound, match="no user whose home"):
        load_shot_list("~nobody-such/x.yaml")


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def second(**keys: str) -> str:
    said = {"id": "two", "framing": "close-up", "expression": "calm", "light": "day", "scene": "gym", "outfit": "hat"} | keys
    return GOOD + "  - " + "\n    ".join(f"{key}: {value}" for key, value in said.items() if value) + "\n"


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("", 1, "empty or not a mapping"),
        ("- a\n", 1, "empty or not a mapping"),
        (GOOD.replace("cells:", "celles:"), 3, "celles: unknown key; did you mean 'cells'"),
        (GOOD.replace("scene: cafe", "scen: cafe"), 8, "cells[0].scen: unknown key; did you mean 'scene'"),
        (GOOD.replace("close-up", "closeup"), 5, "cells[0].framing: Input should be 'close-up', 'half body' or 'full body'"),
        (GOOD.replace("    light: daylight\n", ""), 4, "cells[0].light: is required but missing"),
        (GOOD.replace("id: one", "id: One"), 4, "cells[0].id"),
        (GOOD.replace("1.0", "0"), 2, "most_of_one"),
        (second(id="one"), 10, "cells[1].id: the cell id 'one' stands twice"),
        (second(yaw="sideways"), 12, None),
        (second(garment="coat.jpg"), 16, "cells[1].garment: there is no picture 'coat.jpg'"),
        ((second(outfit="coat") + second().removeprefix(GOOD).replace("two", "six")).replace("1.0", "0.4"), 3,
         "cells: outfit 'coat' fills 2 of 3 cells, at most 1 are allowed"),
        (GOOD + "cells: []\n", 10, "is there twice"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_line_and_key(tmp_path, text, line, complaint):
    path = written(tmp_path, text)
    with pytest.raises(DefinitionError) as caught:
        load_shot_list(path)
    if complaint is not None:
        assert complaint in str(caught.value)
        assert f"{path}:{line}:" in str(caught.value)


def test_a_garment_becomes_an_absolute_path(tmp_path):
    (tmp_path / "coat.jpg").write_bytes(b"picture")
    wanted = load_shot_list(written(tmp_path, second(garment="coat.jpg")))
    assert wanted.cell("two").garment == str((tmp_path / "coat.jpg").resolve())


words = st.text(st.characters(blacklist_categories=["C"]), min_size=1, max_size=30).filter(lambda said: said.strip() == said)


@given(st.lists(st.tuples(words, words, words, words, words, st.sampled_from(Yaw)), min_size=1, max_size=4))
def test_a_list_reads_back(tmp_path_factory, rows):
    cells = tuple(
        Cell(
            id=f"c{number}",
            yaw=yaw,
            instruction=scene,
            shot=Shot(scene=scene, outfit=outfit, expression=face, light=light, pose=pose, framing=Framing.HALF_BODY),
        )
        for number, (scene, outfit, face, light, pose, yaw) in enumerate(rows)
    )
    wanted = ShotList(name="mine", cells=cells, most_of_one=1.0)
    path = written(tmp_path_factory.mktemp("lists"), shot_list_text(wanted))
    assert load_shot_list(path) == wanted
