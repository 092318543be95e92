"""Workers without heartbeats: who declares them lost, and which of their results count; in the test's process, without
workers.
"""

import time

import psycopg
import pytest
from apiflask import APIFlask
from sqlalchemy import text

from app.database import writing
from app.events import Finished, encode
from app.extensions import db
from app.jobs import JobService, workers
from app.jobs.attempt import AttemptRow, Superseded
from app.jobs.dispatch import Dispatcher
from app.jobs.workers import Worker
from tests.cluster.queued import PLENTY, add, horse, row, url
from tests.cluster.redis_server import RedisServer


def silence(name: str, seconds: float) -> None:
    """Set its last heartbeat this many seconds back, by the database's clock."""
    with writing() as session:
        ago = text("UPDATE worker SET heartbeat_at = heartbeat_at - make_interval(secs => :s) WHERE name = :name")
        session.execute(ago, {"s": seconds, "name": name})


def lost(dispatcher: Dispatcher, up_s: float) -> list[tuple[int, int]]:
    """The jobs declared lost by a process that has been checking for this long."""
    dispatcher.lost._since = time.monotonic() - up_s
    dispatcher.lost._checked_at = time.monotonic() - 6
    return dispatcher.round(PLENTY)


def test_a_silent_worker_is_lost_but_never_at_the_start(
    app: APIFlask, jobs: JobService, dispatcher: Dispatcher
) -> None:
    mine, job_id = horse(app), add()
    dispatcher.round(PLENTY)
    assert mine.claim("any") == (job_id, 1)
    assert lost(dispatcher, 61) == []
    silence("one", 61)
    assert lost(dispatcher, 30) == [], "heartbeats may not have been written while the platform was away"
    assert lost(dispatcher, 61) == [(job_id, 1)]
    assert db.session.get_one(Worker, "one").state == "lost"
    assert not workers.one_is_free(db.session)


def test_who_stood_still_begins_to_count_anew(app: APIFlask, jobs: JobService, dispatcher: Dispatcher) -> None:
    mine, job_id = horse(app), add()
    dispatcher.round(PLENTY)
    assert mine.claim("any") == (job_id, 1)
    silence("one", 61)
    dispatcher.lost._since, dispatcher.lost._checked_at = time.monotonic() - 200, time.monotonic() - 100
    assert dispatcher.round(PLENTY) == []
    assert lost(dispatcher, 61) == [(job_id, 1)]


def test_one_that_stands_still_in_a_transaction_holds_up_nobody(
    app: APIFlask, jobs: JobService, dispatcher: Dispatcher, database: str
) -> None:
    mine, job_id = horse(app), add()
    dispatcher.round(PLENTY)
    assert mine.claim("any") == (job_id, 1)
    silence("one", 61)
    with (
        psycopg.connect(database, application_name=workers.session_name("one")) as theirs,
        psycopg.connect(database, application_name=workers.session_name("two")) as second,
    ):
        theirs.execute("SELECT * FROM job FOR UPDATE")
        second.execute("SELECT * FROM worker")
        assert lost(dispatcher, 61) == [(job_id, 1)]
        with writing() as session:
            session.execute(text("SET LOCAL lock_timeout = '10s'"))
            AttemptRow(job_id, 1).locked(session)
        with pytest.raises(psycopg.OperationalError):
            theirs.execute("SELECT 1")
        second.execute("SELECT 1")


@pytest.mark.parametrize("ended", [True, False])
def test_events_of_a_lost_worker_count(app: APIFlask, jobs: JobService, dispatcher: Dispatcher, ended: bool) -> None:
    """A terminal event on the shared disk is applied before anything is declared lost; a zombie changes nothing."""
    mine, job_id = horse(app), add(kind="estimate", params={"key": "k", "devices": ["cpu"]})
    dispatcher.round(PLENTY)
    assert mine.claim("cpu") == (job_id, 1)
    folder = jobs.root / row(job_id).token / "1"
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text(encode(Finished({"revision": "abc"}), 1) if ended else "")
    jobs.scheduler.of_worker = {}  # the leader is no work-horse
    jobs.scheduler.supervise(app, job_id, 1, follows=True)
    job = row(job_id)
    assert (job.status, job.result) == (("completed", {"revision": "abc"}) if ended else ("pending", None))
    if not ended:
        dispatcher.round(PLENTY)
        assert mine.claim("cpu") == (job_id, 2), "it begins anew"
        with pytest.raises(Superseded), writing() as session:
            AttemptRow(job_id, 1).locked(session)


def test_an_abandoned_worker_returns_with_its_next_heartbeat(app: APIFlask, jobs: JobService) -> None:
    mine = horse(app)
    silence("one", 200)
    with writing():
        assert workers.mark_lost() == ["one"]
    assert not workers.capabilities().cpu
    with db.engine.begin() as connection:
        assert workers.beat(connection, "one", workers.IDLE, works=False)
        assert not workers.beat(connection, "nobody", workers.IDLE, works=False)
    db.session.rollback()
    assert workers.capabilities().cpu
    assert mine.worker.gpus == 0


def test_rqs_tools_see_a_worker_after_a_restart_of_redis(app: APIFlask, jobs: JobService, redis: RedisServer) -> None:
    from rq import Worker as RQWorker

    from app.jobs.rq_worker import DeviceWorker

    host = horse(app)
    uri = app.config["SQLALCHEMY_DATABASE_URI"]
    worker = DeviceWorker(url(redis), uri, host.worker, host, {}, pauses=False)
    worker.register_birth()
    for _ in range(2):
        worker._beat_at = 0.0
        worker.heartbeat()
        assert [item.name for item in RQWorker.all(connection=worker.connection)] == ["one"]
        worker.connection.flushall()


def test_the_system_page_shows_who_is_there(app: APIFlask, jobs: JobService, dispatcher: Dispatcher) -> None:
    mine, job_id = horse(app, "two", ("0", "1")), add()
    horse(app)
    silence("one", 61)
    dispatcher.round(PLENTY)
    assert mine.claim("any") == (job_id, 1)
    lost(dispatcher, 61)
    figures = app.test_client().get("/api/system").json
    listed = [(item["name"], item["devices"], item["state"], item["job_id"]) for item in figures["workers"]]
    assert listed == [("one", ["cpu"], "lost", None), ("two", ["0", "1"], "busy", job_id)]
    assert figures["workers"][0]["heartbeat"] > 60
    assert [job["runner"] for job in figures["jobs"]] == ["two"]
    assert "data-workers" in app.test_client().get("/system").text
