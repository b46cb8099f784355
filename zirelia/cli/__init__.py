"""The command line. `zirelia --help` imports click and nothing else; each command is imported when it is called.

Exit codes: 0 success, 1 a defect in Zirelia, 2 usage or configuration, 3 not found, 4 the post's state does not allow it,
5 offline, 6 budget, 7 consent, 8 a model or platform failed, 9 a picture, 10 the store, 11 training,
12 a signature that does not hold, 13 a picture that carries none, 130 interrupted.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from zirelia import __version__
from zirelia.errors import ZireliaError

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("produce:demo", "Run one whole turn for the shipped persona, with the embedded models."),
    "produce": ("produce:produce", "Plan, draft, shoot and judge a post; leave it in the queue."),
    "retry": ("produce:retry", "Try a held post again, from the part that failed; or what the daemon gave up on."),
    "calendar": (
        "calendar:calendar",
        "Show the weeks ahead: slots in local time, occasions, and the posts that took them.",
    ),
    "queue": ("queue:queue", "List the posts that wait."),
    "show": ("queue:show", "Show one post with its picture, verdict, attempts and history."),
    "edit": ("decide:edit", "Change the text of a waiting post; an approval is void after it."),
    "approve": ("decide:approve", "Approve a post, so that it may be published."),
    "reject": ("decide:reject", "Reject a post for good, with a reason."),
    "request-changes": ("decide:request_changes", "Have the picture made anew with your note."),
    "post": ("decide:post", "Publish an approved post now."),
    "approve-and-post": ("decide:approve_and_post", "Approve a post and publish it now."),
    "cancel": ("up:cancel", "Give up a post: it is rejected. Of one whose outcome is unknown, say first whether it is out."),
    "up": ("up:up", "Run the daemon: posts are made ahead of their slots, wait for a person, and go out when approved."),
    "rehearse": (
        "rehearse:rehearse",
        "Rehearse days of the daemon in minutes: the real way, into a throw-away home; writes a page with the feed.",
    ),
    "status": ("status:status", "Show whether the daemon is up, what comes next, and what needs a person."),
    "connect": ("connect:connect", "Connect an account, so that a persona can post with it; or list what is connected."),
    "disconnect": ("connect:disconnect", "Forget an account with its tokens."),
    "pause": ("up:pause", "Begin nothing and send nothing, for one persona or for all; what runs may end."),
    "resume": ("up:resume", "Take a pause away."),
    "replies": (
        "replies:replies",
        "Answer those who mention the persona: read, look, approve, send.",
    ),
    "results": (
        "results:results",
        "Show what became of the posts: which topics, scenes and hours do better, and how sure that is.",
    ),
    "verify": ("verify:verify", "Say what a picture carries: its C2PA signature, who gave it, and its AI label."),
    "import": (
        "history:imports",
        "Bring in her own earlier posts: the planner does not repeat them, and her voice is measured by them.",
    ),
    "dataset": ("dataset:dataset", "Make, check and caption the pictures that a face is learnt from."),
    "train": ("train:train", "Train a persona's LoRA from its dataset, go on with it, watch it, end it."),
    "lora": ("lora:lora", "Choose, list, show, import and export LoRAs."),
    "critic": ("critic:critic", "Replay verdicts, tune thresholds, and see what instruments and repairs achieve."),
    "grid": (
        "grid:grid",
        "Draw prompt x LoRA x weight: the same prompts and seeds with every persona's LoRA at every scale.",
    ),
    "compare": (
        "compare:compare",
        "Set LoRA, references, others' LoRAs and the bare base side by side on the same prompts and seeds.",
    ),
    "persona": ("personas:persona", "Check, show, make or import persona packs; draw a contact sheet."),
    "doctor": ("doctor:doctor", "Say which backend every role would use, why, and whether it works."),
    "costs": ("keep:costs", "Show what calls to models have cost, and what is left of today and this month."),
    "backup": ("keep:backup", "Copy the database and all pictures to a folder, consistently."),
    "database": ("database:database", "Move what is stored to PostgreSQL."),
    "pocket": ("pocket:pocket", "Build and measure the embedded illustrated demo model."),
    "completion": ("keep:completion", "Print the shell completion script."),
}
"""Command → (module:attribute below zirelia.cli, its short help). A test holds the short help against the command's own."""


class LazyGroup(click.Group):
    """A group that lists its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name][0].split(":")
        command: click.Command = getattr(importlib.import_module(f"zirelia.cli.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            if near:
                raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from error
            raise


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Settings come from .env, the environment and config/*.toml; `zirelia doctor` shows what they lead to.",
)
@click.version_option(__version__, prog_name="zirelia")
def cli() -> None:
    """Zirelia runs a virtual character who never posts without a person's consent."""


def main() -> None:
    """The entry point: errors become one clear message and an exit code, never a traceback."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs one command and answers its exit code."""
    try:
        code: Any = cli.main(args=arguments, prog_name="zirelia", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; what was finished is kept", err=True)
        return 130
    except ZireliaError as error:
        _report(error, as_json="--json" in arguments)
        return error.exit_code
    except BrokenPipeError:
        return 0
    except OSError as error:
        refused = _refused_by_the_machine(error)
        if refused is None:
            _report_defect(error)
            return 1
        _report(refused, as_json="--json" in arguments)
        return refused.exit_code
    except Exception as error:
        _report_defect(error)
        return 1
    return code if isinstance(code, int) else 0


def _refused_by_the_machine(error: OSError) -> ZireliaError | None:
    """A full disk or a file that may not be written, wherever it was met, is no defect; None for every other fault."""
    import errno

    from zirelia.errors import StoreError

    disk = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
    named = {errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG}
    if error.errno not in disk and (error.errno not in named or error.filename is None):
        return None
    where = f"{error.filename}: " if error.filename is not None else ""
    return StoreError(
        f"{where}{error.strerror}", hint="check the disk's space and the folder's rights; then the same call again"
    )


def _report(error: ZireliaError, *, as_json: bool) -> None:
    if as_json:
        import json

        shape = {"error": type(error).__name__, "message": error.message, "hint": error.hint, "exit_code": error.exit_code}
        click.echo(json.dumps(shape))
        return
    click.secho("error: ", fg="red", bold=True, nl=False, err=True)
    from zirelia.domain.value import printable

    click.echo(printable(error.message), err=True)
    if error.hint:
        click.secho(f"  {printable(error.hint)}", dim=True, err=True)


def _report_defect(error: Exception) -> None:
    """Says so, and leaves the traceback in a file that only the user can read."""
    import tempfile
    import traceback

    # exception texts of other libraries may quote a request, so the terminal shows the class alone
    with tempfile.NamedTemporaryFile("w", prefix="zirelia-", suffix=".log", delete=False, encoding="utf-8") as log:
        traceback.print_exception(error, file=log)
    click.secho("defect: ", fg="red", bold=True, nl=False, err=True)
    click.echo(f"{type(error).__name__} inside Zirelia; nothing that was stored is lost", err=True)
    click.secho(f"  the traceback is in {log.name}", dim=True, err=True)
