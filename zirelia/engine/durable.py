"""Workflows that survive their process: DBOS, seen by this module only.

    durable = Durable(url, executor="laptop-4711", queues={"gpu": 1}, work={"shoot": worker.shoot})
    durable.launch()
    durable.enqueue(session, "shoot", "mira:2026-11-28:noon/shoot/1", post_id=7, queue="gpu")   # in the caller's transaction
    durable.take_over(["laptop-4242"])                                                          # a dead node's work

Arguments and answers are plain JSON. Which work there is, and what a post needs next, stands in our own tables; this runs it,
remembers that it was begun, and lets another process finish it. A workflow has one step, the whole use case: that is resumable
by itself, from the store. DBOS has one instance a process, so there is one Durable a process.

Every process has an executor id of its own, and nothing is recovered by DBOS itself at the start: that would put GPU work past
its queue. `take_over` does it with the queue's name (decision 17).
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from zirelia.errors import StoreError

if TYPE_CHECKING:
    from dbos import DBOSClient

APPLICATION = "zirelia"
VERSION = "1"
"""Constant while workflows keep their names and steps, so that a new Zirelia finishes what an older one began."""

SCHEMA = "dbos"
POLL_SECONDS = 1.5
"""How often a queue is looked into; each look costs five milliseconds, and a process that idles does little else."""

_UNUSED_SECONDS = 4.0
"""Below the five seconds after which PostgreSQL ends the session that DBOS holds meanwhile."""

_FLYING = ["ENQUEUED", "PENDING", "DELAYED"]
_OPEN = "PENDING"

Work = Callable[[int], dict[str, Any]]
"""Does one thing for the post with that id, and answers what came of it; never raises."""


class Durable:
    """One process's share of the workflows.

    Args:
        url: the database that holds our tables; DBOS's own lie beside them.
        executor: this process's id; never used by another process, before or after.
        queues: queue → how many of its workflows run here at a time; all that this process listens to.
        all_queues: every queue there is, so that any process may fill it.
        work: workflow name → what it does. Every process knows all of them.
    """

    def __init__(
        self, url: str, *, executor: str, queues: Mapping[str, int], all_queues: Mapping[str, int], work: Mapping[str, Work]
    ) -> None:
        self.executor = executor
        self._url = url
        self._queues = queues
        self._all = all_queues
        self._work = work
        self._client: DBOSClient | None = None
        self.handed_back = 0
        """How many workflows still ran when it was closed."""

    def launch(self) -> None:
        """Creates what DBOS needs in the database, and begins to listen. Raises StoreError."""
        from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer

        logging.getLogger("dbos").setLevel(logging.WARNING)
        try:
            DBOS(
                config={
                    "name": APPLICATION,
                    "system_database_url": self._url,
                    "dbos_system_schema": SCHEMA,
                    "executor_id": self.executor,
                    "application_version": VERSION,
                    "serializer": DBOSPortableJSONSerializer(),
                    "log_level": "WARNING",
                    "enable_otlp": False,
                    "use_listen_notify": False,
                    # nothing waits for one here, but a stop waits for this thread
                    "notification_listener_polling_interval_sec": 1.0,
                    "scheduler_polling_interval_sec": 3600.0,
                }
            )
            for queue in self._all:
                # a workflow counts only once its thread runs: on a busy machine DBOS would begin one more before that
                room = threading.Semaphore(self._queues.get(queue, 1))
                for name, do in self._work.items():
                    _register(_in_queue(name, queue), do, room)
            DBOS.listen_queues(list(self._queues))
            _calm()
            DBOS.launch()
            for queue, at_a_time in self._all.items():
                here = self._queues.get(queue, at_a_time)
                DBOS.register_queue(queue, worker_concurrency=here, polling_interval_sec=POLL_SECONDS)
            self._client = DBOSClient(
                system_database_url=self._url,
                dbos_system_schema=SCHEMA,
                serializer=DBOSPortableJSONSerializer(),
                application_name=APPLICATION,
                lazy=True,
                retry_connection_errors=False,
            )
        except Exception as error:
            # whatever it is, it may quote the URL
            raise StoreError(f"the workflow engine cannot start: {type(error).__name__}") from error

    @property
    def client(self) -> DBOSClient:
        if self._client is None:
            raise StoreError("the workflow engine was not launched")
        return self._client

    def enqueue(self, session: Session, name: str, workflow: str, *, post_id: int, queue: str) -> None:
        """Puts the workflow into its queue when the session's transaction commits; one id is enqueued once."""
        options = {
            "workflow_name": _in_queue(name, queue),
            "queue_name": queue,
            "workflow_id": workflow,
            "app_version": VERSION,
        }
        self.client.enqueue_in_transaction(session, options, post_id)  # type: ignore[arg-type]

    def in_flight(self, workflows: Sequence[str]) -> frozenset[str]:
        """Those that wait or run."""
        if not workflows:
            return frozenset()
        found = self.client.list_workflows(
            workflow_ids=list(workflows), status=_FLYING, load_input=False, load_output=False, limit=len(workflows)
        )
        return frozenset(one.workflow_id for one in found)

    def take_over(self, executors: Sequence[str]) -> int:
        """Puts what those processes had begun back into its queues; how many workflows."""
        if not executors:
            return 0
        begun = self.client.list_workflows(executor_id=list(executors), status=_OPEN, load_input=False, load_output=False)
        for queue in {one.queue_name for one in begun}:
            ids = [one.workflow_id for one in begun if one.queue_name == queue]
            self.client.resume_workflows(ids, queue_name=queue)
        return len(begun)

    def running(self) -> int:
        """How many workflows this process has begun and not ended."""
        begun = self.client.list_workflows(executor_id=self.executor, status=_OPEN, load_input=False, load_output=False)
        return len(begun)

    def purge(self, older_than_epoch_ms: int, *, batch: int = 500) -> int:
        """Forgets workflows that ended before then; how many."""
        from datetime import UTC, datetime

        before = datetime.fromtimestamp(older_than_epoch_ms / 1000, UTC).isoformat()
        gone = 0
        while True:
            old = self.client.list_workflows(
                status=["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"],
                completed_before=before,
                limit=batch,
                load_input=False,
                load_output=False,
            )
            if not old:
                return gone
            self.client.delete_workflows([one.workflow_id for one in old])
            gone += len(old)

    def close(self, *, within: int = 0) -> None:
        """Takes nothing new, waits for what runs as many seconds, and puts the rest back into its queues for others. What still
        runs then meets the locks of its posts, or ends with the process.
        """
        from dbos import DBOS

        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=within)
        if self._client is not None:
            try:
                self.handed_back = self.take_over([self.executor])
            finally:
                self._client.destroy()
                self._client = None


def _calm() -> None:
    """Lets DBOS look less often for what is never there: delayed workflows, workflows with a time limit, and those of its own
    queue. It has no setting for that; where the names have changed it looks each second, as before (a test says so).
    """
    from dbos import _dbos, _workflow_commands

    with contextlib.suppress(AttributeError):
        _dbos._get_dbos_instance()._registry.get_internal_queue()._polling_interval_sec = _UNUSED_SECONDS
    _workflow_commands._BACKGROUND_JOBS_INTERVAL_SEC = _UNUSED_SECONDS


def _in_queue(name: str, queue: str) -> str:
    return f"{name}@{queue}"


def _register(name: str, do: Work, room: threading.Semaphore) -> None:
    from dbos import DBOS

    def alone(post_id: int) -> dict[str, Any]:
        with room:
            return do(post_id)

    @DBOS.workflow(name=name)
    def workflow(post_id: int) -> dict[str, Any]:
        return DBOS.run_step({"name": name}, alone, post_id)
