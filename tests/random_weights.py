"""A model file without a training: YOLOv8n with random weights that detects something in every image."""

import subprocess
import sys
from pathlib import Path

from apiflask import APIFlask

from app.database import writing
from app.jobs.process import child_environment
from app.models import Dataset, Training

CLASSES = ("Célula não-corada", "<b>ção</b>")

PROGRAM = """
import sys, torch
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel
torch.manual_seed(0)
yolo = YOLO("yolov8n.yaml")
yolo.model = DetectionModel("yolov8n.yaml", nc=len(sys.argv) - 2, verbose=False)
yolo.model.names = dict(enumerate(sys.argv[2:]))
for layer in yolo.model.modules():  # statistics of one batch of noise, so that pictures reach the last layer
    if isinstance(layer, torch.nn.BatchNorm2d):
        layer.momentum = 1.0
with torch.no_grad():
    yolo.model.train()(torch.rand(2, 3, 160, 160))
head = yolo.model.model[-1]
for branch in head.cv3:
    torch.nn.init.normal_(branch[-1].weight, std=0.1)
    torch.nn.init.constant_(branch[-1].bias, -1.0)
yolo.save(sys.argv[1])
"""


def write_weights(path: Path, *classes: str) -> Path:
    """Writes the model file in a process of its own, so that the tests' process does not import torch."""
    environment = child_environment({"YOLO_CONFIG_DIR": str(path.parent)})
    command = [sys.executable, "-c", PROGRAM, str(path), *(classes or CLASSES)]
    subprocess.run(command, check=True, env=environment, cwd=path.parent, capture_output=True, timeout=200)
    return path


def add_training(app: APIFlask, weights: bytes | None, name: str = "best.pt") -> int:
    """A completed training with these weights; returns its id."""
    with app.app_context():
        with writing() as session:
            dataset = Dataset(name="cells", status="valid")
            training = Training(name="Células 1", dataset=dataset, model_version="n", status="completed")
            session.add(training)
            session.flush()
            number = training.id
        folder = Path(app.config["MODELS_DIR"]) / str(number) / "run" / "weights"
        folder.mkdir(parents=True)
        if weights is not None:
            (folder / name).write_bytes(weights)
    return number
