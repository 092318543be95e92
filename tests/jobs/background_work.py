"""Requests that begin background work, and the rows and files that it needs."""

import shutil
import threading
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from app.config import database_uri
from app.models import Dataset, Training
from scripts.local_server import Server
from tests import task_data


def in_background(server: Server, method: str, path: str, **options: Any) -> threading.Thread:
    """A request whose server may be killed before it answers."""

    def ask() -> None:
        try:
            server.call(method, path, **options)
        except requests.ConnectionError:
            pass  # the server was killed

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread


def completed_run(server: Server, dataset_id: int, weights: bytes | None = None) -> int:
    """One that used other files of the dataset, written beside the server."""
    row = Training(name="Run", dataset_id=dataset_id, model_version="n", status="completed", revision=1)
    row.dataset_revision = "0" * 64
    training_id = add(server, row)
    if weights is not None:
        path = weights_folder(server, training_id) / "best.pt"
        path.parent.mkdir(parents=True)
        path.write_bytes(weights)
    return training_id


def add_model(server: Server, weights: Path) -> int:
    """A completed run with these weights, of one class, and a few images to validate on."""
    counts = {"total_images": 6, "train_images": 2, "val_images": 4}
    dataset = Dataset(name="drawn", status="valid", classes=["thing"], **counts)
    dataset_id = add(server, dataset)
    row = Training(name="Run", dataset_id=dataset_id, model_version="n", status="completed", img_size=64)
    training_id = add(server, row)
    weights_folder(server, training_id).mkdir(parents=True)
    shutil.copy(weights, weights_folder(server, training_id) / "best.pt")
    task_data.write(data_root(server) / f"datasets/{dataset_id}", "detect", 2, 4)
    return training_id


def data_root(server: Server) -> Path:
    return Path(server.settings["DATA_ROOT"])


def weights_folder(server: Server, training_id: int) -> Path:
    return data_root(server) / f"models/{training_id}/run/weights"


def add(server: Server, row: Dataset | Training) -> int:
    """The id of a row that is written beside the server."""
    engine = create_engine(database_uri(server.settings["DATABASE_URL"]))
    with Session(engine) as session:
        session.add(row)
        session.commit()
        row_id = row.id
    engine.dispose()
    return row_id
