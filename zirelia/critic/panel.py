"""The panel asks every instrument about one picture and lets no error become a pass.

    panel = CriticPanel((technical, looks, safety), time_limit=30, expected=frozenset(Criterion))
    fold(panel.examine(exhibit), persona.rubric)

An instrument that raises, hangs, answers nonsense or costs too much leaves `not_checked` findings that name it and the kind of
error; the rubric decides what that means. It does not know what the instruments measure, and it does not fold.
"""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from zirelia.domain.verdict import Criterion, Finding, Outcome
from zirelia.errors import ConfigurationError, ZireliaError
from zirelia.ports import Exhibit, Instrument

PANEL = "panel"
MOST_FINDINGS = 200
"""Remarks of one instrument on one picture; the real ones make a few dozen."""
LONGEST = 100_000
"""Characters of one text in a finding; a model's raw answer has some thousand."""


@dataclass(frozen=True)
class _Reply:
    """What came back from the worker: checked findings, or the error that was raised instead."""

    findings: tuple[Finding, ...] = ()
    error: BaseException | None = None


@dataclass(frozen=True)
class _Seat:
    """One instrument with what it said of itself when the panel was made, so that nothing of it runs but `examine`.

    seconds, dollars: what it may take for one picture. first: seconds more until its first answer. assumed: dollars that it
    is taken to have spent when it gave none.
    """

    instrument: Instrument
    name: str
    criteria: frozenset[Criterion]
    seconds: float
    dollars: float
    first: float
    assumed: float


class CriticPanel:
    """Implements `ports.Panel`.

    Args:
        instruments: asked one after the other, in this order; their names are unique.
        time_limit: seconds that one instrument may take for one picture.
        time_limits: other limits by instrument name, such as more for a vision model.
        warm_up: seconds more by instrument name, until its first answer: it loads its model and measures strangers then.
        expected: criteria that get an explicit `not_checked` finding when no instrument covers them.
        cost_limit: US dollars that one instrument may cost for one picture; what passes for more counts as not checked, and
            it is not asked about that picture again.
        unanswered_usd: by instrument name, what is booked when it raised or gave no answer in time: nobody knows what it spent.

    Raises ConfigurationError for two instruments of one name, an unknown name or a limit that is not above zero.
    """

    name = PANEL

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        time_limit: float = 60.0,
        time_limits: Mapping[str, float] | None = None,
        warm_up: Mapping[str, float] | None = None,
        expected: frozenset[Criterion] = frozenset(Criterion),
        cost_limit: float = 5.0,
        unanswered_usd: Mapping[str, float] | None = None,
    ) -> None:
        names = [instrument.name for instrument in instruments]
        limits, first, assumed = dict(time_limits or {}), dict(warm_up or {}), dict(unanswered_usd or {})
        if len(set(names)) != len(names):
            raise ConfigurationError(f"two critic instruments have the same name: {', '.join(sorted(names))}")
        if unknown := sorted({*limits, *first, *assumed} - set(names)):
            raise ConfigurationError(f"a limit names no instrument: {', '.join(unknown)}", hint=f"known: {', '.join(names)}")
        if any(not limit > 0 for limit in (time_limit, *limits.values())):
            raise ConfigurationError("a critic instrument's time limit must be above zero seconds")
        if not cost_limit > 0:
            raise ConfigurationError("a critic instrument's cost limit must be above zero dollars")
        self._seats = tuple(
            _Seat(
                instrument,
                name,
                frozenset(instrument.criteria),
                limits.get(name, time_limit),
                cost_limit,
                first.get(name, 0.0),
                assumed.get(name, 0.0),
            )
            for instrument, name in zip(instruments, names, strict=True)
        )
        self._expected = expected
        self._hung: dict[str, threading.Thread] = {}
        self._warm: set[str] = set()
        self._dear: set[tuple[str, str]] = set()

    @property
    def instruments(self) -> frozenset[str]:
        """The names of those who are asked."""
        return frozenset(seat.name for seat in self._seats)

    def examine(self, exhibit: Exhibit) -> tuple[Finding, ...]:
        """Findings of all instruments in their order; at least one for each expected criterion."""
        findings = [finding for seat in self._seats for finding in self._ask(seat, exhibit)]
        covered = {finding.criterion for finding in findings}
        missing = [criterion for criterion in Criterion if criterion in self._expected - covered]
        findings += [_unchecked(criterion, PANEL, f"no instrument checks {criterion}") for criterion in missing]
        return tuple(findings)

    def _ask(self, seat: _Seat, exhibit: Exhibit) -> Sequence[Finding]:
        # asked again it would repeat for nothing what was refused because of its price
        if self._dear and (seat.name, _pixels(exhibit)) in self._dear:
            return _all_unchecked(seat, "cost more for this picture than it may")
        stuck = self._hung.get(seat.name)
        if stuck is not None and stuck.is_alive():
            return _all_unchecked(seat, "is still busy with an earlier picture")
        started = time.perf_counter()
        limit = seat.seconds + (0.0 if seat.name in self._warm else seat.first)
        try:
            reply = self._reply(seat, exhibit, limit)
        except queue.Empty:
            findings: Sequence[Finding] = _all_unchecked(seat, f"gave no answer within {limit:g} s", cost=seat.assumed)
        else:
            self._warm.add(seat.name)
            findings = reply.findings
            if reply.error is not None:
                findings = _all_unchecked(seat, f"raised {_named(reply.error)}", cost=seat.assumed)
            if sum(finding.cost_usd for finding in findings) > seat.dollars:
                self._dear.add((seat.name, _pixels(exhibit)))
        return _timed(findings, time.perf_counter() - started)

    def _reply(self, seat: _Seat, exhibit: Exhibit, limit: float) -> _Reply:
        """Asks in a worker thread. Raises queue.Empty when the limit passes; the thread is left behind, never asked twice."""
        replies: queue.Queue[_Reply] = queue.Queue()

        def work() -> None:
            try:
                # a picture of its own: what one instrument paints on it, the others and a later one must not see
                answer = seat.instrument.examine(replace(exhibit, image=exhibit.image.copy()))
                # checked here, because an answer can hang too
                replies.put(_Reply(findings=tuple(_sensible(seat, answer))))
            except BaseException as error:  # whatever it raises, the panel must hear of it
                replies.put(_Reply(error=error))

        # a daemon, so that an instrument that hangs cannot keep the program from ending
        worker = threading.Thread(target=work, name=f"critic-{seat.name}", daemon=True)
        worker.start()
        try:
            return replies.get(timeout=limit)
        except queue.Empty:
            self._hung[seat.name] = worker
            raise


def _pixels(exhibit: Exhibit) -> str:
    return hashlib.sha256(exhibit.image.tobytes()).hexdigest()


def _named(error: BaseException) -> str:
    """The kind of error; the message only of our own errors, which never hold a secret."""
    kind = type(error).__name__
    return f"{kind}: {error.message}" if isinstance(error, ZireliaError) else kind


def _sensible(seat: _Seat, answer: object) -> list[Finding]:
    """The answer, checked. When a part is nonsense no pass of it counts, but a failure in it still does, and its cost."""
    if isinstance(answer, (str, bytes)) or not isinstance(answer, Sequence):
        return _all_unchecked(seat, f"answered with {type(answer).__name__} instead of findings")
    if len(answer) > MOST_FINDINGS:
        return _all_unchecked(seat, f"answered with {len(answer)} findings, at most {MOST_FINDINGS} are heard")
    findings: list[Finding] = []
    nonsense = ""
    for entry in answer:
        try:
            findings.append(_checked(seat, entry))
        except (TypeError, ValueError) as error:
            nonsense = nonsense or f"answered with an invalid finding ({_first(error)})"
    cost = sum(finding.cost_usd for finding in findings)
    if not nonsense and cost > seat.dollars:
        nonsense = f"cost ${cost:.2f} for one picture, more than the ${seat.dollars:.2f} that it may"
    if nonsense:
        return _without_passes(seat, findings, nonsense)
    said = {finding.criterion for finding in findings}
    silent = [criterion for criterion in Criterion if criterion in seat.criteria - said]
    return findings + [_unchecked(criterion, seat.name, f"{seat.name} said nothing of {criterion}") for criterion in silent]


def _without_passes(seat: _Seat, findings: Sequence[Finding], reason: str) -> list[Finding]:
    """The failures, and a `not_checked` for every criterion; what the dropped ones cost stays in the books."""
    failures = [finding for finding in findings if finding.outcome is Outcome.FAILED]
    lost = sum(finding.cost_usd for finding in findings if finding.outcome is not Outcome.FAILED)
    return [*failures, *_all_unchecked(seat, reason, cost=lost)]


def _checked(seat: _Seat, entry: object) -> Finding:
    """The same finding when it is one and belongs to the instrument. Raises TypeError or ValueError."""
    if not isinstance(entry, Finding):
        raise TypeError(f"a {type(entry).__name__} is no finding")
    # validated again: a copy or a constructed model may hold NaN, a negative cost or an unknown outcome
    finding = Finding.model_validate(entry.model_dump(warnings=False))
    if finding.criterion not in seat.criteria:
        raise ValueError(f"{finding.criterion} is not its criterion")
    if finding.instrument == PANEL:
        raise ValueError(f"it speaks for the {PANEL}")
    wish = finding.repair
    texts = (finding.explanation, finding.aspect, finding.question, finding.raw, wish and wish.because, wish and wish.phrase)
    if (longest := max(len(text or "") for text in texts)) > LONGEST:
        raise ValueError(f"a text of {longest} characters, at most {LONGEST} are read")
    return finding


def _first(error: Exception) -> str:
    """One line about the error without the input that caused it."""
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)


def _all_unchecked(seat: _Seat, reason: str, *, cost: float = 0.0) -> list[Finding]:
    """One `not_checked` a criterion, the cost shared out."""
    text, parts = f"{seat.name} {reason}", max(1, len(seat.criteria))
    return [_unchecked(criterion, seat.name, text, cost / parts) for criterion in Criterion if criterion in seat.criteria]


def _unchecked(criterion: Criterion, instrument: str, explanation: str, cost: float = 0.0) -> Finding:
    outcome = Outcome.NOT_CHECKED
    return Finding(criterion=criterion, outcome=outcome, instrument=instrument, explanation=explanation, cost_usd=cost)


def _timed(findings: Sequence[Finding], seconds: float) -> Sequence[Finding]:
    """The findings with the instrument's seconds shared out, unless it timed its remarks itself."""
    if not findings or any(finding.seconds for finding in findings):
        return findings
    share = seconds / len(findings)
    return [finding.model_copy(update={"seconds": share}) for finding in findings]
