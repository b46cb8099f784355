"""What a hosted training leaves, read without trusting it: one LoRA out of a tar, with our own words in its header.

    data = lora_bytes(downloaded)                  # the safetensors inside, whatever it was wrapped in
    lora = write_checked(path, data, {"modelspec.trigger_phrase": "zqmira", ...})

Nothing is unpacked to the disk: one member is read, links and strange names are passed over. It opens no connection.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from zirelia.domain.lora import Lora
from zirelia.errors import TrainingError
from zirelia.files import whole_file
from zirelia.training.lora_file import read_lora

LARGEST = 2_000_000_000
_MOST_MEMBERS = 10_000
_LONGEST_HEADER = 20_000_000
_USUAL_NAME = "lora.safetensors"


def lora_bytes(data: bytes) -> bytes:
    """The safetensors bytes in a download: itself, or the LoRA in a tar (plain or compressed).

    Raises TrainingError when there is none, or more than one and none is called lora.safetensors.
    """
    if _header(data) is not None:
        return data
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as archive:
            found = _candidates(archive)
            chosen = [member for member in found if PurePosixPath(member.name).name == _USUAL_NAME] or found
            if len(chosen) != 1:
                raise TrainingError(
                    f"the download holds {len(chosen) or 'no'} LoRA files where one was expected"
                    + (f": {', '.join(member.name for member in chosen[:4])}" if chosen else "")
                )
            opened = archive.extractfile(chosen[0])
            held = opened.read(LARGEST + 1) if opened else b""
    except (tarfile.TarError, OSError, EOFError) as error:
        raise TrainingError(f"the download is neither a safetensors file nor a whole tar: {error}") from error
    if len(held) != chosen[0].size or _header(held) is None:
        raise TrainingError(f"{chosen[0].name} in the download is not a whole safetensors file")
    return held


def _candidates(archive: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """Plain files called *.safetensors. Bounds the work that a hostile archive can make."""
    found, size = [], 0
    for number, member in enumerate(archive):
        size += max(member.size, 0)
        if number >= _MOST_MEMBERS or size > LARGEST:
            raise TrainingError("the archive of the download is larger than any LoRA", hint="look at the training on its page")
        name = PurePosixPath(member.name)
        if member.isreg() and name.suffix == ".safetensors" and not name.is_absolute() and ".." not in name.parts:
            found.append(member)
    return found


def _header(data: bytes) -> dict[str, Any] | None:
    """The parsed header of safetensors bytes; None when they are none."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 10 or not 2 <= length <= min(_LONGEST_HEADER, len(data) - 8):
        return None
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) else None


def write_checked(path: Path, data: bytes, said: Mapping[str, str]) -> Lora:
    """Writes the LoRA with `said` as its metadata, whole or not at all, after it was read back and found sound.

    What the provider wrote about it is dropped: other tools show metadata to people. Raises TrainingError.
    """
    header = _header(data)
    if header is None:
        raise TrainingError("the weights are not safetensors")
    length = int.from_bytes(data[:8], "little")
    header["__metadata__"] = dict(said)
    encoded = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    with whole_file(path) as part:
        with part.open("wb") as file:
            file.write(len(encoded).to_bytes(8, "little"))
            file.write(encoded)
            file.write(memoryview(data)[8 + length :])
        read_lora(part)
    return read_lora(path)[0]
