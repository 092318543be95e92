"""The differences of a process that runs beside others."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from app import create_app
from app.cluster import Cluster
from app.cluster.bus import Bus
from app.database import upgrade_if_old, writing
from app.errors import Locked
from app.events import Planned, Progress, encode
from app.extensions import db
from app.jobs import Job, JobStatus, shared
from app.jobs.duplex import Links
from app.jobs.process import Child
from app.jobs.remote import RemoteChild, child_of_runner
from app.services.uploads.receive import Writers
from scripts.local_server import settings_for
from tests.conftest import close_database
from tests.services.runs import STARTED, create_training, numbered, recorder, row_of

NOBODY = "redis://127.0.0.1:1/0"  # its messages are lost, and not needed


@pytest.fixture
def shared_app(tmp_path: Path) -> Iterator[APIFlask]:
    """An application of several processes; nothing in its queue is started."""
    application = create_app("cli", settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading", REDIS_URL=NOBODY))
    upgrade_if_old(application)
    yield application
    close_database(application)


def deliver(bus: Bus, name: str, payload: Any, sender: str = "other") -> None:
    bus.receive(json.dumps({"from": sender, "name": name, "payload": payload}).encode())


def test_progress_of_a_remote_job_arrives_here(shared_app: APIFlask) -> None:
    jobs = shared_app.extensions["services"].jobs
    deliver(jobs.cluster.bus, "progress", [7, 3, 12, "reading", None, 0.0])
    assert jobs.live.meters[7].read()["percent"] == 25.0
    deliver(jobs.cluster.bus, "progress", [7, 3, 12, "scanning", 0.2, 0.4])
    assert jobs.live.meters[7].read()["percent"] == 30.0
    deliver(jobs.cluster.bus, "progress_over", 7)
    assert 7 not in jobs.live.meters


def test_what_cannot_be_understood_stops_nothing() -> None:
    bus, received = Bus(NOBODY, "me"), list[Any]()
    bus.on("name", received.append)
    for data in (b"{", b"[]", b"{}", b'{"name": "name"}'):
        bus.receive(data)
    deliver(bus, "other", 1)
    deliver(bus, "name", 2, sender="me")
    deliver(bus, "name", 3)
    assert received == [3]


def test_an_unreachable_redis_delays_nobody(shared_app: APIFlask) -> None:
    bus = shared_app.extensions["services"].jobs.cluster.bus
    for _ in range(3):
        bus.publish("wake", None)
    assert bus.present() is None


def test_a_verdict_reaches_the_request_that_waits(shared_app: APIFlask) -> None:
    verdicts = shared_app.extensions["services"].datasets.imports.verdicts
    line = encode(Planned("yolo", "", 8, ["thing"], "detect"), 1)
    deliver(verdicts.jobs.cluster.bus, "verdict", [5, line])
    assert not verdicts.received  # nothing is waiting for it here
    verdicts.waiting.add(5)
    news = verdicts.jobs.news.next(5)
    deliver(verdicts.jobs.cluster.bus, "verdict", [5, line])
    assert verdicts.received[5].names == ["thing"]
    assert news.is_set()


def test_a_missed_verdict_is_read_from_the_database(shared_app: APIFlask, tmp_path: Path) -> None:
    verdicts = shared_app.extensions["services"].datasets.imports.verdicts
    job = Job(id=5, kind="import_dataset", token="t", attempt=1, status=JobStatus.RUNNING)
    folder = verdicts.jobs.root / "t" / "1"
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text(encode(Planned("yolo", "", 8, ["thing"], "detect"), 1))
    verdicts.poll(job)
    assert verdicts.received[5].names == ["thing"]


def test_every_message_of_a_run_is_in_the_rows_at_once(shared_app: APIFlask) -> None:
    training_id = create_training(shared_app)
    with shared_app.app_context():
        recorder(shared_app).apply_batched(training_id, 1, numbered([STARTED]))
        [message] = recorder(shared_app).apply_batched(training_id, 1, numbered([Progress(1, 3, 10, "training")], 2))
    assert row_of(shared_app, training_id).seq == message.payload["seq"]


def talked_to(app: APIFlask, owner: str, status: str = JobStatus.PENDING) -> int:
    with app.app_context(), writing() as session:
        row = Job(kind="predict", params={"link": f"{owner}-1"}, status=status)
        session.add(row)
        session.flush()
        return row.id


def test_a_process_starts_the_jobs_that_it_talks_to_itself(shared_app: APIFlask) -> None:
    scheduler = shared_app.extensions["services"].jobs.scheduler
    mine, theirs = talked_to(shared_app, scheduler.cluster.id), talked_to(shared_app, "other")
    training_id = create_training(shared_app, "pending")
    with shared_app.app_context():
        shared_app.extensions["services"].trainer.reconcile()
        assert scheduler.claim(None) == [(mine, 1)]
        assert db.session.get_one(Job, theirs).status == JobStatus.PENDING
        assert db.session.query(Job).filter_by(subject_id=training_id, status="pending").count() == 1
        scheduler.cluster.leads = True
        assert {job_id for job_id, _ in scheduler.claim(None)}.isdisjoint({mine, theirs})
        assert db.session.query(Job).filter_by(subject_id=training_id, status="running").count() == 1


def test_jobs_of_a_dead_process_end(shared_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = shared_app.extensions["services"].jobs.kinds
    monkeypatch.setattr(shared, "CHECK_S", 0.0)
    ids = [talked_to(shared_app, owner) for owner in ("here", "gone", "gone")]
    present: set[str] | None = {"here"}
    owners = shared.LostOwners(lambda: present)
    with shared_app.app_context():
        assert owners.end_jobs(kinds) == []  # a Redis that was just restarted knows no process
        monkeypatch.setattr(shared, "MISSING_S", 0.0)
        present = None
        assert owners.end_jobs(kinds) == []  # no process is known
        present = {"here"}
        assert [job.id for job in owners.end_jobs(kinds)] == ids[1:]
        assert [db.session.get_one(Job, job_id).status for job_id in ids] == ["pending", "cancelled", "cancelled"]


def test_links_have_the_name_of_their_process() -> None:
    links = Links("a1")
    name, link = links.create()
    link.hang_up()
    assert links.owns({"link": name})
    assert not Links("b2").owns({"link": name})
    assert Links().owns({"link": name})


def test_a_child_of_another_machine_lives_while_its_heart_beats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = child_of_runner(tmp_path, {"host": "elsewhere", "pid": 1, "started": 0.0}, shared=True)
    assert isinstance(child, RemoteChild)
    assert child.alive()
    child.signal(9)
    assert (tmp_path / "stop").read_text() == "cancel"
    monkeypatch.setattr(child._pulse, "silent_s", lambda: 61.0)
    assert not child.alive()
    assert child.exit_code() is None
    assert child.processor_s() is None, "its number is that of another process here"
    assert type(child_of_runner(tmp_path, {"host": "elsewhere", "pid": 1, "started": 0.0}, shared=False)) is Child


def test_one_process_at_a_time_accepts_parts_of_an_upload(tmp_path: Path) -> None:
    first, second = (Writers(lambda upload_id: tmp_path / upload_id) for _ in range(2))
    with first.only("a"):
        assert second.busy("a")
        assert not second.busy("b")
        with pytest.raises(Locked), second.only("a"):
            pass
        # its client has disconnected; another request of the same process takes over
        first._writers["a"].last_read_at -= 60
        with first.only("a"):
            assert second.busy("a")
    with second.only("a"), second.only("b"):
        pass


def test_a_single_process_stores_no_files(tmp_path: Path) -> None:
    with Writers().only("a"):
        assert not list(tmp_path.iterdir())
    assert not Cluster().bus.url
