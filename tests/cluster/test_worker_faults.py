"""Faults that must not make a worker lose its job, or run another's; in the test's process, over PostgreSQL
and Redis.
"""

import os
import signal
import stat
from collections.abc import Callable
from dataclasses import replace
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
from app.jobs.horse_pulse import MAX_STEP_S, HorsePulse
from app.jobs.rq_worker import DeviceWorker
from app.jobs.runner import PERFORM
from app.jobs.workers import Worker
from scripts.worker import create_locks_folder, location_id
from tests.cluster.pair import until
from tests.cluster.queued import PLENTY, add, horse, row, url
from tests.cluster.redis_server import RedisServer
from tests.cluster.test_lost_workers import lost, silence
from tests.services.runs import create_training, service


@pytest.fixture
def worker(app: APIFlask, jobs: JobService, redis: RedisServer) -> DeviceWorker:
    about = {"place": "here"}  # the locks' folder of the existing row, so that its heartbeat need not expire
    mine = horse(app, about=about)
    uri = app.config["SQLALCHEMY_DATABASE_URI"]
    return DeviceWorker(url(redis), uri, mine.worker, mine, about, pauses=False)


def fail(error: Exception) -> Callable[..., Any]:
    def work(*_arguments: Any) -> Any:
        raise error

    return work


def test_who_claims_is_there(app: APIFlask, jobs: JobService, dispatcher: Dispatcher) -> None:
    """The network is back, and its first ticket arrives before its next heartbeat."""
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


def test_a_database_failure_is_not_blamed_on_the_job(
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


def test_a_failing_kind_does_not_delay_the_rest(
    app: APIFlask, jobs: JobService, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    horse(app), create_training(app, "pending"), add()
    service(app).reconcile()
    monkeypatch.setattr(jobs.kinds["training"].record, "waits", fail(ValueError()))
    dispatcher.round(PLENTY)
    db.session.rollback()
    assert set(db.session.execute(text("SELECT kind, delivered_to FROM job"))) == {
        ("training", "cpu"),
        ("draw_sample", "any"),
    }


def test_lost_runs_are_detected_though_nothing_can_be_delivered(
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
    worker.row.register()
    worker.connection.connection_pool.connection_kwargs["socket_timeout"] = 0.5
    worker.connection.connection_pool.disconnect()
    assert redis.process is not None
    os.kill(redis.process.pid, signal.SIGSTOP)
    try:
        worker._beat_at = 0.0
        worker.heartbeat()
        assert worker.redis_unavailable
        silence("one", 61)
        worker._beat_at = 0.0
        worker.heartbeat()
    finally:
        os.kill(redis.process.pid, signal.SIGCONT)
    assert workers.capabilities().cpu, "it has given a sign of life"


def test_two_workers_of_one_name_do_not_share_jobs(worker: DeviceWorker) -> None:
    def namesake(host: str) -> str | None:
        with db.engine.begin() as connection:
            connection.execute(text("UPDATE worker SET host = :host"), {"host": host})
            return workers.namesake(connection, worker.row.identity, worker.row.about)

    worker.row.register()
    assert namesake("here") is None, "an earlier process of the same place"
    assert namesake("there") == "there"
    worker.row.about = {"place": "another container of this host"}
    assert namesake("here") == "here"
    silence("one", 61)
    assert namesake("there") is None


def test_locks_lie_in_a_folder_of_the_user(tmp_path: Path) -> None:
    mine, link = tmp_path / "mine", tmp_path / "link"
    create_locks_folder(mine)
    create_locks_folder(mine)
    assert stat.S_IMODE(mine.stat().st_mode) == 0o700
    assert location_id(mine) == location_id(mine)
    link.symlink_to(mine)
    with pytest.raises(SystemExit):
        create_locks_folder(link)
    link.unlink()
    create_locks_folder(link)
    assert location_id(link) != location_id(mine)


@pytest.mark.timeout(120)
def test_a_sigterm_between_two_jobs_is_not_forgotten(worker: DeviceWorker) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    worker.row.register()
    worker.set_state(WorkerStatus.BUSY)
    try:
        worker.request_stop(signal.SIGTERM, None)
        with pytest.raises(StopRequested):
            worker.dequeue_job_and_maintain_ttl(1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.timeout(120)
def test_a_work_horse_that_stands_still_is_replaced(worker: DeviceWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parent would continue its heartbeats, and nobody would check."""
    monkeypatch.setattr("app.jobs.rq_worker.STOPPED_S", 2.0)
    monkeypatch.setattr("app.jobs.rq_worker.MONITOR_S", 0.5)
    worker.row.register()

    def stand_still() -> None:
        worker.horse.pulse.begin()
        os.kill(os.getpid(), signal.SIGSTOP)

    worker.await_horse(stand_still)  # until it has ended


@pytest.mark.timeout(120)
def test_the_worker_of_an_unkillable_job_is_abandoned(worker: DeviceWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """For example if it hangs in a file system. Its job continues elsewhere, like that of a lost host."""
    monkeypatch.setattr("app.jobs.rq_worker.STOPPED_S", 2.0)
    monkeypatch.setattr("app.jobs.rq_worker.MONITOR_S", 0.5)
    monkeypatch.setattr("app.jobs.rq_worker.KILLED_S", 2.0)
    worker.row.register()
    pid = os.fork()
    if pid == 0:
        os.setpgrp()
        os.kill(os.getpid(), signal.SIGSTOP)
    worker._horse_pid = pid
    with monkeypatch.context() as patch:
        patch.setattr(worker, "kill_horse", lambda: None)
        until(lambda: worker.heartbeat() or worker.horse_is_stopped(), 60)
        silence("one", 61)
        worker._beat_at = 0.0
        worker.heartbeat()
    assert not workers.capabilities().cpu
    worker.kill_horse()
    os.waitpid(pid, 0)


def test_one_that_stood_still_itself_has_not_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    pulse = HorsePulse()
    pulse._checked_at -= 300
    assert pulse.silent_s() <= MAX_STEP_S
    pulse._memory[:] = b"12345678"
    assert pulse.silent_s() == 0


def test_what_cannot_be_read_is_logged_once(
    app: APIFlask, jobs: JobService, dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture
) -> None:
    """Even as many as fit one transaction do not block those behind them."""
    horse(app)
    if "asks_for_nonsense" not in jobs.kinds.names():
        kind = replace(jobs.kinds["evaluate"], name="asks_for_nonsense", request=lambda params: params["missing"])
        jobs.register(kind)
    poison = [add(kind="asks_for_nonsense", priority=9) for _ in range(3)]
    job_id = add()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.jobs.dispatch.AT_ONCE", 3)
        for _ in range(3):
            dispatcher.round(PLENTY)
    assert row(job_id).delivered_to == "any"
    logged = [record.message for record in caplog.records if "cannot be delivered" in record.message]
    assert logged == [f"job {poison_id} cannot be delivered" for poison_id in poison]


@pytest.mark.timeout(60)
def test_jobs_whose_files_are_not_stored_hold_up_nobody(app: APIFlask, dispatcher: Dispatcher) -> None:
    """As many as fit one transaction: a round of the queue reaches those behind them, and its end."""
    horse(app)
    waiting = [add(priority=9) for _ in range(3)]
    job_id = add()
    dispatcher.is_ready = lambda number, _attempt: number not in waiting
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.jobs.dispatch.AT_ONCE", 3)
        dispatcher.round(PLENTY)
    assert row(job_id).delivered_to == "any"
    assert [row(number).waiting_for for number in waiting] == [{"code": "files"}] * 3
    dispatcher.is_ready = lambda _job_id, _attempt: True
    dispatcher.round(PLENTY)
    assert all(row(number).delivered_to for number in waiting)


def test_a_number_of_gpus_has_its_turn(app: APIFlask, jobs: JobService, redis: RedisServer) -> None:
    mine = horse(app, "four", ("0", "1", "2", "3"))
    uri = app.config["SQLALCHEMY_DATABASE_URI"]
    worker = DeviceWorker(url(redis), uri, mine.worker, mine, {}, pauses=False)

    def order() -> list[str]:
        return [
            queue.name for queue in worker._ordered_queues if queue.name.startswith("gpu") and "-" not in queue.name
        ]

    assert order() == ["gpu4", "gpu3", "gpu2", "gpu"]
    worker.reorder_queues(next(queue for queue in worker.queues if queue.name == "gpu4"))
    assert order() == ["gpu3", "gpu2", "gpu", "gpu4"]
    worker.reorder_queues(next(queue for queue in worker.queues if queue.name == "any"))
    assert order() == ["gpu3", "gpu2", "gpu", "gpu4"]
    assert mine.devices_for("gpu3", jobs.kinds["evaluate"]) == ("0", "1", "2")
