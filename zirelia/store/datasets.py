"""A dataset on disk while it is built, and when it is finished: plain files that a person can read and edit.

    folder = DatasetFiles(pack / "dataset")
    with folder.writing():
        folder.add(candidate, data)
        folder.settle(examined)

    dataset/
      face-smile-1.png      a kept picture (cell and number of the try), .jpg where it was made or brought as one
      face-smile-1.txt      its caption; what a person writes here counts
      metadata.jsonl        file name, caption, cell, origin and licence of each picture, as Hugging Face's loaders read it
      dataset.json          the finished dataset, written last
      shots.yaml            the shot list in use; edit it and build again
      build.json            what the dataset is made from
      start/                the start pictures
      anchors/              pictures made from words, of which a person picks one
      candidates/           pictures not yet examined; a record (.json) of every picture, wherever it lies now
      rejected/             pictures not kept, with report.jsonl and report.txt: why

Picture first, then its record: a picture without a record was never finished and is made again. What the curator found is
written whole to settling.json before the first picture moves, so that a killed process's moves are ended by the next one.
Nothing is deleted. Knows nothing of how pictures are made or judged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from zirelia.definitions.personas import stays_inside
from zirelia.definitions.shotlists import load_shot_list, shot_list_text
from zirelia.domain.dataset import Build, Candidate, Dataset, Fault, FaultKind, StartPicture
from zirelia.domain.shotlist import ShotList
from zirelia.errors import Conflict, DefinitionError, NotFound, StoreError
from zirelia.files import alone, sweep, whole_file
from zirelia.store.reports import jsonl, rejection_lines, rejection_text

CANDIDATES, REJECTED, ANCHORS, START = "candidates", "rejected", "anchors", "start"
_SETTLING = "settling.json"
_ANEW = "restore the file, or delete it and build again: zirelia dataset build"
_Model = TypeVar("_Model", bound=BaseModel)
_Placed = TypeVar("_Placed", Candidate, StartPicture)


class DatasetFiles:
    """Implements `ports.DatasetFolder`, and what a build keeps beside it. All errors of the file system are StoreErrors."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def path(self) -> Path:
        return self._path

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Holds the folder for this process, and first ends what a killed one left. Raises Conflict when another holds it."""

        def busy(holder: str) -> Conflict:
            return Conflict(f"another process (pid {holder}) writes to the dataset in {self._path}", hint="wait for it to end")

        with ExitStack() as stack:
            with _disk(self._path):
                self._path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(alone(self._path / ".lock", busy=busy))
                for folder in (self._path, *(self._path / name for name in (CANDIDATES, REJECTED, ANCHORS, START))):
                    sweep(folder)
            if (self._path / _SETTLING).is_file():
                self._move(self._settling())
            yield

    # ---- candidates

    def candidates(self) -> tuple[Candidate, ...]:
        """As the port says; one whose picture a person took away has that fault."""
        found = {(one.cell, one.number): one for one in self._records(CANDIDATES)}
        if (self._path / _SETTLING).is_file():
            found |= {(one.cell, one.number): one for one in self._settling()}
        return tuple(found[key] if self._place(found[key]) else _taken_away(found[key]) for key in sorted(found))

    def add(self, candidate: Candidate, data: bytes) -> None:
        self._add(CANDIDATES, candidate, data)

    def read(self, candidate: Candidate) -> bytes:
        """The picture's bytes, wherever it lies by now. Raises NotFound when a person took it away."""
        place = self._place(candidate)
        if place is None:
            raise NotFound(
                f"the picture {Path(candidate.path).name} is no longer in {self._path}",
                hint=f"put it back, or delete its record {self._record(CANDIDATES, candidate)}",
            )
        with _disk(place):
            return place.read_bytes()

    def settle(self, candidates: Sequence[Candidate]) -> None:
        settled = [one.model_copy(update={"path": _home(one)}) for one in candidates]
        text = json.dumps([one.model_dump(mode="json") for one in settled], indent=1)
        self._write(self._path / _SETTLING, text.encode())
        self._move(settled)

    def _settling(self) -> tuple[Candidate, ...]:
        path = self._path / _SETTLING
        try:
            return tuple(_inside(Candidate.model_validate(one), path) for one in json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise DefinitionError(f"is damaged: {_first_line(error)}", path=path, hint=_ANEW) from error

    def _move(self, settled: Iterable[Candidate]) -> None:
        """Each picture to its place, then its record; the same again changes nothing."""
        for one in settled:
            lies, home = self._place(one), self._path / one.path
            with _disk(home):
                home.parent.mkdir(parents=True, exist_ok=True)
                if lies is not None and lies != home:
                    lies.replace(home)
                    if (words := lies.with_suffix(".txt")).is_file():
                        words.replace(home.with_suffix(".txt"))
            self._write(self._record(CANDIDATES, one), _json(one))
        rejected = [one for one in self._records(CANDIDATES) if one.examined and not one.kept]
        if rejected or (self._path / REJECTED).is_dir():
            self._write(self._path / REJECTED / "report.jsonl", jsonl(rejection_lines(rejected)))
            self._write(self._path / REJECTED / "report.txt", rejection_text(rejected).encode())
        with _disk(self._path):
            (self._path / _SETTLING).unlink(missing_ok=True)

    def _place(self, candidate: Candidate) -> Path | None:
        name = Path(candidate.path).name
        places = (self._path / candidate.path, *(self._path / part / name for part in (CANDIDATES, REJECTED, ".")))
        return next((place for place in places if place.is_file()), None)

    # ---- anchors

    def anchors(self) -> tuple[Candidate, ...]:
        """Pictures made from words, by number."""
        return tuple(sorted(self._records(ANCHORS), key=lambda one: one.number))

    def add_anchor(self, candidate: Candidate, data: bytes) -> None:
        self._add(ANCHORS, candidate, data)

    # ---- what the dataset is made from

    def build(self) -> Build | None:
        """The build of this folder, if one began. Raises DefinitionError for a damaged record."""
        return self._read_model(self._path / "build.json", Build)

    def begin(self, build: Build, pictures: Sequence[bytes]) -> None:
        """Stores the start pictures (in the order of the build's), then the record of the build."""
        for one, data in zip(build.pictures, pictures, strict=True):
            self._check_hash(data, one.sha256, one.path)
            self._write(self._path / one.path, data)
        self._write(self._path / "build.json", _json(build))

    def start_picture(self, picture: StartPicture) -> bytes:
        """Raises NotFound when it is gone, StoreError when it is another picture now."""
        _inside(picture, self._path / "build.json")
        path = self._path / picture.path
        if not path.is_file():
            raise NotFound(f"the start picture {path} is gone", hint="put it back, or build in another folder")
        with _disk(path):
            data = path.read_bytes()
        self._check_hash(data, picture.sha256, picture.path)
        return data

    def shots(self) -> ShotList | None:
        """The shot list in use. Raises DefinitionError when a person's changes do not fit."""
        path = self._path / "shots.yaml"
        return load_shot_list(path) if path.is_file() else None

    def save_shots(self, wanted: ShotList) -> None:
        head = "# The shot list of this dataset. Edit it and build again: cells that have a picture keep it.\n"
        self._write(self._path / "shots.yaml", (head + shot_list_text(wanted)).encode())

    # ---- the finished dataset

    def dataset(self) -> Dataset | None:
        """The finished dataset; a caption file that a person changed counts. Raises DefinitionError for a damaged one."""
        path = self._path / "dataset.json"
        dataset = self._read_model(path, Dataset)
        if dataset is None:
            return None
        references = []
        for reference in dataset.references:
            if not stays_inside(reference.path):
                raise DefinitionError(
                    f"'{reference.path}' is not a path inside the folder", path=path, key="references", hint=_ANEW
                )
            picture = self._path / reference.path
            if not picture.is_file():
                raise DefinitionError(
                    f"the picture '{reference.path}' is not there",
                    path=path,
                    key="references",
                    hint=f"put it back, or build again without it: zirelia dataset build {dataset.persona}",
                )
            references.append(reference.model_copy(update={"caption": _caption_beside(picture) or reference.caption}))
        return dataset.model_copy(update={"references": tuple(references)})

    def caption(self, candidate: Candidate) -> str | None:
        """What stands in the caption file beside the picture, in one line."""
        return _caption_beside(self._path / candidate.path)

    def finish(self, dataset: Dataset) -> None:
        for reference in dataset.references:
            self._write((self._path / reference.path).with_suffix(".txt"), f"{reference.caption}\n".encode())
        lines = (
            {
                "file_name": reference.path,
                "text": reference.caption,
                **reference.model_dump(mode="json", include={"cell", "origin", "generator", "licence"}, exclude_none=True),
            }
            for reference in dataset.references
        )
        self._write(self._path / "metadata.jsonl", jsonl(lines))
        self._write(self._path / "dataset.json", _json(dataset))

    # ---- files

    def _add(self, folder: str, candidate: Candidate, data: bytes) -> None:
        if Path(candidate.path).parent != Path(folder) or not stays_inside(candidate.path):
            raise StoreError(f"the candidate's path '{candidate.path}' is not in {folder}/")
        self._check_hash(data, candidate.sha256, candidate.path)
        record = self._record(folder, candidate)
        if record.is_file():
            raise Conflict(f"the folder has a record {record.name} already", hint="give the try the next number")
        self._write(self._path / candidate.path, data)
        self._write(record, _json(candidate))

    def _record(self, folder: str, candidate: Candidate) -> Path:
        return self._path / folder / f"{candidate.cell}-{candidate.number}.json"

    def _records(self, folder: str) -> list[Candidate]:
        paths = sorted(path for path in (self._path / folder).glob("*.json") if not path.name.startswith("."))
        found = ((path, self._read_model(path, Candidate)) for path in paths)
        return [_inside(one, path) for path, one in found if one is not None]

    def _read_model(self, path: Path, model: type[_Model]) -> _Model | None:
        try:
            return model.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror}") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"])
            raise DefinitionError(f"is damaged: {first['msg']}", path=path, key=key or None, hint=_ANEW) from error

    def _check_hash(self, data: bytes, wanted: str, name: str) -> None:
        if sha256(data).hexdigest() != wanted:
            raise StoreError(
                f"{name} in {self._path} is not the picture of its record: the hash differs",
                hint="put the right one back, or move that folder away to begin anew",
            )

    def _write(self, path: Path, data: bytes) -> None:
        with _disk(path), whole_file(path) as part:
            part.write_bytes(data)


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}", hint="check the disk's space and the folder's rights") from error


def _inside(one: _Placed, record: Path) -> _Placed:
    """The same; a record that somebody else wrote must not name, move or send a file outside the folder."""
    if not stays_inside(one.path):
        raise DefinitionError(f"'{one.path}' is not a path inside the folder", path=record, key="path")
    return one


def _taken_away(candidate: Candidate) -> Candidate:
    gone = Fault(kind=FaultKind.TAKEN_AWAY, explanation="the picture is no longer in the folder")
    return candidate.model_copy(update={"examined": True, "faults": (*candidate.faults, gone)})


def _home(candidate: Candidate) -> str:
    """Where the picture lies once it was examined."""
    name = Path(candidate.path).name
    if not candidate.examined:
        return f"{CANDIDATES}/{name}"
    return name if candidate.kept else f"{REJECTED}/{name}"


def _caption_beside(picture: Path) -> str | None:
    path = picture.with_suffix(".txt")
    try:
        said = " ".join(path.read_text(encoding="utf-8").split())
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(
            f"cannot be read as UTF-8 text: {_first_line(error)}", path=path, hint="save it as UTF-8, or delete it"
        ) from error
    return said or None


def _json(value: BaseModel) -> bytes:
    return (value.model_dump_json(indent=2) + "\n").encode()


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
