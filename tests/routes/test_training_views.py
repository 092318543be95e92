"""The viewable files of a training: previews, evaluation, plots; and no others of its folder."""

import json
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from tests.data import image_bytes
from tests.services.runs import create_training

INDEX = {
    "task": "detect",
    "names": ["<b>thing"],
    "images": [{"file": "a.jpg", "width": 64, "height": 48, "truth": [{"class": 0, "box": [0.1, 0.1, 0.5, 0.5]}]}],
}
EVALUATION = {
    "task": "detect",
    "names": ["thing"],
    "images": 1,
    "objects": 1,
    "confidence": 0.3,
    "iou": 0.45,
    "best": {"confidence": 0.3, "precision": 1.0, "recall": 0.5, "f1": 0.67},
    "curves": None,
    "accuracy": None,
    "matrix": [[0, 0, 1]],
    "cells": {"0,0": [0]},
    "worst": [0],
    "pictures": [{"number": 0, "file": "a.jpg", "width": 64, "height": 48, "found": [], "truth": [], "pairs": []}],
}


@pytest.fixture
def training(idle_app: APIFlask) -> tuple[FlaskClient, str, Path]:
    number = create_training(idle_app, status="completed")
    return idle_app.test_client(), f"/api/trainings/{number}", Path(idle_app.config["MODELS_DIR"]) / str(number)


def write_file(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def test_previews(training: tuple[FlaskClient, str, Path]) -> None:
    client, url, folder = training
    empty = client.get(f"{url}/previews").get_json()
    assert (empty["images"], empty["epochs"]) == ([], [])
    write_file(folder / "previews" / "index.json", INDEX)
    write_file(folder / "previews" / "image-0.jpg", image_bytes())
    for epoch in (10, 2, 1):
        write_file(
            folder / "previews" / f"epoch-{epoch}.json", {"epoch": epoch, "images": [[{"class": 0, "conf": 0.5}]]}
        )
    previews = client.get(f"{url}/previews").get_json()
    assert previews["epochs"] == [1, 2, 10]
    assert previews["names"] == ["<b>thing"]
    assert client.get(previews["images"][0]["url"]).mimetype == "image/jpeg"
    assert client.get(f"{url}/previews/2").get_json() == {"epoch": 2, "images": [[{"class": 0, "conf": 0.5}]]}
    last = client.get(f"{url}/previews/{previews['epochs'][-1]}").get_json()
    assert (previews["newest"], empty["newest"]) == (last, None)
    for missing in ("previews/3", "previews/images/1", "previews/images/-1", "previews/0"):
        assert client.get(f"{url}/{missing}").status_code == 404, missing


def test_evaluation(training: tuple[FlaskClient, str, Path]) -> None:
    client, url, folder = training
    assert client.get(f"{url}/evaluation").status_code == 404
    write_file(folder / "evaluation" / "evaluation.json", EVALUATION)
    write_file(folder / "evaluation" / "image-0.jpg", image_bytes())
    assert client.get(f"{url}/files").get_json()["evaluation"]
    evaluation = client.get(f"{url}/evaluation").get_json()
    assert evaluation["matrix"] == [[0, 0, 1]]
    assert evaluation["best"]["recall"] == 0.5
    assert evaluation["thresholds"] == []
    assert client.get(evaluation["pictures"][0]["url"]).status_code == 200


def test_plots_and_nothing_else(training: tuple[FlaskClient, str, Path]) -> None:
    client, url, folder = training
    assert client.get(f"{url}/files").get_json() == {"files": [], "evaluation": False, "damaged": []}
    names = ["results.png", "MaskPR_curve.png", "train_batch2.jpg", "train_batch10.jpg", "val_batch0_pred.jpg"]
    for name in [*names, "args.yaml", "results.csv", "secret.png", "train_batch1.svg"]:
        write_file(folder / "run" / name, b"\x89PNG")
    write_file(folder / "config.yaml", b"x: 1")
    (folder / "run" / "labels.jpg").symlink_to("/etc/hostname")
    files = client.get(f"{url}/files").get_json()["files"]
    assert [item["name"] for item in files if item["name"] != "labels.jpg"] == names
    assert client.get(files[0]["url"]).mimetype == "image/png"
    hidden = [
        "args.yaml",
        "secret.png",
        "labels.jpg",
        "..%2Fconfig.yaml",
        "../config.yaml",
        "results.png%00",
        "weights/best.pt",
    ]
    for name in hidden:
        assert client.get(f"{url}/files/{name}").status_code == 404, name
    assert client.get("/api/trainings/99/files").status_code == 404
