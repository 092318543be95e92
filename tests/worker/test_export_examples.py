"""example.py of an export, run without torch and ultralytics, prints the detections of `predict` with the .pt: for each
task.

`EXPORTS=all` runs every task in every format with every option, which takes some minutes.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from app.core.exports import IOU
from app.jobs.process import child_environment
from app.services.exports.examples import example
from tests.synthetic_models import PROGRAM

SIZE = 96
LEAST = 0.05
pytestmark = pytest.mark.timeout(900 if os.environ.get("EXPORTS") != "all" else 6000)


@dataclass(frozen=True)
class Case:
    """One export; of `task`, or of an RT-DETR."""

    task: str
    format: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return "-".join([self.task, self.format, *(f"{key}{value}" for key, value in self.options.items())])

    @property
    def real_task(self) -> str:
        return "detect" if self.task == "rtdetr" else self.task


ESSENTIAL = [
    Case("classify", "onnx", {"half": True}),
    Case("segment", "openvino", {"dynamic": True}),
    Case("pose", "onnx", {"nms": True}),
    Case("obb", "onnx"),
    Case("detect", "openvino", {"int8": True}),
    Case("detect", "torchscript", {"nms": True}),
    Case("rtdetr", "onnx"),
]


def everything() -> Iterator[Case]:
    """All combinations that can be requested."""
    options: list[dict[str, Any]] = [{}, {"dynamic": True}, {"nms": True}, {"half": True}, {"int8": True}, {"batch": 3}]
    tasks = ("detect", "segment", "pose", "obb", "classify", "rtdetr")
    for task, form, arguments in product(tasks, ("onnx", "openvino", "torchscript"), options):
        no_nms = task in {"classify", "rtdetr"} and "nms" in arguments
        if not no_nms and not (form == "torchscript" and ("half" in arguments or "int8" in arguments)):
            yield Case(task, form, arguments)


CASES = list(everything()) if os.environ.get("EXPORTS") == "all" else ESSENTIAL

EXPORT = (
    PROGRAM
    + f"""
import json
from ultralytics import RTDETR
from app.core.exports import ExportSpec
from app.worker.exporting.convert import convert

root, least, iou, models = Path(sys.argv[1]), {LEAST}, {IOU}, {{}}

def make_rtdetr(path):
    torch.manual_seed(3)
    model = RTDETR("rtdetr-l.yaml")
    head = model.model.model[-1]
    with torch.no_grad():
        for layer in [head.enc_score_head, *head.dec_score_head]:
            layer.weight.normal_(std=0.1), layer.bias.fill_(-1.0)
        for layer in head.dec_bbox_head:
            layer.layers[-1].weight.normal_(std=0.3)
    model.model.names = {{number: f"kind{{number}}" for number in range(head.nc)}}
    model.ckpt = {{"train_args": {{"task": "detect", "imgsz": SIZE}}}}
    model.save(path)
    return RTDETR(path)

def rows_of(result):
    if result.probs is not None:
        return [[result.names[i], float(result.probs.data[i])] for i in result.probs.top5]
    found = result.obb if result.obb is not None else result.boxes
    places = found.xyxyxyxy.reshape(-1, 8) if result.obb is not None else found.xyxy
    return [[result.names[int(kind)], float(conf), *place] for kind, conf, place in
        zip(found.cls, found.conf, places.tolist())]

def model_of(task):
    if task not in models:
        path = root / f"{{task}}.pt"
        model = make_rtdetr(path) if task == "rtdetr" else create_model(task, path)
        picture(root / task / "0.png")
        image = Image.open(root / task / "0.png").resize((96, 72))
        image.resize((192, 144), Image.Resampling.NEAREST).save(root / f"{{task}}.png")  # as exact scaled down again
        result = model.predict(root / f"{{task}}.png", imgsz=SIZE, conf=least, iou=iou, rect=False, verbose=False)[0]
        names = list(result.names.values())
        (root / f"{{task}}.json").write_text(json.dumps({{"names": names, "rows": rows_of(result)}}))
        models[task] = path, model
    return models[task]

for task, real_task, form, options, folder in json.loads(sys.argv[2]):
    directory = Path(folder)
    directory.mkdir(parents=True)
    try:
        weights, model = model_of(task)
        data = write_dataset(directory / "data", real_task, model) if options.get("int8") else None
        (directory / "weights").mkdir()
        own = directory / "weights" / "model.pt"
        own.write_bytes(weights.read_bytes())
        made, _ = convert(ExportSpec(str(weights), "", form, str(data), real_task, SIZE, options), own, directory)
        (directory / "model.txt").write_text(made.name)
    except Exception:
        import traceback
        (directory / "error.txt").write_text(traceback.format_exc())
"""
)

# Without these, even if installed; as in its user's fresh environment.
WITHOUT = """
import sys, runpy
for name in sys.argv[1].split(","):
    sys.modules[name] = None
sys.argv = ["example.py", sys.argv[2]]
runpy.run_path("example.py", run_name="__main__")
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each case, with the export in `made`; one process creates them all."""
    root = tmp_path_factory.mktemp("exports")
    cases = [[case.task, case.real_task, case.format, case.options, str(root / case.name)] for case in CASES]
    environment = child_environment({"YOLO_CONFIG_DIR": str(root), "YOLO_VERBOSE": "false"})
    command = [sys.executable, "-c", EXPORT, str(root), json.dumps(cases)]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=5000)
    assert process.returncode == 0, process.stderr[-3000:]
    return root


Row = tuple[str, float, list[float]]


def printed(case: Case, folder: Path, image: Path) -> list[Row]:
    """The example's output for an image."""
    directory = folder / "made"
    expected = json.loads((image.with_suffix(".json")).read_text())
    (directory / "names.json").write_text(json.dumps(expected["names"]))
    (directory / "thresholds.json").write_text(json.dumps({"confidence": LEAST}))
    model = (folder / "model.txt").read_text()
    options = {"img_size": SIZE} | case.options
    text = example(case.format, case.real_task, model, options, IOU, case.task == "rtdetr")
    (directory / "example.py").write_text(text)
    without = "ultralytics,cv2" if case.format == "torchscript" else "ultralytics,cv2,torch,torchvision"
    command = [sys.executable, "-c", WITHOUT, without, str(image)]
    process = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, f"{text}\n{process.stderr}"
    rows = map(str.split, process.stdout.splitlines())
    return [(row[0], float(row[1]), [float(value) for value in row[2:]]) for row in rows]


@pytest.mark.parametrize("case", list(everything()), ids=lambda case: case.name)
def test_it_is_short(case: Case) -> None:
    name = {"onnx": "model.onnx", "openvino": "model_openvino_model", "torchscript": "model.torchscript"}[case.format]
    text = example(case.format, case.real_task, name, {"img_size": SIZE} | case.options, IOU, case.task == "rtdetr")
    lines = text.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 120
    compile(text, "example.py", "exec")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_example_prints_what_predict_finds(exported: Path, case: Case) -> None:
    folder, image = exported / case.name, exported / f"{case.task}.png"
    error = folder / "error.txt"
    assert not error.exists(), error.read_text()
    detections = printed(case, folder, image)
    expected = [(row[0], row[1], row[2:]) for row in json.loads(image.with_suffix(".json").read_text())["rows"]]
    assert detections
    assert expected
    if "int8" in case.options:
        return  # for an untrained model, 8 bits preserve nothing: it only has to run and print
    assert_same(detections, expected)
    assert_same(expected, detections)


def assert_same(some: list[Row], expected: list[Row]) -> None:
    """Nearly all of the more confident ones are among the others."""
    surer = [row for row in some if row[1] >= 1.4 * LEAST]
    assert surer
    again = [row for row in surer if any(is_same(row, row_) for row_ in expected)]
    assert len(again) >= 0.9 * len(surer), (surer, expected)


def is_same(one: Row, second: Row) -> bool:
    return one[0] == second[0] and abs(one[1] - second[1]) < 0.02 and distance(one[2], second[2]) < 2.0


def distance(one: list[float], second: list[float]) -> float:
    """Of the farthest corner, px; an oriented box may begin at any of its corners."""
    if not one:
        return 0.0
    turns = (
        [second[2 * turn :] + second[: 2 * turn] for turn in range(len(second) // 2)] if len(second) == 8 else [second]
    )
    return min(max(abs(a - b) for a, b in zip(one, turn, strict=True)) for turn in turns)
