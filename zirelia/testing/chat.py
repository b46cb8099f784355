"""A fake chat model: answers at once, without a server, with a valid value for whatever schema is asked.

    chat = ScriptedChat({"caption": "Rain on the window, and a page that finally makes sense."})
    chat.script({"choice": 2}, ProviderTimeout("slow", provider="script"))     # the next two answers; then the default again
    chat.ask(request, DraftAnswer).value.caption
    chat.asked[-1].user                                                        # what it was asked

Captions differ from answer to answer unless one is given, because a post must not repeat another. Knows no prompts.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from zirelia.errors import BadAnswer, ConfigurationError, ZireliaError
from zirelia.ports import Answer, BackendFacts, ChatRequest, Schema, Usage
from zirelia.testing.schema_filler import schema_filler

PROVIDER = "script"
_TOKENS_IN, _TOKENS_OUT = 100, 20


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
        usual = {"caption": f"Entry number {len(self.asked)} of a diary that a fake model writes, without a thought."}
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
