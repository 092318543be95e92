"""A claimed job is supervised, and resources still used by a process are not given to others: in the test's process,
without children.
"""

import pytest
from apiflask import APIFlask
from sqlalchemy import select

from app.database import writing
from app.extensions import db
from app.jobs import Job, JobService, unwatched
from app.jobs.devices import Pool
from app.jobs.supervise import Supervisor
from app.jobs.supervisor_context import SupervisorContext
from app.models import Training, TrainingStatus
from app.services.trainer.transitions import change
from tests.services.runs import claim, create_training, release, row_of, service


class Runner:
    """Starts nothing, but records what it should have started; fails a given number of times first."""

    def __init__(self, failures: int = 0) -> None:
        self.begun: list[tuple[int, bool]] = []
        self.failures = failures

    def start(self, job_id: int, attempt: int, follows: bool = False) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("can't start new thread")
        self.begun.append((attempt, follows))


@pytest.fixture
def jobs(idle_app: APIFlask) -> JobService:
    service: JobService = idle_app.extensions["services"].jobs
    service.runner = Runner()
    return service


def waiting(app: APIFlask, jobs: JobService, runner: Runner) -> int:
    """A pending training in the queue of this runner."""
    jobs.scheduler.runner = runner
    training_id = create_training(app, "pending")
    with app.app_context():
        service(app).reconcile()
    return training_id


def play_round(app: APIFlask, jobs: JobService) -> None:
    with app.app_context():
        jobs.scheduler.round()


def supervised(app: APIFlask, jobs: JobService, training_id: int) -> int:
    """Its job has a running supervisor with a process; the job's id."""
    with app.app_context():
        job = db.session.scalars(select(Job).where(Job.subject_id == training_id).order_by(Job.id.desc())).first()
        assert job is not None
        supervisor = Supervisor(SupervisorContext(jobs.kinds, jobs.live, jobs.root, jobs.announce), job.id, job.attempt)
        supervisor.kind, supervisor.subject = jobs.kinds[job.kind], ("training", training_id)
        supervisor.devices, supervisor.loaded = tuple(job.devices or ()), True
        jobs.scheduler.running[job.id] = supervisor
        return job.id


def test_nobody_hears_of_it_and_it_begins_all_the_same(
    idle_app: APIFlask, jobs: JobService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_messages: object) -> None:
        raise OSError("nobody is there")

    runner = Runner()
    training_id = waiting(idle_app, jobs, runner)
    monkeypatch.setattr(service(idle_app).feed, "send", fail)
    play_round(idle_app, jobs)
    assert runner.begun == [(1, False)]
    assert row_of(idle_app, training_id).status == "running"


def test_an_unsupervised_running_row_is_adopted(
    idle_app: APIFlask, jobs: JobService, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = Runner(failures=1)
    waiting(idle_app, jobs, runner)
    play_round(idle_app, jobs)
    assert (runner.begun, jobs.scheduler.running) == ([], {}), "nothing claims to watch it"
    play_round(idle_app, jobs)
    assert runner.begun == [], "not at once: it may be about to begin"
    monkeypatch.setattr(unwatched, "UNWATCHED_S", 0.0)
    play_round(idle_app, jobs)
    assert runner.begun == [(1, True)], "the attempt that was claimed"
    play_round(idle_app, jobs)
    assert runner.begun == [(1, True)], "once"


def test_a_device_is_claimed_until_its_process_ends(idle_app: APIFlask, jobs: JobService) -> None:
    first, second = create_training(idle_app, "pending"), create_training(idle_app, "pending")
    assert claim(idle_app) == [first]
    job_id = supervised(idle_app, jobs, first)
    release(idle_app, first)
    assert claim(idle_app) == [], "its end is committed, and it still has its memory"
    assert row_of(idle_app, second).waiting_for == {"code": "device", "training_id": first}
    jobs.scheduler.running.pop(job_id)
    assert claim(idle_app) == [second]


def test_a_running_job_counts_once(idle_app: APIFlask, jobs: JobService) -> None:
    jobs.devices.pool = Pool(("0",), slots=2)
    first, second = (create_training(idle_app, "pending", params={"device": "auto"}) for _ in range(2))
    assert claim(idle_app)[0] == first
    supervised(idle_app, jobs, first)
    with idle_app.app_context():
        assert len(jobs.devices.read()) == 2, (first, second)


def test_one_folder_has_one_process(idle_app: APIFlask, jobs: JobService) -> None:
    """Another job of the same training waits for the process of the last one, although another GPU is free."""
    jobs.devices.pool = Pool(("0", "1"))
    training_id = create_training(idle_app, "pending", params={"device": "auto"})
    runner = jobs.scheduler.runner = Runner()
    assert claim(idle_app) == [training_id]
    job_id = supervised(idle_app, jobs, training_id)
    with idle_app.app_context(), writing() as session:
        row = session.get_one(Training, training_id)
        change(row, TrainingStatus.COMPLETED)
        change(row, TrainingStatus.PENDING)
    play_round(idle_app, jobs)
    assert runner.begun == []
    assert row_of(idle_app, training_id).waiting_for == {"code": "turn", "ahead": 0}
    jobs.scheduler.running.pop(job_id)
    play_round(idle_app, jobs)
    assert runner.begun == [(2, False)]


def test_a_row_that_cannot_be_claimed_stops_nobody(idle_app: APIFlask, jobs: JobService) -> None:
    """Its training was removed by hand; the jobs behind it in the queue run."""
    runner = Runner()
    training_id = waiting(idle_app, jobs, runner)
    jobs.devices.pool = Pool(("0", "1"))
    with idle_app.app_context(), writing() as session:
        broken = Job(kind="training", subject_type="training", subject_id=999, params={"device": "0"}, priority=9)
        session.add(broken)
        session.flush()
        broken_id = broken.id
    play_round(idle_app, jobs)
    assert row_of(idle_app, training_id).status == "running"
    assert runner.begun == [(1, False)]
    with idle_app.app_context():
        row = db.session.get_one(Job, broken_id)
        assert (row.status, row.devices, (row.error or {}).get("code")) == ("failed", None, "code")


def test_what_fails_before_a_round_stops_nobody(idle_app: APIFlask, jobs: JobService) -> None:
    def fail(_space: object) -> None:
        raise OSError("no such disk")

    runner = Runner()
    waiting(idle_app, jobs, runner)
    jobs.scheduler.before_round.insert(0, fail)
    play_round(idle_app, jobs)
    assert runner.begun == [(1, False)]


def test_waiters_learn_of_an_end_that_could_not_be_announced(
    idle_app: APIFlask, jobs: JobService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_job: Job) -> None:
        raise KeyError("text")

    with idle_app.app_context():
        monkeypatch.setattr(jobs.live, "publish", fail)
        job_id = jobs.submit("hash_revision", {}).id
        jobs.stop(job_id)
        assert jobs.wait(job_id, 0).status == "cancelled"
