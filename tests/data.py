"""Small real data: drawn images, YOLO labels, ZIPs."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Flask
from PIL import Image, ImageDraw


def change_settings(app: Flask, **values: Any) -> None:
    """Change settings of a running application."""
    app.extensions["settings"] = replace(app.extensions["settings"], **values)


def image_bytes(
    size: tuple[int, int] = (64, 48), box: tuple[int, int, int, int] = (16, 12, 48, 36), form: str = "JPEG"
) -> bytes:
    """A grey image with a red rectangle."""
    picture = Image.new("RGB", size, (90, 90, 90))
    ImageDraw.Draw(picture).rectangle(box, fill=(200, 30, 30))
    buffer = io.BytesIO()
    picture.save(buffer, form)
    return buffer.getvalue()


def zip_bytes(files: Mapping[str, bytes | str]) -> bytes:
    """A ZIP of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def checkpoint_bytes(content: bytes) -> bytes:
    """The container of a checkpoint, as written by torch: a ZIP without compression."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("archive/data.pkl"), content)
    return buffer.getvalue()


def yolo_files(train: int = 6, val: int = 2) -> dict[str, bytes | str]:
    """A valid dataset with one class, as file name to content."""
    files: dict[str, bytes | str] = {"data.yaml": "train: images/train\nval: images/val\nnames: [thing]\n"}
    for split, count in (("train", train), ("val", val)):
        for number in range(count):
            shift = 2 * number % 12
            files[f"images/{split}/{number:03}.jpg"] = image_bytes(box=(16 + shift, 12, 48 + shift, 36))
            files[f"labels/{split}/{number:03}.txt"] = f"0 {(32 + shift) / 64} 0.5 0.5 0.5\n"
    return files


def yolo_zip(train: int = 6, val: int = 2) -> bytes:
    """A valid dataset as a ZIP."""
    return zip_bytes(yolo_files(train, val))


def write_dataset(folder: Path, train: int = 6, val: int = 2) -> Path:
    """Writes the files of a valid dataset as the import leaves them; returns the path of its dataset.yaml."""
    for name, content in yolo_files(train, val).items():
        if name == "data.yaml":
            continue
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path = folder / "dataset.yaml"
    path.write_text(f"path: {folder}\ntrain: images/train\nval: images/val\nnames:\n  0: thing\nnc: 1\n")
    return path


def valid_dataset(app: Flask, train: int = 6, val: int = 2) -> int:
    """Creates a dataset that is ready for training, with its files; returns its id."""
    from app.database import writing
    from app.models import Dataset

    with app.app_context(), writing() as session:
        row = Dataset(name="Things", classes=["thing"], status="valid", total_images=train + val)
        row.train_images, row.val_images = train, val
        session.add(row)
        session.flush()
        folder = Path(app.config["DATASETS_DIR"]) / str(row.id)
        row.path = f"datasets/{row.id}"
        write_dataset(folder, train, val)
        return row.id


def completed_training(app: Flask) -> tuple[int, int]:
    """The ids of a ready dataset and of a completed run on it; the run has no files."""
    from app.database import writing
    from app.models import Training

    dataset_id = valid_dataset(app)
    with app.app_context(), writing() as session:
        row = Training(name="Run", dataset_id=dataset_id, model_version="n", status="completed", attempt=1, seq=3)
        session.add(row)
        session.flush()
        return dataset_id, row.id
