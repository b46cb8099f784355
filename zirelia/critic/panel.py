"""The panel asks every instrument about one picture and lets no error become a pass.

    panel = CriticPanel((technical, looks, safety), time_limit=30, expected=frozenset(Criterion))
    fold(panel.examine(exhibit), persona.rubric)

An instrument that raises, hangs or answers nonsense leaves `not_checked` findings that name it and the kind of error; the
rubric decides what that means. It does not know what the instruments measure, and it does not fold.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from zirelia.domain.verdict import Criterion, Finding, Outcome
from zirelia.errors import ConfigurationError, ZireliaError
from zirelia.ports import Exhibit, Instrument

PANEL = "panel"


@dataclass(frozen=True)
class _Reply:
    """What came back from the worker: an answer, or the error that was raised instead."""

    answer: object = None
    error: BaseException | None = None


class CriticPanel:
    """Implements `ports.Panel`.

    Args:
        instruments: asked one after the other, in this order; their names are unique.
        time_limit: seconds that one instrument may take for one picture.
        time_limits: other limits by instrument name, such as more for a vision model.
        expected: criteria that get an explicit `not_checked` finding when no instrument covers them.

    Raises ConfigurationError for two instruments of one name, an unknown name or a limit that is not above zero.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        time_limit: float = 60.0,
        time_limits: Mapping[str, float] | None = None,
        expected: frozenset[Criterion] = frozenset(Criterion),
    ) -> None:
        names = [instrument.name for instrument in instruments]
        limits = dict(time_limits or {})
        if len(set(names)) != len(names):
            raise ConfigurationError(f"two critic instruments have the same name: {', '.join(sorted(names))}")
        if unknown := sorted(set(limits) - set(names)):
            raise ConfigurationError(
                f"a time limit names no instrument: {', '.join(unknown)}", hint=f"known: {', '.join(names)}"
            )
        if any(not limit > 0 for limit in (time_limit, *limits.values())):
            raise ConfigurationError("a critic instrument's time limit must be above zero seconds")
        self._instruments = tuple(instruments)
        self._limits = {name: limits.get(name, time_limit) for name in names}
        self._expected = expected
        self._hung: dict[str, threading.Thread] = {}

    def examine(self, exhibit: Exhibit) -> tuple[Finding, ...]:
        """Findings of all instruments in their order; at least one for each expected criterion."""
        findings = [finding for instrument in self._instruments for finding in self._ask(instrument, exhibit)]
        covered = {finding.criterion for finding in findings}
        missing = [criterion for criterion in Criterion if criterion in self._expected - covered]
        findings += [_unchecked(criterion, PANEL, f"no instrument checks {criterion}") for criterion in missing]
        return tuple(findings)

    def _ask(self, instrument: Instrument, exhibit: Exhibit) -> list[Finding]:
        started = time.perf_counter()
        name = instrument.name
        try:
            reply = self._reply(instrument, exhibit)
        except queue.Empty:
            reason = f"gave no answer within {self._limits[name]:g} s"
            return _timed(_all_unchecked(instrument, reason), time.perf_counter() - started)
        if reply.error is not None:
            findings = _all_unchecked(instrument, f"raised {_named(reply.error)}")
        else:
            findings = _sensible(instrument, reply.answer)
        return _timed(findings, time.perf_counter() - started)

    def _reply(self, instrument: Instrument, exhibit: Exhibit) -> _Reply:
        """Asks in a worker thread. Raises queue.Empty when the limit passes; the thread is left behind, never asked twice."""
        name = instrument.name
        stuck = self._hung.get(name)
        if stuck is not None and stuck.is_alive():
            return _Reply(error=TimeoutError("still busy with an earlier picture"))
        replies: queue.Queue[_Reply] = queue.Queue()

        def work() -> None:
            try:
                replies.put(_Reply(answer=instrument.examine(exhibit)))
            except BaseException as error:  # whatever it raises, the panel must hear of it
                replies.put(_Reply(error=error))

        # a daemon, so that an instrument that hangs cannot keep the program from ending
        worker = threading.Thread(target=work, name=f"critic-{name}", daemon=True)
        self._hung[name] = worker
        worker.start()
        reply = replies.get(timeout=self._limits[name])
        del self._hung[name]
        return reply


def _named(error: BaseException) -> str:
    """The kind of error; the message only of our own errors, which never hold a secret."""
    kind = type(error).__name__
    if isinstance(error, ZireliaError):
        return f"{kind}: {error.message}"
    return f"{kind}: {error}" if type(error) is TimeoutError else kind


def _sensible(instrument: Instrument, answer: object) -> list[Finding]:
    """The answer, checked. When a part is nonsense no pass of it counts, but a failure in it still does."""
    if isinstance(answer, (str, bytes)) or not isinstance(answer, Sequence):
        return _all_unchecked(instrument, f"answered with {type(answer).__name__} instead of findings")
    findings: list[Finding] = []
    nonsense = ""
    for entry in answer:
        try:
            findings.append(_checked(instrument, entry))
        except (TypeError, ValueError) as error:
            nonsense = nonsense or (f"answered with an invalid finding ({_first(error)})")
    if nonsense:
        failures = [finding for finding in findings if finding.outcome is Outcome.FAILED]
        return [*failures, *_all_unchecked(instrument, nonsense)]
    said = {finding.criterion for finding in findings}
    silent = [criterion for criterion in Criterion if criterion in instrument.criteria - said]
    return findings + [
        _unchecked(criterion, instrument.name, f"{instrument.name} said nothing of {criterion}") for criterion in silent
    ]


def _checked(instrument: Instrument, entry: object) -> Finding:
    """The same finding when it is one and belongs to the instrument. Raises TypeError or ValueError."""
    if not isinstance(entry, Finding):
        raise TypeError(f"a {type(entry).__name__} is no finding")
    # validated again: a copy or a constructed model may hold NaN, a negative cost or an unknown outcome
    finding = Finding.model_validate(entry.model_dump(warnings=False))
    if finding.criterion not in instrument.criteria:
        raise ValueError(f"{finding.criterion} is not its criterion")
    return finding


def _first(error: Exception) -> str:
    """One line about the error without the input that caused it."""
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)


def _all_unchecked(instrument: Instrument, reason: str) -> list[Finding]:
    text = f"{instrument.name} {reason}"
    return [_unchecked(criterion, instrument.name, text) for criterion in Criterion if criterion in instrument.criteria]


def _unchecked(criterion: Criterion, instrument: str, explanation: str) -> Finding:
    return Finding(criterion=criterion, outcome=Outcome.NOT_CHECKED, instrument=instrument, explanation=explanation)


def _timed(findings: list[Finding], seconds: float) -> list[Finding]:
    """The findings with the instrument's seconds shared out, unless it timed its remarks itself."""
    if not findings or any(finding.seconds for finding in findings):
        return findings
    share = seconds / len(findings)
    return [finding.model_copy(update={"seconds": share}) for finding in findings]
