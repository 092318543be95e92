"""The janitor: what is removed, what stays, on real files and rows."""

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import select

from app.database import writing
from app.extensions import db
from app.models import Checkpoint, Estimate, IdempotencyKey, Training, now
from app.services.janitor import Janitor
from tests.data import change_settings, valid_dataset, zip_bytes

TODAY = now()


def janitor(app: APIFlask) -> Janitor:
    return Janitor(app.extensions["services"])


def sweep(app: APIFlask, time: datetime = TODAY) -> dict[str, int]:
    with app.app_context():
        return janitor(app).sweep(time)


def ended(app: APIFlask, days: float, status: str = "completed", **columns: Any) -> int:
    """A training that ended this many days ago, with checkpoints of epochs 5 and 6, 4 (periodic) and its best."""
    dataset_id = valid_dataset(app)
    with app.app_context(), writing() as session:
        row = Training(name="Old", dataset_id=dataset_id, model_version="n", status=status, current_epoch=6)
        row.end_time = TODAY - timedelta(days=days)
        for name, value in columns.items():
            setattr(row, name, value)
        session.add(row)
        session.flush()
        number = row.id
        for epoch in (4, 5, 6):
            path = f"models/{number}/checkpoints/epoch-{epoch}.pt"
            session.add(
                Checkpoint(training_id=number, epoch=epoch, model_path=path, resumable=True, periodic=epoch == 4)
            )
        best = f"models/{number}/run/weights/best.pt"
        session.add(Checkpoint(training_id=number, epoch=5, model_path=best, is_best=True))
    folder = Path(app.config["MODELS_DIR"]) / str(number)
    for name in ("checkpoints/epoch-4.pt", "checkpoints/epoch-5.pt", "checkpoints/epoch-6.pt", "run/weights/best.pt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(zip_bytes({"data": b"weights"}))
    return number


def saved(app: APIFlask, number: int) -> tuple[list[str], list[tuple[int, bool]]]:
    """The files and the rows of a training's checkpoints."""
    folder = Path(app.config["MODELS_DIR"]) / str(number)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.pt"))
    with app.app_context():
        rows = db.session.scalars(select(Checkpoint).where(Checkpoint.training_id == number).order_by(Checkpoint.epoch))
        return files, [(row.epoch, row.is_best) for row in rows]


COMPLETE = 4


def test_old_checkpoints_go_and_recent_ones_stay(idle_app: APIFlask) -> None:
    change_settings(idle_app, BACKUP_MODELS="none")
    old, failed = ended(idle_app, 31), ended(idle_app, 100, "failed")
    stay = [ended(idle_app, 29), ended(idle_app, 31, important=True), ended(idle_app, 31, "paused")]
    assert sweep(idle_app)["checkpoints"] == 4
    for number in (old, failed):
        assert saved(idle_app, number) == (
            ["checkpoints/epoch-4.pt", "run/weights/best.pt"],
            [(4, False), (5, True)],
        )
    assert [len(saved(idle_app, number)[0]) for number in stay] == [COMPLETE] * 3
    assert sweep(idle_app)["checkpoints"] == 0, "nothing is left to do"
    assert list((Path(idle_app.config["DATA_ROOT"]) / "tmp").iterdir()) == []


def test_checkpoints_of_waiting_trainings_stay(idle_app: APIFlask) -> None:
    change_settings(idle_app, BACKUP_MODELS="none")
    old = ended(idle_app, 1000)
    change_settings(idle_app, CHECKPOINT_DAYS=0)
    assert sweep(idle_app)["checkpoints"] == 0
    change_settings(idle_app, CHECKPOINT_DAYS=1)
    start = {"kind": "training", "training_id": old, "checkpoint": 6}
    waiting = ended(idle_app, 0, "pending", start=start, end_time=None)
    assert sweep(idle_app)["checkpoints"] == 1
    assert "checkpoints/epoch-6.pt" in saved(idle_app, old)[0]
    with idle_app.app_context(), writing() as session:
        session.get_one(Training, waiting).status = "cancelled"
    assert sweep(idle_app)["checkpoints"] == 1


def test_old_keys_and_estimates(idle_app: APIFlask) -> None:
    with idle_app.app_context(), writing() as session:
        for hours in (23, 25):
            created_at = TODAY - timedelta(hours=hours)
            session.add(IdempotencyKey(key=str(hours), scope="create", digest="", answer={}, created_at=created_at))
        for days in (29, 31):
            session.add(Estimate(key=str(days), figures={}, created_at=TODAY - timedelta(days=days)))
    removed = sweep(idle_app)
    assert (removed["idempotency keys"], removed["estimates"]) == (1, 1)
    with idle_app.app_context():
        assert db.session.scalars(select(IdempotencyKey.key)).all() == ["23"]
        assert db.session.scalars(select(Estimate.key)).all() == ["29"]


def test_old_temporary_files(idle_app: APIFlask) -> None:
    tmp = Path(idle_app.config["DATA_ROOT"]) / "tmp"
    (tmp / "working").mkdir()
    (tmp / "dead" / "deep").mkdir(parents=True)
    for name in ("working/new", "dead/deep/old", "file", "recent"):
        (tmp / name).write_text("x")
    yesterday = (TODAY - timedelta(hours=25)).timestamp()
    for name in ("dead/deep/old", "dead/deep", "dead", "file", "working"):
        os.utime(tmp / name, (yesterday, yesterday))
    assert sweep(idle_app)["temporary files"] == 2
    assert sorted(path.name for path in tmp.iterdir()) == ["recent", "working"]


def test_the_trash_and_missed_backups(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    cutoffs: list[datetime] = []

    def purge(older_than: datetime) -> list[int]:
        cutoffs.append(older_than)
        return [3, 4]

    trash = idle_app.extensions["services"].trainer.trash
    monkeypatch.setattr(trash, "purge_trash", purge)
    number = ended(idle_app, 0, important=True)
    removed = sweep(idle_app)
    assert (removed["trash"], removed["backups"]) == (2, 1)
    assert cutoffs == [TODAY - timedelta(days=7)]
    with idle_app.app_context():
        assert [backup.training_id for backup in idle_app.extensions["services"].backups.all()] == [number]
    assert sweep(idle_app)["backups"] == 0


def test_one_failure_does_not_stop_the_rest(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(older_than: datetime) -> list[int]:
        raise OSError("disk")

    monkeypatch.setattr(idle_app.extensions["services"].trainer.trash, "purge_trash", broken)
    ended(idle_app, 31)
    removed = sweep(idle_app)
    assert (removed["trash"], removed["checkpoints"], removed["backups"]) == (0, 2, 0)
