"""A server of the previous version, killed while it trained: this one follows its trainings, and continues
its queue.
"""

from pathlib import Path

import pytest
from apiflask import APIFlask
from sqlalchemy import select

from app import create_app
from app.extensions import db
from app.jobs import Job
from scripts.local_server import settings_for
from tests.conftest import close_app
from tests.services.runs import RUN, FakeWorker, create_training, wait, write_events

BEFORE = "0006"  # trainings had supervisors of their own, and jobs had no devices


def insert(app: APIFlask) -> tuple[int, int, int]:
    """A running, a pending and a paused one, in the tables of that version."""
    from flask_migrate import downgrade, upgrade

    from app.database import set_up_migrations

    with app.app_context():
        set_up_migrations(app)
        upgrade()
    ids = (
        create_training(app, devices=["cpu"]),
        create_training(app, "pending", priority=7),
        create_training(app, "paused"),
    )
    with app.app_context():
        downgrade(revision=BEFORE)
        db.engine.dispose()
    return ids


@pytest.mark.parametrize("lives", [True, False], ids=["its process lives", "its process ended meanwhile"])
def test_a_running_training_is_followed(tmp_path: Path, lives: bool) -> None:
    settings = settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading")
    training_id, waits, rests = insert(create_app("cli", settings))
    directory = tmp_path / "data" / "models" / str(training_id) / "attempts" / "1"
    write_events(directory, RUN[:6])
    worker = FakeWorker(directory, main="app.worker.train")
    try:
        if not lives:
            write_events(directory, RUN[6:], 7)
            worker.process.kill()
            worker.process.wait()
        app = create_app("web", settings)
        try:
            if lives:
                wait(app, training_id, lambda row: row.current_epoch == 1)
                with app.app_context():
                    job = db.session.scalars(select(Job).where(Job.subject_id == training_id)).one()
                    assert (job.kind, job.status, job.attempt) == ("training", "running", 1)
                write_events(directory, RUN[6:], 7)
            row = wait(app, training_id, lambda row: row.status != "running")
            assert (row.status, row.current_epoch, row.attempt) == ("completed", 3, 1)
            with app.app_context():
                jobs = db.session.execute(select(Job.subject_id, Job.status, Job.priority)).all()
            states = {item.subject_id: (item.status, item.priority) for item in jobs}
            assert states[rests] == ("paused", 0)
            assert states[waits][1] == 7, "its place in the queue"
        finally:
            close_app(app)
    finally:
        worker.process.kill()
        worker.process.wait()
