"""Runs attempts of jobs: "supervise this job, this attempt, there"."""

import logging
import time
import uuid
from typing import Any, Protocol

from flask import Flask

from app.extensions import socketio

logger = logging.getLogger("yolo.jobs")

PERFORM = "app.jobs.workhorse.perform"  # what a worker calls for a ticket
RETRY_S = 2.0  # until a Redis that did not answer is tried again
CONNECT_S, ANSWER_S = 1.0, 5.0
FAILED_S = 86_400  # tickets whose worker was lost are shown by RQ's tools for a day


def is_ticket(work: Any) -> bool:
    """Whether a job of RQ calls what a ticket calls, and nothing else: whoever can write to Redis names what RQ
    imports."""
    calls_back = (work._success_callback_name, work._failure_callback_name, work._stopped_callback_name)
    try:
        return work.func_name == PERFORM and not any(calls_back)
    except Exception:  # it cannot even be read
        return False


class Runner(Protocol):
    """Where attempts run."""

    def start(self, job_id: int, attempt: int, follows: bool = False) -> None:
        """Begin to supervise the attempt, which an earlier server may have begun; returns at once."""


class LocalRunner:
    """Supervises in this process; the child runs on this machine.

    Args:
        app: for the database.
        supervise: the work, see `JobService.supervise`.
    """

    def __init__(self, app: Flask, supervise: "Supervise") -> None:
        self.app, self._supervise = app, supervise

    def start(self, job_id: int, attempt: int, follows: bool = False) -> None:
        socketio.start_background_task(self._supervise, self.app, job_id, attempt, follows)


class Supervise(Protocol):
    def __call__(self, app: Flask, job_id: int, attempt: int, follows: bool) -> None: ...


class RQRunner:
    """Has work-horses of RQ workers, on any machine, claim jobs and supervise them. It raises nothing where Redis is
    away: whoever counts the tickets finds what is missing.

    Nothing of RQ's own decides anything: no retries, no time limit, no pickles.

    Args:
        url: of Redis.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._client: Any = None
        self._retry_at = 0.0

    @property
    def client(self) -> Any:
        if self._client is None:
            from redis import Redis  # not at import: one machine alone needs none

            self._client = Redis.from_url(self.url, socket_connect_timeout=CONNECT_S, socket_timeout=ANSWER_S)
        return self._client

    def queue(self, name: str) -> Any:
        from rq import Queue
        from rq.serializers import JSONSerializer

        return Queue(name, connection=self.client, serializer=JSONSerializer)

    def deliver(self, name: str, number: int) -> bool:
        """Enqueue so many tickets; whether that could be done."""
        queue = self.queue(name)
        about = {"timeout": -1, "result_ttl": 0, "failure_ttl": FAILED_S, "description": f"a job of {name}"}
        tickets = [
            queue.prepare_data(PERFORM, args=[name], job_id=uuid.uuid4().hex, retry=None, **about)
            for _ in range(number)
        ]
        return self.ask(lambda: queue.enqueue_many(tickets)) is not None

    def withdraw(self, name: str, number: int) -> None:
        """Remove the last ones again."""
        from rq.job import Job as Ticket

        queue = self.queue(name)

        def work() -> None:
            for ticket_id in queue.get_job_ids(-number, number):
                queue.remove(ticket_id)
                self.client.delete(Ticket.key_for(ticket_id))

        self.ask(work)

    def tickets(self) -> dict[str, int] | None:
        """How many are in each queue; None: Redis does not answer."""
        from rq import Queue

        def work() -> dict[str, int]:
            keys = [key.decode() for key in self.client.smembers(Queue.redis_queues_keys)]
            with self.client.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.llen(key)
                counts = pipeline.execute()
            names = [key.removeprefix(Queue.redis_queue_namespace_prefix) for key in keys]
            return dict(zip(names, counts, strict=True))

        numbers: dict[str, int] | None = self.ask(work)
        return numbers

    def ask(self, work: Any) -> Any:
        """What `work` returns; None where Redis does not answer."""
        if time.monotonic() < self._retry_at:
            return None
        from redis import RedisError

        try:
            return work()
        except RedisError as error:
            self._retry_at = time.monotonic() + RETRY_S
            logger.warning("tickets are delivered later: Redis: %s", error)
            return None
