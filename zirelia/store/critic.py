"""What the store keeps for the critic: calibrations, paid answers, and its verdicts beside what people decided.

    store.keep_calibration(key, "mira", calibration)
    store.answer(key)                    # None: the vision model must be asked
    store.judged_posts(persona="mira")   # what `zirelia critic tune` and `stats` count

Each method is one transaction of its own, so that the panel's worker threads may call them. Knows no instrument.
"""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import selectinload

from zirelia.domain.calibration import Calibration
from zirelia.domain.decision import Decision
from zirelia.domain.tuning import JudgedPost
from zirelia.ports import KeptAnswer
from zirelia.store import rows
from zirelia.store.database import Database
from zirelia.store.tables import AttemptRow, CalibrationRow, DecisionRow, PostRow, VisionAnswerRow


class CriticTables:
    """Implements ports.CriticMemory. Part of `SqlStore`, which opens the database."""

    _database: Database

    def calibration(self, key: str) -> Calibration | None:
        with self._database.reading() as session:
            row = session.get(CalibrationRow, key)
            return None if row is None else row.body

    def keep_calibration(self, key: str, persona: str, calibration: Calibration) -> None:
        """Stores or replaces it."""
        with self._database.writing() as session:
            # not merged: that would read what is replaced, which may be damaged
            session.execute(delete(CalibrationRow).where(CalibrationRow.id == key))
            session.add(CalibrationRow(id=key, persona=persona, embedder=calibration.embedder, body=calibration))

    def calibrations(self, persona: str) -> tuple[Calibration, ...]:
        """All that were ever measured of the persona, in order of their embedders."""
        query = select(CalibrationRow).where(CalibrationRow.persona == persona)
        with self._database.reading() as session:
            return tuple(row.body for row in session.scalars(query.order_by(CalibrationRow.embedder, CalibrationRow.id)))

    def answer(self, key: str) -> KeptAnswer | None:
        with self._database.reading() as session:
            row = session.get(VisionAnswerRow, key)
            return None if row is None else KeptAnswer(row.model, row.question, row.raw, row.cost)

    def keep_answer(self, key: str, answer: KeptAnswer) -> None:
        """Stores it; the same key again changes nothing."""
        with self._database.writing() as session:
            if session.get(VisionAnswerRow, key) is None:
                session.add(
                    VisionAnswerRow(
                        id=key,
                        model=_storable(answer.model),
                        question=_storable(answer.question),
                        raw=_storable(answer.raw),
                        cost=answer.cost_usd,
                    )
                )

    def judged_posts(self, *, persona: str | None = None) -> tuple[JudgedPost, ...]:
        """Every post that has an attempt, with its decisions, oldest first."""
        query = (
            select(PostRow)
            .where(PostRow.attempts.any())
            .options(selectinload(PostRow.attempts).selectinload(AttemptRow.findings))
            .order_by(PostRow.id)
        )
        if persona is not None:
            query = query.where(PostRow.persona == persona)
        with self._database.reading() as session:
            decided: dict[int, list[Decision]] = {}
            for row in session.scalars(select(DecisionRow).order_by(DecisionRow.id)):
                decided.setdefault(row.post_id, []).append(row.body)
            return tuple(
                JudgedPost(post=rows.to_post(row), decisions=tuple(decided.get(row.id, ()))) for row in session.scalars(query)
            )


def _storable(text: str) -> str:
    """The text as every database takes it: half characters replaced, zeros left out."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "")
