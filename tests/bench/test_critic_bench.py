"""What the bench keeps, plans and writes; the figures themselves are the bench's, not a test's."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from bench.critic import report
from bench.critic.document import put
from bench.critic.measuring import jobs, planned
from bench.critic.plots import Line, histogram, plot
from bench.critic.rows import GOOD, MADE, Row, Rows, Said, fingerprint
from zirelia.errors import DefinitionError
from zirelia.pocket.defects import DEFECTS


def row(
    kind: str = GOOD, severity: int = 0, case: int = 1, *, passed: bool = True, found: bool = False, soft: bool = False
) -> Row:
    identity = Said("identity", "identity", "passed" if passed else "failed", "looks", 0.8 if passed else 0.2, 0.5, 0.01)
    sharp = Said("technical", "sharpness", "passed", "technical", 0.3, 0.1, 0.02)
    return Row(kind, severity, case, soft, passed, found, 0.04, (identity, sharp), {"hair": (0.97, True)})


class TestRows:
    def test_they_are_read_back(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "rows.jsonl"
        kept = Rows(path)
        kept.add(row())
        kept.add(row("blur", 2, 3, passed=False, found=True))
        again = Rows(path)
        assert list(again) == list(kept)
        assert ("blur", 2, 3) in again
        assert ("blur", 2, 4) not in again

    @pytest.mark.parametrize("torn", ['{"kind": "bl', "[]", '{"kind": "blur"}', ""])
    def test_a_torn_line_is_measured_again_and_spoils_no_other(self, tmp_path: Path, torn: str) -> None:
        path = tmp_path / "rows.jsonl"
        Rows(path).add(row())
        with path.open("a") as file:
            file.write(torn)
        after = Rows(path)
        assert len(after) == 1
        after.add(row(case=2))
        assert len(Rows(path)) == 2

    def test_a_fingerprint_changes_with_the_code(self, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_text("1")
        before = fingerprint(tmp_path)
        (tmp_path / "a.txt").write_text("not code")
        assert fingerprint(tmp_path) == before
        (tmp_path / "a.py").write_text("2")
        assert fingerprint(tmp_path) != before


class TestJobs:
    def test_every_fault_falls_on_as_many_different_pictures_as_asked(self) -> None:
        plan = jobs(300, 40)
        counted = Counter(job for planted in plan.values() for job in planted)
        assert set(counted.values()) == {40}
        assert len(counted) == 3 * len(DEFECTS)
        assert all(len(set(planted)) == len(planted) for planted in plan.values())

    def test_there_are_never_more_than_there_are_pictures(self) -> None:
        assert sum(map(len, jobs(5, 40).values())) == 5 * 3 * len(DEFECTS)

    def test_the_rows_of_a_bench_are_known_beforehand(self) -> None:
        wanted = planned(20, 4)
        assert len(wanted) == 20 + 4 * 3 * len(DEFECTS)
        assert (GOOD, 0, 10_019) in wanted


class TestReport:
    def test_recall_is_by_the_expected_finding_and_by_any(self) -> None:
        rows = [row("blur", 2, n, passed=n == 0, found=n > 1) for n in range(4)]
        found, refused = report.recall(rows, "blur", 2)
        assert (found.count, found.of) == (2, 4)
        assert (refused.count, refused.of) == (3, 4)

    def test_false_rejects_name_their_findings(self) -> None:
        rows = [row(case=1), row(case=2, passed=False, soft=True)]
        said = report.good_table(rows)
        assert "| all | 2 | 1 | 50 %" in said
        assert "| drawn | 1 | 0 | 0 %" in said
        assert "identity/identity (looks) 1" in said

    def test_goals_that_are_missed_are_said(self) -> None:
        assert report.missed([row(case=n) for n in range(40)]) == []
        short = report.missed([row(case=n, passed=n > 2) for n in range(40)] + [row("blur", 2, 1, found=False)])
        assert len(short) == 2
        assert short[0].startswith("blur: 0 %")

    def test_times_stand_beside_a_picture(self) -> None:
        made = Row(MADE, 0, 20, soft=False, passed=True, found=False, seconds=0.4, said=())
        said = report.time_table([row(), made])
        assert "| **whole panel** | 40.0 | 40.0 | 10 % |" in said
        assert "| technical | 20.0 |" in said

    def test_plots_are_pictures_even_of_little(self) -> None:
        made = report.plots([row(), row("wrong person", 2, passed=False), row("look-alike", 1, passed=False)])
        assert len(made) == 4
        for png in made.values():
            with Image.open(io.BytesIO(png)) as picture:
                assert picture.format == "PNG"
        assert report.plots([row()])


def test_a_histogram_holds_every_number() -> None:
    outline = histogram([-5.0, 0.1, 0.1, 9.0], (0, 1), bins=10)
    assert sum(share for _, share in outline) / 2 == pytest.approx(1.0)


def test_a_curve_is_drawn_where_it_belongs() -> None:
    with Image.open(io.BytesIO(plot("t", [Line("", [(0, 1), (1, 1)])], x="x", y="y"))) as picture:
        pixels = picture.convert("RGB")
        red, green, blue = pixels.getpixel((300, 60))
        assert blue > red + 40, (red, green, blue)
        assert pixels.getpixel((300, 250)) == (255, 255, 255)


class TestDocument:
    def test_only_what_lies_between_the_markers_changes(self, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text("before\n<!-- a -->\nold\n<!-- /a -->\nafter\n")
        put(page, "a", "new\n")
        put(page, "a", "newer")
        assert page.read_text() == "before\n<!-- a -->\nnewer\n<!-- /a -->\nafter\n"

    @pytest.mark.parametrize("text", ["", "<!-- a -->", "<!-- /a --> <!-- a -->", "<!-- a --><!-- a --><!-- /a -->"])
    def test_a_page_without_markers_is_refused(self, tmp_path: Path, text: str) -> None:
        page = tmp_path / "page.md"
        page.write_text(text)
        with pytest.raises(DefinitionError, match="<!-- a -->"):
            put(page, "a", "new")
        assert page.read_text() == text


def test_the_page_has_a_place_for_every_table() -> None:
    page = Path(report.__file__).parents[2] / "docs" / "critic.md"
    written = page.read_text("utf-8")
    for name in ("recall", "levels", "good", "times", "turns"):
        assert written.count(f"<!-- {name} -->") == written.count(f"<!-- /{name} -->") == 1
    for picture in (
        "critic-roc.png",
        "critic-likeness.png",
        "critic-reliability.png",
        "critic-severity.png",
        "critic-defects.png",
    ):
        assert picture in written
