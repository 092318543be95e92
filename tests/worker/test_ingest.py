"""The import's child: the contents of a revision, and that nothing but an upload's content gets into it."""

import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from app.core.children import TAKES_LONG
from app.core.imports import ArchiveLimits, ImportResult, ImportSpec
from app.events import Advanced, Failed, Finished, Planned, Refused
from app.jobs.process import Child, read_events
from app.services.datasets.options import recipe
from app.worker.revision import dataset_revision
from tests.data import image_bytes, yolo_files
from tests.worker.quality.helpers import costly_image

ROW = "0 0.5 0.5 0.5 0.5\n"


def write_source(folder: Path, files: dict[str, Any]) -> None:
    for name, content in files.items():
        path = folder / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def ingest(
    folder: Path, number: int = 1, fixes: Any = (), changes: Mapping[str, Any] | None = None, **options: Any
) -> list[Any]:
    """Run the child on a dataset's folder; returns all of its events. `changes`: other values of its spec."""
    work = folder.parent / f"work-{time.monotonic_ns()}"
    spec = ImportSpec(
        dataset=str(folder),
        number=number,
        objects=str(folder.parent / "objects"),
        options=recipe(options, 1000),
        unpacked=str(work / "unpacked.json"),
        fixes=fixes,
        limits=ArchiveLimits(),
        max_pixels=64_000_000,
        max_findings=1000,
    )
    child = Child.start("run", work, asdict(spec) | {"program": "import_dataset"} | (changes or {}), {})
    while child.alive():
        time.sleep(0.02)
    events = [envelope.event for _, envelope in read_events(work)]
    last = events[-1]
    hurry = bool((changes or {}).get("hurry"))
    assert not isinstance(last, Failed) or (hurry and last.kind == TAKES_LONG), last
    return [*events[:-1], ImportResult.read(last.result)] if isinstance(last, Finished) else events


def described(folder: Path, number: int = 1) -> dict[str, Any]:
    return yaml.safe_load((folder / f"revisions/{number}/dataset.yaml").read_text(encoding="utf-8"))


def test_events_and_files_of_an_import(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    write_source(folder, yolo_files(4, 2))
    events = ingest(folder)
    assert [type(event) for event in events if not isinstance(event, Advanced)] == [Planned, ImportResult]
    result = events[-1]
    assert (result.images, result.usable) == ({"train": 4, "val": 2, "test": 0}, {"train": 4, "val": 2, "test": 0})
    assert result.hash == dataset_revision(folder / "revisions/1/dataset.yaml")
    assert sorted(path.name for path in (folder / "revisions").iterdir()) == ["1"]
    assert sorted(path.name for path in folder.iterdir()) == ["revisions", "source", "thumbnails"]
    for split in ("train", "val"):
        for image in (folder / "revisions/1/images" / split).iterdir():
            assert image.stat().st_nlink >= 3, "object, source and revision are one file"
    again = ingest(folder, 2)[-1]
    assert again.hash == result.hash, "the same content is the same revision"


def test_very_slow_images_end_an_import_in_the_fast_lane(tmp_path: Path) -> None:
    """It restarts in the slow lane, see `again` in app/services/datasets/imports.py."""
    folder, costly = tmp_path / "1", costly_image(1000)
    write_source(folder, yolo_files(4, 2) | {f"images/train/costly{number}.jpg": costly for number in range(3)})
    last = ingest(folder, changes={"decode_seconds": 0.1, "hurry": True})[-1]
    assert isinstance(last, Failed)
    assert not (folder / "revisions" / "1").exists()


def test_the_yaml_is_written_by_the_import(tmp_path: Path) -> None:
    folder, mark = tmp_path / "1", tmp_path / "mark"
    names = ["<img src=x onerror=alert(1)>", "=cmd|'/c calc'!A0", "car/truck", "no", "1", "ção: #", "😀", '"', "'"]
    hostile = {
        "path": "/etc",
        "train": "/etc/passwd",
        "download": f"open({str(mark)!r}, 'w')",
        "names": names,
        "nc": len(names),
    }
    write_source(folder, yolo_files(2, 1) | {"data.yaml": yaml.safe_dump(hostile, allow_unicode=True)})
    events = ingest(folder)
    assert "download_ignored" in {item["code"] for item in events[-1].decisions}
    assert described(folder) == {
        "path": str(folder / "revisions/1"),
        "train": "images/train",
        "val": "images/val",
        "nc": len(names),
        "names": dict(enumerate(names)),
    }
    assert not mark.exists()


def test_an_unfinished_jpeg_is_mended_in_a_separate_object(tmp_path: Path) -> None:
    folder, cut = tmp_path / "1", image_bytes((640, 480))[:-2]
    write_source(folder, yolo_files(3, 2) | {"images/train/000.jpg": cut})
    result = ingest(folder)[-1]
    assert result.findings["jpeg_end_missing"] == 1
    assert (folder / "source/images/train/000.jpg").read_bytes() == cut
    assert (folder / "revisions/1/images/train/000.jpg").read_bytes() == cut + b"\xff\xd9"


def test_unsafe_images_stay_out(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    write_source(folder, yolo_files(3, 2) | {"images/train/000.jpg": b"no image", "labels/train.cache": b"\x80"})
    result = ingest(folder)[-1]
    assert (result.images["train"], result.usable["train"], result.left_out) == (3, 2, {"image_broken": 1})
    there = sorted(path.name for path in (folder / "revisions/1").rglob("*") if path.is_file())
    assert "000.jpg" not in {path.name for path in (folder / "revisions/1/images/train").iterdir()}
    assert not [name for name in there if name.endswith((".cache", ".npy"))]


def test_images_that_share_a_label_stay_together(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    files: dict[str, Any] = {}
    for number in range(10):
        box = (number, 2 * number, 30 + 3 * number, 40)
        files |= {f"images/{number}.jpg": image_bytes((90, 60), box), f"labels/{number}.txt": ROW}
        files[f"images/{number}.png"] = image_bytes((90, 60), (5 * number, 0, 5 * number + 4, 50), "PNG")
    write_source(folder, files)
    ingest(folder)
    for split in ("train", "val", "test"):
        names = [path.name for path in (folder / "revisions/1/images" / split).glob("*")]
        assert {name[:-4] for name in names if name.endswith(".jpg")} == {
            name[:-4] for name in names if name.endswith(".png")
        }
        labels = {path.stem for path in (folder / "revisions/1/labels" / split).glob("*")}
        assert labels == {name[:-4] for name in names}


def test_fixes_create_another_revision(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    write_source(folder, yolo_files(4, 2) | {"labels/train/001.txt": ROW * 2})
    assert ingest(folder)[-1].findings["duplicate_row"] == 1
    mended = ingest(folder, 2, fixes=["duplicate_row"])[-1]
    assert "duplicate_row" not in mended.findings
    assert mended.effects["duplicate_row"]["rows"] == 1
    assert (folder / "revisions/2/labels/train/001.txt").read_text().count("0 ") == 1
    assert (folder / "source/labels/train/001.txt").read_text() == ROW * 2
    assert (folder / "revisions/1/labels/train/001.txt").read_text() == ROW * 2


def test_classes_that_are_folders(tmp_path: Path) -> None:
    """Renaming moves images; of two with the same name, one gets another."""
    folder = tmp_path / "1"
    files = {
        f"{split}/{kind}/{number}.jpg": image_bytes((64, 48), (number, 1, 40, 8 + 3 * index))
        for split in ("train", "val")
        for index, kind in enumerate(("cat", "dog", "eel"))
        for number in range(4)
    }
    write_source(folder, files)
    result = ingest(folder, rename={"dog": "cat"})[-1]
    assert (result.task, result.names, result.boxes) == ("classify", ["cat", "eel"], {"0": 16, "1": 8})
    assert len(list((folder / "revisions/1/images/train/cat").iterdir())) == 8


def test_refusals(tmp_path: Path) -> None:
    write_source(tmp_path / "1", {"images/val/a.jpg": image_bytes(), "labels/val/a.txt": ROW})
    write_source(tmp_path / "2", {"images/a.jpg": image_bytes(), "labels/a.txt": ROW})
    write_source(tmp_path / "3", yolo_files(2, 1))
    cases = (
        ("1", {}, "no_train_images"),
        ("2", {}, "one_image"),
        ("3", {"names": ["a"]}, None),
        ("3", {"rename": {"x": "y"}}, "class_not_there"),
    )
    for name, options, code in cases:
        last = ingest(tmp_path / name, **options)[-1]
        assert (last.code if isinstance(last, Refused) else None) == code
    assert not os.path.exists(tmp_path / "1/revisions")


def test_images_that_were_labelled_and_are_not_there_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    lost = {f"labels/train/lost{number}.txt": ROW for number in range(3)}
    write_source(folder, yolo_files(4, 2) | lost)
    assert ingest(folder)[-1].left_out == {"label_orphan": 3}
    folder = tmp_path / "2"
    rows = "".join(f"{name}.jpg,1,1,9,9,cat\n" for name in ["a", "b", *(f"gone{number}" for number in range(60))])
    write_source(
        folder,
        {
            "a.jpg": image_bytes(),
            "b.jpg": image_bytes(box=(1, 1, 9, 9)),
            "boxes.csv": "image,xmin,ymin,xmax,ymax,label\n" + rows,
        },
    )
    assert ingest(folder)[-1].left_out == {"image_missing": 60}
