"""Whole turns with the embedded models, many in a row: how many pass, and what the repairs achieve.

    python -m bench.turns --posts 60 --home turns      # the same home again goes on where it stopped

One process, the shipped persona, one post after the other as in her calendar, each remembering those before it. A turn that was
cut short is finished first. Nobody decides anything: a post ends as `awaiting_review` or `held`. The tables go into
docs/critic.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bench.critic.document import put, table
from bench.critic.shares import Share, quantile
from zirelia.domain.cadence import Slot, slots_on
from zirelia.domain.persona import Persona
from zirelia.domain.post import Post, PostState
from zirelia.domain.shot import Attempt
from zirelia.settings import load_settings
from zirelia.studio import Studio, open_studio
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.produce import produce, resume, unfinished

REPOSITORY = Path(__file__).parents[1]
PERSONA = "mira"
FIRST_DAY = date(2027, 1, 4)
WITHIN = 3
ENDED = frozenset({PostState.AWAITING_REVIEW, PostState.HELD})


def main() -> int:
    options = _options()
    options.home.mkdir(parents=True, exist_ok=True)
    settings = load_settings(options.home, {}).model_copy(update={"home": options.home.resolve()})  # nobody's own settings
    times = Times(options.home / "turns.jsonl")
    with open_studio(embedded=True, settings=settings) as studio:
        _run(studio, options.posts, times)
        posts = _ended(studio.store.posts(persona=PERSONA, limit=10 * options.posts + 100))[: options.posts]
        said = summary(posts, times.seconds())
    print(said)
    if options.docs:
        put(REPOSITORY / "docs" / "critic.md", "turns", f"Seen on {datetime.now(UTC):%Y-%m-%d}.\n\n{said}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.turns", description="Whole turns with the embedded models.")
    parser.add_argument("--posts", type=int, default=60, help="how many posts in all, those of earlier runs included")
    parser.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "zirelia-bench-turns", help="kept posts")
    parser.add_argument("--no-docs", dest="docs", action="store_false", help="leave docs/critic.md as it is")
    return parser.parse_args()


class Times:
    """Seconds that each turn took, a line a post; of a turn that was cut short only its last part is known."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, post: int, seconds: float, *, whole: bool) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"post": post, "seconds": seconds, "whole": whole}) + "\n")

    def seconds(self) -> list[float]:
        """Of the turns that ran in one go."""
        lines = self._path.read_text("utf-8").splitlines() if self._path.is_file() else []
        told = [json.loads(line) for line in lines]
        return [float(line["seconds"]) for line in told if line["whole"]]


def calendar(persona: Persona, taken: frozenset[str]) -> Iterator[Slot]:
    """The persona's slots from the first day on, without those that are taken."""
    day = FIRST_DAY
    while True:
        yield from (slot for slot in slots_on(persona.cadence, persona.name, day) if slot.id not in taken)
        day += timedelta(days=1)


def _run(studio: Studio, count: int, times: Times) -> None:
    subject = studio.subject(PERSONA)
    kit = studio.kit(subject)
    for post in unfinished(kit, PERSONA):
        started = time.monotonic()
        resume(kit, subject, post.id)
        times.add(post.id, time.monotonic() - started, whole=False)
    done = len(_ended(studio.store.posts(persona=PERSONA, limit=10 * count + 100)))
    slots = calendar(subject.persona, studio.store.taken_slots(PERSONA))
    began, before = time.monotonic(), done
    while done < count:
        times.add(*_turn(kit, subject, next(slots)), whole=True)
        done += 1
        rate = (time.monotonic() - began) / (done - before)
        print(f"\r{done}/{count} posts, {rate:.0f} s each, {rate * (count - done):.0f} s left   ", end="", file=sys.stderr)
    print(file=sys.stderr)


def _turn(kit: Kit, subject: Subject, slot: Slot) -> tuple[int, float]:
    started = time.monotonic()
    post = produce(kit, subject, slot)
    return post.id, time.monotonic() - started


def _ended(posts: Sequence[Post]) -> list[Post]:
    """Oldest first."""
    return sorted((post for post in posts if post.state in ENDED), key=lambda post: post.id)


def summary(posts: Sequence[Post], seconds: Sequence[float]) -> str:
    """The tables: pass rates, what failed the first attempts, and what became of the repairs."""
    parts = [_rates(posts), _failures(posts), _repairs(posts)]
    if seconds:
        load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
        spent = f"median {quantile(seconds, 0.5):.1f} s, 95th percentile {quantile(seconds, 0.95):.1f} s"
        parts.append(f"Time per post: {spent} ({len(seconds)} turns{load}).")
    return "\n\n".join(parts)


def _passed(attempt: Attempt) -> bool:
    return attempt.verdict is not None and attempt.verdict.passed


def _rates(posts: Sequence[Post]) -> str:
    shot = [post for post in posts if post.attempts]
    lines = [
        ("first attempt passed", Share.of_those(_passed(post.attempts[0]) for post in shot)),
        (f"passed within {WITHIN} attempts", Share.of_those(any(map(_passed, post.attempts[:WITHIN])) for post in shot)),
        ("held, of all posts", Share.of_those(post.state is PostState.HELD for post in posts)),
        ("held before there was a picture", Share.of_those(not post.attempts for post in posts)),
    ]
    return table(["", "posts", "of", "share (95 %)"], [[name, str(s.count), str(s.of), str(s)] for name, s in lines])


def _failures(posts: Sequence[Post]) -> str:
    found: Counter[str] = Counter()
    for post in posts:
        verdict = post.attempts[0].verdict if post.attempts else None
        if verdict is not None and not verdict.passed:
            failed = {f"{f.criterion}/{f.aspect or '-'}" for f in verdict.failed}
            found.update(failed or {verdict.explanation})  # without a failure, something required was not checked
    listed = ", ".join(f"{name} {count}" for name, count in found.most_common()) or "nothing"
    return f"What failed the first attempts (posts): {listed}."


def _repairs(posts: Sequence[Post]) -> str:
    """Each finding and repair: how often applied, and whether the finding had gone in the attempt that applied it."""
    counted: dict[tuple[str, str], Counter[bool | None]] = {}
    for post in posts:
        for attempt in post.attempts:
            for mend in attempt.verdict.mends if attempt.verdict else ():
                named = f"{mend.criterion}/{mend.aspect or '-'}"
                counted.setdefault((named, str(mend.kind)), Counter())[mend.gone] += 1
    if not counted:
        return "No repair was applied."
    lines = [
        [
            named,
            kind.replace("_", " "),
            str(gone.total()),
            str(gone[True]),
            str(gone[False]),
            str(gone[None]),
            str(Share(gone[True], gone[True] + gone[False])),
        ]
        for (named, kind), gone in sorted(counted.items())
    ]
    heads = ["finding", "repair", "applied", "gone", "still there", "nobody could tell", "gone, share (95 %)"]
    return table(heads, lines)


if __name__ == "__main__":
    sys.exit(main())
