"""The allow-list of parameters against the installed ultralytics."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from apiflask import APIFlask

from app.core.train import TrainingParams
from app.errors import Unprocessable
from app.jobs.process import child_environment
from app.services.trainer import params
from app.services.trainer.architectures import architectures
from app.services.trainer.params.excluded import EXCLUDED, REQUEST
from app.services.trainer.params.kinds import Parameter
from app.services.trainer.ultralytics_files import defaults

# In a process of its own, since it imports torch: whether ultralytics accepts values of parameters and names of models.
ASK = """
import json, sys
from ultralytics.cfg import get_cfg
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.nn.tasks import guess_model_task, yaml_model_load
asked = json.load(sys.stdin)
wrong = []
for name, value in asked["values"]:
    try:
        get_cfg(overrides={name: value})
    except (TypeError, ValueError) as error:
        wrong.append(str(error))
tasks = {}
for name in asked["models"]:
    model = yaml_model_load(name + ".yaml")
    tasks[name] = [guess_model_task(model), model["scale"], len(model["backbone"] + model["head"])]
import inspect
print(json.dumps({"wrong": wrong, "tasks": tasks, "optimizers": inspect.getsource(BaseTrainer.build_optimizer)}))
"""


def limits(item: Parameter) -> list[Any]:
    if item.kind == "boolean":
        return [True, False]
    return list(item.choices) if item.kind == "choice" else [item.low, item.high]


def test_every_argument_is_decided_on() -> None:
    decided = {*params.PARAMETERS, *REQUEST, *EXCLUDED}
    assert set(defaults()) - decided == set(), "new in ultralytics: offer it, or say in EXCLUDED why not"
    assert decided - set(defaults()) == set(), "gone from ultralytics"
    assert len(params.PARAMETERS) + len(REQUEST) + len(EXCLUDED) == len(decided), "decided on twice"


def test_defaults_are_allowed(idle_app: APIFlask) -> None:
    with idle_app.test_request_context():
        for item in params.catalogue():
            if item["default"] is not None and item["name"] != "device":
                assert params.check_params({item["name"]: item["default"]}) == {item["name"]: item["default"]}


def test_ultralytics_accepts_our_limits_and_models(tmp_path: Path, idle_app: APIFlask) -> None:
    values = [
        (item.name, value) for item in params.PARAMETERS.values() if item.kind != "device" for value in limits(item)
    ]
    with idle_app.app_context():
        catalog = dict(architectures())
    process = subprocess.run(
        [sys.executable, "-c", ASK],
        input=json.dumps({"values": values, "models": list(catalog)}),
        env=child_environment({"YOLO_CONFIG_DIR": str(tmp_path)}),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert process.returncode == 0, process.stderr
    answer = json.loads(process.stdout.splitlines()[-1])
    assert answer["wrong"] == []
    for name in params.OPTIMIZERS:
        assert f'"{name.lower()}"' in answer["optimizers"].lower()
    for name, (task, scale, layers) in answer["tasks"].items():
        entry = catalog[name]
        assert layers == entry.layers
        assert task == entry.task or "rtdetr" in name, "RT-DETR's head is not known to guess_model_task"
        if scale and entry.size:
            assert scale == entry.size, name


MISFITS: list[tuple[dict[str, Any], str]] = [
    ({"dropout": 0.1}, "detect"),
    ({"mosaic": 1.0}, "classify"),
    ({"mask_ratio": 2}, "pose"),
    ({"mask_ratio": 0}, "segment"),
    ({"fraction": 0}, "detect"),
    ({"box": float("nan")}, "detect"),
    ({"auto_augment": "harmful"}, "classify"),
    ({"nbs": 64.0}, "detect"),
    ({"compile": True}, "detect"),
    ({"distill_model": "/etc/passwd"}, "detect"),
    ({"augmentations": []}, "detect"),
]


def test_what_does_not_fit_is_refused(idle_app: APIFlask) -> None:
    with idle_app.test_request_context():
        for values, task in MISFITS:
            with pytest.raises(Unprocessable) as caught:
                params.check_params(values, task)
            assert [item["field"] for item in caught.value.errors] == [f"params.{name}" for name in values]


def test_valid_values_are_unchanged(idle_app: APIFlask) -> None:
    values = {"dropout": 0.1, "erasing": 0, "auto_augment": "", "fliplr": 1}
    with idle_app.test_request_context():
        assert params.check_params(values, "classify") == values


def test_each_parameter_has_its_type() -> None:
    types = {"number": float, "integer": int, "boolean": bool, "device": str, "choice": str}
    hints = get_type_hints(TrainingParams)
    expected = {name: types[item.kind] for name, item in params.PARAMETERS.items()} | {"cache": bool | str}
    assert hints == expected
