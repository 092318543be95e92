"""The warm worker that runs the models: a job that is started on first use, serves concurrent requests, and restarts if
it dies or another job displaces it from its GPU.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from flask_babel import gettext as _

from app.config import settings
from app.core.json_object import JsonObject
from app.core.predict import AT_ONCE, PredictSpec, WorkerAnswer
from app.errors import AppError, Unavailable
from app.extensions import db
from app.jobs import Job, JobKind, JobStatus
from app.jobs.devices import CPU, Use
from app.jobs.duplex import ChildEnded, ChildSilent, Link, Links
from app.services.infer.answers import failure, worker_died
from app.services.trainer.launch import environment

if TYPE_CHECKING:
    from app.jobs import JobService

logger = logging.getLogger("yolo.inference")

KIND = "predict"
# Importing torch takes 3 to 30 s on a busy machine; a 64 MP image a few seconds. Waiting behind other requests counts
# too.
START_S, ANSWER_S, QUEUE_S = 120.0, 60.0, 90.0
EOF_S = 3.0  # in which a worker ends after its link was closed
END_S = 10.0  # in which the row of a killed worker is updated


class WarmWorker:
    """The running job of the kind `predict`, and its link.

    Args:
        jobs: runs it. It is displaced from its GPU by any other job, see app/jobs/devices.py.
    """

    def __init__(self, jobs: "JobService") -> None:
        self.jobs, self.links = jobs, Links(jobs.cluster.id if jobs.cluster.on else "")
        self._job_id: int | None = None
        self._link: Link | None = None  # closed: its job has ended
        self._device = CPU
        self._code: str | None = None  # the failure code of the previous worker
        self._changing = threading.Lock()
        kind = JobKind(
            KIND,
            "predict",
            spec,
            restarts=0,
            lasts=False,
            environment=lambda job: environment(tuple(job.devices or (CPU,)), settings()),
            use=Use.WARM,
            request=lambda _params: "auto",
            links=self.links,
        )
        jobs.register(kind)

    def ask(self, question: Mapping[str, object]) -> JsonObject:
        """Its answer to a request; a worker is started if there is none, or if a GPU became free.

        Raises:
            ChildEnded: it ended before its answer.
            ChildSilent: it did not answer in time, and is abandoned.
            Unavailable: its start took too long.
        """
        link = self._open_link()
        try:
            return link.ask(question, ANSWER_S)
        except (ChildEnded, ChildSilent):
            with self._alone():
                if self._link is link:  # no other request has replaced it yet
                    self._code = self._close()
            raise

    def _open_link(self) -> Link:
        with self._alone():
            link = self._link
            if link is None or link.closed or self._better_device():
                self._code = self._close()
                link = self._start()
            return link

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Lock the start and the end of the worker. If it cannot start, the waiting requests fail without trying in
        turn.
        """
        if not self._changing.acquire(timeout=QUEUE_S):
            raise full()
        try:
            yield
        finally:
            self._changing.release()

    def _start(self) -> Link:
        name, link = self.links.create()
        try:
            job = self.jobs.submit(KIND, {"link": name})
        except BaseException:  # for example, the database cannot be written
            self.links.end({"link": name})
            raise
        self._job_id, self._link = job.id, link
        db.session.rollback()  # no transaction stays open during the wait
        about = link.ask({"do": "start"}, START_S)
        if not about["ok"]:
            raise ChildEnded
        self._device = ",".join(self.jobs.get(job.id).devices or [CPU])
        db.session.rollback()
        precision = "half" if about["half"] else "single"
        logger.info("job %s runs models on %s in %s precision", job.id, about["device"], precision)
        return link

    def _better_device(self) -> bool:
        """Whether it was displaced from a GPU, and one is free again."""
        pool = self.jobs.devices.pool
        if not pool.gpus or self._device != CPU:
            return False
        free = pool.resolve("auto", Use.WARM, self.jobs.devices.read()) != (CPU,)
        db.session.rollback()
        return free

    def hang_up(self) -> None:
        """Have it end; the next request waits for that."""
        if self._link is not None:
            self._link.hang_up()

    @property
    def failure(self) -> str | None:
        """The failure code of the last worker, if it failed."""
        return self._code

    def _close(self) -> str | None:
        """End the worker; its failure code, if it failed."""
        job_id, link = self._job_id, self._link
        self._job_id = self._link = None
        if job_id is None or link is None:
            return None
        link.hang_up()
        try:
            job = self.jobs.wait(job_id, EOF_S)
            if not JobStatus(job.status).ended:  # it is computing, and does not react to the closed link
                self.jobs.kill(job_id)
                job = self.jobs.wait(job_id, END_S)
        except AppError:  # its row was deleted
            return None
        finally:
            db.session.rollback()
        return job.error_code


def full() -> Unavailable:
    return Unavailable(_("The test queue is full. Try again in a few seconds."))


def spec(_job: Job, _directory: Path) -> Mapping[str, object]:
    """The program's spec."""
    config = settings()
    return PredictSpec(config.INFERENCE_CACHE_SIZE, config.MAX_IMAGE_PIXELS, config.IMAGE_DECODE_SECONDS).values()


class WarmModels:
    """Sends requests to the warm worker, and restarts it if it died.

    `loaded_models`: what it has in memory, by the path of the weights, with their class names.
    """

    def __init__(self, worker: WarmWorker) -> None:
        self.worker = worker
        self.loaded_models: dict[str, list[str]] = {}
        self._slots = threading.BoundedSemaphore(AT_ONCE)

    def close(self) -> None:
        """End the worker; the next request starts another."""
        self.worker.hang_up()
        self.loaded_models = {}

    def ask(self, **question: object) -> WorkerAnswer:
        """Send a request to the worker, AT_ONCE at a time; a worker that died is restarted once."""
        if not self._slots.acquire(timeout=QUEUE_S):
            raise full()
        try:
            answer = cast(WorkerAnswer, self._exchange(question))
        finally:
            self._slots.release()
        if not answer.pop("ok"):
            raise failure(answer)
        if "models" in answer:
            self.loaded_models = answer["models"]
        return answer

    def _exchange(self, question: Mapping[str, object]) -> JsonObject:
        try:
            return self._exchange_once(question)
        except ChildEnded:
            self._lost("ended, and another one is asked")
        try:
            return self._exchange_once(question)
        except ChildEnded as error:
            raise worker_died(self._lost("ended again")) from error

    def _exchange_once(self, question: Mapping[str, object]) -> JsonObject:
        try:
            return self.worker.ask(question)
        except ChildSilent as error:
            self._lost("was silent")
            raise Unavailable(_("Testing this image took too long and was stopped. Try again.")) from error

    def _lost(self, how: str) -> str | None:
        """Clear `loaded_models`; returns the failure code."""
        code = self.worker.failure
        logger.warning("the inference process %s (%s)", how, code or "stopped")
        self.loaded_models = {}
        return code
