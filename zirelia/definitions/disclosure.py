"""How a post discloses itself, a language each: config/disclosure/<language>.yaml → checked words, and the line of one channel.

disclosure_words("pt-BR").line                      # English where nobody has written her language's file
line_for(persona, post.disclosure, ai_label=False)  # never None: a channel without an AI label of its own gets the line
"""

from __future__ import annotations

from functools import lru_cache

from zirelia import resources
from zirelia.definitions.by_language import language_file, read_language_file
from zirelia.domain.disclosure import DisclosureWords
from zirelia.domain.persona import Persona
from zirelia.domain.post import Draft
from zirelia.errors import DefinitionError

_FOLDER = "disclosure"
_DEFAULT = "en"


def disclosure_words(language: str) -> DisclosureWords:
    """Raises DefinitionError with file and line."""
    return _read(language.split("-")[0].lower() if language_file(_FOLDER, language) else _DEFAULT)


def line_for(persona: Persona, written: str | None, *, ai_label: bool) -> str | None:
    """The line at the end of a post; None only for a persona that has opted out, with a recorded reason.

    Args:
        written: the line that the post got when it was begun.
        ai_label: whether the channel has an AI label of its own. Where it has none, an opt-out does not count.
    """
    line = written or persona.disclosure.visible_line
    return line or (None if ai_label else disclosure_words(persona.voice.language).line)


def unlabelled_advertising(draft: Draft) -> str | None:
    """The phrase or hashtag by which a text is an advertisement, though no sponsor is named, in any language."""
    if draft.sponsor is not None:
        return None
    found = (words.advertises(draft) for words in _all())
    return next((phrase for phrase in found if phrase), None)


@lru_cache(maxsize=1)
def _all() -> tuple[DisclosureWords, ...]:
    folder = resources.folder("config") / _FOLDER
    return tuple(_read(path.stem) for path in sorted(folder.glob("*.yaml")))


@lru_cache(maxsize=32)
def _read(language: str) -> DisclosureWords:
    path = language_file(_FOLDER, language)
    if path is None:
        raise DefinitionError("is missing", path=resources.folder("config") / _FOLDER / f"{language}.yaml")
    return read_language_file(path, DisclosureWords)
