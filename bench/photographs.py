"""How well the reader of faces tells people apart, on photographs that you have: prints tables and draws the distributions.

    python bench/photographs.py FOLDER [--plot docs/photographs.png]

FOLDER/<person>/<picture>: people by name. FOLDER/_strangers: one face a picture, none of them a person above. FOLDER/_odd:
sunglasses, drawings, masks, profiles: told by name, compared with the people whose name the file's begins with, if any.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from zirelia.critic.calibration import calibrate, centroid
from zirelia.critic.faces import FaceRecogniser
from zirelia.critic.impostors import SUFFIXES
from zirelia.pictures import load_picture
from zirelia.ports import Face

SIZE = (900, 300)
EDGE = (0.70, 1.0)


def faces_of(reader: FaceRecogniser, folder: Path) -> dict[str, Face | None]:
    """Picture → its largest face."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    return {path.stem: next(iter(reader.faces(load_picture(path))), None) for path in paths}


def rows(faces: Sequence[Face | None]) -> NDArray[np.float32]:
    return np.stack([face.embedding for face in faces if face] or [np.zeros(128, dtype=np.float32)])


def pairs(people: dict[str, NDArray[np.float32]], strangers: NDArray[np.float32]) -> tuple[list[float], list[float]]:
    """The cosines of every two pictures of one person, and of two people."""
    same = [float(a @ b) for own in people.values() for a, b in itertools.combinations(own, 2)]
    other = [float(a @ b) for x, y in itertools.combinations(people, 2) for a in people[x] for b in people[y]]
    return same, other + [float(a @ b) for own in people.values() for a in own for b in strangers]


def spread(name: str, values: Sequence[float]) -> str:
    least, low, middle, high, most = np.quantile(values, [0, 0.05, 0.5, 0.95, 1])
    return f"| {name} | {len(values)} | {least:.3f} | {low:.3f} | {middle:.3f} | {high:.3f} | {most:.3f} |"


def plot(path: Path, same: Sequence[float], other: Sequence[float], line: float) -> None:
    """Two histograms over the cosine, each to its own height: two people in grey, one person in green."""
    picture = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(picture, "RGBA")
    wide = (SIZE[0] - 40) / 60
    for values, colour in ((other, (90, 90, 90, 150)), (same, (0, 140, 90, 150))):
        counts, _ = np.histogram(values, bins=60, range=EDGE)
        for at, count in enumerate(counts / max(1, counts.max())):
            draw.rectangle((20 + at * wide, 260 - 230 * count, 20 + (at + 1) * wide - 1, 260), fill=colour)
    x = 20 + (line - EDGE[0]) / (EDGE[1] - EDGE[0]) * (SIZE[0] - 40)
    draw.line((x, 20, x, 260), fill="red", width=2)
    for tick in np.arange(EDGE[0], EDGE[1] + 0.01, 0.05):
        draw.text((20 + (tick - EDGE[0]) / (EDGE[1] - EDGE[0]) * (SIZE[0] - 40) - 10, 265), f"{tick:.2f}", fill="black")
    draw.text((20, 282), f"cosine: two people grey ({len(other)}), one person green ({len(same)}), line {line}", fill="black")
    picture.save(path)


def report(folder: Path, target: Path | None) -> None:
    reader = FaceRecogniser()
    read = {path.name: faces_of(reader, path) for path in sorted(folder.iterdir()) if path.is_dir()}
    odd, strange = read.pop("_odd", {}), rows(list(read.pop("_strangers", {}).values()))
    people = {name: rows(list(found.values())) for name, found in read.items() if any(found.values())}
    lost = sum(face is None for found in read.values() for face in found.values())
    same, other = pairs(people, strange)
    print(f"{len(people)} people, {sum(map(len, people.values()))} faces ({lost} pictures without), {len(strange)} strangers\n")
    print("| pairs | n | least | 5 % | median | 95 % | most |\n|---|---|---|---|---|---|---|")
    print(spread("one person", same), spread("two people", other), sep="\n")
    print("\n| line | one person refused | two people taken for one |\n|---|---|---|")
    for line in (0.88, 0.90, 0.91, reader.threshold, 0.94, 0.95):
        print(f"| {line} | {np.mean(np.array(same) < line):.1%} | {np.mean(np.array(other) >= line):.2%} |")
    best = np.mean(np.array(same)[:, None] > np.array(other)[None])
    print(f"\narea under the ROC curve {best:.4f}\n")
    print("| person | references | bank | line | strangers passing | refused | turned |\n|---|---|---|---|---|---|---|")
    for name, own in people.items():
        if len(own) < 2:
            continue
        bank = np.concatenate([strange, *(people[other] for other in people if other != name)])
        yaws = [face.yaw for face in read[name].values() if face]
        known = calibrate(own, bank, floor=reader.threshold, embedder="dlib", yaws=yaws)
        turned = ", ".join(f"{t.yaw:.0f}° {t.threshold:.3f} (n {t.n})" for t in known.turned)
        told = f"{known.threshold:.3f} | {known.false_accept or 0:.1%} | {known.false_reject or 0:.1%} | {turned}"
        print(f"| {name} | {len(own)} | {len(bank)} | {told} |")
    print("\n| odd picture | face | yaw | likeness |\n|---|---|---|---|")
    for name, face in odd.items():
        whose = [person for person in people if name.startswith(person)]
        like = f"{float(face.embedding @ centroid(people[whose[0]])):.3f} to {whose[0]}" if face and whose else ""
        print(
            f"| {name} | {'found' if face else 'none'} | {'' if not face or face.yaw is None else round(face.yaw)} | {like} |"
        )
    if target:
        plot(target, same, other, reader.threshold)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--plot", type=Path, help="where the distributions are drawn, as a PNG")
    asked = parser.parse_args()
    report(asked.folder, asked.plot)
