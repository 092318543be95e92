"""Jobs with real child processes: completed, stopped, killed, with full disks, and after a server's end."""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import writing
from app.extensions import db
from app.jobs import Job, JobKind, JobService, JobStatus, restart
from app.jobs.devices import Holding, Plan, Pool, Use
from app.jobs.disk import DiskSpace
from app.jobs.kinds import Kinds, Lane
from app.jobs.model import Job as Row
from app.jobs.process import find_children, start_time
from app.jobs.queue import Planner, QueuePlan
from app.jobs.transitions import change

LONG = 20_000  # images: the end is not awaited


def drawing(images: int) -> Callable[[Job, Path], Mapping[str, Any]]:
    def spec(_job: Job, directory: Path) -> Mapping[str, Any]:
        return {"output": str(directory / "sample.zip"), "train": images, "val": 1, "size": 32}

    return spec


@pytest.fixture
def jobs(app: APIFlask) -> JobService:
    """The application's jobs, with kinds that draw: `short` for a moment, `long` until it is ended."""
    service: JobService = app.extensions["services"].jobs
    service.register(JobKind("short", "sample", drawing(20)))
    service.register(JobKind("long", "sample", drawing(LONG)))
    service.register(JobKind("missing", "no_such_program", drawing(1)))
    return service


def reached(client: FlaskClient, job_id: int, check: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    until = time.monotonic() + 180
    while not check(body := client.get(f"/api/jobs/{job_id}").get_json()):
        assert time.monotonic() < until, body
        time.sleep(0.02)
    return body


def under_way(client: FlaskClient, job_id: int) -> dict[str, Any]:
    """The job once its child has reported progress."""
    return reached(client, job_id, lambda body: body["progress"]["done"] > 0)


def submit(app: APIFlask, jobs: JobService, kind: str, **params: Any) -> int:
    with app.app_context():
        return jobs.submit(kind, params).id


def pid_of(jobs: JobService) -> int:
    (pid, _started, _directory), *rest = find_children(jobs.root)
    assert not rest, "one child a job"
    return pid


def runs(pid: int) -> bool:
    """Whether the process is running; a zombie that was not reaped is not."""
    return start_time(pid) is not None


def test_all_waiters_of_a_job_learn_of_its_end(app: APIFlask, jobs: JobService) -> None:
    """One that reads the ended row before the others are notified notifies them."""
    jobs.scheduler.close()
    job_id = submit(app, jobs, "short")

    def wait() -> None:
        with app.app_context():
            jobs.wait(job_id, None)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    until = time.monotonic() + 180
    while job_id not in jobs.news._news:
        assert time.monotonic() < until
        time.sleep(0.02)
    with app.app_context():
        with writing() as session:
            change(session.get_one(Job, job_id), JobStatus.CANCELLED)
        assert jobs.wait(job_id, None).status == JobStatus.CANCELLED
    waiting.join(60)
    assert not waiting.is_alive()


def test_a_job_to_its_end(app: APIFlask, client: FlaskClient, jobs: JobService) -> None:
    job_id = submit(app, jobs, "short")
    with app.app_context():
        job = jobs.wait(job_id, 60)
        assert (job.status, job.attempt) == (JobStatus.COMPLETED, 1)
        token = job.token
    body = client.get(f"/api/jobs/{job_id}").get_json()
    assert body["progress"] == body["progress"] | {"done": 21, "total": 21, "percent": 100.0}
    assert body["started_at"] <= body["ended_at"]
    assert (body["error"], body["runner"], body["stop_requested"]) == (None, None, False)
    assert body["result"]["output"].endswith("sample.zip")
    assert not (jobs.root / token).exists(), "nothing is left of it"


def test_a_job_is_stopped(app: APIFlask, client: FlaskClient, jobs: JobService) -> None:
    job_id = submit(app, jobs, "long")
    body = reached(client, job_id, lambda body: body["progress"]["eta"] is not None)  # once its pace is measured
    assert body["status"] == "running"
    assert body["progress"]["eta"] > 0
    assert 0 <= body["progress"]["percent"] < 100
    pid = pid_of(jobs)
    answer = client.post(f"/api/jobs/{job_id}/stop")
    assert (answer.status_code, answer.get_json()["status"]) == (202, "running")
    body = reached(client, job_id, lambda body: body["status"] != "running")
    assert (body["status"], body["error"], body["result"]) == ("cancelled", None, None)
    assert not runs(pid)
    again = client.post(f"/api/jobs/{job_id}/stop")
    assert (again.status_code, again.get_json()["current"]) == (409, "cancelled")


def test_one_that_waits_is_cancelled_at_once(app: APIFlask, client: FlaskClient, jobs: JobService) -> None:
    running, waiting = submit(app, jobs, "long", number=1), submit(app, jobs, "long", number=2)
    under_way(client, running)
    assert client.get(f"/api/jobs/{waiting}").get_json()["status"] == "pending", "one of this kind at once"
    assert client.post(f"/api/jobs/{waiting}/stop").get_json()["status"] == "cancelled"
    client.post(f"/api/jobs/{running}/stop")
    reached(client, running, lambda body: body["status"] == "cancelled")
    assert client.get(f"/api/jobs/{waiting}").get_json()["attempt"] == 0, "it never started"


def test_the_same_request_is_one_job(app: APIFlask, client: FlaskClient, jobs: JobService) -> None:
    first = submit(app, jobs, "long", format="coco")
    assert submit(app, jobs, "long", format="coco") == first
    assert submit(app, jobs, "long", format="voc") != first
    for body in client.get("/api/jobs?kind=long").get_json()["jobs"]:
        client.post(f"/api/jobs/{body['id']}/stop")
    reached(client, first, lambda body: body["status"] == "cancelled")
    assert submit(app, jobs, "short", format="coco") != first


def test_a_killed_child_begins_again_once(app: APIFlask, client: FlaskClient, jobs: JobService) -> None:
    job_id = submit(app, jobs, "long")
    under_way(client, job_id)
    os.kill(pid_of(jobs), signal.SIGKILL)
    reached(client, job_id, lambda body: body["attempt"] == 2 and body["progress"]["done"])
    os.kill(pid_of(jobs), signal.SIGKILL)
    body = reached(client, job_id, lambda body: body["status"] != "running")
    assert (body["status"], body["error"]["code"], body["attempt"]) == ("failed", "killed", 2)
    english = client.get(f"/api/jobs/{job_id}", headers={"Accept-Language": "en"}).get_json()
    assert english["error"]["message"] == "The process was killed externally. Try again."


def test_a_replaced_program_is_reported_as_such(app: APIFlask, client: FlaskClient, jobs: JobService) -> None:
    """An upgrade replaced it while the child was running: it is restarted once, and not reported as a crash."""
    job_id = submit(app, jobs, "missing")
    body = reached(client, job_id, lambda body: body["status"] == "failed")
    assert (body["error"]["code"], body["attempt"]) == ("program_changed", 2)
    english = client.get(f"/api/jobs/{job_id}", headers={"Accept-Language": "en"}).get_json()
    assert "Restart the server" in english["error"]["message"]
    with app.app_context():
        assert "no_such_program" in db.session.get_one(Row, job_id).error["message"]


def test_a_clock_that_jumps_ends_nothing(
    app: APIFlask, client: FlaskClient, jobs: JobService, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submit(app, jobs, "long")
    count = under_way(client, job_id)["progress"]["done"]
    wrong = time.time() + 86_400
    monkeypatch.setattr(time, "time", lambda: wrong)
    body = reached(client, job_id, lambda body: body["progress"]["done"] > count + 200)
    assert (body["status"], body["attempt"]) == ("running", 1)
    client.post(f"/api/jobs/{job_id}/stop")
    reached(client, job_id, lambda body: body["status"] == "cancelled")


def test_a_run_that_lost_its_job_changes_nothing(app: APIFlask, client: FlaskClient, jobs: JobService) -> None:
    """Fencing: another attempt has the job, so this one ends without changes."""
    job_id = submit(app, jobs, "long")
    under_way(client, job_id)
    pid = pid_of(jobs)
    with app.app_context(), writing() as session:
        row = session.get_one(Row, job_id)
        change(row, JobStatus.PENDING)
        change(row, JobStatus.RUNNING)
    os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 180
    while list(find_children(jobs.root)) and time.monotonic() < until:
        time.sleep(0.05)
    body = client.get(f"/api/jobs/{job_id}").get_json()
    assert (body["status"], body["attempt"], body["error"]) == ("running", 2, None)
    with app.app_context(), writing() as session:
        change(session.get_one(Row, job_id), JobStatus.CANCELLED)


def test_the_list(app: APIFlask, client: FlaskClient, jobs: JobService) -> None:
    ids = [submit(app, jobs, "short", number=number) for number in range(3)]
    for job_id in ids:
        reached(client, job_id, lambda body: body["status"] == "completed")
    page = client.get("/api/jobs?per_page=2").get_json()
    assert ([job["id"] for job in page["jobs"]], page["total"], page["pages"]) == (ids[:0:-1], 3, 2)
    assert client.get("/api/jobs?status=running").get_json()["jobs"] == []
    assert client.get("/api/jobs?kind=short&status=completed").get_json()["total"] == 3
    assert client.get("/api/jobs?status=unknown").status_code == 422
    assert client.get("/api/jobs/99999").status_code == 404
    assert client.post("/api/jobs/99999/stop").status_code == 404


def test_restart(app: APIFlask, client: FlaskClient, jobs: JobService) -> None:
    """After an earlier server: running jobs are followed, those that no request is waiting for have failed, orphans
    end.
    """
    jobs.register(JobKind("waited_for", "sample", drawing(LONG), lasts=False))
    followed, waited = submit(app, jobs, "long"), submit(app, jobs, "waited_for")
    for job_id in (followed, waited):
        under_way(client, job_id)
    pids = {directory.parent.name: pid for pid, _started, directory in find_children(jobs.root)}
    with app.app_context():
        tokens = {job_id: db.session.get_one(Row, job_id).token for job_id in (followed, waited)}
        (jobs.root / "leftover").mkdir()
        assert restart.take_over(jobs.kinds, jobs.root) == [(followed, 1)]
    assert not (jobs.root / "leftover").exists()
    assert runs(pids[tokens[followed]])
    body = client.get(f"/api/jobs/{waited}").get_json()
    assert (body["status"], body["error"]["code"]) == ("failed", "interrupted")
    until = time.monotonic() + 180
    while runs(pids[tokens[waited]]):
        assert time.monotonic() < until, "a child without an owner is left"
        time.sleep(0.02)
    client.post(f"/api/jobs/{followed}/stop")
    reached(client, followed, lambda body: body["status"] == "cancelled")


def test_work_displaces_a_measurement_and_waits_for_work(app: APIFlask, client: FlaskClient, jobs: JobService) -> None:
    for name, use in (("measure", Use.MEASURE), ("work", Use.WORK)):
        jobs.register(JobKind(name, "sample", drawing(LONG), at_once=2, use=use))
    measured = submit(app, jobs, "measure", number=1)
    assert under_way(client, measured)["device"] == "cpu"
    second = submit(app, jobs, "measure", number=2)
    work, next_one = submit(app, jobs, "work", number=1), submit(app, jobs, "work", number=2)
    body = reached(client, measured, lambda body: body["status"] != "running")
    assert (body["status"], body["error"]["code"]) == ("failed", "device_taken")
    under_way(client, work)
    for waiting in (second, next_one):
        assert client.get(f"/api/jobs/{waiting}").get_json()["attempt"] == 0
        client.post(f"/api/jobs/{waiting}/stop")
    with app.app_context():
        assert [item.job_id for item in jobs.devices.read()] == [work]
    client.post(f"/api/jobs/{work}/stop")
    reached(client, work, lambda body: body["status"] == "cancelled")
    until = time.monotonic() + 180
    with app.app_context():
        while jobs.devices.read():  # until its process is gone, too
            assert time.monotonic() < until
            time.sleep(0.05)


def test_a_displaced_job_restarts_when_its_device_is_free(app: APIFlask, client: FlaskClient, jobs: JobService) -> None:
    jobs.register(JobKind("spare", "sample", drawing(LONG), use=Use.SPARE, again=lambda job, _failure: job.params))
    jobs.register(JobKind("work", "sample", drawing(LONG), use=Use.WORK))
    spare = submit(app, jobs, "spare")
    assert under_way(client, spare)["device"] == "cpu"
    work = submit(app, jobs, "work")
    under_way(client, work)
    body = reached(client, spare, lambda body: body["status"] == "pending")
    assert (body["attempt"], body["error"], body["stop_requested"], body["device"]) == (1, None, False, None)
    with app.app_context():
        row = db.session.get_one(Row, spare)
        assert (row.restarts, list((jobs.root / row.token).iterdir())) == (0, []), "a loss counts, giving way does not"
    client.post(f"/api/jobs/{work}/stop")
    assert under_way(client, spare)["attempt"] == 2
    client.post(f"/api/jobs/{spare}/stop")
    reached(client, spare, lambda body: body["status"] == "cancelled")


def test_plan() -> None:
    kinds = Kinds()
    for name, at_once in (("a", 1), ("b", 2)):
        kinds.register(JobKind(name, "sample", drawing(1), at_once=at_once, slow=lambda params: bool(params)))
    time = datetime.now(UTC)
    later, names = time + timedelta(seconds=1), ["a", "b", "b", "b", "a", "unknown"]
    rest = {"not_before": None, "subject_type": None, "subject_id": None, "params": {}}
    queue = [SimpleNamespace(id=number, kind=name, **rest) for number, name in enumerate(names)]

    def chosen(running: list[Lane]) -> list[int]:
        return list(Planner(kinds, running, Plan(Pool(), [])).plan(queue, time).chosen)

    assert chosen([]) == [0, 1, 2]
    assert chosen([Lane("a"), Lane("b")]) == [1]
    assert chosen([Lane("a", slow=True), Lane("b", slow=True)]) == [0, 1, 2], "those in the slow lane keep nobody"
    queue[2].params = queue[3].params = {"slow": True}
    assert chosen([Lane("b"), Lane("b")]) == [0, 2], "and are one at a time"
    queue[2].params = queue[3].params = {}
    queue[0].not_before = later
    assert chosen([]) == [1, 2, 4], "who waits for the clock keeps nobody"


def test_what_each_waits_for() -> None:
    kinds = Kinds()
    kinds.register(JobKind("train", "train", drawing(1), at_once=99, use=Use.WORK, disk=True))
    time = datetime.now(UTC)
    devices = ["auto", "1", "0", "0", "2", "cpu", "1"]
    rows = {"kind": "train", "not_before": None, "subject_type": "thing"}
    queue = [
        SimpleNamespace(id=n, subject_id=10 * n, params={"device": device}, **rows)
        for n, device in enumerate(devices, 1)
    ]
    queue[0].not_before = time + timedelta(hours=1)
    holding = Holding(9, Use.WORK, ("0",), ("thing", 90))

    def planned(**more: Any) -> QueuePlan:
        return Planner(kinds, [], Plan(Pool(("4", "0")), [holding]), **more).plan(queue, time)

    plan = planned(space=DiskSpace(2, 1))
    assert plan.chosen == {3: ("4",), 6: ("cpu",)}
    assert plan.reasons[1]["code"] == "schedule"
    assert plan.reasons[2] == {"code": "device", "job_id": 9, "type": "thing", "id": 90}
    assert plan.reasons[4] == {"code": "device", "job_id": 3, "type": "thing", "id": 30}
    assert plan.reasons[5] == {"code": "missing_device", "device": "2"}
    assert plan.reasons[7] == {"code": "turn", "ahead": 1}
    assert planned(space=DiskSpace(1, 2)).chosen == {}, "no space"
    assert planned(leaving={3}).chosen == {6: ("cpu",)}, "its last process has not gone yet, and it keeps its turn"


def test_a_closed_server_leaves_its_jobs_to_the_next(app: APIFlask, client: FlaskClient, jobs: JobService) -> None:
    """While the database is unavailable its supervisors wait for it, but not forever: earlier, one polled it each
    second for as long as the process lived.
    """
    job_id = submit(app, jobs, "long")
    under_way(client, job_id)
    pid = pid_of(jobs)
    file = Path(app.config["SQLALCHEMY_DATABASE_URI"].removeprefix("sqlite:///"))
    file.rename(file.with_suffix(".away"))
    try:
        app.extensions["services"].close()
        until = time.monotonic() + 180
        while jobs.scheduler.running:
            with app.app_context():
                db.engine.dispose()  # an open connection does not notice
            assert time.monotonic() < until
            time.sleep(0.05)
        assert runs(pid), "its work is not lost"
    finally:
        file.with_suffix(".away").rename(file)
        os.killpg(pid, signal.SIGKILL)
