"""What the store keeps for the critic: calibrations, paid answers, and its verdicts beside what people decided.

    store.keep_calibration(key, "mira", calibration)
    store.answer(key)                    # None: the vision model must be asked
    store.judged_posts(persona="mira")   # what `zirelia critic tune` and `stats` count

Each method is one transaction of its own, so that the panel's worker threads may call them. Knows no instrument.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import selectinload

from zirelia.domain.calibration import Calibration
from zirelia.domain.decision import Decision
from zirelia.domain.tuning import JudgedPost
from zirelia.ports import KeptAnswer
from zirelia.store import rows
from zirelia.store.database import Database
from zirelia.store.tables import AttemptRow, Base, CalibrationRow, DecisionRow, PostRow, VisionAnswerRow


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
            # one statement: it does not read what is replaced, which may be damaged, and two writers cannot meet in it
            new = {"persona": persona, "embedder": calibration.embedder, "body": calibration}
            insert = self._insert(CalibrationRow).values(id=key, **new)
            session.execute(insert.on_conflict_do_update(index_elements=["id"], set_=new))

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
            insert = self._insert(VisionAnswerRow).values(
                id=key,
                model=rows.storable(answer.model),
                question=rows.storable(answer.question),
                raw=rows.storable(answer.raw),
                cost=answer.cost_usd,
            )
            session.execute(insert.on_conflict_do_nothing(index_elements=["id"]))

    def _insert(self, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
        return sqlite.insert(table) if self._database.is_sqlite else postgresql.insert(table)

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
