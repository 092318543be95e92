"""RQ delivers, the row decides: over real PostgreSQL and Redis, in the test's process, without workers."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from apiflask import APIFlask
from sqlalchemy import text

from app.config import load_settings
from app.core.setting_values import SettingError
from app.database import writing
from app.extensions import db
from app.jobs import Job, JobService, workers
from app.jobs.dispatch import Dispatcher
from app.jobs.workers import Worker
from app.models import now
from tests.cluster.queued import CPU, GPU, LITTLE, PLENTY, add, horse, row, tickets
from tests.cluster.redis_server import RedisServer
from tests.services.runs import create_training, service


def test_needs_what_all_share() -> None:
    with pytest.raises(SettingError, match="DISPATCH=rq needs"):
        load_settings({"DISPATCH": "rq", "REDIS_URL": "redis://localhost/0"})
    with pytest.raises(SettingError, match="DISPATCH=rq needs"):
        load_settings({"DISPATCH": "rq", "DATABASE_URL": "postgresql://localhost/x"})


def test_each_job_is_in_the_queue_of_what_it_needs(app: APIFlask, jobs: JobService, dispatcher: Dispatcher) -> None:
    horse(app), horse(app, "two", GPU)
    [import_id, high, training, both] = [
        add(),
        add(priority=5),
        add(kind="evaluate", params={"device": "auto"}),
        add(kind="evaluate", params={"device": "0,1"}),
    ]
    later = add(not_before=now() + timedelta(hours=1))
    talked_to = add(kind="predict", params={"link": "x-1"})
    dispatcher.round(PLENTY)
    assert tickets(dispatcher) == {"any": 1, "any-high": 1, "gpu": 1, "gpu2": 1}
    names = [row(job_id).delivered_to for job_id in (import_id, high, training, both, later, talked_to)]
    assert names == ["any", "any-high", "gpu", "gpu2", None, None]
    waits = [(row(job_id).waiting_for or {}).get("code") for job_id in (training, both, later)]
    assert waits == ["turn", "missing_device", "schedule"]
    dispatcher.round(PLENTY)
    assert sum(tickets(dispatcher).values()) == 4, "each is delivered once"


def test_the_row_decides_who_is_first_and_a_cancelled_job_never_starts(
    app: APIFlask, jobs: JobService, dispatcher: Dispatcher
) -> None:
    mine = horse(app)
    cancelled, second, first = add(position=1), add(position=3), add(position=4)
    dispatcher.round(PLENTY)
    jobs.stop(cancelled)
    with writing() as session:
        session.get_one(Job, first).position = 2  # a user has moved it up
    assert mine.claim("any") == (first, 1)
    claimed = row(first)
    assert (claimed.status, claimed.runner, claimed.devices) == ("running", {"host": "here", "name": "one"}, None)
    assert jobs.view(claimed)["runner"] == "one"
    assert db.session.get_one(Worker, "one").job_id == first
    assert mine.claim("any") == (second, 1)
    assert mine.claim("any") is None, "a ticket too many finds nothing"
    assert row(cancelled).status == "cancelled"


def test_a_job_is_claimed_once_whoever_has_tickets(app: APIFlask, jobs: JobService, dispatcher: Dispatcher) -> None:
    first, second = horse(app), horse(app, "two")
    job_id = add()
    dispatcher.round(PLENTY)
    assert [first.claim("any"), second.claim("any")] == [(job_id, 1), None]


def test_a_changed_priority_and_time_count(app: APIFlask, jobs: JobService, dispatcher: Dispatcher) -> None:
    mine, job_id = horse(app), add()
    dispatcher.round(PLENTY)
    with writing() as session:
        session.get_one(Job, job_id).not_before = now() + timedelta(hours=1)
    assert mine.claim("any") is None
    with writing() as session:
        job = session.get_one(Job, job_id)
        job.not_before, job.priority = None, 1
    dispatcher.round(PLENTY)
    assert tickets(dispatcher) == {"any": 1, "any-high": 1}
    dispatcher.round(PLENTY)
    assert tickets(dispatcher) == {"any-high": 1}, "what was one too many twice is taken back"
    assert mine.claim("any-high") == (job_id, 1)


def test_tickets_lost_by_redis_are_created_again(app: APIFlask, jobs: JobService, dispatcher: Dispatcher) -> None:
    horse(app)
    for _ in range(3):
        add()
    dispatcher.round(PLENTY)
    dispatcher.runner.client.flushall()
    dispatcher.round(PLENTY)
    dispatcher.round(PLENTY)
    assert tickets(dispatcher) == {"any": 3}


def test_an_unreachable_redis_costs_no_job(
    app: APIFlask, jobs: JobService, dispatcher: Dispatcher, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    horse(app)
    monkeypatch.setattr("app.jobs.runner.RETRY_S", 0.0)
    redis.stop()
    job_id = add()
    dispatcher.round(PLENTY)
    assert row(job_id).delivered_to == "any"
    redis.start()
    for _ in range(3):
        dispatcher.round(PLENTY)
    assert tickets(dispatcher) == {"any": 1}


def test_jobs_move_to_what_is_there_now(app: APIFlask, jobs: JobService, dispatcher: Dispatcher) -> None:
    horse(app)
    job_id = add(kind="evaluate", params={"device": "auto"})
    dispatcher.round(PLENTY)
    assert row(job_id).delivered_to == "cpu"
    gpu = horse(app, "two", ("3",))
    dispatcher.round(PLENTY)
    assert row(job_id).delivered_to == "gpu"
    assert gpu.devices_for("gpu", jobs.kinds["evaluate"]) == ("3",)
    assert gpu.devices_for("cpu", jobs.kinds["evaluate"]) == CPU
    assert gpu.devices_for("any", jobs.kinds["draw_sample"]) == ()


def test_a_full_disk_holds_up_what_needs_it(
    app: APIFlask, jobs: JobService, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, training_id, import_id = horse(app), create_training(app, "pending"), add()
    service(app).reconcile()
    dispatcher.round(LITTLE)
    training = db.session.query(Job).filter_by(subject_id=training_id).one().id
    assert (row(training).delivered_to, row(training).waiting_for["code"]) == (None, "disk")  # type: ignore[index]
    assert row(import_id).delivered_to == "any"
    dispatcher.round(PLENTY)
    assert row(training).delivered_to == "cpu"
    monkeypatch.setattr(mine, "disk_enough", lambda: False)
    assert mine.claim("cpu") is None
    assert row(training).delivered_to is None, "whoever leads delivers it again"


def test_two_evaluations_of_a_run_execute_concurrently(app: APIFlask, jobs: JobService, dispatcher: Dispatcher) -> None:
    """Each has a folder of its own. An automatic one waits until the workers are idle, and one with invalid parameters
    delays nobody.
    """
    first, second = horse(app), horse(app, "two")
    about = {"kind": "evaluate", "params": {"device": "cpu"}, "subject_type": "training", "subject_id": 7}
    if "asks_for_nonsense" not in jobs.kinds.names():
        kind = replace(jobs.kinds["evaluate"], name="asks_for_nonsense", request=lambda params: params["missing"])
        jobs.register(kind)
    nonsense = add(**about | {"kind": "asks_for_nonsense"})
    [one, two, unasked] = [add(**about), add(**about), add(**about | {"kind": "evaluate_automatic"})]
    dispatcher.round(PLENTY)
    assert [first.claim("cpu"), second.claim("cpu")] == [(one, 1), (two, 1)]
    assert (row(unasked).delivered_to, row(nonsense).delivered_to) == ("cpu-low", None)


def test_no_two_workers_are_in_one_folder(app: APIFlask, jobs: JobService, dispatcher: Dispatcher) -> None:
    """A resumed run gets another job; the process of the first may still exist."""
    first, second = horse(app), horse(app, "two")
    if "keeps_a_folder" not in jobs.kinds.names():
        jobs.register(replace(jobs.kinds["evaluate"], name="keeps_a_folder", directory=lambda job: Path(job.token)))
    about = {"kind": "keeps_a_folder", "params": {"device": "cpu"}, "subject_type": "training", "subject_id": 7}
    before = add(**about)
    dispatcher.round(PLENTY)
    assert first.claim("cpu") == (before, 1)
    with writing() as session:
        session.execute(text("UPDATE job SET status = 'completed' WHERE id = :id"), {"id": before})
    after = add(**about)
    dispatcher.round(PLENTY)
    assert second.claim("cpu") is None
    with db.engine.begin() as connection:
        assert workers.beat(connection, "one", workers.IDLE, works=False)  # it has been removed
    assert second.claim("cpu") == (after, 1)
