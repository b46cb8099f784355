"""What is remembered of a post: what it was about and what it showed, never what it said.

    memory = memory_of(post, constant=persona.voice.hashtags)
    memory.line()       # '"The first strawberries of the year" (coffee and small breakfasts, at the cafe) #strawberries'
    avoidable(recent, similar, most=12)

Vectors come from whatever embeds texts; here are only the rules of what is kept, what counts as alike, and what a planner is
shown of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from zirelia.domain.post import Post
from zirelia.domain.text_plain import plain
from zirelia.domain.value import Text, Value

HALF_LIFE = 20
"""Posts after which a likeness counts half."""
ALIKE = 0.5
"""Cosine from which a post is a similar one. With the embedded embedder two options of one persona that share topic and
activity are at 0.82, that share one of them at 0.44, and that share nothing at 0.05 (medians)."""
LEAST_NOVELTY = 1e-3

_TITLE, _TAGS, _TAG = 80, 5, 30
"""Characters of a title, hashtags of a line, characters of a hashtag."""


class Memory(Value):
    """title: what was particular about it, in a line; hashtags without '#', and without those that every post has.

    An earlier post, which was not planned here, has the platform's code as its id, and no topic, activity and scene.
    """

    post_id: int | str
    title: Text
    topic: str = ""
    activity: str = ""
    scene: str = ""
    hashtags: tuple[Text, ...] = ()
    outfit: str = ""
    pose: str = ""

    def embedded(self) -> str:
        """The text whose vector stands for the post. It opens as an option does, so that the two can be compared."""
        opening = f"{about(self.topic, self.activity, self.scene)}. " if self.topic else ""
        return f"{opening}{self.title} {' '.join(self.hashtags)}".strip()

    def line(self) -> str:
        """What a planner sees of it."""
        tags = " ".join(f"#{tag[:_TAG]}" for tag in self.hashtags[:_TAGS])
        known = f"{self.topic}, at the {self.scene}" if self.topic else "an earlier post"
        return f'"{self.title}" ({known}) {tags}'.strip()


def about(topic: str, activity: str, scene: str) -> str:
    """How a thing to post about is said to an embedder."""
    return f"{topic}. {activity}, {scene}"


def memory_of(post: Post, *, constant: Collection[str] = ()) -> Memory | None:
    """None for a post that was not planned. constant: hashtags that say nothing, since all of her posts have them."""
    brief = post.brief
    if brief is None:
        return None
    usual = {plain(tag) for tag in constant}
    return Memory(
        post_id=post.id,
        title=_cut(brief.angle),
        topic=brief.topic,
        activity=brief.activity,
        scene=brief.scene,
        hashtags=tuple(tag for tag in (post.draft.hashtags if post.draft else ()) if plain(tag) not in usual),
        outfit=post.shot.outfit if post.shot else "",
        pose=post.shot.pose if post.shot else "",
    )


def avoidable(recent: Sequence[Memory], similar: Sequence[Memory], *, most: int) -> tuple[Memory, ...]:
    """At most `most` of both, none twice: the similar ones have up to a third of the room, the recent ones the rest."""
    recents = {one.post_id: one for one in recent}
    others = [one for one in {one.post_id: one for one in similar}.values() if one.post_id not in recents][: most // 3]
    return (*tuple(recents.values())[: most - len(others)], *others)


def fading(age: int) -> float:
    """How much a likeness to a post still counts, 1 to 0. age: posts since, from 0 for the latest."""
    return 1 / (1 + age / HALF_LIFE)


def novelty(likeness: float) -> float:
    """The factor by which an option is likelier to be taken, 1 for one unlike anything that is remembered."""
    return max((1 - min(max(likeness, 0.0), 1.0)) ** 2, LEAST_NOVELTY)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TITLE else line[:_TITLE].rsplit(" ", 1)[0] + "…"
