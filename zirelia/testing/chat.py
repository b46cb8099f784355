"""A fake chat model: answers at once, without a server, with a valid value for whatever schema is asked.

    chat = ScriptedChat({"caption": "Rain on the window, and a page that finally makes sense."})
    chat.script({"choice": 2}, ProviderTimeout("slow", provider="script"))     # the next two answers; then the default again
    chat.ask(request, DraftAnswer).value.caption
    chat.asked[-1].user                                                        # what it was asked

Captions differ from answer to answer unless one is given, because a post must not repeat another. Knows no prompts.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from zirelia.errors import BadAnswer, ConfigurationError, ZireliaError
from zirelia.ports import Answer, BackendFacts, ChatRequest, Schema, Usage
from zirelia.testing.schema_filler import schema_filler

PROVIDER = "script"
_TOKENS_IN, _TOKENS_OUT = 100, 20
_THINGS = """
tram heron kettle ladder violin pocket harbour onion cellar postcard ginger compass attic pigeon raincoat biscuit orchard
lantern sparrow teaspoon canal marble blanket radio chimney walnut ferry curtain pencil magpie bakery staircase button
moss drawer whistle plum carpet anchor saucer puddle balcony moth cinema thimble garlic meadow clock ribbon suitcase
"""
_DOINGS = "finds loses carries paints forgets borrows mends follows buries waters counts hides sells polishes misses steers"


class ScriptedChat:
    """`ports.Chat` without a model.

    Args:
        values: taken for the properties of these names, where the schema has them.
        cost: US dollars an answer; above 0 the chat says that it is paid.
        vision: whether it takes pictures.
    """

    def __init__(self, values: Mapping[str, Any] | None = None, *, cost: float = 0.0, vision: bool = False) -> None:
        self.values = dict(values or {})
        self.asked: list[ChatRequest] = []
        self._cost, self._vision = cost, vision
        self._script: deque[Mapping[str, Any] | ZireliaError] = deque()

    @property
    def vision(self) -> bool:
        return self._vision

    def facts(self) -> BackendFacts:
        return BackendFacts(backend=PROVIDER, model="scripted", local=True, paid=self._cost > 0)

    def script(self, *answers: Mapping[str, Any] | ZireliaError) -> None:
        """What the next questions get, one each: values over the usual ones, or an error that is raised."""
        self._script.extend(answers)

    def ask(self, request: ChatRequest, schema: type[Schema]) -> Answer[Schema]:
        """Raises what the script says, BadAnswer for values that the schema refuses, ConfigurationError for a picture without
        vision.
        """
        if request.images and not self._vision:
            raise ConfigurationError("the scripted chat was given a picture but takes none")
        self.asked.append(request)
        said = self._script.popleft() if self._script else {}
        if isinstance(said, ZireliaError):
            raise said
        usual = {"caption": _caption(1000 * (request.seed or 0) + len(self.asked))}
        filled = schema_filler(schema.model_json_schema(), {**usual, **self.values, **said})
        raw = json.dumps(filled, ensure_ascii=False)
        usage = Usage(_TOKENS_IN, _TOKENS_OUT, self._cost)
        try:
            value = schema.model_validate(filled)
        except ValidationError as error:
            wrong = BadAnswer(
                f"the script does not fit {schema.__name__}: {error.error_count()} errors", provider=PROVIDER, raw=raw
            )
            wrong.usage = usage
            raise wrong from error
        return Answer(value=value, model="scripted", usage=usage, raw=raw)


def _caption(number: int) -> str:
    """A caption that shares next to nothing with those of other numbers; the same for the same number."""
    draw = random.Random(number)  # noqa: S311 - words for a fake
    things, doings = draw.sample(_THINGS.split(), 6), draw.sample(_DOINGS.split(), 3)
    first, second, third = (f"{things[2 * n]} {doings[n]} {things[2 * n + 1]}" for n in range(3))
    return f"The {first} at number {number}. Outside, one {second}; {third} too."
