"""A real training of each task, and each way to start one; in one process, since torch takes seconds to load."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from app.events import Completed, Epoch, Event, Failed, Note, Started, read_events
from app.jobs.process import child_environment
from tests.task_data import write

pytestmark = pytest.mark.training

# Like app.worker.run.main for each folder, in the given order.
TRAIN = """
import os, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # so little to compute that a second thread only costs time
from app.worker import evaluation, previews
from app.worker.run import main
def fails(*_):
    raise RuntimeError("what is kept for the page fails")
kept = previews.save_picture, evaluation.match
previews.LEAST_CONF = 0.0  # after one epoch nothing is sure
for directory in sys.argv[1:]:
    previews.save_picture, evaluation.match = (fails, fails) if "/again/" in directory else kept
    main(directory)
import json
from pathlib import Path
import numpy
from ultralytics import YOLO
from app.worker.detections import detections_of
found = {}
for directory in map(Path, sys.argv[1:]):
    for weights in directory.parents[1].glob("run/weights/best.pt"):
        result = YOLO(weights).predict(numpy.zeros((48, 64, 3), numpy.uint8), conf=0.0001, verbose=False)[0]
        found[directory.parents[1].name] = detections_of(result, 0.0)[0]
print(json.dumps(found))
"""
MODELS = {
    "segment": "yolo11n-seg",
    "pose": "yolov8n-pose",
    "obb": "yolo11n-obb",
    "classify": "yolov8n-cls",
    "detect": "yolov8n-rtdetr",
}


def prepare(folder: Path, name: str, task: str, architecture: str, **changes: Any) -> Path:
    """The folder of one attempt with its spec."""
    data = folder / "data" / task / "dataset.yaml"
    if not data.exists():
        write(data.parent, task, train=4, val=2)
    directory = folder / name / "attempts" / "1"
    directory.mkdir(parents=True)
    spec = {
        "program": "train",
        "training_id": 1,
        "training_dir": str(folder / name),
        "data": str(data),
        "task": task,
        "model_version": "n",
        "architecture": architecture,
        "start": {"kind": "auto"},
        "resume": None,
        "extensions": [],
        "memory_limit": 0,
        "epochs": 1,
        "batch_size": 4,
        "batch_now": 4,
        "img_size": 64,
        "learning_rate": None,
        "device": "cpu",
        "params": {"optimizer": "auto", "plots": False},
        "weights_dir": str(folder / "weights"),
        "weights_url": "",
    } | changes
    (directory / "spec.json").write_text(json.dumps(spec))
    return directory


def train(folder: Path, directories: list[Path]) -> tuple[dict[str, list[Event]], dict[str, Any]]:
    """Run them, then use each model; returns each one's events and its detections in a black image, by name."""
    environment = child_environment({"YOLO_CONFIG_DIR": str(folder / "settings")})
    command = [sys.executable, "-c", TRAIN, *map(str, directories)]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250)
    assert process.returncode == 0, process.stderr[-3000:]
    events = {path.parents[1].name: [item.event for _, item in read_events(path)] for path in directories}
    return events, json.loads(process.stdout.splitlines()[-1])


def page_files(folder: Path) -> list[Any]:
    """The files written for the page: previews and evaluation."""
    paths = (folder / "previews" / "index.json", folder / "evaluation" / "evaluation.json")
    assert images_of(folder / "previews" / "epoch-1.json") is not None
    assert len(list((folder / "previews").glob("image-*.jpg"))) == 2
    return [json.loads(path.read_text()) for path in paths]


def images_of(path: Path) -> Any:
    return json.loads(path.read_text())["images"]


def of(events: list[Event], kind: type) -> Any:
    return next(event for event in events if isinstance(event, kind))


def test_every_task(tmp_path: Path) -> None:
    directories = [prepare(tmp_path, task, task, model) for task, model in MODELS.items()]
    best = str(tmp_path / "classify" / "run" / "weights" / "best.pt")
    earlier = {"kind": "training", "training_id": 7, "checkpoint": "best", "path": best}
    directories += [
        prepare(tmp_path, "again", "classify", "yolov8n-cls", start=earlier),
        prepare(tmp_path, "misfit", "obb", "yolo11n-obb", start=earlier),
        prepare(tmp_path, "official", "obb", "yolo11n-obb", start={"kind": "official"}),
    ]
    same, copy = tmp_path / "classify", "checkpoints/epoch-1.pt"
    going_on = {"training_dir": str(same), "resume": str(same / copy), "epochs": 2}
    directories.append(prepare(tmp_path, "resumed", "classify", "yolov8n-cls", **going_on))
    events_of, results = train(tmp_path, directories)
    for task, architecture in MODELS.items():
        events = events_of[task]
        assert isinstance(events[-1], Completed), (task, events[-1])
        started, epoch = of(events, Started), of(events, Epoch)
        assert (started.task, started.weights, started.train_images) == (task, "scratch", 4)
        assert started.model == f"{architecture}.yaml"
        note = next(event for event in events if isinstance(event, Note) and event.code == "weights_scratch")
        published = architecture != "yolov8n-rtdetr"
        assert note.data["reason"].startswith("downloads are" if published else "nobody has published")
        assert epoch.loss > 0
        assert epoch.val_loss > 0
        assert zipfile.ZipFile(tmp_path / task / "checkpoints" / "epoch-1.pt").testzip() is None
        measured = [epoch.precision, epoch.recall, epoch.map50, epoch.map95]
        assert measured == [None] * 4 if task == "classify" else None not in measured

    assert set(results) == {*MODELS, "again"}
    for name, detections in results.items():
        assert all(item["class"] in {"thing", "round", "square"} and len(item["bbox"]) == 4 for item in detections), (
            name
        )
    assert [item["bbox"] for item in results["classify"]] == [[0, 0, 64, 48]]

    assert {"metrics/accuracy_top1", "metrics/accuracy_top5"} <= set(of(events_of["classify"], Epoch).parts)
    assert of(events_of["classify"], Epoch).fitness > 0
    for task, letter in (("segment", "M"), ("pose", "P")):
        epoch = of(events_of[task], Epoch)
        assert epoch.map50 == epoch.parts[f"metrics/mAP50({letter})"]
        assert "metrics/mAP50(B)" in epoch.parts
    assert not [key for key in of(events_of["obb"], Epoch).parts if key.startswith("metrics/")]

    watched = {task: page_files(tmp_path / task) for task in MODELS}
    truth = {"detect": {"box"}, "segment": {"box", "polygon"}, "obb": {"box", "polygon"}, "pose": {"box", "points"}}
    for task, (previews, evaluation) in watched.items():
        assert [set(item) - {"class"} for item in previews["images"][0]["truth"][:1]] == [truth.get(task, set())]
        assert (len(previews["images"]), evaluation["images"]) == (2, 2)
        assert sum(count for *_, count in evaluation["matrix"]) >= evaluation["objects"] > 0
    fields = {"detect": {"box"}, "segment": {"box", "polygon"}, "obb": {"polygon"}, "pose": {"box", "points"}}
    for task, named in fields.items():
        first = images_of(tmp_path / task / "previews" / "epoch-1.json")[0][0]
        assert set(first) - {"class", "conf"} == named, task
        assert all(0 <= value <= 1 for value in first.get("box", [])), first
    pictures = watched["classify"][1]["pictures"]
    assert [picture["pairs"] for picture in pictures] == [[[0, 0]]] * 2
    for picture in [*pictures, *watched["classify"][0]["images"]]:  # 0.jpg is round, 1.jpg is square
        assert picture["truth"][0]["class"] == int(Path(picture["file"]).stem) % 2
    guesses = images_of(tmp_path / "classify" / "previews" / "epoch-2.json")
    assert [len(shapes) for shapes in guesses] == [2, 2]
    truths = [
        item["truth"][0]["class"]
        for item in json.loads((tmp_path / "classify/previews/index.json").read_text())["images"]
    ]
    right = sum(shapes[0]["class"] == kind for shapes, kind in zip(guesses, truths, strict=True))
    assert right / 2 == of(events_of["resumed"], Epoch).parts["metrics/accuracy_top1"], "each guess is of its own image"

    assert of(events_of["again"], Started).weights == "training"
    assert of(events_of["again"], Note).code == "weights_training"
    assert isinstance(events_of["again"][-1], Completed), "whatever goes wrong beside it"
    assert not list((tmp_path / "again" / "previews").glob("epoch-*")) + list((tmp_path / "again").glob("evaluation/*"))
    assert (of(events_of["resumed"], Started).start_epoch, of(events_of["resumed"], Epoch).epoch) == (2, 2)
    assert isinstance(events_of["resumed"][-1], Completed)
    for name, reason in (("misfit", "holds no model for the task obb"), ("official", "downloads are switched off")):
        failed = events_of[name][-1]
        assert isinstance(failed, Failed)
        assert failed.kind == "weights"
        assert reason in failed.error
