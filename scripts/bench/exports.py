"""Exports of a model, with their verification."""

import argparse
import time
from pathlib import Path

from scripts.bench.common import Figures, new_folder
from scripts.bench.evaluation import multiply
from scripts.bench.many import used
from scripts.bench.serving import SIZE, add_trained
from scripts.client import Client
from scripts.fitted_model import create_model
from scripts.local_server import Server

IMAGES = 40


def exports(folder: Path, _args: argparse.Namespace) -> Figures:
    """From the request to the downloadable file, YOLOv8n at 640 px, verified on 40 images."""
    model = new_folder(folder, "made")
    create_model(model, SIZE)
    multiply(model / "data", IMAGES)
    figures: Figures = {}
    with Server(new_folder(folder, "server"), "threading") as server:
        training_id, client = add_trained(server, model), Client(server.url)
        for form in ("onnx", "openvino", "torchscript"):
            began, before = time.monotonic(), used(server)
            exported = client.wait_for_model_export(client.export_model(training_id, form, img_size=SIZE))
            figures[f"{form}, s"] = time.monotonic() - began
            figures[f"{form}, s of the processor"] = used(server) - before
            figures[f"{form}, model alone, ms"] = exported["verification"]["latency_ms"]["p50"]
            figures["images"] = float(exported["verification"]["images"])
            figures[".pt, model alone, ms"] = exported["verification"]["reference"]["latency_ms"]["p50"]
    return figures
