"""What is remembered of a hosted training beside its files, so that a lost answer or a kill never pays twice.

    record = Record.read(folder)                  # None before anything was ordered
    record.write(folder)

The file is `replicate.json` in the order's folder. It holds no secret.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zirelia.domain.value import Instant, Sha256, Value
from zirelia.errors import TrainingError
from zirelia.files import whole_file

_NAME = "replicate.json"


class Record(Value):
    """One order. `identity` is the hash of all that decides it; `inputs` are what was sent, by which it is known again.

    ordered_at: before it was sent. training: the provider's id. seconds, cost_usd: once it is over. sha256: of the finished
    file.
    """

    identity: Sha256
    upload: str
    inputs: dict[str, Any]
    ordered_at: Instant
    training: str | None = None
    seconds: float | None = None
    cost_usd: float | None = None
    sha256: Sha256 | None = None

    @classmethod
    def read(cls, folder: Path) -> Record | None:
        """Raises TrainingError for a damaged file: guessing could pay twice."""
        path = folder / _NAME
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise TrainingError(
                f"{path} cannot be read: {type(error).__name__}",
                hint="look at https://replicate.com/trainings for a running training, then remove the file",
            ) from error

    def write(self, folder: Path) -> Record:
        with whole_file(folder / _NAME) as part:
            part.write_text(self.model_dump_json(indent=2), encoding="utf-8")
        return self
