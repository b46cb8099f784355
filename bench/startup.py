"""How long `zirelia --help` takes, and what it loads.

    python bench/startup.py

Runs the command several times in fresh interpreters and keeps the fastest and the median: a busy machine only ever adds.
Then reads `python -X importtime` for the modules that took longest. Exits 1 when torch is loaded or the target is missed.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

TARGET_SECONDS = 0.4
HEAVY = ("torch", "diffusers", "transformers", "langchain", "sqlalchemy", "pydantic", "numpy", "PIL", "httpx")
_HELP = "from zirelia.cli import run; run(['--help'])"
_LINE = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \| (\s*)(\S+)")


@dataclass(frozen=True)
class Import:
    """One line of `-X importtime`; seconds, alone and with what it imported."""

    module: str
    alone: float
    total: float


def seconds(code: str, runs: int) -> list[float]:
    """Wall time of a fresh interpreter that runs the code."""
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - started)
    return taken


def imports(code: str) -> list[Import]:
    """Every import that the code makes, in order."""
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], check=True, capture_output=True, text=True)
    found = [_LINE.match(line) for line in done.stderr.splitlines()]
    return [Import(m[4], int(m[1]) / 1e6, int(m[2]) / 1e6) for m in found if m]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--top", type=int, default=8, help="how many of the slowest imports to list")
    options = parser.parse_args()
    bare = min(seconds("pass", options.runs))
    helped = seconds(_HELP, options.runs)
    print(f"python -c pass        {bare * 1000:7.0f} ms  (fastest of {options.runs})")
    print(f"zirelia --help        {min(helped) * 1000:7.0f} ms  (fastest; median {statistics.median(helped) * 1000:.0f} ms)")
    loaded = imports(_HELP)
    roots = {entry.module.split(".")[0] for entry in loaded}
    print(f"modules imported      {len(loaded):7}")
    for entry in sorted(loaded, key=lambda entry: -entry.alone)[: options.top]:
        print(f"  {entry.module:32} {entry.alone * 1000:6.1f} ms alone, {entry.total * 1000:6.1f} ms with its own")
    heavy = sorted(roots & set(HEAVY))
    print(f"heavy libraries       {', '.join(heavy) or 'none'}")
    in_time = min(helped) < TARGET_SECONDS
    print(f"target                {TARGET_SECONDS * 1000:7.0f} ms  {'kept' if in_time else 'MISSED'}")
    return 0 if in_time and "torch" not in roots else 1


if __name__ == "__main__":
    sys.exit(main())
