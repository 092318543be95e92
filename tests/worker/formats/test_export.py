"""A revision as a ZIP in each format: read back by us and by the formats' libraries, complete or not created."""

import io
import json
import time
import zipfile
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from app.events import Advanced, Failed, Finished
from app.jobs.process import Child
from app.worker.formats.archive import Archive
from app.worker.formats.export_run import NOTES, ExportRun, readme
from app.worker.formats.model import Source
from app.worker.formats.revision_tree import Revision
from app.worker.programs.export_dataset import WRITERS
from tests.data import write_dataset
from tests.task_data import write as write_task
from tests.worker.formats.helpers import boxes, read_dataset, rows, unpacked, write

WIDTH, HEIGHT = 640, 480


def exported(folder: Path, form: str, target: Path) -> ExportRun:
    """Let a writer create the ZIP."""
    with open(target, "wb") as file:
        job = ExportRun(Revision.open(folder), Archive(file), None, lambda: None)
        WRITERS[form](job)
        job.archive.text("README.txt", [readme(job, form)])
        job.archive.close()
    return job


def as_revision(folder: Path, source: Source, target: Path) -> Path:
    """A source as the import would store it."""
    files: dict[str, bytes | str] = {}
    for item in source.items:
        split = item.split or "train"
        files[f"images/{split}/{item.name}"] = (folder / item.image).read_bytes()
        text = "".join(f"{row.text}\n" for row in item.rows or [])
        files[f"labels/{split}/{item.name.rpartition('.')[0]}.txt"] = text
    files["dataset.yaml"] = yaml.safe_dump({"names": dict(enumerate(source.names))} | (source.keypoints or {}))
    return write(target, files)


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (WIDTH, HEIGHT)).save(buffer, "PNG")
    return buffer.getvalue()


PICTURE = picture()


@st.composite
def valid_rows(draw: st.DrawFn) -> str:
    """The text of a label file: boxes inside the image, from slivers to the whole of it."""
    lines = []
    for _ in range(draw(st.integers(1, 4))):
        sides = []
        for _axis in range(2):
            extent = draw(st.floats(1e-4, 1))
            start = draw(st.floats(0, 1 - extent))
            sides.append((start + extent / 2, extent))
        (x, width), (y, height) = sides
        lines.append(f"{draw(st.integers(0, 1))} {x:.6f} {y:.6f} {width:.6f} {height:.6f}\n")
    return "".join(lines)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(valid_rows())
def test_boxes_survive_every_format_within_half_a_pixel(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("round")
    here = write(
        folder / "yolo",
        {"images/train/a.png": PICTURE, "labels/train/a.txt": text, "dataset.yaml": "names: {0: cat, 1: dog}\n"},
    )
    for form in ("coco", "voc", "yolo"):
        exported(here, form, folder / f"{form}.zip")
        raw = unpacked(folder / form, folder / f"{form}.zip")
        source = read_dataset(raw)
        assert source.findings == []
        here = as_revision(raw, source, folder / f"{form}-revision") if form != "yolo" else raw
    got = [[float(value) for value in line.split()] for line in (here / "labels/train/a.txt").read_text().splitlines()]
    expected = [[float(value) for value in line.split()] for line in text.splitlines()]
    assert len(got) == len(expected)
    for (kind, *after), (same, *before) in zip(got, expected, strict=True):
        assert kind == same
        for one, source_box in zip(pixels(after), pixels(before), strict=True):
            assert one == pytest.approx(source_box, abs=0.501)


def pixels(values: list[float]) -> list[float]:
    x, y, width, height = values
    return [(x - width / 2) * WIDTH, (y - height / 2) * HEIGHT, (x + width / 2) * WIDTH, (y + height / 2) * HEIGHT]


def run(folder: Path, revision: Path, form: str) -> tuple[Child, Path]:
    """Run the program to its end."""
    output = folder / f"{form}.zip"
    spec = {"program": "export_dataset", "revision": str(revision), "format": form, "output": str(output)}
    child = Child.start("run", folder / form, spec, {})
    until = time.monotonic() + 180
    while child.alive():
        assert time.monotonic() < until, child.log_tail()
        time.sleep(0.02)
    return child, output


@pytest.fixture(scope="module")
def revision(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six and two drawn images with a box each."""
    folder = tmp_path_factory.mktemp("revision")
    write_dataset(folder)
    return folder


@pytest.mark.parametrize("form", WRITERS)
def test_the_program(tmp_path: Path, revision: Path, form: str) -> None:
    child, output = run(tmp_path, revision, form)
    assert child.exit_code() == 0, child.log_tail()
    events = [envelope.event for _, envelope in child.events()]
    assert Advanced(8, 8) in events
    end = events[-1]
    assert isinstance(end, Finished)
    renamed = [{"code": "renamed", "count": 2}] if form == "voc" else []  # the two splits have equal names here
    counted = {name: end.result[name] for name in ("images", "objects", "notes", "bytes")}
    assert counted == {"images": 8, "objects": 8, "notes": renamed, "bytes": output.stat().st_size}
    with zipfile.ZipFile(output) as archive:
        assert archive.testzip() is None
        about = archive.read("README.txt").decode()
        assert ("Everything was kept" in about) == (not renamed)
        assert {"yolo": "- 0: thing\n", "coco": "- 1: thing\n", "voc": "- thing\n"}[form] in about, "as in its files"
        kinds = {info.filename.rpartition(".")[2]: info.compress_type for info in archive.infolist()}
        assert kinds["jpg"] == zipfile.ZIP_STORED
    source = read_dataset(unpacked(tmp_path / "raw", output))
    assert (source.format, source.names, len(source.items)) == (form, ["thing"], 8)
    again = exported(revision, form, tmp_path / "again.zip")
    assert again.objects == 8
    assert (tmp_path / "again.zip").read_bytes() == output.read_bytes(), "the same bytes each time"


def test_a_failure_leaves_nothing(tmp_path: Path, revision: Path) -> None:
    write_task(tmp_path / "classes", "classify")
    child, output = run(tmp_path, tmp_path / "classes", "coco")
    end = [envelope.event for _, envelope in child.events()][-1]
    assert isinstance(end, Failed)
    assert (end.kind, "image classes" in end.error, child.exit_code()) == ("data", True, 1)
    child, missing = run(tmp_path, tmp_path / "nowhere", "voc")
    assert child.exit_code() == 1
    assert not output.exists()
    assert not missing.exists()
    assert not list(tmp_path.glob(".*"))


def test_coco_by_pycocotools(tmp_path: Path, revision: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported(revision, "coco", tmp_path / "coco.zip")
    folder = unpacked(tmp_path / "raw", tmp_path / "coco.zip")
    coco = COCO(str(folder / "annotations/instances_train.json"))
    assert [item["name"] for item in coco.loadCats(coco.getCatIds())] == ["thing"]
    [first] = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    assert first["bbox"] == [16, 12, 32, 24]
    assert (folder / "images/train" / coco.loadImgs([1])[0]["file_name"]).is_file()


def test_voc_by_supervision(tmp_path: Path, revision: Path) -> None:
    supervision = pytest.importorskip("supervision")
    exported(revision, "voc", tmp_path / "voc.zip")
    folder = unpacked(tmp_path / "raw", tmp_path / "voc.zip")
    voc = supervision.DetectionDataset.from_pascal_voc(str(folder / "JPEGImages"), str(folder / "Annotations"))
    assert (voc.classes, len(voc)) == (["thing"], 8)


def test_losses_of_a_format_are_reported(tmp_path: Path) -> None:
    for task, form, code in (
        ("segment", "voc", "outline_as_box"),
        ("pose", "voc", "keypoints_left_out"),
        ("obb", "coco", "corners_as_polygon"),
    ):
        write_task(tmp_path / task, task, 2, 1)
        job = exported(tmp_path / task, form, tmp_path / "lost.zip")
        assert {"code": code, "count": job.objects} in job.notes()
        with zipfile.ZipFile(tmp_path / "lost.zip") as archive:
            assert f"{job.objects} {NOTES[code][job.objects != 1]}." in archive.read("README.txt").decode()


@pytest.mark.parametrize("task", ["segment", "obb", "pose", "classify", "detect"])
def test_tasks_survive(tmp_path: Path, task: str) -> None:
    write_task(tmp_path / "revision", task, 2, 1)
    for form in ("yolo",) if task == "classify" else ("yolo", "coco"):
        exported(tmp_path / "revision", form, tmp_path / f"{form}.zip")
        raw = unpacked(tmp_path / form, tmp_path / f"{form}.zip")
        source = read_dataset(raw)
        assert len(source.items) == 3
        if task == "classify":
            assert (source.task, source.names) == ("classify", ["round", "square"])
            continue
        before = [line.split() for line in (tmp_path / "revision/labels/train/0.txt").read_text().splitlines()]
        if form == "coco" and task == "obb":
            assert boxes(raw, source)["0"] == [(0, 16, 12, 48, 36)]
            continue
        for got, expected in zip(rows(raw, source.items[0]), before, strict=True):
            assert got == pytest.approx(list(map(float, expected)), abs=1e-5)
        assert form == "yolo" or source.task == task


def test_rows_that_nobody_could_use(tmp_path: Path) -> None:
    write_dataset(tmp_path / "revision", 1, 1)
    label = tmp_path / "revision/labels/train/000.txt"
    label.write_text(label.read_text() + "7 0.5 0.5 0.1 0.1\n0 x\n0 nan 0.5 0.1 0.1\n0 0.1 0.2 0.3 0.4 0.5 0.6 0.7\n")
    (tmp_path / "revision/images/val/000.jpg").write_bytes(b"no image")
    job = exported(tmp_path / "revision", "coco", tmp_path / "coco.zip")
    assert job.notes() == [{"code": "image_unreadable", "count": 1}, {"code": "row_unreadable", "count": 4}]
    with zipfile.ZipFile(tmp_path / "coco.zip") as archive:
        assert len(json.loads(archive.read("annotations/instances_train.json"))["annotations"]) == 1
