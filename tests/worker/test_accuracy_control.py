"""INT8 of a model that plain quantization ruins: accuracy control restores it, or it is not offered."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.exports import LOST_INT8
from app.jobs.process import child_environment

SIZE = 160

# A detector of five layers with a channel stuck at 1,000, which the next layer ignores. In floating point that has no
# effect; quantized, all other channels of the layer share its 8-bit range. The labels are its own detections. Then its
# export as in a job's child, and once more with training images that do not reveal the loss.
PROGRAM = f"""
import json, random, shutil, sys
from pathlib import Path
import numpy as np
import torch
from PIL import Image, ImageDraw
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel
from app.core.exports import ExportSpec
from app.events import read_events
from app.worker.channel import Channel
from app.worker.exporting.measuring import measure
from app.worker.exporting.processes import task_of
from app.worker.exporting.images import sample_split
from app.worker.programs import export_model
from app.worker.programs.export_model import AccuracyLost, Course, judge, restored, run
from app.core.files import file_hash
torch.manual_seed(0)
folder, rng = Path(sys.argv[1]), random.Random(1)
(folder / "small.yaml").write_text(
    "nc: 2" + chr(10) + "backbone: [[-1, 1, Conv, [16, 3, 2]], [-1, 1, Conv, [24, 3, 2]], [-1, 1, Conv, [24, 3, 1]],"
    "[-1, 1, Conv, [32, 3, 2]]]" + chr(10) + "head: [[[3], 1, Detect, [nc]]]" + chr(10))
paths = []
for split, count in (("train", 4), ("val", 8)):
    for number in range(count):
        image = Image.new("RGB", ({SIZE}, {SIZE}), tuple(rng.randrange(256) for _ in range(3)))
        for _ in range(8):
            x, y = rng.randrange(120), rng.randrange(120)
            place = (x, y, x + rng.randrange(10, 60), y + rng.randrange(10, 50))
            ImageDraw.Draw(image).ellipse(place, fill=tuple(rng.randrange(256) for _ in range(3)))
        path = folder / "data" / "images" / split / f"{{number}}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
        paths.append(path)
yolo = YOLO("yolov8n.yaml")
yolo.model = DetectionModel(str(folder / "small.yaml"), nc=2, verbose=False)
yolo.model.names = {{0: "round", 1: "square"}}
yolo.ckpt = {{"train_args": {{"task": "detect", "imgsz": {SIZE}, "single_cls": False}}}}
for layer in yolo.model.modules():
    if isinstance(layer, torch.nn.BatchNorm2d):
        layer.momentum = 1.0
layers = yolo.model.model
layers[1].bn.weight.data[0], layers[1].bn.bias.data[0] = 0, 1000
layers[2].conv.weight.data[:, 0] = 0
pixels = np.stack([np.asarray(Image.open(path), np.float32) for path in paths]).transpose(0, 3, 1, 2)
with torch.no_grad():
    yolo.model.train()(torch.from_numpy(pixels / 255))
boxes, classes = layers[-1].cv2[0], layers[-1].cv3[0]
boxes[-1].bias.data.view(4, 16)[:, 1] += 6.0
torch.nn.init.normal_(classes[-1].weight, std=0.1)
torch.nn.init.constant_(classes[-1].bias, -3.0)
def objects(path, least):
    found = yolo.predict(path, conf=least, iou=0.7, imgsz={SIZE}, verbose=False)[0].boxes
    return list(zip(found.conf.tolist(), found.cls.tolist(), found.xywhn.tolist()))
weights = folder / "best.pt"
yolo.save(weights)
yolo = YOLO(weights)
surest = sorted((row[0] for path in paths for row in objects(path, 0.001)), reverse=True)[60]
last = yolo.model.model[-1].cv3[0][-1]
last.weight.data *= 8
last.bias.data = 8 * (last.bias.data - float(np.log(surest / (1 - surest))))
yolo.save(weights)
yolo = YOLO(weights)
for path in paths:
    label = folder / "data" / "labels" / path.parent.name / f"{{path.stem}}.txt"
    label.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{{int(kind)}} {{' '.join(map(str, box))}}" for _, kind, box in objects(path, 0.5)]
    label.write_text("".join(line + chr(10) for line in lines))
data = folder / "data" / "dataset.yaml"
data.write_text(f"path: {{data.parent}}\\ntrain: images/train\\nval: images/val\\nnames: [round, square]\\nnc: 2\\n")

def job(name):
    directory = folder / name
    directory.mkdir()
    spec = ExportSpec(str(weights), file_hash(weights), "openvino", str(data), "detect", {SIZE}, {{"int8": True}})
    (directory / "spec.json").write_text(json.dumps(spec.values()))
    return Channel(directory), spec, directory

def said(directory):
    events = [item.event for _, item in read_events(directory)]
    figures = [item.verification for item in events if hasattr(item, "verification")]
    return {{"figures": figures, "steps": sum(getattr(item, "stage", "") == "exporting" for item in events)}}

channel, spec, directory = job("control")
result = run(channel)
told = {{"control": said(directory) | {{"images": result["accuracy_control_images"]}}}}

shutil.rmtree(data.parent / "labels" / "train")
channel, spec, again = job("unlabelled")
images, count = sample_split(data, "val", 100, again / "verification")
course = Course(channel)
course.enter("restoring")
found, _ = restored(spec, directory / "weights" / "model.pt", shutil.copytree(
    next((directory / "lossy").iterdir()), again / "plain" / "model_openvino_model"), again, course)
model = measure(task_of(spec, directory / "weights" / "model.pt", images), again / "reference")
export = measure(task_of(spec, found, images), again / "export")
try:
    judge(channel, spec, model, export)
except AccuracyLost as error:
    told["unlabelled"] = said(again) | {{"code": error.code}}
print(json.dumps(told))
"""


@pytest.mark.timeout(600)
def test_accuracy_control_brings_back_what_plain_int8_loses(tmp_path: Path) -> None:
    environment = child_environment({"YOLO_CONFIG_DIR": str(tmp_path / "settings"), "YOLO_VERBOSE": "false"})
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=550)
    assert process.returncode == 0, process.stderr[-3000:]
    report = json.loads(process.stdout.splitlines()[-1])
    uncontrolled, controlled = report["control"]["figures"]
    assert uncontrolled["conclusive"] is True
    assert uncontrolled["loss"] > 0.5, "the fault shows"
    assert controlled["loss"] <= LOST_INT8
    assert controlled["map95"] > 0.9
    assert controlled["agreement"] > 0.9
    assert report["control"]["images"] == 4
    assert report["control"]["steps"] >= 4, "a calibration tells of each image: a loaded machine is no stall"
    (lost,) = report["unlabelled"]["figures"]
    assert report["unlabelled"]["code"] == "accuracy_lost"
    assert lost["loss"] > 0.5, "control saw training images without labels, where nothing can be lost"
    assert lost["reference"]["map95"] > 0.9
