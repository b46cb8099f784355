"""Which language a text is in: py3langid, whose model travels in its package. No network.

    PyLangIdentifier().identify("Heute regnet es, und ich zeichne.")     # ("de", 0.99)

How sure is a probability over the languages it knows. Knows no persona.
"""

from __future__ import annotations

import importlib
import importlib.util
import threading
from typing import Any

from zirelia.errors import MissingExtra
from zirelia.ports import BackendFacts


class PyLangIdentifier:
    """Implements `ports.LanguageIdentifier`. Loads at the first use; safe under threads. Raises MissingExtra."""

    def __init__(self) -> None:
        if importlib.util.find_spec("py3langid") is None:
            raise MissingExtra("embedded", "telling languages apart (py3langid)")
        self._lock = threading.Lock()
        self._model: Any = None

    def facts(self) -> BackendFacts:
        return BackendFacts(backend="py3langid", model="97 languages", local=True, paid=False)

    def identify(self, text: str) -> tuple[str, float]:
        with self._lock:
            if self._model is None:
                langid = importlib.import_module("py3langid.langid")
                self._model = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
            code, sure = self._model.classify(" ".join(text.split()))
        return str(code), float(sure)
