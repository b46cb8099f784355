"""`zirelia status`: is the daemon up, what comes next, and what needs a person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from zirelia.cli import connect, terminal
from zirelia.domain.job import Job
from zirelia.domain.post import PostState
from zirelia.domain.value import printable
from zirelia.studio import Studio, open_studio

NEEDS_A_PERSON = (PostState.AWAITING_REVIEW, PostState.HELD, PostState.UNKNOWN)
_NEXT = 5
_BAD = 10


@click.command()
@click.option("--check", is_flag=True, help="Exit with 10 when no daemon is up, or something is stuck or given up.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(check: bool, as_json: bool) -> None:
    """Show whether the daemon is up, what comes next, and what needs a person."""
    with open_studio() as studio:
        shape = _shape(studio)
    if as_json:
        terminal.print_json(shape)
    else:
        _show(shape)
    if check and (not shape["up"] or shape["stuck"] or shape["given_up"]):
        raise click.exceptions.Exit(_BAD)


def _shape(studio: Studio) -> dict[str, Any]:
    from zirelia.engine.pause import Pauses

    store, now, pauses = studio.store, datetime.now(UTC), Pauses(studio.settings)
    nodes, counts = store.nodes(), store.count_posts()
    return {
        "up": any(node.alive for node in nodes),
        "database": store.name,
        "nodes": [{"id": one.id, "roles": one.roles, "alive": one.alive, "silent_s": round(one.age, 1)} for one in nodes],
        "paused": pauses.reason(),
        "paused_personas": sorted(pauses.personas()),
        "posts": {state.value: counts[state.value] for state in PostState if counts.get(state.value)},
        "next": [_job(job) for job in store.jobs(dead=False, limit=_NEXT)],
        "slots": [{"slot": slot.id, "opens": slot.opens, "due": slot.due} for slot in store.planned(limit=_NEXT)],
        "stuck": [
            {"post": post, "persona": persona, "state": state, "since": since}
            for post, persona, state, since in store.stuck(now, studio.settings.engine.stuck_minutes)
        ],
        "given_up": [_job(job) for job in store.jobs(dead=True)],
        "accounts": [
            {"persona": one.persona, "channel": one.channel, "says": says, "colour": colour}
            for one in store.connections()
            for says, colour in [connect.line(one, now)]
            if colour
        ],
    }


def _job(job: Job) -> dict[str, Any]:
    return {"post": job.post_id, "kind": job.kind.value, "at": job.at, "tries": job.tries, "problem": job.problem}


def _show(shape: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", justify="right")
    rows.add_column(overflow="fold")
    for label, text, colour in _lines(shape):
        rows.add_row(label, Text(printable(text), style=colour))
    Console().print(rows)


def _lines(shape: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Label, text, colour; what is well first, what needs a person last, where the eye rests."""
    lines = [("daemon", "up", "green") if shape["up"] else ("daemon", "not running: zirelia up", "red")]
    for node in shape["nodes"]:
        silent = "" if node["alive"] else f", silent for {node['silent_s']:.0f} s"
        lines.append(("node", f"{node['id']} ({', '.join(node['roles'])}){silent}", ""))
    if shape["paused"]:
        lines.append(("paused", shape["paused"], "yellow"))
    lines += [("paused", name, "yellow") for name in shape["paused_personas"]]
    posts = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in shape["posts"].items())
    lines.append(("posts", posts or "none yet", ""))
    for job in shape["next"]:
        problem = f" ({job['problem']})" if job["problem"] else ""
        lines.append(("next", f"{job['at']:%a %d %b %H:%M} UTC  {job['kind']} post {job['post']}{problem}", ""))
    for slot in shape["slots"]:
        lines.append(("slot", f"{slot['due']:%a %d %b %H:%M} UTC  {slot['slot']}, begun {slot['opens']:%a %H:%M}", ""))
    for one in shape["stuck"]:
        lines.append(("stuck", f"post {one['post']} is {one['state']} since {one['since']:%d %b %H:%M} UTC", "yellow"))
    for job in shape["given_up"]:
        text = f"post {job['post']}, {job['kind']}: {job['problem']}; zirelia retry {job['post']}, or cancel {job['post']}"
        lines.append(("given up", text, "red"))
    for one in shape["accounts"]:
        lines.append(("account", f"{one['persona']} on {one['channel']} {one['says']}", one["colour"]))
    waits = sum(shape["posts"].get(state.value, 0) for state in NEEDS_A_PERSON)
    if waits:
        lines.append(("you", f"{waits} posts wait for you: zirelia queue", "cyan"))
    return lines
