"""Vectors have length 1, say what is alike, and faults are typed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from zirelia.errors import OfflineViolation, ProviderError, ProviderRefused, ProviderTimeout, RateLimited
from zirelia.language import OpenAIEmbedder, WordLlamaEmbedder
from zirelia.network import connections_outside
from zirelia.ports import Embedder
from zirelia.testing import chat_server as peer
from zirelia.testing.chat_server import ChatServer


@pytest.fixture(params=["wordllama", "peer"])
def embedder(request: pytest.FixtureRequest, server: ChatServer) -> Embedder:
    return WordLlamaEmbedder() if request.param == "wordllama" else OpenAIEmbedder("e", base_url=server.base_url, batch=2)


def test_contract(embedder: Embedder) -> None:
    texts = ["a walk in the rain", "a walk in the heavy rain", "tax law of 1923", "", "  \n", "a walk in the rain"]
    with connections_outside(allowed=False):
        vectors = embedder.embed(texts)
    assert vectors.dtype == np.float32
    assert vectors.shape[0] == 6
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0, 0, 1], atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert np.array_equal(vectors[0], vectors[5])
    assert len(embedder.embed([])) == 0
    assert embedder.facts().local


def _vectors(*rows: list[float]) -> peer.Behaviour:
    body = {"data": [{"index": number, "embedding": row} for number, row in enumerate(rows)]}
    return lambda _: peer.json_reply(body)


@pytest.mark.parametrize(
    ("make", "times", "error"),
    [
        (lambda: peer.rate_limited(), 3, RateLimited),
        (lambda: peer.fails(500), 3, ProviderError),
        (lambda: peer.cuts_off(5), 3, ProviderError),
        (lambda: peer.fails(401), 1, ProviderRefused),
        (lambda: peer.not_a_completion(), 1, ProviderRefused),
        (lambda: _vectors([1.0]), 1, ProviderRefused),
        (lambda: _vectors([1.0], [1.0, 2.0]), 1, ProviderRefused),
        (lambda: _vectors([float("nan")], [1.0]), 1, ProviderRefused),
        (lambda: _vectors([], []), 1, ProviderRefused),
    ],
)
def test_faults(server: ChatServer, make: Callable[[], peer.Behaviour], times: int, error: type[ProviderError]) -> None:
    server.script_embeddings(*[make()] * times)
    with pytest.raises(error) as caught:
        OpenAIEmbedder("e", base_url=server.base_url, backoff=0.0).embed(["a", "b"])
    assert type(caught.value) is error
    assert len(server.requests) == times


def test_recovers_and_keeps_order(server: ChatServer) -> None:
    server.script_embeddings(peer.fails(500))
    embedder = OpenAIEmbedder("e", base_url=server.base_url, backoff=0.0, batch=2, dimensions=16)
    vectors = embedder.embed(["x", "y", "z"])
    assert vectors.shape == (3, 16)
    assert np.array_equal(vectors[2], embedder.embed(["z"])[0])
    assert [asked.body["input"] for asked in server.requests] == [["x", "y"], ["x", "y"], ["z"], ["z"]]


def test_time_out(server: ChatServer) -> None:
    server.script_embeddings(peer.slow(30))
    with pytest.raises(ProviderTimeout):
        OpenAIEmbedder("e", base_url=server.base_url, timeout=0.3, attempts=1).embed(["a"])


def test_offline() -> None:
    with connections_outside(allowed=False), pytest.raises(OfflineViolation):
        OpenAIEmbedder("e", base_url="http://203.0.113.1/v1", backoff=0.0).embed(["a"])
