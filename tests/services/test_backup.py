"""Backups: which runs get one, their completeness, and restoring a training from one."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import select

from app.database import writing
from app.errors import Conflict, NotFound
from app.extensions import db
from app.models import Checkpoint, Dataset, Training, TrainingMetric
from app.services.backup import BackupService
from tests.data import change_settings, checkpoint_bytes, valid_dataset

RANDOM = os.urandom(700_000)


def weights_of(number: int) -> bytes:
    return checkpoint_bytes(RANDOM + str(number).encode())


def service(app: APIFlask) -> BackupService:
    return app.extensions["services"].backups


def trained(app: APIFlask, dataset_id: int, map95: float, name: str = "Cells/../1 é", **columns: Any) -> int:
    """A completed training with weights, and its best epoch's map95."""
    with app.app_context(), writing() as session:
        row = Training(name=name, dataset_id=dataset_id, model_version="n", status="completed", current_epoch=2)
        for key, value in columns.items():
            setattr(row, key, value)
        session.add(row)
        session.flush()
        for epoch, value in ((1, map95), (2, map95 / 2)):
            session.add(TrainingMetric(training_id=row.id, epoch=epoch, map95=value, map50=0.5, loss=1.5))
        session.add(Checkpoint(training_id=row.id, epoch=1, model_path="x", is_best=True))
        number = row.id
    folder = Path(app.config["MODELS_DIR"]) / str(number)
    (folder / "run" / "weights").mkdir(parents=True)
    (folder / "run" / "weights" / "best.pt").write_bytes(weights_of(number))
    (folder / "config.yaml").write_text("seed: 0\n")
    return number


def backed_up(app: APIFlask) -> list[int]:
    with app.app_context():
        backups = service(app)
        for training_id in db.session.scalars(select(Training.id)).all():
            backups.backup_if_due(training_id)
        return [backup.training_id for backup in backups.all()]


@pytest.mark.parametrize(
    ("policy", "expected"), [("best", {2, 3, 4}), ("all", {1, 2, 3, 4}), ("marked", {3}), ("none", set())]
)
def test_who_gets_one(idle_app: APIFlask, policy: str, expected: set[int]) -> None:
    change_settings(idle_app, BACKUP_MODELS=policy)
    one, second = valid_dataset(idle_app), valid_dataset(idle_app)
    trainings = [trained(idle_app, one, 0.3), trained(idle_app, one, 0.6), trained(idle_app, one, 0.1, important=True)]
    trainings.append(trained(idle_app, second, 0.01))
    assert trainings == [1, 2, 3, 4]
    trained(idle_app, one, 0.9, status="failed")
    trained(idle_app, second, 0.9, deleted_at=db_now())
    assert set(backed_up(idle_app)) == expected
    with idle_app.app_context():
        assert set(service(idle_app).all_due()) == expected


def db_now() -> Any:
    from app.models import now

    return now()


def test_a_backup_is_complete_and_created_once(idle_app: APIFlask) -> None:
    number = trained(idle_app, valid_dataset(idle_app), 0.5)
    with idle_app.app_context():
        backups = service(idle_app)
        assert backups.backup_if_due(number)
        (backup,) = backups.all()
        assert backup.folder.name == f"{number}-cells-1"
        assert sorted(path.name for path in backup.folder.iterdir()) == ["best.pt", "config.yaml", "manifest.json"]
        assert (backup.folder / "best.pt").read_bytes() == weights_of(1)
        assert backup.manifest["metrics"]["map95"] == 0.5
        assert backup.manifest["dataset"]["name"] == "Things"
        assert backups.verify() == {backup.folder.name: []}
        assert not backups.backup_if_due(number), "it is there already"

        weights = Path(idle_app.config["MODELS_DIR"]) / str(number) / "run" / "weights" / "best.pt"
        weights.write_bytes(b"better")  # the training was extended
        with writing() as session:
            session.get_one(Training, number).name = "Renamed"
        assert backups.backup_if_due(number)
        assert [path.name for path in backups.root.iterdir()] == [f"{number}-renamed"], "one a training"
        assert (backups.root / f"{number}-renamed" / "best.pt").read_bytes() == b"better"


def test_what_cannot_be_written_leaves_nothing(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    number = trained(idle_app, valid_dataset(idle_app), 0.5)
    with idle_app.app_context():
        backups = service(idle_app)
        with monkeypatch.context() as patch:
            patch.setattr("app.services.backup.damaged", lambda _backup: ["best.pt"])  # the disk returned other bytes
            assert not backups.backup_if_due(number)
        assert list(backups.root.iterdir()) == []
        change_settings(idle_app, DISK_RESERVE=10**18)
        assert not backups.backup_if_due(number)
        assert list(backups.root.iterdir()) == []
        with pytest.raises(NotFound):
            backups.backup(99)


def test_a_run_without_weights_is_a_line_of_the_log(idle_app: APIFlask, caplog: pytest.LogCaptureFixture) -> None:
    number = trained(idle_app, valid_dataset(idle_app), 0.5)
    with idle_app.app_context():
        backups = service(idle_app)
        (backups.storage.training_dir(number) / "run" / "weights" / "best.pt").unlink()
        assert not backups.backup_if_due(number)
    record = next(record for record in caplog.records if record.name == "yolo.backup")
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert f"Training {number} has no best.pt." in record.getMessage()


def test_damage_is_detected(idle_app: APIFlask) -> None:
    number = trained(idle_app, valid_dataset(idle_app), 0.5)
    with idle_app.app_context():
        backups = service(idle_app)
        backup = backups.backup(number)
        flipped = bytearray((backup.folder / "best.pt").read_bytes())
        flipped[1000] ^= 1
        (backup.folder / "best.pt").write_bytes(flipped)
        (backup.folder / "config.yaml").unlink()
        (backups.root / "7-cut-short").mkdir()
        assert backups.verify() == {backup.folder.name: ["best.pt", "config.yaml"], "7-cut-short": ["manifest.json"]}
        with pytest.raises(Conflict, match="damaged"):
            backups.restore(number)


def test_weights_come_back(idle_app: APIFlask) -> None:
    number = trained(idle_app, valid_dataset(idle_app), 0.5)
    weights = Path(idle_app.config["MODELS_DIR"]) / str(number) / "run" / "weights" / "best.pt"
    with idle_app.app_context():
        service(idle_app).backup(number)
        weights.unlink()
        assert service(idle_app).restore(number) == number
        assert weights.read_bytes() == weights_of(1)
        with writing() as session:
            session.get_one(Training, number).status = "running"
        with pytest.raises(Conflict, match="runs"):
            service(idle_app).restore(number)
        with pytest.raises(NotFound):
            service(idle_app).restore(99)
    assert idle_app.test_client().get(f"/api/trainings/{number}/download").data == weights_of(1)


def test_a_deleted_training_is_restored(idle_app: APIFlask) -> None:
    dataset_id = valid_dataset(idle_app)
    number = trained(idle_app, dataset_id, 0.5, important=True)
    with idle_app.app_context():
        service(idle_app).backup(number)
        with writing() as session:
            session.delete(session.get_one(Training, number))
            session.flush()
            session.delete(session.get_one(Dataset, dataset_id))
        restored = service(idle_app).restore(number)
    client = idle_app.test_client()
    body = client.get(f"/api/trainings/{restored}").get_json()
    assert (body["status"], body["name"], body["dataset_name"]) == ("completed", "Cells/../1 é", "Things")
    assert body["best"]["map95"] == 0.5
    assert len(client.get(f"/api/trainings/{restored}/metrics").get_json()["epochs"]) == 2
    assert client.get(f"/api/trainings/{restored}/download").data == weights_of(1)
    assert client.get(f"/api/datasets/{body['dataset_id']}").get_json()["status"] == "invalid"


@pytest.mark.parametrize(
    ("start", "restored"),
    [
        ({"kind": "uploaded", "classes": ["cat", "dog"]}, {"kind": "uploaded", "classes": ["cat", "dog"]}),
        ({"kind": "checkpoint", "training_id": 7, "checkpoint": "best"}, {"kind": "auto"}),
    ],
)
def test_uploaded_weights_stay_uploaded(idle_app: APIFlask, start: dict[str, Any], restored: dict[str, Any]) -> None:
    """Otherwise the classes of the dataset would be taken for the model's."""
    number = trained(idle_app, valid_dataset(idle_app), 0.5, start=start)
    with idle_app.app_context():
        manifest = service(idle_app).backup(number).manifest
        with writing() as session:
            session.delete(session.get_one(Training, number))
        again = service(idle_app).restore(number)
        assert db.session.get_one(Training, again).start == restored
        del manifest["training"]["start"]
        older = service(idle_app).new_row(manifest)
        assert db.session.get_one(Training, older).start == {"kind": "auto"}, "backups of earlier versions say nothing"


def test_a_crash_while_a_backup_is_replaced(idle_app: APIFlask) -> None:
    number = trained(idle_app, valid_dataset(idle_app), 0.5)
    with idle_app.app_context():
        backups = service(idle_app)
        backup = backups.backup(number)
        aside = backups.root / f".{backup.folder.name}-0123abcd.old"
        os.replace(backup.folder, aside)
        (backups.root / f".{number}-4567.tmp").mkdir()
        backups.tidy(older_than=time.time() - 3600)
        assert len(list(backups.root.iterdir())) == 2, "perhaps it goes on"
        backups.tidy(older_than=time.time() + 1)
        assert [path.name for path in backups.root.iterdir()] == [backup.folder.name]
        assert backups.verify() == {backup.folder.name: []}


def test_foreign_files_beside_the_backups_stay(idle_app: APIFlask, tmp_path: Path) -> None:
    """BACKUP_DIR may be a folder of a larger disk; only a backup's own leftovers are removed."""
    with idle_app.app_context():
        backups = service(idle_app)
        backups.root.mkdir(parents=True, exist_ok=True)
        (tmp_path / "elsewhere").mkdir()
        for name in (".my-notes.old", ".7-photos.tmp", ".x-0123.old"):
            (backups.root / name).mkdir()
        (backups.root / ".7-run-0123.old").symlink_to(tmp_path / "elsewhere")
        (backups.root / ".8-0123.tmp").symlink_to(tmp_path / "gone")
        (backups.root / ".9-0123.tmp").write_text("a file")
        before = sorted(backups.root.iterdir())
        backups.tidy(older_than=time.time() + 1)
        assert sorted(backups.root.iterdir()) == before


@pytest.mark.parametrize(
    "values",
    [
        *({"training_id": number} for number in (float("inf"), float("nan"), "9" * 5000, None)),
        *({"files": {name: {"sha256": "0" * 64, "bytes": 1}}} for name in ("../../secret_key", "worst.pt")),
        *({"files": files} for files in ({}, [], {"best.pt": {"sha256": "0", "bytes": float("inf")}})),
    ],
    ids=lambda values: str(values)[:40],
)
def test_a_manifest_that_is_damaged_is_none(idle_app: APIFlask, values: dict[str, Any]) -> None:
    """It hides no other backup, and names no file that no backup has."""
    dataset_id = valid_dataset(idle_app)
    one, second = (trained(idle_app, dataset_id, value, name=f"Run {value}") for value in (0.5, 0.6))
    with idle_app.app_context():
        backups = service(idle_app)
        damaged_backup, intact = backups.backup(one), backups.backup(second)
        path = damaged_backup.folder / "manifest.json"
        for text in (json.dumps(json.loads(path.read_text()) | values), "[" * 100_000):
            path.write_text(text)
            assert [item.training_id for item in backups.all()] == [second]
            assert backups.verify() == {damaged_backup.folder.name: ["manifest.json"], intact.folder.name: []}
            with pytest.raises(NotFound):
                backups.restore(one)


def test_the_commands(idle_app: APIFlask, tmp_path: Path) -> None:
    number = trained(idle_app, valid_dataset(idle_app), 0.5)
    runner = idle_app.test_cli_runner()
    assert runner.invoke(args=["backup", "now", "99"]).exit_code == 1
    result = runner.invoke(args=["backup", "now", str(number)])
    assert (result.exit_code, str(number) in result.output) == (0, True), result.output
    listed = runner.invoke(args=["backup", "list"]).output
    assert "0.5" in listed
    assert "Things" in listed
    assert runner.invoke(args=["backup", "verify"]).exit_code == 0
    with idle_app.app_context():
        folder = service(idle_app).all()[0].folder
    manifest = json.loads((folder / "manifest.json").read_text())
    assert runner.invoke(args=["backup", "restore", str(number)]).exit_code == 0
    manifest["files"]["best.pt"]["sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    broken = runner.invoke(args=["backup", "verify"])
    assert (broken.exit_code, "best.pt" in broken.output) == (1, True)
    assert runner.invoke(args=["backup", "restore", str(number)]).exit_code == 1


def test_marking_backs_up_at_once(idle_app: APIFlask) -> None:
    change_settings(idle_app, BACKUP_MODELS="marked")
    number = trained(idle_app, valid_dataset(idle_app), 0.5)
    assert backed_up(idle_app) == []
    answer = idle_app.test_client().patch(f"/api/trainings/{number}", json={"important": True})
    assert answer.status_code == 200, answer.get_json()
    manifest = Path(idle_app.config["BACKUP_DIR"]) / f"{number}-cells-1" / "manifest.json"
    until = time.monotonic() + 180
    while not manifest.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    assert json.loads(manifest.read_text())["important"] is True
