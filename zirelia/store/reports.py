r"""Why pictures were not kept, as lines for programs and as text for people.

    rejection_text(rejected)       # "face-smile-2.png\n  blurred: sharpness 12 below 40\n"

Knows no files but their names.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from zirelia.domain.dataset import Candidate


def jsonl(lines: Iterable[dict[str, object]]) -> bytes:
    """One JSON object a line, UTF-8."""
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def rejection_lines(rejected: Sequence[Candidate]) -> Iterable[dict[str, object]]:
    for one in rejected:
        yield {
            "file": Path(one.path).name,
            "cell": one.cell,
            "number": one.number,
            "origin": one.origin,
            "identity": one.identity,
            "faults": [fault.model_dump(mode="json") for fault in one.faults],
        }


def rejection_text(rejected: Sequence[Candidate]) -> str:
    """The reasons with their counts, then each picture with its own."""
    counts = Counter(str(fault.kind) for one in rejected for fault in one.faults)
    said = [f"{len(rejected)} pictures were not kept. They lie beside this file; nothing was deleted."]
    said += [f"  {count} x {kind}" for kind, count in counts.most_common()]
    for one in rejected:
        likeness = "" if one.identity is None else f" (likeness {one.identity:.2f})"
        said += ["", f"{Path(one.path).name}{likeness}"]
        for fault in one.faults:
            measured = "" if fault.score is None else f" [measured {fault.score:.3g}"
            wanted = "" if fault.threshold is None or not measured else f", limit {fault.threshold:.3g}"
            said.append(f"  {fault.kind}: {fault.explanation}{measured}{wanted}{']' if measured else ''}")
    return "\n".join(said) + "\n"
