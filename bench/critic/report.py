"""Rows → the tables and plots of docs/critic.md.

    recall_table(rows)          # one line a fault, three severities
    missed(rows)                # what falls short of the goals, in words

It measures nothing and reads no picture.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from bench.critic.document import table
from bench.critic.plots import Line, histogram, plot
from bench.critic.rows import GOOD, MADE, Row
from bench.critic.shares import Share, area, percent, quantile, reliability, roc
from zirelia.pocket.defects import DEFECTS, SEVERITIES

RECALL, FALSE_REJECTS, PANEL_SECONDS = 0.95, 0.03, 0.150
"""The goals: recall at severity 2 at least, false rejects at most, the whole panel's median at most."""
ENOUGH = 10
"""Answers that a dot of the reliability plot stands for at least."""
EDGES = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


def recall(rows: Iterable[Row], kind: str, severity: int) -> tuple[Share, Share]:
    """By the expected finding, and by any rejection of the picture."""
    cell = [row for row in rows if row.kind == kind and row.severity == severity]
    return Share.of_those(row.found for row in cell), Share.of_those(not row.passed for row in cell)


def false_rejects(rows: Iterable[Row], soft: bool | None = None) -> Share:
    return Share.of_those(not row.passed for row in rows if row.kind == GOOD and soft in (None, row.soft))


def panel_seconds(rows: Iterable[Row]) -> list[float]:
    return [row.seconds for row in rows if row.kind == GOOD]


def missed(rows: Sequence[Row]) -> list[str]:
    """One sentence for each goal that is missed."""
    said = []
    for kind, defect in DEFECTS.items():
        found, _ = recall(rows, kind, 2)
        if defect.offline and found.of and found.value < RECALL:
            said.append(f"{kind}: {found} found at severity 2, {percent(RECALL)} wanted")
    refused = false_rejects(rows)
    if refused.of and refused.value > FALSE_REJECTS:
        said.append(f"good pictures: {refused} refused, {percent(FALSE_REJECTS)} allowed")
    if (median := quantile(panel_seconds(rows), 0.5)) > PANEL_SECONDS:
        said.append(f"the panel takes {1000 * median:.0f} ms a picture, {1000 * PANEL_SECONDS:.0f} allowed")
    return said


def recall_table(rows: Sequence[Row]) -> str:
    lines = []
    for kind, defect in DEFECTS.items():
        cells = []
        for severity in SEVERITIES:
            found, refused = recall(rows, kind, severity)
            cells += [f"**{found}**" if severity == 2 else str(found), percent(refused.value) if refused.of else "-"]
        asked = ", ".join(sorted({f"{c}/{a}" if a else str(c) for c, a in defect.expected}))
        lines.append([kind, asked, *cells])
    heads = [
        "fault",
        "named by",
        "severity 1: named",
        "refused",
        "severity 2: named",
        "refused",
        "severity 3: named",
        "refused",
    ]
    return table(heads, lines)


def levels_table() -> str:
    return table(["fault", "severity 1", "severity 2", "severity 3"], [[kind, *d.levels] for kind, d in DEFECTS.items()])


def good_table(rows: Sequence[Row]) -> str:
    """False rejects of all good pictures and of both sorts, and the findings that caused them."""
    lines = [
        [name, str(share.of), str(share.count), str(share)]
        for name, share in (
            ("all", false_rejects(rows)),
            ("drawn", false_rejects(rows, soft=False)),
            ("through the autoencoder", false_rejects(rows, soft=True)),
        )
    ]
    causes: Counter[str] = Counter()
    for row in rows:
        if row.kind == GOOD and not row.passed:
            causes.update({f"{s.criterion}/{s.aspect or '-'} ({s.instrument})" for s in row.said if s.outcome == "failed"})
    why = ", ".join(f"{cause} {count}" for cause, count in causes.most_common()) or "nothing"
    return table(["good pictures", "pictures", "refused", "share (95 %)"], lines) + f"\n\nRefused by: {why}."


def time_table(rows: Sequence[Row]) -> str:
    """Milliseconds of each instrument and of the whole panel on good pictures, beside the time of one generated picture."""
    spent: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.kind == GOOD:
            took: Counter[str] = Counter()
            for said in row.said:
                took[said.instrument] += said.seconds  # type: ignore[assignment]
            for instrument, seconds in took.items():
                spent[instrument].append(seconds)
    pictures = [row.seconds for row in rows if row.kind == MADE]
    image = quantile(pictures, 0.5)
    timed = [*sorted(spent.items()), ("**whole panel**", panel_seconds(rows)), ("one pocket picture", pictures)]
    lines = [
        [name, f"{1000 * quantile(took, 0.5):.1f}", f"{1000 * quantile(took, 0.95):.1f}", percent(quantile(took, 0.5) / image)]
        for name, took in timed
        if took and name != "panel"
    ]
    return table(["instrument", "median ms", "95th percentile ms", "share of one picture's time"], lines)


def _margins(rows: Iterable[Row], kind: str, severity: int | None = None) -> list[float]:
    """Likeness above the persona's own threshold."""
    scores = [row.score("identity") for row in rows if row.kind == kind and severity in (None, row.severity)]
    return [score - threshold for score, threshold in filter(None, scores)]


def plots(rows: Sequence[Row]) -> dict[str, bytes]:
    """File name → PNG."""
    same = _margins(rows, GOOD)
    others = {"wrong person": _margins(rows, "wrong person")}
    others |= {f"look-alike, severity {s}": _margins(rows, "look-alike", s) for s in reversed(SEVERITIES)}
    curves = {name: roc(same, scores) for name, scores in others.items()}
    made = {
        "critic-roc.png": plot(
            "Identity: the persona and others, threshold set per persona",
            [Line(f"{name}: area {area(points):.3f}", points) for name, points in curves.items()],
            x="others taken for the persona",
            y="the persona recognised",
            across=(0, 0.25),
            up=(0.75, 1),
        )
    }
    groups = {"the persona": same, "wrong person": others["wrong person"], "look-alike": _margins(rows, "look-alike")}
    outlines = [Line(name, histogram(scores, (-1, 0.8)), filled=True) for name, scores in groups.items()]
    top = max((share for line in outlines for _, share in line.points), default=1.0)
    top = math.ceil(10 * top) / 10
    line = Line("threshold", [(0.0, 0.0), (0.0, top)], dashed=True)
    made["critic-likeness.png"] = plot(
        "Likeness beside the persona's own threshold",
        [*outlines, line],
        x="likeness minus threshold",
        y="share of pictures",
        across=(-1, 0.8),
        steps=6,
        up=(0, top),
    )
    made["critic-reliability.png"] = _reliability(rows)
    made["critic-severity.png"] = _severities(rows)
    return made


def _reliability(rows: Iterable[Row]) -> bytes:
    lines = [Line("claimed is true", [(0, 0), (1, 1)], dashed=True)]
    for name, soft in (("drawn", False), ("through the autoencoder", True)):
        answers = [answer for row in rows if row.kind == GOOD and row.soft is soft for answer in row.read.values()]
        bins = reliability(answers, EDGES)
        lines.append(
            Line(
                f"{name}, {len(answers)} answers", [(b.claimed, b.right.value) for b in bins if b.right.of >= ENOUGH], dots=True
            )
        )
    return plot("Attributes: how sure the encoder is, and how often right", lines, x="sure", y="right")


def _severities(rows: Sequence[Row]) -> bytes:
    """Mean recall of all faults at each severity, and the weakest fault's."""
    lines: dict[str, list[tuple[float, float]]] = {"mean of all faults": [], "weakest fault": []}
    for severity in SEVERITIES:
        shares = [share.value for kind in DEFECTS if (share := recall(rows, kind, severity)[0]).of]
        if shares:
            lines["mean of all faults"].append((severity, statistics.fmean(shares)))
            lines["weakest fault"].append((severity, min(shares)))
    drawn = [Line(name, points) for name, points in lines.items()]
    return plot("Recall by severity", drawn, x="severity", y="named", across=(1, 3), steps=2)
