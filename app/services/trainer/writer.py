"""Changes a training in one transaction, and sends the messages after its commit."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from app.database import once_more, writing
from app.models import now
from app.services import idempotency
from app.services.idempotency import AnswerT, RequestKey
from app.services.trainer.feed import TrainingFeed
from app.services.trainer.messages import RoomMessage
from app.services.trainer.transitions import KIND

if TYPE_CHECKING:
    from app.jobs import JobService
    from app.services.trainer.run_endings import EndedRuns

Work = Callable[[Any], tuple[AnswerT, list[RoomMessage]]]  # receives the session of the transaction


class TrainingWriter:
    """Runs a request's change of a training: once per key, committed before any message.

    Args:
        feed: sends messages to browsers.
        jobs: its queue is woken after a change.
        ended: has the jobs that follow trainings, which a change may end.
    """

    def __init__(self, feed: TrainingFeed, jobs: "JobService", ended: "EndedRuns") -> None:
        self.feed, self.jobs, self.ended = feed, jobs, ended

    def write(self, key: RequestKey | None, work: Work[AnswerT]) -> AnswerT:
        """Run the work in one write transaction, then send its messages and wake the queue.

        Args:
            key: the request's Idempotency-Key; if it was used before, its response is returned and nothing is done.
        """
        return idempotency.run_idempotent(key, lambda: self._write(key, work))

    def _write(self, key: RequestKey | None, work: Work[AnswerT]) -> AnswerT:
        def commit() -> tuple[AnswerT, list[RoomMessage]]:
            with writing() as session:
                mark = idempotency.reserve(session, key)
                answer, messages = work(session)
                if mark is not None:
                    mark.answer = dict(answer)
            return answer, messages

        since = now()
        # a deadlock is possible: the queue locks jobs before trainings, this transaction after
        answer, messages = once_more(commit)
        self.feed.send(messages)
        if isinstance(training_id := answer.get("training_id"), int):
            self.jobs.announce_newest(KIND, training_id)
            self.ended.announce_ended(training_id, since)
        self.jobs.scheduler.wake()
        return answer
