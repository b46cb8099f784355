"""Posts a second of Zirelia's turn with models that cost nothing, beside the same steps on LangGraph.

    python bench/pipeline.py

All sides plan, draft, direct, make, examine and queue, with the same step functions, fake models, rules and media files, on
SQLite in WAL with synchronous=FULL, each in its own folder on the same disk. They take turns, so that a busy machine slows all.
What is measured is the engine: what it costs to lose nothing.

    Zirelia                   its store: slots, posts, attempts with findings, events, a ledger row around every call
    LangGraph                 a checkpoint a step; queue and memory are a list in the process, forgotten at a restart
    LangGraph, posts kept     a checkpoint a step; slots, queue and memory in Zirelia's tables, as an application would need;
                              still without ledger and events of the steps
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypedDict, TypeVar, cast

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel

from zirelia.definitions.agents import agent_names, load_agent
from zirelia.definitions.answers import DraftAnswer
from zirelia.definitions.personas import load_persona
from zirelia.domain.cadence import Slot
from zirelia.domain.ledger import LedgerEntry
from zirelia.domain.persona import Persona
from zirelia.domain.post import Event, Post, PostState, move
from zirelia.domain.prompt import compose, repair_shot, seed_for
from zirelia.domain.shot import Attempt
from zirelia.domain.verdict import Finding, Outcome, repairs_for
from zirelia.errors import NotFound
from zirelia.ports import Answer, BackendFacts, ChatRequest, Exhibit, Store, Usage
from zirelia.provenance.sealer import JpegSealer
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.studio import SilentWatcher
from zirelia.testing.images import FakeImageMaker
from zirelia.testing.schema_filler import schema_filler
from zirelia.workflow.describe import describe
from zirelia.workflow.direct import direct
from zirelia.workflow.draft import draft
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.plan import plan
from zirelia.workflow.produce import produce
from zirelia.workflow.shoot import critique

Schema = TypeVar("Schema", bound=BaseModel)
Turn = Callable[[Slot], None]
FIRST = datetime(2027, 1, 1, 12, tzinfo=UTC)
PICTURE = (64, 64)


# ---- models that cost nothing ---------------------------------------------------------------------------------------------


class InstantChat:
    """Answers every question at once with something that fits; no two captions are the same."""

    vision = False

    def __init__(self) -> None:
        self._answers: dict[type[BaseModel], BaseModel] = {}
        self._count = itertools.count()

    def facts(self) -> BackendFacts:
        return BackendFacts(backend="instant", model="none", local=True, paid=False)

    def ask(self, request: ChatRequest, schema: type[Schema]) -> Answer[Schema]:  # noqa: ARG002 - the port's signature
        if schema not in self._answers:
            text = "One small thing seen from the window, and nobody else looked at it."
            self._answers[schema] = schema.model_validate(schema_filler(schema.model_json_schema(), text=text))
        value = self._answers[schema]
        if isinstance(value, DraftAnswer):
            value = value.model_copy(update={"caption": f"{value.caption} Page {next(self._count)}."})
        return Answer(value=value, model="instant", usage=Usage(), raw="")  # type: ignore[arg-type]


class KindPanel:
    """Passes everything that must be checked; as quick as a list."""

    def __init__(self, persona: Persona) -> None:
        self._findings = tuple(
            Finding(criterion=c, outcome=Outcome.PASSED, instrument="kind", explanation="looks fine", score=1.0, threshold=0.5)
            for c in sorted(persona.rubric.must_check)
        )

    def examine(self, exhibit: Exhibit) -> tuple[Finding, ...]:  # noqa: ARG002 - the port's signature
        return self._findings


def slots(persona: Persona) -> Iterator[Slot]:
    """Noon of one day after the other."""
    for number in itertools.count():
        at = FIRST + timedelta(days=number)
        yield Slot(persona=persona.name, day=at.date(), window="noon", at=at)


def kit_for(folder: Path, persona: Persona, store: Store | None = None) -> Kit:
    """The same tools on both sides; only the store differs."""
    media = MediaStore(folder / "media")
    return Kit(
        store=store or SqlStore(folder / "zirelia.db", media),
        media=media,
        chat=InstantChat(),
        images=FakeImageMaker(size=PICTURE),
        panel=KindPanel(persona),
        channels={},
        sealer=JpegSealer(),
        agents={name: load_agent(name) for name in agent_names()},
        now=lambda: datetime.now(UTC),
        watcher=SilentWatcher(),
        image_steps=16,
    )


# ---- Zirelia's side -------------------------------------------------------------------------------------------------------


def on_zirelia(folder: Path, persona: Persona) -> Turn:
    """One turn as `zirelia produce` runs it."""
    kit, subject = kit_for(folder, persona), Subject(persona=persona, lora=None, references=())

    def turn(slot: Slot) -> None:
        post = produce(kit, subject, slot)
        if post.state is not PostState.AWAITING_REVIEW:
            raise SystemExit(f"post {post.id} is {post.state}: {post.held_because}")

    return turn


# ---- the same steps on LangGraph ------------------------------------------------------------------------------------------


class FreeCall:
    """A call that nobody remembers: LangGraph's side has no ledger."""

    external_id = None

    def created(self, external_id: str) -> None:
        """Nothing to remember."""


class Memory:
    """What the step functions ask of a store between two checkpoints: the posts of this process, newest last."""

    def __init__(self) -> None:
        self._posts: dict[int, Post] = {}

    def add_post(self, post: Post, event: Event) -> Post:  # noqa: ARG002 - the port's signature
        stored = post.model_copy(update={"id": len(self._posts) + 1})
        self._posts[stored.id] = stored
        return stored

    def get_post(self, post_id: int) -> Post:
        if post_id not in self._posts:
            raise NotFound(f"there is no post {post_id}")
        return self._posts[post_id]

    def save_post(self, post: Post, *, expected_version: int, events: Sequence[Event] = ()) -> None:  # noqa: ARG002
        self._posts[post.id] = post

    def remembered(self, persona: str, *, but: int, limit: int) -> tuple[Post, ...]:
        fitting = (
            post
            for post in reversed(self._posts.values())
            if post.persona == persona and post.id != but and post.state is not PostState.REJECTED
        )
        return tuple(itertools.islice(fitting, limit))

    def file(self, post: Post, events: Sequence[Event]) -> None:  # noqa: ARG002 - what tables would keep
        """The finished post, for the queue."""
        self._posts[post.id] = post

    def open_call(self, entry: LedgerEntry) -> FreeCall:  # noqa: ARG002 - the port's signature
        return FreeCall()

    def close_call(self, entry: LedgerEntry) -> None:
        """There is no ledger."""

    def ledger(self, *, post_id: int | None = None) -> tuple[LedgerEntry, ...]:  # noqa: ARG002 - the port's signature
        return ()


class Tables(Memory):
    """The same, with slots, queue and memory in Zirelia's tables; only between two checkpoints a post is kept here."""

    def __init__(self, store: SqlStore) -> None:
        super().__init__()
        self._store = store

    def add_post(self, post: Post, event: Event) -> Post:
        stored = self._store.add_post(post, event)
        self._posts = {stored.id: stored}
        return stored

    def remembered(self, persona: str, *, but: int, limit: int) -> tuple[Post, ...]:
        return self._store.remembered(persona, but=but, limit=limit)

    def file(self, post: Post, events: Sequence[Event]) -> None:
        self._store.save_post(post, expected_version=0, events=events)


class State(TypedDict, total=False):
    """What a checkpoint holds, as plain JSON."""

    slot: dict[str, Any]
    post: dict[str, Any]
    attempt: dict[str, Any]


class Graph:
    """The turn as a graph: one node a step, a checkpoint after each."""

    def __init__(self, folder: Path, persona: Persona, *, keeps_posts: bool) -> None:
        media = MediaStore(folder / "media")
        self.memory = Tables(SqlStore(folder / "zirelia.db", media)) if keeps_posts else Memory()
        self.kit = kit_for(folder, persona, cast(Store, self.memory))
        self.subject = Subject(persona=persona, lora=None, references=())
        connection = sqlite3.connect(folder / "langgraph.db", check_same_thread=False)
        saver = SqliteSaver(connection)
        saver.setup()
        connection.execute("PRAGMA synchronous=FULL")
        if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            raise SystemExit("LangGraph's database is not in WAL: the comparison would not be fair")
        self.graph = self._built().compile(checkpointer=saver)

    def _built(self) -> StateGraph[State]:
        graph: StateGraph[State] = StateGraph(State)
        steps = [self.plan, self.draft, self.direct, self.make, self.examine, self.queue]
        for step in steps:
            graph.add_node(step.__name__, step)
        for before, after in itertools.pairwise([START, *(step.__name__ for step in steps[:-1])]):
            graph.add_edge(before, after)
        graph.add_conditional_edges("examine", self.next_step, ["make", "queue"])
        graph.add_edge("queue", END)
        return graph

    def __call__(self, slot: Slot) -> None:
        state = self.graph.invoke(
            {"slot": slot.model_dump(mode="json")}, {"configurable": {"thread_id": slot.id}}, durability="sync"
        )
        if state["post"]["state"] != PostState.AWAITING_REVIEW:
            raise SystemExit(f"{slot.id} is {state['post']['state']}")

    def plan(self, state: State) -> State:
        slot, now, persona = Slot.model_validate(state["slot"]), self.kit.now(), self.subject.persona
        post = Post(persona=persona.name, slot_id=slot.id, due=slot.at, created=now, updated=now)
        event = Event(post_id=0, at=now, actor="studio", before=None, after=PostState.BRIEFED)
        return _said(plan(self.kit, self.subject, self.kit.store.add_post(post, event)))

    def draft(self, state: State) -> State:
        return _said(draft(self.kit, self.subject, Post.model_validate(state["post"])))

    def direct(self, state: State) -> State:
        post = Post.model_validate(state["post"])
        return _said(post.model_copy(update={"shot": direct(self.kit, self.subject, post)}))

    def make(self, state: State) -> State:
        post, kit, persona = Post.model_validate(state["post"]), self.kit, self.subject.persona
        number = len(post.attempts) + 1
        last = post.attempts[-1] if post.attempts else None
        repairs = repairs_for(last.verdict) if last and last.verdict else ()
        wanted = last.shot if last else post.shot
        if wanted is None:
            raise SystemExit(f"{post.slot_id} has no shot to make")
        shot = repair_shot(wanted, repairs, persona.look, attempt=number)
        width, height = kit.images.size()
        prompt = compose(
            shot, persona.look, lora=persona.lora, seed=seed_for(post.slot_id, number), width=width, height=height,
            steps=kit.image_steps, repairs=repairs,
        )  # fmt: skip
        made = kit.images.make(prompt, lora=None, call=FreeCall(), progress=kit.watcher.progress)
        image = kit.media.put(made.data, made.media_type)
        attempt = Attempt(number=number, shot=shot, image=image, provenance=made.provenance, repairs=repairs)
        return {"attempt": attempt.model_dump(mode="json")}

    def examine(self, state: State) -> State:
        post, attempt = Post.model_validate(state["post"]), Attempt.model_validate(state["attempt"])
        judged = critique(self.kit, self.subject, post, attempt)
        return _said(post.model_copy(update={"attempts": (*post.attempts, judged)}))

    def next_step(self, state: State) -> str:
        attempts = Post.model_validate(state["post"]).attempts
        verdict = attempts[-1].verdict
        return "queue" if len(attempts) >= self.kit.attempts or (verdict is not None and verdict.passed) else "make"

    def queue(self, state: State) -> State:
        post = Post.model_validate(state["post"])
        best, now = post.attempts[-1], self.kit.now()
        if post.draft is not None:
            alt_text = describe(self.kit, self.subject, post, best)
            post = post.model_copy(update={"draft": post.draft.model_copy(update={"alt_text": alt_text})})
        post, shot = move(post.model_copy(update={"chosen": best.number}), PostState.SHOT, at=now, actor="studio")
        passed = best.verdict is not None and best.verdict.passed
        to = PostState.AWAITING_REVIEW if passed else PostState.HELD
        post, queued = move(post, to, at=now, actor="critic", because="examined")
        # the tables want every change of state; the first one happened in a checkpoint
        drafted = queued.model_copy(update={"actor": "drafter", "before": PostState.BRIEFED, "after": PostState.DRAFTED})
        self.memory.file(post, [drafted, shot, queued])
        return _said(post)


def _said(post: Post) -> State:
    return {"post": post.model_dump(mode="json")}


# ---- side by side ---------------------------------------------------------------------------------------------------------


_SIDES: dict[str, Callable[[Path, Persona], Turn]] = {
    "Zirelia": on_zirelia,
    "LangGraph": partial(Graph, keeps_posts=False),
    "LangGraph, posts kept": partial(Graph, keeps_posts=True),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6, help="rounds of each side; the first one only warms up")
    parser.add_argument("--posts", type=int, default=25, help="posts a round")
    parser.add_argument("--folder", type=Path, default=None, help="where to keep both databases (default: a temporary folder)")
    options = parser.parse_args()
    persona = load_persona("mira").persona
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        sides: dict[str, Turn] = {}
        for name, start in _SIDES.items():
            folder = Path(scratch) / name
            folder.mkdir()
            sides[name] = start(folder, persona)
        rates = race(sides, persona, options.rounds, options.posts)
    report(rates, options.posts)
    return 0


def race(sides: dict[str, Turn], persona: Persona, rounds: int, posts: int) -> dict[str, list[float]]:
    """Posts a second of each side in each round, the sides in turn and the order reversed every time."""
    openings = {name: slots(persona) for name in sides}
    rates: dict[str, list[float]] = {name: [] for name in sides}
    order = list(sides)
    for number in range(rounds):
        for name in order:
            started = time.perf_counter()
            for slot in itertools.islice(openings[name], posts):
                sides[name](slot)
            if number:
                rates[name].append(posts / (time.perf_counter() - started))
        order.reverse()
    return rates


def report(rates: dict[str, list[float]], posts: int) -> None:
    packages = ("zirelia", "langgraph", "langgraph-checkpoint-sqlite", "SQLAlchemy")
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}")
    print(", ".join(f"{name} {version(name)}" for name in packages) + f", SQLite {sqlite3.sqlite_version}")
    print(f"{len(rates['Zirelia'])} rounds of {posts} posts in turn; median and range")
    for name, found in rates.items():
        line = f"  {name:24} {statistics.median(found):6.1f} posts/s  ({min(found):.1f} to {max(found):.1f})"
        if name != "Zirelia":
            ratio = statistics.median(ours / theirs for ours, theirs in zip(rates["Zirelia"], found, strict=True))
            line += f"   Zirelia is {ratio:.2f} times as fast"
        print(line)


if __name__ == "__main__":
    sys.exit(main())
