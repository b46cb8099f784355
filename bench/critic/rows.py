"""What the panel said of one picture, as a line of JSON, so that a bench which was stopped goes on.

    rows = Rows(folder / "rows-0f3c.jsonl")
    if ("good", 0, 10_017) not in rows: rows.add(row)

The last line may be torn when the process was killed; then it is measured again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from zirelia.files import whole_file

GOOD = "good"
MADE = "made"
"""The kind of a row that only says how long the embedded model took for a picture of its own."""
Key = tuple[str, int, int]
"""Kind, severity (0 for a good picture), number of the case."""


@dataclass(frozen=True)
class Said:
    """One finding, without its words."""

    criterion: str
    aspect: str
    outcome: str
    instrument: str
    score: float | None
    threshold: float | None
    seconds: float


@dataclass(frozen=True)
class Row:
    """One picture judged. soft: it went through the autoencoder. found: a failed finding names the fault. read: what the looks
    encoder's heads said of a good picture: head → (certainty, right).
    """

    kind: str
    severity: int
    case: int
    soft: bool
    passed: bool
    found: bool
    seconds: float
    said: tuple[Said, ...]
    read: dict[str, tuple[float, bool]] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        return (self.kind, self.severity, self.case)

    def score(self, criterion: str) -> tuple[float, float] | None:
        """Score and threshold of the first finding of that criterion which has both."""
        for said in self.said:
            if said.criterion == criterion and said.score is not None and said.threshold is not None:
                return said.score, said.threshold
        return None


class Rows:
    """The lines of one file, and those added to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = {row.key: row for row in _read(path)} if path.is_file() else {}
        path.parent.mkdir(parents=True, exist_ok=True)
        # rewritten without a torn line, so that the next one does not join it
        with whole_file(path) as part:
            part.write_text("".join(_line(row) for row in self._rows.values()), encoding="utf-8")

    def __contains__(self, key: Key) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Row) -> None:
        self._rows[row.key] = row
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(row))


def fingerprint(*places: Path) -> str:
    """Of every Python file, JSON and weight below the places: rows of other code are not to be mixed with these."""
    digest = hashlib.sha256()
    for place in places:
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.suffix in {".py", ".json", ".safetensors", ".onnx", ".npz"}:
                digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _line(row: Row) -> str:
    return json.dumps(asdict(row)) + "\n"


def _read(path: Path) -> Iterator[Row]:
    for line in path.read_text("utf-8").splitlines():
        try:
            told = json.loads(line)
            said = tuple(Said(**one) for one in told.pop("said"))
            read = {head: (float(sure), bool(right)) for head, (sure, right) in told.pop("read").items()}
            yield Row(**told, said=said, read=read)
        except (ValueError, TypeError, KeyError):
            continue
