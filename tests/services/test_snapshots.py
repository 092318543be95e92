"""Backups of a whole installation: consistent during use, verified by hash, restored into an empty folder."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from app.config import settings
from app.database import revisions, writing
from app.extensions import db
from app.jobs import Job
from app.models import Dataset
from app.services.snapshots import Manifest, Restorer, SnapshotError, SnapshotMaker, create, verify
from app.services.snapshots.mirror import Mirror
from scripts.local_server import ROOT, settings_for
from scripts.snapshot import main, upgrade
from tests.faults.tools import filled, small_disk
from tests.full_installation import engine_of, fill, installation, rows, tree, used


def maker(app: APIFlask) -> SnapshotMaker:
    config = settings(app)
    kinds = app.extensions["services"].jobs.kinds
    return SnapshotMaker(engine_of(app), kinds, config.DATA_ROOT, config.INSTANCE_PATH / "secret_key", "0")


def restorer(app: APIFlask) -> Restorer:
    config = settings(app)
    return Restorer(engine_of(app), config.DATA_ROOT, config.INSTANCE_PATH / "secret_key", upgrade)


def data_of(app: APIFlask) -> Path:
    return settings(app).DATA_ROOT


def without_runners(tables: dict[str, Any]) -> dict[str, Any]:
    """The processes of jobs are meaningless in another installation."""
    return tables | {"job": [tuple(value for value in row if '"pid"' not in str(value)) for row in tables["job"]]}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[APIFlask, Path]:
    """An installation, and a backup of it that is not changed."""
    folder = tmp_path_factory.mktemp("whole")
    app = installation(folder)
    fill(app)
    return app, maker(app).create(folder / "backups")


@pytest.fixture
def backup(original: tuple[APIFlask, Path], tmp_path: Path) -> Path:
    """A backup of the test's own."""
    return Path(shutil.copytree(original[1], tmp_path / "backup", symlinks=True))


def test_it_comes_back_as_it_was(original: tuple[APIFlask, Path], tmp_path: Path) -> None:
    app, folder = original
    assert list(verify(folder)) == []
    target = installation(tmp_path)
    restorer(target).restore(folder)
    assert without_runners(rows(target)) == without_runners(rows(app))
    assert '"pid": 0' in str(rows(target)["job"]), "no process of the other installation is taken for ours"
    assert tree(data_of(target)) == tree(data_of(app))
    assert (tmp_path / "instance" / "secret_key").read_bytes() == (folder / "secret_key").read_bytes()
    assert not (data_of(target) / "tmp" / "x").exists()
    with target.app_context():
        assert target.extensions["installation"].examined() is None
    with pytest.raises(SnapshotError, match=r"The database is not empty: .*dataset \(1\)"):
        restorer(target).restore(folder)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_damage_is_named_and_nothing_is_restored(backup: Path, tmp_path: Path) -> None:
    names = ["database.sqlite3", "data/models/1/run/weights/best.pt", "data/tests/1/result"]
    for name in names[:2]:
        damage(backup / name)
    (backup / names[2]).unlink()
    assert sorted(verify(backup)) == sorted(names)
    target = installation(tmp_path)
    before = tree(data_of(target))
    with pytest.raises(SnapshotError, match="is damaged; nothing was restored") as caught:
        restorer(target).restore(backup)
    assert all(name in str(caught.value) for name in names)
    assert tree(data_of(target)) == before
    assert not any(rows(target).values())


def test_a_damaged_manifest_is_named(backup: Path, tmp_path: Path) -> None:
    damage(backup / "manifest.json")
    with pytest.raises(SnapshotError, match=r"manifest.json is not what manifest.sha256 says"):
        list(verify(backup))
    with pytest.raises(SnapshotError, match="is not a whole backup"):
        Manifest.read(tmp_path)


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../b"])
def test_no_path_leads_out(backup: Path, path: str) -> None:
    manifest = Manifest.read(backup)
    manifest.links[path] = "x"
    manifest.write(backup)
    with pytest.raises(SnapshotError, match="leads out of the data folder"):
        Manifest.read(backup)


def test_a_backup_of_a_newer_version_is_refused(backup: Path, tmp_path: Path) -> None:
    manifest = Manifest.read(backup)
    manifest.revision = "9999"
    manifest.write(backup)
    with pytest.raises(SnapshotError, match="newer version of the platform"):
        restorer(installation(tmp_path)).restore(backup)


def test_files_in_the_way_are_named(backup: Path, tmp_path: Path) -> None:
    target = installation(tmp_path)
    (data_of(target) / "datasets" / "3").mkdir()
    (data_of(target) / "datasets" / "3" / "mine").write_text("kept")
    with pytest.raises(SnapshotError, match=r"is not empty \(it has datasets/3/mine\)"):
        restorer(target).restore(backup)
    assert (data_of(target) / "datasets" / "3" / "mine").read_text() == "kept"


# Changes during a backup.


def in_first_round(patch: pytest.MonkeyPatch, work: Callable[[], Any]) -> list[int]:
    """Do something between the first copy of the database and that of the files; returns the rounds."""
    rounds: list[int] = []
    update = Mirror.update

    def updated(self: Mirror, is_selected: Callable[[str], bool]) -> None:
        if not rounds:
            work()
        rounds.append(len(rounds) + 1)
        update(self, is_selected)

    patch.setattr(Mirror, "update", updated)
    return rounds


def restored(folder: Path, root: Path) -> APIFlask:
    target = installation(root)
    restorer(target).restore(folder)
    with target.app_context():
        assert target.extensions["installation"].examined() is None
    return target


def test_what_is_deleted_meanwhile_is_in_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = installation(tmp_path / "a")
    fill(app)
    with app.app_context(), writing() as session:
        session.add(Dataset(id=9, name="goes"))
    (data_of(app) / "datasets" / "9").mkdir()
    (data_of(app) / "datasets" / "9" / "image").write_text("x")

    def delete() -> None:
        with app.app_context():
            app.extensions["services"].datasets.delete(9)

    rounds = in_first_round(monkeypatch, delete)
    target = restored(maker(app).create(tmp_path / "backups"), tmp_path / "b")
    assert rounds == [1, 2]
    assert [row[0] for row in rows(target)["dataset"]] == [1]
    assert not (data_of(target) / "datasets" / "9").exists()


def test_a_database_in_the_data_folder_is_no_file_of_it(tmp_path: Path) -> None:
    """A copy of it as a file would be torn; and its new, empty file must not prevent a restore."""
    for name in ("a", "b"):
        (tmp_path / name / "data" / "db").mkdir(parents=True)
    app = installation(tmp_path / "a", DATABASE_URL=f"sqlite:///{tmp_path}/a/data/db/yolo.db")
    fill(app)
    folder = maker(app).create(tmp_path / "backups")
    assert not [item.path for item in Manifest.read(folder).files if item.path.startswith("db/")]
    target = installation(tmp_path / "b", DATABASE_URL=f"sqlite:///{tmp_path}/b/data/db/yolo.db")
    restorer(target).restore(folder)
    assert without_runners(rows(target)) == without_runners(rows(app))


def test_later_changes_are_excluded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dataset, a revision and an attempt of after the moment: their rows are in the next backup."""
    app = installation(tmp_path / "a")
    fill(app)
    data = data_of(app)

    def add() -> None:
        with app.app_context(), writing() as session:
            session.add(Dataset(name="later"))
        for name in ("datasets/2/x", "datasets/1/revisions/2/dataset.yaml", "models/1/attempts/2/events.jsonl"):
            (data / name).parent.mkdir(parents=True)
            (data / name).write_text("later")

    rounds = in_first_round(monkeypatch, add)
    target = restored(maker(app).create(tmp_path / "backups"), tmp_path / "b")
    assert rounds == [1]
    assert [row[0] for row in rows(target)["dataset"]] == [1]
    assert not [name for name in tree(data_of(target)) if "/2/" in name]


def test_a_job_that_ends_meanwhile_ends_in_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = installation(tmp_path / "a")
    with app.app_context(), writing() as session:
        session.add(Job(kind="training", subject_type="training", subject_id=1, status="running", attempt=1))

    def end() -> None:
        with app.app_context(), writing() as session:
            session.query(Job).one().status = "completed"

    rounds = in_first_round(monkeypatch, end)
    folder = maker(app).create(tmp_path / "backups")
    assert rounds == [1, 2]
    target = restored(folder, tmp_path / "b")
    with target.app_context():
        assert db.session.query(Job).one().status == "completed"


def test_one_that_never_rests_has_no_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = installation(tmp_path / "a")
    update = Mirror.update

    def updated(self: Mirror, is_selected: Callable[[str], bool]) -> None:
        with app.app_context(), writing() as session:
            session.add(Job(kind="training"))
        update(self, is_selected)

    monkeypatch.setattr(Mirror, "update", updated)
    monkeypatch.setattr(create, "ROUNDS", 3)
    with pytest.raises(SnapshotError, match="Jobs began or ended in every round"):
        maker(app).create(tmp_path / "backups")
    assert os.listdir(tmp_path / "backups") == [".lock"]


def test_a_file_that_changes_while_it_is_copied(tmp_path: Path) -> None:
    """Each round copies what has changed; deleted files are removed, and a file with two names stays intact."""
    source, target = tmp_path / "a", tmp_path / "b"
    source.mkdir()
    (source / "grows").write_text("1")
    (source / "one").write_text("same")
    os.link(source / "one", source / "two")
    mirror = Mirror(source, target)
    mirror.update(lambda _path: True)
    assert (target / "one").stat().st_nlink == 2
    with open(source / "grows", "a") as file:
        file.write("2")
    (source / "one").unlink()
    (source / "new").write_text("x")
    mirror.update(lambda path: path != "new")
    assert {path.name: path.read_text() for path in target.iterdir()} == {"grows": "12", "two": "same"}
    assert sorted(mirror.files) == ["grows", "two"]


def test_events_are_copied_last(tmp_path: Path) -> None:
    """A checkpoint that is written meanwhile has its event in the copy, whatever the order of a folder's entries."""
    source, target = tmp_path / "a", tmp_path / "b"
    models = source / "models/1", source / "models/2"
    for model, names in zip(models, (("checkpoints", "attempts/1"), ("attempts/1", "checkpoints")), strict=True):
        for name in names:
            (model / name).mkdir(parents=True)
        (model / "attempts/1/events.jsonl").write_text("1\n")

    class Slow(Mirror):
        """While it copies a checkpoint, every training has another epoch."""

        def copy(self, path: str, status: os.stat_result) -> bool:
            if path.endswith(".pt"):
                for model in models:
                    with open(model / "attempts/1/events.jsonl", "a") as file:
                        file.write("2\n")
            return super().copy(path, status)

    mirror = Slow(source, target)
    for number in (1, 2):
        for model in models:
            (model / f"checkpoints/epoch-{number}.pt").write_text("weights")
        mirror.update(lambda _path: True)
        for model in models:
            events = model / "attempts/1/events.jsonl"
            assert (target / events.relative_to(source)).read_text() == events.read_text(), f"round {number}"
    assert len(mirror.files) == 6


def test_a_hard_link_whose_first_name_was_replaced(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.mkdir()
    (source / "a").write_text("old")
    os.link(source / "a", source / "kept")
    mirror = Mirror(source, target)
    mirror.update(lambda path: path == "a")
    (source / "new").write_text("another")
    os.replace(source / "new", source / "a")
    mirror.update(lambda path: path == "a")
    os.link(source / "kept", source / "more")
    mirror.update(lambda _path: True)
    assert {path.name: path.read_text() for path in target.iterdir()} == {"a": "another", "kept": "old", "more": "old"}


# Failures.

FULL = r"No space left|database or disk is full"


def test_one_at_a_time_and_leftovers_go(original: tuple[APIFlask, Path], tmp_path: Path) -> None:
    app, _folder = original
    (tmp_path / "left.partial").mkdir()
    (tmp_path / ".0123.partial" / "data").mkdir(parents=True)
    with open(tmp_path / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SnapshotError, match="Another backup is being written"):
            maker(app).create(tmp_path)
    maker(app).create(tmp_path)
    assert sorted(path.name[:5] for path in tmp_path.iterdir()) == [".lock", "left.", "yolo-"]
    with pytest.raises(SnapshotError, match="inside the data folder"):
        maker(app).create(data_of(app) / "backups")


def test_a_full_disk_leaves_nothing(original: tuple[APIFlask, Path], tmp_path: Path) -> None:
    app, _folder = original
    with small_disk(tmp_path / "disk", "2M") as disk:
        with filled(disk, 4096), pytest.raises(SnapshotError, match=r"needs about .* Free some space"):
            maker(app).create(disk)
        space = SnapshotMaker.expect_space
        SnapshotMaker.expect_space = lambda *_: None  # type: ignore[assignment, method-assign]  # it fills up later
        try:
            with filled(disk, 200_000), pytest.raises((OSError, SnapshotError), match=FULL):
                maker(app).create(disk)
        finally:
            SnapshotMaker.expect_space = space  # type: ignore[method-assign]
        assert os.listdir(disk) == [".lock"]


KILLED = """
import os, signal, sys
from tests.full_installation import installation
from tests.services.test_snapshots import restorer
from pathlib import Path
app = installation(Path(sys.argv[1]))
say = lambda text: os.kill(os.getpid(), signal.SIGKILL) if text.startswith(sys.argv[3]) else None
restorer(app).restore(Path(sys.argv[2]), say)
"""


def test_a_restore_that_was_killed_goes_on(original: tuple[APIFlask, Path], backup: Path, tmp_path: Path) -> None:
    """Files without their rows belong to nobody: a server there would be read-only. The same backup completes them."""
    root, environment = tmp_path / "b", os.environ | settings_for(tmp_path / "b")
    command = [sys.executable, "-c", KILLED, str(root), str(backup), "Copying the database"]
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=120)
    assert process.returncode == -signal.SIGKILL, process.stderr
    target = installation(root)
    with target.app_context():
        verdict = target.extensions["installation"].examined()
        assert verdict is not None
        assert verdict.code == "new_database"
    second = maker(original[0]).create(tmp_path / "others")
    with pytest.raises(SnapshotError, match="is not empty"):
        restorer(target).restore(second)
    restorer(target).restore(backup)
    assert tree(data_of(target)) == tree(data_of(original[0]))


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """As `make` calls it, in this process."""
    for name, value in settings_for(tmp_path / "b").items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["snapshot", *arguments])
        main()

    return run


def test_the_commands(
    command: Callable[..., None], backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line with the error, and the exit status 1."""
    with pytest.raises(SystemExit, match="make backup TO=/mnt/backups"):
        command("make")
    file, application = tmp_path / "b" / "instance" / "test.db", installation(tmp_path / "b")
    with used(file, application), pytest.raises(SystemExit, match="Stop it, and run this again"):
        command("restore", str(backup))
    command("restore", str(backup))
    assert "Everything was restored" in capsys.readouterr().out
    command("make", str(tmp_path / "more"))
    assert "The backup is whole" in capsys.readouterr().out
    (folder,) = (tmp_path / "more").glob("yolo-*")
    command("verify", str(folder))
    damage(folder / "data" / "tests" / "1" / "result")
    with pytest.raises(SystemExit, match="is damaged"):
        command("verify", str(folder))
    assert "damaged: data/tests/1/result" in capsys.readouterr().out


def test_a_backup_before_an_upgrade_changes_nothing(command: Callable[..., None], tmp_path: Path) -> None:
    """The new program is installed already, and the old server still works with its own tables."""
    app = installation(tmp_path / "b")
    with engine_of(app).begin() as rows:
        rows.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(SystemExit, match=r"tables 0001, here \d{4}"):
        command("make", str(tmp_path / "more"))
    assert revisions(app)[0] == "0001"
    assert not (tmp_path / "more").exists()
