"""No trace of a conversation leaves for LangSmith, whatever the environment says.

    with no_tracing():
        model.invoke(messages)

The environment is changed too, so that child processes and other users of LangChain in this process stay silent as well.
Knows nothing of what is said.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

_SWITCHES = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2")


@contextlib.contextmanager
def no_tracing() -> Iterator[None]:
    """LangSmith tracing is off inside the block, in this thread, and off in the environment from now on."""
    for switch in _SWITCHES:
        os.environ[switch] = "false"
    from langsmith.run_helpers import tracing_context

    with tracing_context(enabled=False):
        yield
