"""Runs the supervision of an attempt: in this process, or on a worker through RQ."""

import logging
import time
import uuid
from typing import Any, Protocol

from flask import Flask

from app.extensions import socketio

logger = logging.getLogger("yolo.jobs")

PERFORM = "app.jobs.workhorse.perform"  # the function that a ticket calls
RETRY_S = 2.0  # before Redis is tried again after it did not answer
CONNECT_S, ANSWER_S = 1.0, 5.0
FAILED_S = 86_400  # RQ's tools show tickets of lost workers for a day


def is_ticket(work: Any) -> bool:
    """Whether an RQ job calls only what a ticket calls: anyone with write access to Redis chooses what RQ imports."""
    calls_back = (work._success_callback_name, work._failure_callback_name, work._stopped_callback_name)
    try:
        return work.func_name == PERFORM and not any(calls_back)
    except Exception:  # it cannot be parsed
        return False


class Runner(Protocol):
    """Where attempts are supervised."""

    def start(self, job_id: int, attempt: int, follows: bool = False) -> None:
        """Begin to supervise an attempt, perhaps one that an earlier server began; returns at once."""


class LocalRunner:
    """Supervises in this process; the child runs on this machine.

    Args:
        app: for database access.
        supervise: the work, see `JobService.supervise`.
    """

    def __init__(self, app: Flask, supervise: "Supervise") -> None:
        self.app, self._supervise = app, supervise

    def start(self, job_id: int, attempt: int, follows: bool = False) -> None:
        socketio.start_background_task(self._supervise, self.app, job_id, attempt, follows)


class Supervise(Protocol):
    def __call__(self, app: Flask, job_id: int, attempt: int, follows: bool) -> None: ...


class RQRunner:
    """Has the work-horses of RQ workers, on any machine, claim and supervise jobs. Raises nothing if Redis is
    unavailable: the count of tickets replaces missing ones.

    RQ decides nothing itself: no retries, no time limit, no pickles.

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
            from redis import Redis  # not at import: a single machine needs no Redis

            self._client = Redis.from_url(self.url, socket_connect_timeout=CONNECT_S, socket_timeout=ANSWER_S)
        return self._client

    def queue(self, name: str) -> Any:
        from rq import Queue
        from rq.serializers import JSONSerializer

        return Queue(name, connection=self.client, serializer=JSONSerializer)

    def deliver(self, name: str, number: int) -> bool:
        """Enqueue `number` tickets; returns whether that succeeded."""
        queue = self.queue(name)
        about = {"timeout": -1, "result_ttl": 0, "failure_ttl": FAILED_S, "description": f"a job of {name}"}
        tickets = [
            queue.prepare_data(PERFORM, args=[name], job_id=uuid.uuid4().hex, retry=None, **about)
            for _ in range(number)
        ]
        return self.ask(lambda: queue.enqueue_many(tickets)) is not None

    def withdraw(self, name: str, number: int) -> None:
        """Remove the last `number` tickets."""
        from rq.job import Job as Ticket

        queue = self.queue(name)

        def work() -> None:
            for ticket_id in queue.get_job_ids(-number, number):
                queue.remove(ticket_id)
                self.client.delete(Ticket.key_for(ticket_id))

        self.ask(work)

    def tickets(self) -> dict[str, int] | None:
        """The number of tickets in each queue; None: Redis does not answer."""
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
        """The return value of `work`; None if Redis does not answer."""
        if time.monotonic() < self._retry_at:
            return None
        from redis import RedisError

        try:
            return work()
        except RedisError as error:
            self._retry_at = time.monotonic() + RETRY_S
            logger.warning("tickets are delivered later: Redis: %s", error)
            return None
