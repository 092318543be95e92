"""The interface from the trainings' service to its program, spec.json."""

import json

import pytest

from app.core.train import TrainSpec

VALUES = {
    "training_id": 1,
    "training_dir": "/data/models/1",
    "data": "/data/datasets/1/dataset.yaml",
    "task": "segment",
    "model_version": "n",
    "architecture": None,
    "start": {"kind": "auto"},
    "resume": None,
    "epochs": 3,
    "batch_size": 8,
    "batch_now": 4,
    "img_size": 64,
    "learning_rate": None,
    "device": "cpu",
    "params": {"optimizer": "auto"},
    "extensions": [],
    "memory_limit": 0,
    "weights_dir": "/data/weights",
    "weights_url": "",
    "devices": ["cpu"],
}


def test_both_ends_mean_the_same() -> None:
    spec = TrainSpec.of(VALUES | {"program": "train", "of_a_later_version": 1})
    assert TrainSpec.of(json.loads(json.dumps(spec.values()))) == spec
    assert spec.values() == VALUES
    assert (spec.model, TrainSpec.of(VALUES | {"architecture": "yolo11n-seg"}).model) == ("yolov8n", "yolo11n-seg")


def test_a_truncated_task_reports_what_is_missing() -> None:
    with pytest.raises(TypeError, match="epochs"):
        TrainSpec.of({name: value for name, value in VALUES.items() if name != "epochs"})
