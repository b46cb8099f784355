"""Which language a text is in: py3langid, whose model travels in its package. No network.

    PyLangIdentifier().identify("Heute regnet es, und ich zeichne.")     # ("de", 0.99)

How sure is a probability over the languages it knows. Knows no persona.
"""

from __future__ import annotations

import importlib
import importlib.util
import threading
from functools import lru_cache
from typing import Any

from zirelia.errors import MissingExtra
from zirelia.ports import BackendFacts

_classifying = threading.Lock()


class PyLangIdentifier:
    """Implements `ports.LanguageIdentifier`. The model is loaded once a process, at the first use; safe under threads.

    Raises MissingExtra.
    """

    def __init__(self) -> None:
        if importlib.util.find_spec("py3langid") is None:
            raise MissingExtra("embedded", "telling languages apart (py3langid)")

    def facts(self) -> BackendFacts:
        return BackendFacts(backend="py3langid", model="97 languages", local=True, paid=False)

    def identify(self, text: str) -> tuple[str, float]:
        with _classifying:
            code, sure = _model().classify(" ".join(text.split()))
        return str(code), float(sure)


@lru_cache(maxsize=1)
def _model() -> Any:
    langid = importlib.import_module("py3langid.langid")
    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
