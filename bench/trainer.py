"""Zirelia's LoRA trainer beside a plain loop that keeps its encoders and asks them at every step.

    python bench/trainer.py
    python bench/trainer.py --case pocket --steps 60 --json

Both sides train on the same drawn pictures with the same plan, noise and times, without preservation; each run is a process of
its own, and they take turns. The losses must agree, else the comparison is void and the exit code 1: then the two would not
have done the same work. What differs is said in `trainer_side.py`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from trainer_side import CASES, base_of

from zirelia.domain.dataset import Dataset, Reference
from zirelia.domain.persona import Consent
from zirelia.pocket.drawing import render
from zirelia.pocket.world import HELD_OUT, caption, random_shot
from zirelia.training.preflight import parameters_in

PICTURES, SIDE, TRIGGER = 8, 256, "mirelo"
TOLERANCE = 1e-3
WANTED_SPEED, WANTED_MEMORY = 2.0, 0.7
_PARTS = ("transformer", "text_encoder_2", "text_encoder", "vae")
_MIB = 1 << 20
Measure = dict[str, Any]


def draw_dataset(folder: Path) -> None:
    """Drawn pictures of one character, and the dataset that describes them."""
    rng = random.Random(5)  # noqa: S311
    references = []
    (folder / "pictures").mkdir()
    for number in range(PICTURES):
        shot = random_shot(rng)
        path = folder / "pictures" / f"{number}.png"
        render(HELD_OUT["mira"], shot, SIDE).save(path)
        references.append(
            Reference(
                path=path.name,
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                origin="drawn",
                licence="CC0-1.0",
                caption=caption(HELD_OUT["mira"], shot, trigger=TRIGGER),
            )
        )
    dataset = Dataset(persona="mira", trigger=TRIGGER, consent=Consent(fictional=True), references=tuple(references))
    (folder / "dataset.json").write_text(dataset.model_dump_json(), "utf-8")


def race(folder: Path, case: str, rounds: int, steps: int) -> dict[str, list[Measure]]:
    """What each side took in each round, the sides in turn and the order reversed every time."""
    if case != "pocket":
        _run("build", folder, case)
    measures: dict[str, list[Measure]] = {"zirelia": [], "plain": []}
    order = list(measures)
    for _ in range(rounds):
        for side in order:
            measures[side].append(json.loads(_run(side, folder, case, str(steps)).splitlines()[-1]))
        order.reverse()
    return measures


def _run(side: str, folder: Path, *rest: str) -> str:
    script = str(Path(__file__).with_name("trainer_side.py"))
    done = subprocess.run([sys.executable, script, side, str(folder), *rest], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stderr}\nthe side '{side}' of '{rest[0]}' failed; what it said stands above")
    return done.stdout


def compared(base: Path, measures: dict[str, list[Measure]]) -> Measure:
    """The figures of one case: of each side the median over the rounds, and Zirelia's in shares of the plain loop's."""
    sides = {side: _figures(found) for side, found in measures.items()}
    ours, theirs = sides["zirelia"], sides["plain"]
    pairs = zip(measures["zirelia"], measures["plain"], strict=True)
    apart = [
        abs(a - b) / max(abs(b), 1e-9) for one, other in pairs for a, b in zip(one["losses"], other["losses"], strict=True)
    ]
    return {
        "parameters": {name: parameters_in(base / name) for name in _PARTS},
        **sides,
        "speed": ours["steps_per_second"] / theirs["steps_per_second"],
        "processor": theirs["processor_seconds_per_step"] / ours["processor_seconds_per_step"],
        "whole": theirs["whole_seconds"] / ours["whole_seconds"],
        "peak": ours["peak_bytes"] / theirs["peak_bytes"],
        "above_imports": ours["above_imports_bytes"] / theirs["above_imports_bytes"],
        "largest_difference": max(apart),
        "same_losses": max(apart) <= TOLERANCE,
    }


def _figures(found: list[Measure]) -> Measure:
    return {
        "steps_per_second": statistics.median(1 / statistics.median(one["seconds"]) for one in found),
        "processor_seconds_per_step": statistics.median(statistics.median(one["processor"]) for one in found),
        "whole_seconds": statistics.median(one["whole"] for one in found),
        "peak_bytes": statistics.median(one["peak"] for one in found),
        "above_imports_bytes": statistics.median(one["peak"] - one["imported"] for one in found),
        "first_loss": found[0]["losses"][0],
        "last_loss": found[0]["losses"][-1],
    }


def show(case: str, figures: Measure) -> None:
    print(f"\n{case}: {CASES[case][0]}")
    print("  million parameters: " + ", ".join(f"{name} {size / 1e6:.2f}" for name, size in figures["parameters"].items()))
    headings = (
        f"{'steps/s':>8} {'CPU a step':>11} {'whole call':>11} {'peak':>9} {'above imports':>14} {'first and last loss':>21}"
    )
    print(f"  {'':10} {headings}")
    for side, name in (("zirelia", "Zirelia"), ("plain", "plain loop")):
        one = figures[side]
        print(
            f"  {name:10} {one['steps_per_second']:8.2f} {one['processor_seconds_per_step'] * 1000:8.0f} ms"
            f" {one['whole_seconds']:9.1f} s {one['peak_bytes'] / _MIB:5.0f} MiB {one['above_imports_bytes'] / _MIB:10.0f} MiB"
            f" {one['first_loss']:12.5f} {one['last_loss']:.5f}"
        )
    print(
        f"  {'ratio':10} {figures['speed']:7.2f}x {figures['processor']:10.2f}x {figures['whole']:10.2f}x"
        f" {figures['peak']:8.2f}x {figures['above_imports']:13.2f}x   differ by {figures['largest_difference']:.1e} at most"
    )
    goals = [
        f"speed {WANTED_SPEED:g}x {'reached' if figures['speed'] >= WANTED_SPEED else 'missed'}",
        f"peak {WANTED_MEMORY:g}x {'reached' if figures['peak'] <= WANTED_MEMORY else 'missed'}",
        f"above the imports {'reached' if figures['above_imports'] <= WANTED_MEMORY else 'missed'}",
    ]
    print(f"  goals: {', '.join(goals)}")
    if not figures["same_losses"]:
        print(f"  VOID: the losses differ by more than {TOLERANCE:g}; the two sides did not do the same work")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--case", action="append", choices=tuple(CASES), help="may be repeated (default: all)")
    parser.add_argument("--steps", type=int, default=24, help="steps a run, at least 2; the first one is not timed")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    if options.steps < 2 or options.rounds < 1:
        parser.error("at least 2 steps and 1 round")
    machine = {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "diffusers", "peft", "transformers")},
    }
    figures = {}
    if not options.json:
        print(", ".join(f"{name} {value}" for name, value in machine.items()))
        print(f"{options.rounds} runs of {options.steps} steps of each side in turn, {PICTURES} pictures; medians")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        draw_dataset(folder)
        for case in options.case or CASES:
            figures[case] = compared(base_of(folder, case), race(folder, case, options.rounds, options.steps))
            if not options.json:
                show(case, figures[case])
    if options.json:
        print(json.dumps({"machine": machine, "rounds": options.rounds, "steps": options.steps, "cases": figures}, indent=2))
    return 0 if all(one["same_losses"] for one in figures.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
