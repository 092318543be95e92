"""From SQLite into a real PostgreSQL: everything, or nothing."""

import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from apiflask import APIFlask
from sqlalchemy import insert

from app.database import writing
from app.jobs import Job
from app.models import Dataset, Training, TrainingMetric
from app.services.transfer import Migration, TransferError, count_rows
from scripts.local_server import ROOT, settings_for
from scripts.migrate_to_postgres import main
from tests.faults.tools import wait_until
from tests.full_installation import engine_of, fill, installation, rows, used
from tests.postgres import new_database, running_postgres
from tests.services.test_snapshots import maker, restorer, without_runners


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_postgres() as address:
        yield address


@pytest.fixture
def target(server: str, request: pytest.FixtureRequest) -> str:
    """An empty database of the test's own."""
    return new_database(server, f"db_{abs(hash(request.node.name))}")


def command(tmp_path: Path, target: str) -> subprocess.Popen[str]:
    """`make migrate-to-postgres` after its set-up."""
    environment = os.environ | settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading")
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.migrate_to_postgres", target],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def migrate_here(tmp_path: Path, target: str) -> None:
    """The same in this process, without repeating its imports."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings_for(tmp_path).items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["migrate_to_postgres", target])
        main()


def closed(app: APIFlask) -> APIFlask:
    engine_of(app).dispose()
    return app


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_everything_moves_and_ids_go_on(tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = installation(tmp_path)
    fill(source)
    before, file = rows(closed(source)), tmp_path / "instance" / "test.db"
    closed(source)
    untouched = sha256(file)
    migrate_here(tmp_path, target)
    output = capsys.readouterr().out
    assert "Set DATABASE_URL" in output
    assert re.search(r"training_metric +1 rows, compared", output)
    assert sha256(file) == untouched

    moved = installation(tmp_path, DATABASE_URL=target)
    assert rows(moved) == before
    assert all(before.values()), "every table had a row"
    with moved.app_context():
        assert moved.extensions["installation"].examined() is None, "the data folder is still this database's"
        with writing() as session:
            added: list[Any] = [Dataset(name="next"), Job(kind="next")]
            session.add_all(added)
            session.flush()
            assert (added[0].id, added[1].id) == (3, 2), "2 was the highest that was given"
    closed(moved)

    with pytest.raises(SystemExit, match=r"The target database is not empty: .*dataset \(2\)"):
        migrate_here(tmp_path, target)


@pytest.mark.parametrize(
    ("values", "message"),
    [({"name": "x" * 101}, "too long"), ({"name": "a\0b"}, "NUL"), ({"priority": 2**40}, "range")],
)
def test_a_row_that_is_not_accepted_is_named(tmp_path: Path, server: str, values: dict[str, Any], message: str) -> None:
    target = new_database(server, f"refused_{message.split()[0].lower()}")
    source, target_app = installation(tmp_path), installation(tmp_path / "other", DATABASE_URL=target)
    with source.app_context(), writing() as session:
        session.add(Dataset(id=5, name="first"))
        row: Any = (
            Training(id=7, name="fine", dataset_id=5, model_version="n")
            if "priority" in values
            else Dataset(id=7, name="fine")
        )
        session.add(row)
        session.flush()
        session.execute(type(row).__table__.update().where(type(row).__table__.c.id == 7), values)
    migration = Migration(engine_of(source), engine_of(target_app))
    with pytest.raises(TransferError, match=rf"(?s)the row id=7 is not accepted: .*{message}"):
        migration.run()
    with engine_of(target_app).connect() as connection:
        assert not any(count_rows(connection).values())
    closed(target_app)


def test_killed_in_the_middle_it_begins_anew(tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = installation(tmp_path)
    fill(source)
    more = [{"training_id": 1, "epoch": epoch, "loss": 0.1} for epoch in range(3, 40_003)]
    with engine_of(source).begin() as connection:
        connection.execute(insert(TrainingMetric), more)
    closed(source)
    process = command(tmp_path, target)
    with psycopg.connect(target, autocommit=True) as watcher:

        def copying() -> bool:
            query = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'INSERT INTO training_metric%'"
            assert process.poll() is None, process.stdout and process.stdout.read()
            return watcher.execute(query).fetchone() is not None

        wait_until(copying, 120, "the metrics are copied", 0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        is_alone = "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()"
        wait_until(lambda: watcher.execute(is_alone).fetchone() == (True,), 60, "its connection is gone")
        for name in rows(source):
            assert watcher.execute(f"SELECT count(*) FROM {name}").fetchone() == (0,), name  # type: ignore[call-overload]
    closed(source)
    migrate_here(tmp_path, target)
    assert "40001 rows, compared" in capsys.readouterr().out


def test_not_while_a_server_uses_it(tmp_path: Path, target: str) -> None:
    closed(installation(tmp_path))
    with used(tmp_path / "instance" / "test.db"), pytest.raises(SystemExit, match="Stop it, and run this again"):
        migrate_here(tmp_path, target)


def test_a_differing_copy_is_discarded(tmp_path: Path, target: str) -> None:
    """What PostgreSQL stores is read back: here a trigger changes it."""
    source, target_app = installation(tmp_path), installation(tmp_path / "other", DATABASE_URL=target)
    fill(source)
    with engine_of(target_app).begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION other() RETURNS trigger AS $$ BEGIN NEW.loss := 9; RETURN NEW; END $$ LANGUAGE plpgsql"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER t BEFORE INSERT ON training_metric FOR EACH ROW EXECUTE FUNCTION other()"
        )
    with pytest.raises(TransferError, match="Table training_metric: the row id=1 differs"):
        Migration(engine_of(source), engine_of(target_app)).run()
    with engine_of(target_app).connect() as connection:
        assert not any(count_rows(connection).values())
    closed(target_app)


def test_a_backup_of_postgresql_and_back(tmp_path: Path, server: str) -> None:
    """A backup of PostgreSQL is restored into PostgreSQL, and into SQLite."""
    app = installation(tmp_path / "a", DATABASE_URL=new_database(server, "a"))
    fill(app)
    folder = maker(app).create(tmp_path / "backups")
    for name, changes in (("b", {"DATABASE_URL": new_database(server, "b")}), ("c", {})):
        target = installation(tmp_path / name, **changes)
        restorer(target).restore(folder)
        assert without_runners(rows(target)) == without_runners(rows(app))
        with target.app_context():
            assert target.extensions["installation"].examined() is None
            with writing() as session:
                session.add(row := Job(kind="next"))
                session.flush()
                assert row.id == 2
        engine_of(target).dispose()
    engine_of(app).dispose()
