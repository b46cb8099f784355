"""Writes posts and attempts until it is killed; says each write on its standard output after it returned.

Example: echo 3 | python killed_writer.py HOME. Run by test_killed.py.
"""

from __future__ import annotations

import io
import itertools
import os
import random
import sys
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from zirelia.domain.post import Event, Post, PostState, move
from zirelia.domain.shot import Attempt, Framing, ImagePrompt, Provenance, Shot
from zirelia.domain.verdict import Criterion, Finding, Outcome, Rubric, fold
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore

NOW = datetime(2026, 10, 25, tzinfo=UTC)
SHOT = Shot(scene="roof", outfit="coat", expression="calm", framing=Framing.HALF_BODY, light="dusk")
VERDICT = fold(
    [Finding(criterion=c, outcome=Outcome.PASSED, instrument="looks", explanation="e" * 500) for c in Criterion], Rubric()
)


def picture(noise: random.Random) -> bytes:
    buffer = io.BytesIO()
    Image.frombytes("RGB", (40, 40), noise.randbytes(4800)).save(buffer, "PNG")
    return buffer.getvalue()


def tried(store: SqlStore, number: int, noise: random.Random) -> Attempt:
    return Attempt(
        number=number,
        shot=SHOT,
        image=store.media.put(picture(noise), "image/png"),
        provenance=Provenance(
            backend="flux",
            model="pocket",
            prompt=ImagePrompt(text="mira_zr", seed=number, width=64, height=64),
            seconds=1,
            made_at=NOW,
        ),
        verdict=VERDICT,
    )


def say(*words: object) -> None:
    # one write: with PYTHONUNBUFFERED set, print makes several, and a kill between them would leave half a line
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def main(home: Path, turn: int) -> None:
    noise = random.Random(turn)
    with SqlStore(home / "zirelia.db", MediaStore(home / "media")) as store:
        say("ready")
        for count in itertools.count():
            slot = f"mira:{turn}:{count}"
            post = Post(persona="mira", slot_id=slot, due=NOW, created=NOW, updated=NOW)
            post = store.add_post(post, Event(post_id=0, at=NOW, actor="planner", before=None, after=post.state))
            say("post", post.id, 0, 0)
            for number in (1, 2):
                store.add_attempt(post.id, tried(store, number, noise))
                say("post", post.id, 0, number)
            post = store.get_post(post.id)
            moved, event = move(post, PostState.DRAFTED, at=NOW, actor="drafter")
            store.save_post(moved, expected_version=post.version, events=[event])
            say("post", post.id, 1, 2)


if __name__ == "__main__":
    # each turn runs in a fork of this warm process, so that a kill costs no start of Python
    for asked in sys.stdin:
        child = os.fork()
        if child == 0:
            say("pid", os.getpid())
            main(Path(sys.argv[1]), int(asked))
        say("end", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
