"""An evaluation of each task against `yolo val` on the same weights, data and size; and its output files."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.core.outcome_files import OUTCOMES, read_pictures, view_name
from app.core.outcomes import outcomes, unpack
from app.events import Event, Failed, Finished, read_events
from app.jobs.process import child_environment
from tests.synthetic_models import PROGRAM

pytestmark = pytest.mark.timeout(600)  # torch, and eight evaluations, on a possibly busy machine

TASKS = ("detect", "segment", "pose", "obb", "classify")

COMPARE = (
    PROGRAM
    + """
import json, os
from app.worker.bootstrap import average_precision, by_class
from app.worker.measuring import Images, measure
from app.worker.run import main
from ultralytics.models.yolo.detect import DetectionValidator

class Counting(DetectionValidator):
    def update_metrics(self, preds, batch):
        super().update_metrics(preds, batch)
        for index, pred in enumerate(preds):
            self.confusion_matrix.process_batch(pred, self._prepare_batch(index, batch), conf=0.3)

os.nice = lambda by: 0  # each evaluation gives way to trainings: eight in this process would hardly run beside others
root, said = Path(sys.argv[1]), {}
for task in sys.argv[2:]:
    folder = root / task
    model = create_model(task, folder.parent / f"{task}.pt")
    data = write_dataset(folder / "data", task, model)
    directory = folder / "job"
    directory.mkdir(parents=True)
    spec = {"program": "evaluate", "weights": str(folder.parent / f"{task}.pt"), "data": str(data), "task": task,
        "split": "val", "img_size": None, "classes": None, "device": "cpu", "output": str(directory / "output"),
        "batch": 16, "memory_limit": 0}
    (directory / "spec.json").write_text(json.dumps(spec))
    assert main(str(directory)) == 0
    where = str(data.parent / "images") if task == "classify" else str(data)
    metrics = YOLO(folder.parent / f"{task}.pt").val(
        validator=Counting if task == "detect" else None, data=where, split="val", imgsz=SIZE, device="cpu",
        plots=False, project=str(folder), verbose=False)
    said[task] = metrics.results_dict
    if task == "detect":
        again = measure(folder.parent / "detect.pt", "detect", Images(data), folder / "again", device="cpu")
        aps = [average_precision(item, np.ones(again.images, int)) for item in by_class(again.matches, "tp")]
        said["drawn once"] = [float(np.mean(aps, axis=0)[0]), float(np.mean(aps))]
        said["matrix"] = metrics.confusion_matrix.matrix.tolist()
        for number, changes in enumerate(json.loads((root / "more.json").read_text())):
            directory = folder / f"more-{number}"
            directory.mkdir()
            renamed = folder / "renamed.yaml"
            renamed.write_text(data.read_text().replace("[round, square]", "[box, ball]"))
            spec |= {"output": str(directory / "output")} | {key: value.format(folder=folder)
                if isinstance(value, str) else value for key, value in changes.items()}
            (directory / "spec.json").write_text(json.dumps(spec))
            main(str(directory))
print(json.dumps(said))
"""
)
MORE: list[dict[str, Any]] = [
    # Another dataset with the same two classes under other names, in reverse order; then only one class.
    {"data": "{folder}/renamed.yaml", "classes": {"box": "round", "ball": "square"}},
    {"data": "{folder}/renamed.yaml", "classes": {"box": "square", "ball": None}},
    {"data": "{folder}/data/dataset.yaml", "classes": None, "weights": "{folder}/data/dataset.yaml"},
]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("evaluated")
    (folder / "more.json").write_text(json.dumps(MORE))
    environment = child_environment({"YOLO_CONFIG_DIR": str(folder / "settings"), "OMP_NUM_THREADS": "1"})
    command = [sys.executable, "-c", COMPARE, str(folder), *TASKS]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=550, cwd=Path.cwd())
    assert process.returncode == 0, process.stderr[-4000:]
    return folder, json.loads(process.stdout.splitlines()[-1])


def ending(directory: Path) -> Event:
    return [item.event for _, item in read_events(directory)][-1]


def result_of(directory: Path) -> dict[str, Any]:
    event = ending(directory)
    assert isinstance(event, Finished), event
    return event.result


@pytest.mark.parametrize(
    ("task", "letter"), [("detect", "B"), ("segment", "M"), ("pose", "P"), ("obb", "B"), ("classify", "")]
)
def test_the_figures_are_those_of_yolo_val(evaluated: Any, task: str, letter: str) -> None:
    folder, theirs = evaluated
    ours = result_of(folder / task / "job")["metrics"]
    keys = {"precision": "precision", "recall": "recall", "map50": "mAP50", "map95": "mAP50-95"}
    names = {mine: f"metrics/{key}({letter})" for mine, key in keys.items()}
    if task == "classify":
        names = {"top1": "metrics/accuracy_top1", "top5": "metrics/accuracy_top5"}
    assert ours == pytest.approx(
        {mine: theirs[task][name] for mine, name in names.items()} | {"fitness": theirs[task]["fitness"]}, abs=0.0005
    )
    assert 0 < ours[next(iter(names))] < 1, "figures that say something"
    intervals = result_of(folder / task / "job")["intervals"]
    if task == "classify":
        assert intervals is None
        return
    for name in ("map50", "map95"):
        low, high = intervals[name]
        assert 0 <= low < high <= 1


@pytest.mark.parametrize("task", TASKS)
def test_every_image_is_stored_with_its_objects_and_detections(evaluated: Any, task: str) -> None:
    folder, _ = evaluated
    output, result = folder / task / "job" / "output", result_of(folder / task / "job")
    pictures = list(read_pictures(output / OUTCOMES))
    assert len(pictures) == result["images"] == 6
    assert [name.startswith("images/val/") for _number, name, *_ in pictures] == [True] * 6
    results = [unpack(data) for *_, data in pictures]
    assert sum(len(item.objects) for item in results) == result["objects"]
    assert (output / view_name(result["confidence"], result["iou"])).is_file()
    if task == "classify":
        assert result["sizes"] is None
        return
    assert sum(size["objects"] for size in result["sizes"].values()) == result["objects"]
    assert {row["name"] for row in result["classes"]} <= {"round", "square"}
    for item, (_number, _name, width, height, _data) in zip(results, pictures, strict=True):
        assert (width, height) == (160, 120)
        assert all(
            len(corners) == (8 if task == "obb" else 4) for corners in [*item.object_corners, *item.detection_corners]
        )
        assert all(-1 <= value <= 161 for corners in item.object_corners for value in corners[:4]) or task == "obb"
        assert list(item.confidences) == sorted(item.confidences, reverse=True)


def test_matching_is_that_of_ultralytics(evaluated: Any) -> None:
    folder, theirs = evaluated
    ours = [[0] * 3 for _ in range(3)]
    for *_, data in read_pictures(folder / "detect" / "job" / "output" / OUTCOMES):
        unpacked = unpack(data)
        for outcome in outcomes(unpacked, 0.3):
            predicted = unpacked.detections[outcome.detection] if outcome.detection >= 0 else 2
            ours[predicted][unpacked.objects[outcome.object] if outcome.object >= 0 else 2] += 1
    assert ours == theirs["matrix"]
    assert sum(map(sum, ours)) > 10


def test_images_that_are_drawn_once_give_the_figures_themselves(evaluated: Any) -> None:
    folder, theirs = evaluated
    ours = result_of(folder / "detect" / "job")["metrics"]
    assert theirs["drawn once"] == pytest.approx([ours["map50"], ours["map95"]], abs=0.0005)


def test_classes_of_another_dataset_are_mapped_by_name(evaluated: Any) -> None:
    folder, _ = evaluated
    same, mapped, one = (result_of(folder / "detect" / name) for name in ("job", "more-0", "more-1"))
    assert mapped["metrics"] == same["metrics"]
    assert {row["name"]: row["objects"] for row in mapped["classes"]} == {
        row["name"]: row["objects"] for row in same["classes"]
    }
    count = next(row["objects"] for row in same["classes"] if row["name"] == "round")
    assert [(row["name"], row["objects"]) for row in one["classes"]] == [("square", count)]
    assert one["objects"] == count < same["objects"]


def test_a_file_that_is_no_model_is_refused(evaluated: Any) -> None:
    event = ending(evaluated[0] / "detect" / "more-2")
    assert isinstance(event, Failed)
    assert event.kind == "weights"
