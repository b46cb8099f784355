"""The one command of the critic's bench: pictures, panel, tables, plots. Run by `python -m bench.critic`, see there."""

from __future__ import annotations

import argparse
import io
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from bench.critic import report
from bench.critic.document import put
from bench.critic.measuring import autoencoder, measure, planned
from bench.critic.rows import MADE, Row, Rows, fingerprint
from zirelia.domain.persona import Kind
from zirelia.files import whole_file
from zirelia.pocket.defects import DEFECTS, SEVERITIES, good_case
from zirelia.settings import load_settings
from zirelia.sheets import Row as Line
from zirelia.sheets import contact_sheet
from zirelia.studio import adapters, open_studio

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
PAINTED_EVERY = 20
SHOWN = (10_001, 10_043)
COLOURS = 255
HIDDEN = "unsafe"
"""Measured, but not shown on the sheet."""


def main() -> int:
    """0, or 1 when a goal is missed."""
    options = _options()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    measured = _fingerprint()
    rows = Rows(options.work / f"rows-{measured}.jsonl")
    wanted = planned(options.good, options.each)
    began, before = time.monotonic(), sum(key in rows for key in wanted)
    # nobody's own settings, and nothing remembered from other code
    settings = load_settings(options.work, {}).model_copy(update={"home": options.work / f"home-{measured}"})
    with open_studio(embedded=True, settings=settings) as studio:
        arguments = {"good": options.good, "each": options.each, "soften": autoencoder(), "encoder": adapters.looks_encoder()}
        panel = studio.panel(Kind.ILLUSTRATED, vision=False)
        for done, of in measure(panel, rows, **arguments, between=_painter(rows)):
            rate = (done - before) / (time.monotonic() - began)
            print(
                f"\r{done}/{of} pictures, {rate:.1f}/s, {(of - done) / max(rate, 1e-9):.0f} s left   ", end="", file=sys.stderr
            )
    print(file=sys.stderr)
    judged = [row for row in rows if row.kind == MADE or row.key in wanted]
    print(report.recall_table(judged), report.good_table(judged), report.time_table(judged), sep="\n\n")
    if options.docs:
        _write(judged)
    short = report.missed(judged)
    print("\n" + ("\n".join(f"missed: {line}" for line in short) or "every goal is met"))
    return 1 if short else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.critic", description="The critic on planted defects.")
    parser.add_argument("--good", type=int, default=300, help="how many good pictures")
    parser.add_argument("--each", type=int, default=40, help="how many pictures of each fault and severity")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "zirelia-bench-critic", help="kept rows")
    parser.add_argument("--no-docs", dest="docs", action="store_false", help="leave docs/ as it is")
    return parser.parse_args()


def _fingerprint() -> str:
    """Of everything that decides a row: critic, pictures, weights, rules, and packages that carry models."""
    package = Path(str(find_spec("zirelia").origin)).parent  # type: ignore[union-attr]
    places = [package / name for name in ("critic", "pocket", "studio", "domain/verdict.py")]
    return fingerprint(*places, Path(__file__).parent / "measuring.py")


def _painter(rows: Rows) -> Callable[[int], None]:
    """Now and then times one picture of the pocket pipeline, so that both times are of the same run and load."""
    from zirelia.pocket.easel import LENGTH
    from zirelia.pocket.flux import load_pipeline, paint
    from zirelia.pocket.weights import pipeline_dir

    pipeline = load_pipeline(pipeline_dir())
    prompt = "a woman with long wavy red hair, half body portrait, smiling, in a cafe, daylight"
    paint(pipeline, [prompt], [0], size=128, length=LENGTH)  # the first call is slow

    def now_and_then(number: int) -> None:
        if number % PAINTED_EVERY == 0:
            started = time.perf_counter()
            paint(pipeline, [prompt], [number], size=128, length=LENGTH)
            took = time.perf_counter() - started
            rows.add(Row(MADE, 0, number, soft=False, passed=True, found=False, seconds=took, said=()))

    return now_and_then


def _write(rows: list[Row]) -> None:
    page = DOCS / "critic.md"
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    seen = (
        f"Seen on {datetime.now(UTC):%Y-%m-%d}, one core, Python {platform.python_version()}, load {load}: "
        f"{sum(row.kind != MADE for row in rows)} pictures. Shares with 95 % Wilson intervals."
    )
    short = report.missed(rows)
    goals = "Every goal is met." if not short else "Missed: " + "; ".join(short) + "."
    put(page, "recall", f"{seen}\n\n{report.recall_table(rows)}\n\n{goals}")
    put(page, "levels", report.levels_table())
    put(page, "good", report.good_table(rows))
    put(page, "times", report.time_table(rows))
    pictures = report.plots(rows) | {"critic-defects.png": _sheet()}
    for name, png in pictures.items():
        with whole_file(DOCS / name) as part:
            part.write_bytes(png)


def _sheet() -> bytes:
    """Every fault at three severities, on two people; in few colours, because a page is to load quickly."""
    cases = [good_case(seed) for seed in SHOWN]
    shown = {kind: defect for kind, defect in DEFECTS.items() if kind != HIDDEN}
    lines = [Line("nothing wrong", [case.image for case in cases for _ in SEVERITIES])]
    lines += [Line(kind, [d.plant(case, s, int(case.name)) for case in cases for s in SEVERITIES]) for kind, d in shown.items()]
    columns = [f"severity {s}" for _ in cases for s in SEVERITIES]
    sheet = contact_sheet(lines, side=96, title="Planted faults", columns=columns)
    file = io.BytesIO()
    Image.open(io.BytesIO(sheet)).quantize(COLOURS).save(file, format="PNG", optimize=True)
    return file.getvalue()
