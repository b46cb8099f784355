"""The alt text of the chosen picture: what is really in it, seen by a vision model or else read off the shot.

A draft's alt text is written before there is a picture, so it is replaced once one is chosen; a person's edit comes later
and stands.
"""

from __future__ import annotations

from zirelia.definitions.answers import CaptionAnswer
from zirelia.domain.persona import Kind, Persona
from zirelia.domain.post import Post
from zirelia.domain.prompt import place
from zirelia.domain.shot import Attempt, Shot
from zirelia.errors import BudgetExceeded, ProviderError
from zirelia.ports import ChatRequest
from zirelia.workflow.accounts import ask
from zirelia.workflow.kit import Kit, Subject


def describe(kit: Kit, subject: Subject, post: Post, attempt: Attempt) -> str:
    """Alt text for the attempt; read off the shot when no vision model could say what it sees."""
    written = shot_in_words(subject.persona, attempt.shot)
    if kit.vision is None:
        return written
    from zirelia.pictures import bare_jpeg

    agent = kit.agents["captioner"]
    system, user = agent.render({"name": subject.persona.display_name, "shot": written})
    request = ChatRequest(
        system=system,
        user=user,
        images=(bare_jpeg(kit.media.read(attempt.image), what="the stored picture"),),
        temperature=agent.temperature,
        max_tokens=agent.max_tokens,
    )
    try:
        answer = ask(kit, post, "captioner", request, CaptionAnswer, turn=attempt.number, eyes=kit.vision)
        return answer.value.alt_text
    except (ProviderError, BudgetExceeded) as error:
        # a picture that passed is not thrown away for want of words that a person reads anyway
        kit.watcher.note(f"alt text from the shot: {error.message}")
        return written


def shot_in_words(persona: Persona, shot: Shot) -> str:
    """The shot as one plain sentence; true of any picture that passed the critic."""
    medium = "Illustration" if persona.kind is Kind.ILLUSTRATED else "Picture"
    looks = ", ".join(trait.phrase for trait in persona.look.traits[:2])
    said = [f"{medium} of {persona.display_name}, a {persona.look.noun} with {looks}", shot.expression]
    said.append(f"in {shot.outfit}" if shot.outfit.startswith(("a ", "an ")) else f"in a {shot.outfit}")
    said += [part for part in (shot.pose, f"with {shot.props}" if shot.props else "") if part]
    return f"{', '.join(said)}, {place(shot.scene)}, {shot.light}."
