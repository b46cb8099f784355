"""`zirelia critic`: verdicts once more, thresholds held against people's decisions, the instruments' record, calibrations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zirelia.cli import critic_views as views
from zirelia.cli import terminal
from zirelia.definitions.rubrics import load_rubric
from zirelia.domain import track_record
from zirelia.domain.repairs import never_helped, standing
from zirelia.domain.tuning import lines, tune
from zirelia.domain.verdict import Rubric
from zirelia.errors import ConfigurationError, NotFound
from zirelia.studio import Studio, open_studio

if TYPE_CHECKING:
    from zirelia.domain.calibration import Calibration
    from zirelia.ports import Exhibit
    from zirelia.workflow.kit import Subject

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_file = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def critic() -> None:
    """Replay verdicts, tune thresholds, and see what instruments and repairs achieve."""


@critic.command("replay")
@click.argument("post_id", type=click.IntRange(1))
@click.option("--rubric", "rubric_file", type=_file, help="Judge by this file (YAML or TOML) in place of the pack's rubric.")
@click.option("--attempt", type=click.IntRange(1), help="This attempt in place of the chosen one.")
@_json
def replay_(post_id: int, rubric_file: Path | None, attempt: int | None, as_json: bool) -> None:
    """Judge a stored picture once more, without any paid call; nothing is changed."""
    from zirelia.workflow.replay import ReplayDesk, replay

    rubric = load_rubric(rubric_file) if rubric_file else None
    with open_studio() as studio:
        subject = studio.subject(studio.store.get_post(post_id).persona)
        desk = ReplayDesk(studio.store, studio.media, studio.panel(subject.persona.kind, vision=False))
        again = replay(desk, subject, post_id, rubric=rubric, attempt=attempt)
    if as_json:
        terminal.print_json(again.model_dump(mode="json") | {"why": again.why})
    else:
        views.replayed(again)


@critic.command("tune")
@click.option("--persona", help="Only this persona.")
@click.option("--instrument", help="Only this instrument.")
@click.option("--aspect", help="Only this aspect.")
@click.option(
    "--threshold", "thresholds", type=float, multiple=True, help="Try this threshold in place of a sweep; repeatable."
)
@_json
def tune_(
    persona: str | None, instrument: str | None, aspect: str | None, thresholds: tuple[float, ...], as_json: bool
) -> None:
    """Show what other thresholds would have done, held against what people decided."""
    with open_studio() as studio:
        judged = studio.store.judged_posts(persona=persona)
        rubrics = _rubrics(studio, {known.post.persona for known in judged})
    wanted = [line for line in lines(judged) if instrument in {None, line.instrument} and aspect in {None, line.aspect}]
    tuned = [tune(line, judged, rubrics, thresholds) for line in wanted]
    if as_json:
        terminal.print_json([one.model_dump(mode="json") for one in tuned])
    elif tuned:
        views.tuned(tuned)
    else:
        click.echo("No stored finding has a score beside a threshold yet.")


@critic.command()
@click.option("--persona", help="Only this persona.")
@_json
def stats(persona: str | None, as_json: bool) -> None:
    """Show how often instruments are asked and fail, what they take, and which repairs help."""
    with open_studio() as studio:
        judged = studio.store.judged_posts(persona=persona)
    instruments, rates = track_record.instruments(judged), track_record.pass_rates(judged)
    repairs = standing(attempt for known in judged for attempt in known.post.attempts)
    if as_json:
        terminal.print_json(
            {
                "instruments": [one.model_dump(mode="json") for one in instruments],
                "repairs": [one.model_dump(mode="json") | {"applied": one.applied} for one in repairs],
                "never_helped": [one.model_dump(mode="json") for one in never_helped(repairs)],
                "personas": [one.model_dump(mode="json") for one in rates],
            }
        )
    elif instruments:
        views.stats(instruments, rates, repairs)
    else:
        click.echo("No picture has been judged yet.")


@critic.command()
@click.argument("persona", required=False)
@click.option("--again", is_flag=True, help="Measure the references anew.")
@_json
def calibrate(persona: str | None, again: bool, as_json: bool) -> None:
    """Show where the line between a persona and everybody else lies, with its error rates."""
    with open_studio() as studio:
        name = studio.persona(persona).name
        found = studio.store.calibrations(name)
        if again or not found:
            found = (_measured(studio, studio.subject(persona), afresh=again),)
    if as_json:
        terminal.print_json([one.model_dump(mode="json") | {"separates": one.separates} for one in found])
    else:
        views.calibrations(name, found)


def _measured(studio: Studio, subject: Subject, *, afresh: bool) -> Calibration:
    """Raises ConfigurationError when nothing here measures the persona, NotFound when its references show nobody."""
    if not subject.references:
        raise ConfigurationError(
            f"'{subject.persona.name}' has no reference pictures to measure", hint="name some under 'references' in the pack"
        )
    found = studio.identity(subject.persona, afresh=afresh).calibration(_any_exhibit(subject))
    if found is None:
        raise NotFound(f"no face was found in any reference picture of '{subject.persona.name}'")
    return found


def _any_exhibit(subject: Subject) -> Exhibit:
    """What a calibration is asked with: only persona and references decide it."""
    from zirelia.domain.post import Brief
    from zirelia.domain.shot import Framing, ImagePrompt, Shot
    from zirelia.ports import Exhibit

    image = subject.references[0]
    shot = Shot(scene="any", outfit="any", expression="any", framing=Framing.CLOSE_UP, light="any")
    brief = Brief(topic="any", angle="any", activity="any", scene="any", light="any")
    prompt = ImagePrompt(text="any", seed=0, width=256, height=256)
    return Exhibit(image, shot, brief, subject.persona, prompt, subject.references)


def _rubrics(studio: Studio, personas: set[str]) -> dict[str, Rubric]:
    """The packs' rubrics; a persona whose pack is gone is judged by the standard one."""
    rubrics: dict[str, Rubric] = {}
    for name in personas:
        try:
            rubrics[name] = studio.persona(name).rubric
        except NotFound:
            rubrics[name] = Rubric()
    return rubrics
