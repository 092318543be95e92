"""The tables: the specification's columns, the migrations, the statuses, and writing from many threads."""

import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from apiflask import APIFlask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app import create_app
from app.database import set_up_migrations, upgrade_if_old, writing
from app.errors import IllegalTransition
from app.extensions import db
from app.models import Checkpoint, Dataset, DatasetStatus, Test, Training, TrainingMetric, TrainingStatus
from app.services.trainer.transitions import CHANGES
from scripts.local_server import settings_for
from tests.postgres import running_postgres

SPECIFICATION = """
CREATE TABLE dataset (
    id INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL, description TEXT, classes TEXT,
    total_images INTEGER DEFAULT 0, train_images INTEGER DEFAULT 0, val_images INTEGER DEFAULT 0,
    test_images INTEGER DEFAULT 0, created_at DATETIME, updated_at DATETIME, path VARCHAR(255),
    status VARCHAR(20) DEFAULT 'pending'
);
CREATE TABLE training (
    id INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL, dataset_id INTEGER REFERENCES dataset(id),
    model_version VARCHAR(10), epochs INTEGER DEFAULT 100, batch_size INTEGER DEFAULT 16,
    img_size INTEGER DEFAULT 640, learning_rate FLOAT DEFAULT 0.01, status VARCHAR(20),
    current_epoch INTEGER DEFAULT 0, total_epochs INTEGER, start_time DATETIME, end_time DATETIME,
    model_path VARCHAR(255), config_path VARCHAR(255), log_path VARCHAR(255), created_at DATETIME, updated_at DATETIME
);
CREATE TABLE training_metric (
    id INTEGER PRIMARY KEY, training_id INTEGER REFERENCES training(id), epoch INTEGER, loss FLOAT, precision FLOAT,
    recall FLOAT, map50 FLOAT, map95 FLOAT, val_loss FLOAT, learning_rate FLOAT, timestamp DATETIME
);
CREATE TABLE checkpoint (
    id INTEGER PRIMARY KEY, training_id INTEGER REFERENCES training(id), epoch INTEGER, model_path VARCHAR(255),
    metrics TEXT, is_best BOOLEAN DEFAULT FALSE, created_at DATETIME
);
CREATE TABLE test (
    id INTEGER PRIMARY KEY, training_id INTEGER REFERENCES training(id), image_path VARCHAR(255), results TEXT,
    confidence_threshold FLOAT, iou_threshold FLOAT, inference_time FLOAT, created_at DATETIME
);
"""
TABLES = ("dataset", "training", "training_metric", "checkpoint", "test")


@pytest.fixture
def context(app: APIFlask) -> Iterator[APIFlask]:
    with app.app_context():
        yield app


def new_training(**values: object) -> Training:
    dataset = Dataset(name="d")
    return Training(name="t", dataset=dataset, model_version="n", **values)


def columns(rows: list[tuple]) -> dict[str, tuple[str, str | None]]:
    """PRAGMA table_info as name: (type, default), in a normalized form."""
    numeric_defaults = {"FALSE": "0"}
    return {
        name: (kind, numeric_defaults.get(default.strip("'"), default.strip("'")) if default else None)
        for _, name, kind, _, default, _ in rows
    }


@pytest.mark.parametrize("table", TABLES)
def test_the_migrated_table_has_the_specified_columns(context: APIFlask, table: str) -> None:
    with sqlite3.connect(":memory:") as specified:
        specified.executescript(SPECIFICATION)
        expected = columns(specified.execute(f"PRAGMA table_info({table})").fetchall())
        foreign = {row[2:5] for row in specified.execute(f"PRAGMA foreign_key_list({table})")}
    with db.engine.connect() as connection:
        ours = columns([tuple(row) for row in connection.exec_driver_sql(f"PRAGMA table_info({table})")])
        keys = {tuple(row[2:5]) for row in connection.exec_driver_sql(f"PRAGMA foreign_key_list({table})")}
    ours = {name: (re.sub(r"FLOAT\(\d+\)", "FLOAT", kind), default) for name, (kind, default) in ours.items()}
    assert {name: ours.get(name) for name in expected} == expected
    assert keys == foreign


def differences() -> list:
    with db.engine.connect() as connection:
        migration = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(migration, db.metadata)


def test_the_migrations_match_the_models(context: APIFlask) -> None:
    assert differences() == []
    with db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE dataset ADD COLUMN stray INTEGER")
    assert differences()


def test_migrating_down_and_up_again(context: APIFlask) -> None:
    from flask_migrate import downgrade

    set_up_migrations(context)
    downgrade(revision="base")
    with db.engine.connect() as connection:
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
    assert tables in (["alembic_version"], ["alembic_version", "sqlite_sequence"])
    upgrade_if_old(context)
    assert differences() == []


LEGAL = {
    ("pending", "validating"),
    ("pending", "invalid"),
    ("validating", "valid"),
    ("validating", "invalid"),
    ("valid", "validating"),
    ("invalid", "validating"),
}


def test_only_legal_status_changes_are_accepted(context: APIFlask) -> None:
    for current in DatasetStatus:
        for target in DatasetStatus:
            row = Dataset(name="d", status=current.value)  # as it comes from the database
            if (current.value, target.value) in LEGAL:
                row.become(target)
                assert row.status == target
            else:
                with pytest.raises(IllegalTransition):
                    row.become(target)
                assert row.status == current


def test_a_training_that_has_ended_only_goes_back_to_the_queue() -> None:
    assert {after for before, after in CHANGES if before.ended} == {TrainingStatus.PENDING}


def test_an_sqlite_connection_is_prepared(context: APIFlask) -> None:
    with db.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() >= 3000
    with pytest.raises(IntegrityError), writing() as session:
        session.add(Training(name="t", dataset_id=12345, model_version="n"))


def test_rows_of_a_training_are_deleted_with_it(context: APIFlask) -> None:
    with writing() as session:
        training = new_training()
        training.metrics.append(TrainingMetric(epoch=1, loss=1.5))
        training.checkpoints.append(Checkpoint(epoch=1, model_path="run/weights/best.pt"))
        training.tests.append(Test(confidence_threshold=0.5, iou_threshold=0.5))
        session.add(training)
    with writing() as session:
        session.execute(text("DELETE FROM training"))  # by the database itself, not by the ORM
    for model in (TrainingMetric, Checkpoint, Test):
        assert db.session.query(model).count() == 0
    assert db.session.query(Dataset).count() == 1


def test_an_epoch_is_recorded_once(context: APIFlask) -> None:
    with writing() as session:
        session.add(new_training(id=1))
    for _ in range(2):
        try:
            with writing() as session:
                session.add(TrainingMetric(training_id=1, epoch=1))
        except IntegrityError:
            break
    else:
        pytest.fail("the same epoch was recorded twice")
    assert db.session.query(TrainingMetric).count() == 1


def test_an_exception_rolls_back_the_transaction(context: APIFlask) -> None:
    def write_and_fail() -> None:
        with writing() as session:
            session.add(Dataset(name="first"))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert db.session.query(Dataset).count() == 0
    with writing() as session:  # and the next one is not affected
        session.add(Dataset(name="second"))
    assert db.session.query(Dataset).count() == 1


def test_eight_threads_write_without_a_lost_update(app: APIFlask) -> None:
    with app.app_context(), writing() as session:
        session.add(Dataset(id=1, name="counted"))
    errors: list[BaseException] = []

    def add() -> None:
        try:
            with app.app_context():
                for _ in range(50):
                    with writing() as session:
                        session.get(Dataset, 1).total_images += 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with app.app_context():
        assert db.session.get(Dataset, 1).total_images == 400


@pytest.fixture
def postgres() -> Iterator[str]:
    """A temporary PostgreSQL server on a free loopback port; its address."""
    with running_postgres() as address:
        yield address


def test_postgresql_gets_the_same_tables(tmp_path: Path, postgres: str) -> None:
    settings = settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading", DATABASE_URL=postgres)
    app = create_app("cli", settings)
    upgrade_if_old(app)
    upgrade_if_old(app)  # it detects that there is nothing to do
    with app.app_context():
        assert differences() == []
        with writing() as session:
            session.add(new_training(notes=[{"code": "ação"}]))
        assert db.session.query(Training).one().notes == [{"code": "ação"}]
        pid = db.session.execute(text("SELECT pg_backend_pid()")).scalar()
        with db.engine.connect() as second:
            assert second.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid}).scalar()
    # A restart in the middle of a request: earlier, the server answered 500, whatever the response had been.
    with app.app_context():
        assert db.session.query(Training).count() == 1
        db.engine.dispose()
