"""Exports of a model, with their verification."""

import argparse
import time
from pathlib import Path

from scripts.bench.common import Figures
from scripts.bench.training import our_training
from scripts.client import Client
from scripts.drawing import draw

IMAGES, SIZE = 40, 640
EPOCHS = 15  # that the drawn things need to be found at all


def exports(folder: Path, asked: argparse.Namespace) -> Figures:
    """From the request to the file that is offered, YOLOv8n at 640 px, verified on 40 images."""
    archive = draw(folder / "drawn", val=IMAGES)
    _, server, training_id = our_training(folder, archive, max(asked.epochs, EPOCHS))
    figures: Figures = {}
    try:
        client = Client(server.url)
        for form in ("onnx", "openvino", "torchscript"):
            began = time.monotonic()
            found = client.wait_for_model_export(client.export_model(training_id, form, img_size=SIZE))
            figures[f"{form}, s"] = time.monotonic() - began
            figures[f"{form}, model alone, ms"] = found["verification"]["latency_ms"]["p50"]
            figures["images"] = float(found["verification"]["images"])
            figures[".pt, model alone, ms"] = found["verification"]["reference"]["latency_ms"]["p50"]
    finally:
        server.end()
    return figures
