"""One call with a time limit for the whole of it, however the library below counts.

    message = within(60.0, lambda: model.invoke(messages))     # TimeoutError after a minute

An HTTP client's time-out is per read: a server that sends a byte now and then never trips it. The call runs in a daemon
thread; one that is given up ends by itself when its own transport does, and its answer is dropped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Outcome = TypeVar("Outcome")


def within(seconds: float, call: Callable[[], Outcome]) -> Outcome:
    """What `call` answers or raises. Raises TimeoutError when it takes longer than `seconds`."""
    answers: list[Outcome] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(call())
        except BaseException as error:  # handed over to the waiting thread, whatever it is
            errors.append(error)

    thread = threading.Thread(target=run, name="zirelia-call", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return answers[0]
