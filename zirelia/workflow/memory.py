"""Memory of what went out: published posts embedded, and compared with what might be posted next.

    heal(kit, persona.name)                       # published posts that have no vector of the present embedder get one
    past = recollect(kit, persona)
    past.likeness(["drawing strangers. has a first coffee, cafe"])      # [0.73]: nearly that was posted lately
    recall(kit, persona, recent, past, texts)     # what a planner is shown as things to avoid

Nothing is stored before it is published, and no text of a post is embedded or shown: see `domain.memory`. Posts from before
Zirelia count as older ones: see `domain.history`. Without an embedder, or while it fails, what is recent is known and what is
similar is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zirelia.domain.history import memories_of
from zirelia.domain.memory import ALIKE, Memory, avoidable, fading, memory_of
from zirelia.domain.persona import Persona
from zirelia.domain.post import Post
from zirelia.errors import ProviderError
from zirelia.ports import Embedder
from zirelia.workflow.kit import Kit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEALED = 200
"""Posts that are embedded in one go at most; the next planning goes on."""
RECALLED = 10_000
"""Latest memories that are compared: nine years of three posts a day."""
REMEMBERED = 12
"""Posts that the planner is shown at most."""
LOOKED_BACK = 40
"""Latest posts of which scenes, outfits and poses take turns."""
EARLIER = 500
"""Latest posts from before Zirelia that are remembered."""


def heal(kit: Kit, persona: Persona) -> int:
    """How many published posts were embedded now: those without a vector of the present embedder, at most HEALED. Any process
    may do it at any time; a post that two of them embed is kept once.
    """
    if kit.embedder is None:
        return 0
    name = name_of(kit.embedder)
    posts = kit.store.unremembered(persona.name, name, limit=HEALED)
    kept = _vectors(kit, _memories(persona, posts))
    if kept:
        kit.store.remember(name, [(post_id, vector) for post_id, vector in kept if isinstance(post_id, int)], at=kit.now())
    return len(kept)


def _vectors(kit: Kit, memories: Sequence[Memory]) -> list[tuple[int | str, bytes]]:
    """Id and vector of each, as they are stored; none while the embedder fails."""
    if not memories or kit.embedder is None:
        return []
    try:
        vectors = kit.embedder.embed([memory.embedded() for memory in memories])
    except ProviderError as error:
        kit.watcher.note(f"{len(memories)} published posts are not remembered yet: {error.message}")
        return []
    return [(memory.post_id, row.astype("<f4").tobytes()) for memory, row in zip(memories, vectors, strict=True)]


def name_of(embedder: Embedder) -> str:
    """The embedder as its vectors are marked with: vectors of another backend, model or length do not compare."""
    facts = embedder.facts()
    return " ".join(filter(None, (facts.backend, facts.model, facts.details.get("dimensions"))))


@dataclass
class Past:
    """What of a persona's published posts is known as vectors, newest first. `ids` are those of the rows of `vectors`."""

    kit: Kit
    ids: tuple[int | str, ...] = ()
    vectors: NDArray[np.float32] | None = None
    _known: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def likeness(self, texts: Sequence[str]) -> list[float]:
        """How alike each text is to what was posted, 0 to 1: the nearest post counts, older ones less (`memory.fading`)."""
        cosines = self._cosines(texts)
        if cosines is None:
            return [0.0] * len(texts)
        import numpy as np

        weights = np.array([fading(age) for age in range(len(self.ids))], dtype=np.float32)
        found: list[float] = np.clip(cosines * weights, 0.0, 1.0).max(axis=1).tolist()
        return found

    def nearest(self, texts: Sequence[str], most: int) -> tuple[int | str, ...]:
        """Ids of the posts that are most alike to any of the texts, however old, the most alike first."""
        cosines = self._cosines(texts)
        if cosines is None:
            return ()
        best = cosines.max(axis=0)
        order = (-best).argsort(kind="stable")[:most]
        return tuple(self.ids[row] for row in order if best[row] >= ALIKE)

    def _cosines(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        """A row a text, a column a post; None when there is nothing to compare, or nothing that compares."""
        if self.vectors is None or self.kit.embedder is None or not texts:
            return None
        import numpy as np

        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        try:
            rows = self.kit.embedder.embed(new)
        except ProviderError as error:
            self.kit.watcher.note(f"not compared with earlier posts: {error.message}")
            self.vectors = None
            return None
        if new and rows.shape[1] != self.vectors.shape[1]:
            self.kit.watcher.note("not compared with earlier posts: the embedder makes vectors of another length now")
            self.vectors = None
            return None
        self._known |= {text: row @ self.vectors.T for text, row in zip(new, rows, strict=True)}
        return np.stack([self._known[text] for text in texts])


def recollect(kit: Kit, persona: Persona) -> Past:
    """Heals the memory and reads it."""
    heal(kit, persona)
    if kit.embedder is None:
        return Past(kit)
    kept: list[tuple[int | str, bytes]] = list(kit.store.memories(persona.name, name_of(kit.embedder), limit=RECALLED))
    kept += _earlier_vectors(kit, persona)
    # a server may change the length of its vectors under one name: what does not compare is left out
    kept = [(post_id, vector) for post_id, vector in kept if len(vector) == len(kept[0][1])]
    if not kept:
        return Past(kit)
    import numpy as np

    joined = np.frombuffer(b"".join(vector for _, vector in kept), dtype="<f4").reshape(len(kept), -1)
    return Past(kit, tuple(post_id for post_id, _ in kept), joined)


def recall(kit: Kit, persona: Persona, recent: Sequence[Post], past: Past, texts: Sequence[str]) -> tuple[Memory, ...]:
    """What to avoid now: recent posts, which may wait for approval, and published ones that are alike to one of the texts.
    While there are few recent ones, the latest from before Zirelia stand in for them.
    """
    earlier = _earlier(kit, persona)
    recents = (*_memories(persona, recent), *earlier)[:REMEMBERED]
    near = past.nearest(texts, REMEMBERED // 3 + len(recents))
    posts = kit.store.recalled([one for one in near if isinstance(one, int)])
    known = {memory.post_id: memory for memory in (*_memories(persona, posts), *earlier)}
    return avoidable(recents, [known[one] for one in near if one in known], most=REMEMBERED)


def _earlier(kit: Kit, persona: Persona) -> tuple[Memory, ...]:
    """Of posts from before Zirelia, newest first."""
    return memories_of(kit.store.past(persona.name, limit=EARLIER), constant=persona.voice.hashtags)


def _earlier_vectors(kit: Kit, persona: Persona) -> list[tuple[int | str, bytes]]:
    """Their vectors, newest first; those that the present embedder has not made are made and kept now."""
    memories = _earlier(kit, persona)
    if not memories or kit.embedder is None:
        return []
    name = name_of(kit.embedder)
    kept = kit.store.past_vectors(persona.name, name)
    new = {str(code): vector for code, vector in _vectors(kit, [one for one in memories if one.post_id not in kept][:HEALED])}
    if new:
        kit.store.keep_past_vectors(persona.name, name, new)
    kept |= new
    return [(one.post_id, kept[str(one.post_id)]) for one in memories if str(one.post_id) in kept]


def _memories(persona: Persona, posts: Sequence[Post]) -> list[Memory]:
    found = (memory_of(post, constant=persona.voice.hashtags) for post in posts)
    return [memory for memory in found if memory is not None]
