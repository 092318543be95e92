"""What must not make a worker lose its job, or do somebody else's; in the process, over PostgreSQL and Redis."""

import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from rq import Callback, Queue
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.database import writing
from app.extensions import db
from app.jobs import JobService, workers
from app.jobs.dispatch import Dispatcher
from app.jobs.rq_worker import DeviceWorker
from app.jobs.runner import PERFORM
from app.jobs.workers import Worker
from scripts.worker import make_locks_folder, place
from tests.cluster.queued import PLENTY, add, horse, row, url
from tests.cluster.redis_server import RedisServer
from tests.cluster.test_lost_workers import lost, silence
from tests.services.runs import make, service


@pytest.fixture
def worker(app: APIFlask, jobs: JobService, redis: RedisServer) -> DeviceWorker:
    about = {"place": "here"}  # in the same one as the row that is there: it need not wait for that one's silence
    mine = horse(app, about=about)
    uri = app.config["SQLALCHEMY_DATABASE_URI"]
    return DeviceWorker(url(redis), uri, mine.worker, mine, about, pauses=False)


def fail(error: Exception) -> Callable[..., Any]:
    def work(*_arguments: Any) -> Any:
        raise error

    return work


def test_who_claims_is_there(app: APIFlask, jobs: JobService, dispatcher: Dispatcher) -> None:
    """The network is back, and its first ticket comes before its next heartbeat."""
    mine, job_id = horse(app), add()
    silence("one", 200)
    assert lost(dispatcher, 61) == []
    assert db.session.get_one(Worker, "one").state == "lost"
    with writing() as session:
        session.execute(text("UPDATE job SET delivered_to = 'any'"))
    assert mine.claim("any") == (job_id, 1)
    assert lost(dispatcher, 61) == [], "its run is not judged"


def test_one_without_a_row_claims_nothing(app: APIFlask, jobs: JobService, dispatcher: Dispatcher) -> None:
    mine, job_id = horse(app), add()
    dispatcher.round(PLENTY)
    with db.engine.begin() as connection:
        workers.remove(connection, "one")
    assert (mine.claim("any"), row(job_id).status) == (None, "pending")


def test_a_database_that_fails_says_nothing_about_the_job(
    app: APIFlask, jobs: JobService, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, job_id = horse(app), add()
    dispatcher.round(PLENTY)
    with monkeypatch.context() as patch:
        patch.setattr(mine, "devices_for", fail(OperationalError("", {}, Exception("deadlock detected"))))
        with pytest.raises(OperationalError):
            mine.claim("any")
    assert row(job_id).status == "pending"
    assert mine.claim("any") == (job_id, 1)


def test_one_kind_that_fails_holds_up_no_other(
    app: APIFlask, jobs: JobService, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    horse(app), make(app, "pending"), add()
    service(app).reconcile()
    monkeypatch.setattr(jobs.kinds["training"].record, "waits", fail(ValueError()))
    dispatcher.round(PLENTY)
    db.session.rollback()
    assert set(db.session.execute(text("SELECT kind, delivered_to FROM job"))) == {
        ("training", "cpu"),
        ("draw_sample", "any"),
    }


def test_lost_runs_are_found_though_nothing_can_be_delivered(
    app: APIFlask, jobs: JobService, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, job_id = horse(app), add()
    dispatcher.round(PLENTY)
    assert mine.claim("any") == (job_id, 1)
    silence("one", 61)
    monkeypatch.setattr(dispatcher, "deliver", fail(ValueError()))
    assert lost(dispatcher, 61) == [(job_id, 1)]


def test_what_is_no_ticket_is_not_run(worker: DeviceWorker, tmp_path: Path) -> None:
    queue = Queue("any", connection=worker.connection, serializer=JSONSerializer)
    foreign = queue.enqueue("os.mkdir", str(tmp_path / "a"))
    after = queue.enqueue(PERFORM, "any", on_success=Callback("os.mkdir"), on_failure=Callback("os.mkdir"))
    for job in (foreign, after):
        worker.execute_job(job, queue)
    assert list(tmp_path.iterdir()) == []
    assert not worker.connection.exists(foreign.key, after.key)


def test_a_redis_that_stands_still_delays_no_heartbeat(worker: DeviceWorker, redis: RedisServer) -> None:
    worker.introduce()
    worker.connection.connection_pool.connection_kwargs["socket_timeout"] = 0.5
    worker.connection.connection_pool.disconnect()
    assert redis.process is not None
    os.kill(redis.process.pid, signal.SIGSTOP)
    try:
        worker._beat_at = 0.0
        worker.heartbeat()
        assert worker.redis_away
        silence("one", 61)
        worker._beat_at = 0.0
        worker.heartbeat()
    finally:
        os.kill(redis.process.pid, signal.SIGCONT)
    assert workers.capabilities().cpu, "it has given a sign of life"


def test_two_workers_of_one_name_do_not_share_jobs(worker: DeviceWorker) -> None:
    def other(host: str) -> str | None:
        with db.engine.begin() as connection:
            connection.execute(text("UPDATE worker SET host = :host"), {"host": host})
            return workers.namesake(connection, worker.identity, worker.about)

    worker.introduce()
    assert other("here") is None, "an earlier process of the same place"
    assert other("there") == "there"
    worker.about = {"place": "another container of this host"}
    assert other("here") == "here"
    silence("one", 61)
    assert other("there") is None


def test_locks_lie_in_a_folder_of_the_user(tmp_path: Path) -> None:
    mine, link = tmp_path / "mine", tmp_path / "link"
    make_locks_folder(mine)
    make_locks_folder(mine)
    assert stat.S_IMODE(mine.stat().st_mode) == 0o700
    assert place(mine) == place(mine)
    link.symlink_to(mine)
    with pytest.raises(SystemExit):
        make_locks_folder(link)
    link.unlink()
    make_locks_folder(link)
    assert place(link) != place(mine)


@pytest.mark.timeout(120)
def test_a_sigterm_between_two_jobs_is_not_forgotten(worker: DeviceWorker) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    worker.introduce()
    worker.set_state(WorkerStatus.BUSY)
    try:
        worker.request_stop(signal.SIGTERM, None)
        with pytest.raises(StopRequested):
            worker.dequeue_job_and_maintain_ttl(1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
