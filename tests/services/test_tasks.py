"""Datasets of each task: how an upload is interpreted, what is checked, and what a training is given."""

import io
import json
import time
from typing import Any

import pytest
import yaml
from apiflask import APIFlask
from flask.testing import FlaskClient

from tests.data import image_bytes, zip_bytes
from tests.task_data import CORNERS, POSE_YAML, files

NAMES = "names: [thing]\n"


def upload(client: FlaskClient, content: dict[str, Any], status: int = 201, **form: str) -> dict[str, Any]:
    """Upload; returns the dataset after its validation, or the refusal."""
    fields = {"name": "Set", "file": (io.BytesIO(zip_bytes(content)), "set.zip")} | form
    answer = client.post("/api/datasets", data=fields, content_type="multipart/form-data")
    assert answer.status_code == status, answer.text
    if status != 201:
        return answer.json
    until = time.monotonic() + 180
    while (row := client.get(f"/api/datasets/{answer.json['dataset_id']}").json)["status"] == "validating":
        assert time.monotonic() < until
        time.sleep(0.05)
    return row


def written(app: APIFlask, row: dict[str, Any]) -> dict[str, Any]:
    """The dataset.yaml that a training is given."""
    return yaml.safe_load(app.extensions["services"].storage.dataset_yaml(row["id"]).read_text())


def labelled(task: str, extra: str = "") -> dict[str, Any]:
    return files(task, 4, 2) | {"data.yaml": NAMES + extra}


def test_the_labels_show_the_task(client: FlaskClient, app: APIFlask) -> None:
    for task in ("detect", "segment", "obb", "pose"):
        row = upload(client, labelled(task, POSE_YAML if task == "pose" else ""))
        assert (row["status"], row["task"], row["error"]) == ("valid", task, None)
        document = written(app, row)
        if task == "pose":
            assert (document["kpt_shape"], document["flip_idx"]) == ([3, 3], [1, 0, 2])
        else:
            assert "kpt_shape" not in document
        decisions = [item["code"] for item in row["report"]["decisions"]]
        assert ("task_found" in decisions) == (task in {"segment", "obb"})


def test_keypoints_stay_when_the_data_is_moved(client: FlaskClient, app: APIFlask) -> None:
    row = upload(client, labelled("pose", POSE_YAML))
    services = app.extensions["services"]
    before = written(app, row)
    path = services.storage.dataset_yaml(row["id"])
    path.write_text(path.read_text().replace(before["path"], "/elsewhere"))
    assert written(app, row)["path"] == "/elsewhere"
    with app.app_context():
        services.datasets.restart.reconcile()
    assert written(app, row) == before


def test_the_form_names_the_task(client: FlaskClient, app: APIFlask) -> None:
    assert upload(client, labelled("obb"), task="segment")["task"] == "segment"
    assert upload(client, labelled("segment"), task="detect")["task"] == "detect"
    boxes = upload(client, labelled("pose", POSE_YAML), task="detect")
    assert (boxes["status"], boxes["task"], boxes["report"]["boxes"]) == ("valid", "detect", {"0": 6})
    assert written(app, boxes)["kpt_shape"] == [3, 3], "ultralytics then takes the box of each row"

    refused = upload(client, labelled("detect"), task="segment")
    assert (refused["status"], refused["task"]) == ("invalid", "segment")
    assert refused["report"]["findings"]["label_box"] == 6
    assert "kpt_shape" in upload(client, labelled("detect"), 422, task="pose")["detail"]
    assert upload(client, labelled("detect"), 422, task="depth")["errors"][0]["field"] == "task"


def test_folders_of_classes(client: FlaskClient, app: APIFlask) -> None:
    content = {name.removeprefix("images/"): body for name, body in files("classify", 4, 2).items()}
    content |= {"val/oval/1.jpg": image_bytes(), "train/round/broken.jpg": b"no image"}
    row = upload(client, content, classes="a,b")
    assert (row["status"], row["task"], row["classes"]) == ("valid", "classify", ["round", "square"])
    assert row["report"]["boxes"] == {"0": 3, "1": 3}
    assert {"class_unknown": 1, "image_broken": 1}.items() <= row["report"]["findings"].items()
    assert {"task_folders", "folder_names"} <= {item["code"] for item in row["report"]["decisions"]}
    assert written(app, row)["names"] == {0: "round", 1: "square"}

    unsplit = {f"{'cat' if number % 2 else 'dog'}/{number}.jpg": image_bytes() for number in range(20)}
    row = upload(client, unsplit)
    assert row["report"]["decisions"][0]["code"] == "task_plain_folders"
    assert (row["status"], row["classes"]) == ("valid", ["cat", "dog"])
    assert (row["train_images"], row["val_images"], row["test_images"]) == (16, 3, 1)

    assert (
        "duas pastas"
        in upload(client, {"train/cat/1.jpg": image_bytes()} | content_of("cat"), 422, task="classify")["detail"]
    )
    upload(client, unsplit, 422, task="detect")  # images without labels
    upload(client, content_of("cat"), 422)


def content_of(name: str) -> dict[str, bytes]:
    return {f"{split}/{name}/{number}.jpg": image_bytes() for split in ("train", "val") for number in range(3)}


@pytest.mark.parametrize(
    "text",
    [
        "kpt_shape: 17\n",
        "kpt_shape: [17]\n",
        "kpt_shape: [17, 4]\n",
        "kpt_shape: [0, 3]\n",
        "kpt_shape: [1e9, 3]\n",
        "kpt_shape: [2, 3]\nflip_idx: [0, 0]\n",
        "kpt_shape: [2, 3]\nflip_idx: {a: b}\n",
    ],
)
def test_keypoints_that_cannot_be(client: FlaskClient, text: str) -> None:
    assert "data.yaml" in upload(client, labelled("pose", text), 422)["detail"]


def test_rows_with_keypoints(client: FlaskClient) -> None:
    good = "0 0.5 0.5 0.5 0.5 0.25 0.25 2 0.75 0.25 2 0.5 0.75 1"
    rows = {
        "columns": "0 0.5 0.5 0.5 0.5",
        "outside": good.replace("0.25 0.25 2", "1.25 0.25 2"),
        "negative": good.replace("0.25 0.25 2", "-0.25 0.25 2"),
        "class": good.replace("0 0.5", "3 0.5", 1),
        "polygon": f"0 {CORNERS}",
    }
    content = labelled("pose", POSE_YAML)
    for name, row in rows.items():
        content |= {f"images/train/{name}.jpg": image_bytes(), f"labels/train/{name}.txt": row + "\n"}
    dataset = upload(client, content)
    assert (dataset["status"], dataset["task"]) == ("valid", "pose")
    expected = {"label_keypoints": 2, "label_out_of_range": 1, "label_negative": 1, "class_out_of_range": 1}
    assert expected.items() <= dataset["report"]["findings"].items()
    assert dataset["report"]["usable"] == {"train": 4, "val": 2, "test": 0}
    texts = json.dumps(client.get(f"/api/datasets/{dataset['id']}/findings").json, ensure_ascii=False)
    assert "14" in texts
    assert "kpt_shape" in texts
