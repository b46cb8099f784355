"""Texts → vectors: wordllama offline, or any OpenAI-compatible /embeddings.

    WordLlamaEmbedder().embed(["a walk in the rain", "strolling on a wet day"])       # float32, shape [2, 256]

Rows have length 1, so a dot product is the cosine. A text without any known word is the zero vector: similar to nothing.
Knows nothing of posts or novelty.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zirelia.errors import ConfigurationError, MissingExtra, ProviderRefused, ZireliaError
from zirelia.language.deadline import within
from zirelia.language.wires import is_this_machine
from zirelia.network import call_with_retry, map_http_error, map_transport_error
from zirelia.network.certificates import trusted
from zirelia.ports import BackendFacts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WORDLLAMA = "l2_supercat, 256 dimensions"


class WordLlamaEmbedder:
    """English word vectors that travel inside the package wordllama: no torch, no network. Loads at the first use."""

    def __init__(self) -> None:
        if importlib.util.find_spec("wordllama") is None:
            raise MissingExtra("embedded", "the embedded text embeddings (wordllama)")
        self._lock = threading.Lock()
        self._model: Any = None

    def facts(self) -> BackendFacts:
        return BackendFacts(backend="wordllama", model=_WORDLLAMA, local=True, paid=False, details={"language": "English"})

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape [len(texts), 256]."""
        import numpy as np

        with self._lock:
            if self._model is None:
                self._model = _load_wordllama()
            # A blank text has no tokens, over which the model's mean is not a number.
            spoken = [position for position, text in enumerate(texts) if text.strip()]
            vectors = np.zeros((len(texts), 256), dtype=np.float32)
            if spoken:
                vectors[spoken] = self._model.embed([texts[position] for position in spoken])
        return _unit(vectors)


class OpenAIEmbedder:
    """`/embeddings` of OpenAI, Ollama, vLLM, llama.cpp and their like.

    Args:
        base_url: such as http://127.0.0.1:11434/v1.
        api_key: None for a server without one.
        dimensions: asked of models that can shorten their vectors; None takes their own length.
        batch: texts per call. timeout: seconds per call. attempts: tries per call.
        backoff: seconds that bound the first wait before another try; doubles with each.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        api_key: str | None = None,
        provider: str = "openai-compatible",
        dimensions: int | None = None,
        batch: int = 64,
        timeout: float = 30.0,
        attempts: int = 3,
        backoff: float = 0.5,
    ) -> None:
        if batch < 1 or timeout <= 0 or attempts < 1:
            raise ConfigurationError(
                f"the embedder {model} has a batch, a time-out or a number of tries that makes no sense",
                hint="batch and tries from 1, time-out above 0 seconds",
            )
        self._local = is_this_machine(base_url)
        self._model, self._url, self._key, self._provider = model, base_url.rstrip("/"), api_key, provider
        self._dimensions, self._batch, self._timeout, self._attempts = dimensions, batch, timeout, attempts
        self._backoff = backoff

    def facts(self) -> BackendFacts:
        return BackendFacts(
            backend=self._provider,
            model=self._model,
            local=self._local,
            paid=not self._local,
            details={"server": self._url} | ({"dimensions": str(self._dimensions)} if self._dimensions else {}),
        )

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Raises ProviderError (its kinds say whether to try again) or OfflineViolation."""
        import httpx
        import numpy as np

        spoken = [position for position, text in enumerate(texts) if text.strip()]
        rows: list[list[float]] = []
        with httpx.Client(timeout=self._timeout, verify=trusted(), trust_env=not self._local) as client:
            for start in range(0, len(spoken), self._batch):
                chunk = [texts[position] for position in spoken[start : start + self._batch]]
                ask = partial(self._call, client, chunk)
                rows += call_with_retry(ask, attempts=self._attempts, base=self._backoff)
        lengths = {len(row) for row in rows}
        if len(lengths) > 1:
            raise self._malformed("vectors of different lengths")
        vectors = np.zeros((len(texts), lengths.pop() if lengths else self._dimensions or 0), dtype=np.float32)
        if spoken:
            vectors[spoken] = np.asarray(rows, dtype=np.float32)
        return _unit(vectors)

    def _call(self, client: Any, chunk: list[str]) -> list[list[float]]:
        body: dict[str, Any] = {"model": self._model, "input": chunk, "encoding_format": "float"}
        if self._dimensions is not None:
            body["dimensions"] = self._dimensions
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            response = within(self._timeout, lambda: client.post(f"{self._url}/embeddings", json=body, headers=headers))
            if response.status_code >= 300:
                raise map_http_error(response, self._provider)
            rows = sorted(response.json()["data"], key=lambda row: row["index"])
            vectors = [[float(number) for number in row["embedding"]] for row in rows]
        except ZireliaError:
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise self._malformed(f"no list of vectors ({type(error).__name__})") from error
        except Exception as error:
            raise map_transport_error(error, self._provider) from error
        if len(vectors) != len(chunk):
            raise self._malformed(f"{len(vectors)} vectors for {len(chunk)} texts")
        if not all(row and all(math.isfinite(number) for number in row) for row in vectors):
            raise self._malformed("vectors that are empty or not finite")
        return vectors

    def _malformed(self, what: str) -> ProviderRefused:
        return ProviderRefused(
            f"the embeddings answer holds {what}",
            provider=self._provider,
            hint="check that the base URL and the model are those of an embeddings server",
        )


def _load_wordllama() -> Any:
    # The package configures the root logger at its import; a library must not, and ours prints nothing by itself.
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        import wordllama

        folder = Path(wordllama.__file__).parent
        return wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
    except FileNotFoundError as error:
        raise MissingExtra("embedded", "the embedded text embeddings (wordllama came without its weights)") from error
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit
