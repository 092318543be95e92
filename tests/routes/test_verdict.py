"""GET /api/trainings/{id}/verdict, and the level that lists show."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import writing
from app.extensions import db
from app.i18n import ngettext
from app.models import Checkpoint, Training, TrainingMetric
from tests.data import zip_bytes
from tests.routes.test_datasets import upload, wait_for_dataset
from tests.services.runs import create_training
from tests.worker.quality.helpers import picture


def with_best(app: APIFlask, map50: float, status: str = "completed") -> int:
    """A training of two epochs on 6 images; the second is its best."""
    number = create_training(app, status=status, current_epoch=2, total_epochs=2, weights="scratch", batch_size=2)
    rows = [{"class": 0, "ap50": map50, "ap95": 0.1, "precision": 0.5, "recall": 0.5, "instances": 2}]
    with app.app_context(), writing() as session:
        for epoch in (1, 2):
            session.add(
                TrainingMetric(
                    training_id=number,
                    epoch=epoch,
                    loss=9.0 - epoch,
                    map50=map50 * epoch / 2,
                    map95=0.1,
                    fitness=0.1,
                    classes=rows,
                    parts={},
                    timestamp=datetime.now(UTC),
                )
            )
        session.add(Checkpoint(training_id=number, epoch=2, model_path=f"models/{number}/x.pt", is_best=True))
    return number


def test_a_run_that_learned_nothing_is_marked_everywhere(idle_app: APIFlask) -> None:
    client, number = idle_app.test_client(), with_best(idle_app, 0.0)
    training = client.get(f"/api/trainings/{number}").get_json()
    assert (training["status"], training["level"]) == ("completed", "nothing")
    assert client.get("/api/trainings").get_json()["trainings"][0]["level"] == "nothing"
    verdict = client.get(f"/api/trainings/{number}/verdict", headers={"Accept-Language": "en"}).get_json()
    assert verdict["title"] == "The model detects nothing"
    assert verdict["cause"]["code"] == "few_iterations"
    assert verdict["cause"]["data"]["iterations"] == 6, "two epochs of three batches"
    assert verdict["next"][0]["action"] in {"extend", "clone"}
    spoken = client.get(f"/api/trainings/{number}/verdict").get_json()
    assert spoken["title"] == "O modelo não detecta nada"


def test_only_of_what_has_ended(idle_app: APIFlask) -> None:
    client = idle_app.test_client()
    assert client.get(f"/api/trainings/{create_training(idle_app, status='pending')}/verdict").status_code == 404
    assert client.get("/api/trainings/999/verdict").status_code == 404
    for status in ("completed", "failed", "cancelled"):
        number = with_best(idle_app, 0.9, status)
        verdict = client.get(f"/api/trainings/{number}/verdict").get_json()
        assert (verdict["status"], verdict["level"], verdict["metric"]["epoch"]) == (status, "good", 2)
        assert verdict["certainty"]["objects"] == 2


@pytest.mark.parametrize("content", ["", "{", "[]", '{"names": 3}'])
def test_a_damaged_evaluation_affects_its_section_alone(idle_app: APIFlask, content: str) -> None:
    number = with_best(idle_app, 0.9)
    path = Path(idle_app.config["MODELS_DIR"]) / str(number) / "evaluation" / "evaluation.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    verdict = idle_app.test_client().get(f"/api/trainings/{number}/verdict").get_json()
    assert (verdict["level"], verdict["confusion"]) == ("good", None)


def test_an_evaluation_of_earlier_weights_does_not_count(idle_app: APIFlask) -> None:
    """For a run that was extended and failed: its best epoch is newer than the evaluation."""
    number = with_best(idle_app, 0.9, "failed")
    path = Path(idle_app.config["MODELS_DIR"]) / str(number) / "evaluation" / "evaluation.json"
    path.parent.mkdir(parents=True)
    body = {"names": ["thing"], "matrix": [[0, 0, 3], [1, 0, 2]], "images": 2, "objects": 5, "best": None}
    path.write_text(json.dumps(body))
    client = idle_app.test_client()
    assert client.get(f"/api/trainings/{number}/verdict").get_json()["confusion"]["kind"] == "missed"
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert client.get(f"/api/trainings/{number}/verdict").get_json()["confusion"] is None


def test_the_page_of_an_ended_training_asks_for_its_verdict_first(idle_app: APIFlask) -> None:
    number = with_best(idle_app, 0.9)
    page = idle_app.test_client().get(f"/trainings/{number}").get_data(as_text=True)
    assert f"/api/trainings/{number}/verdict" in page
    with idle_app.app_context(), writing():
        db.session.get_one(Training, number).status = "pending"
    assert f"/api/trainings/{number}/verdict" not in idle_app.test_client().get(f"/trainings/{number}").get_data(True)


def test_the_weakest_class_counts_the_objects_of_the_training_set(client: FlaskClient, app: APIFlask) -> None:
    """Not those of all splits: a class with few of them needs more images, one with many needs its labels checked."""
    files: dict[str, bytes | str] = {"data.yaml": "train: images/train\nval: images/val\nnames: [cell, dot]\n"}
    for number in range(4):
        files[f"images/train/{number}.jpg"] = picture(str(number))
        files[f"labels/train/{number}.txt"] = "0 0.5 0.5 0.2 0.2\n"
    files["labels/train/3.txt"] = "1 0.5 0.5 0.2 0.2\n"
    for number in range(3):
        files[f"images/val/v{number}.jpg"] = picture(f"v{number}")
        files[f"labels/val/v{number}.txt"] = "1 0.5 0.5 0.2 0.2\n0 0.2 0.2 0.1 0.1\n"
    dataset = upload(client, zip_bytes(files)).get_json()["dataset_id"]
    assert wait_for_dataset(client, dataset)["report"]["boxes"] == {"0": 6, "1": 4}
    number = with_best(app, 0.9)
    rows = [{"class": n, "ap50": 0.9 - n / 2, "ap95": 0.1, "recall": 0.5, "instances": 3} for n in range(2)]
    with app.app_context(), writing() as session:
        session.get_one(Training, number).dataset_id = dataset
        for epoch in session.query(TrainingMetric).filter_by(training_id=number):
            epoch.classes = rows
    weakest = client.get(f"/api/trainings/{number}/verdict").get_json()["weakest"]
    assert (weakest["name"], weakest["objects"], weakest["train_objects"]) == ("dot", 3, 1)


def test_counts_of_the_verdict_are_written_as_the_reader_writes_them(app: APIFlask) -> None:
    for locale, large, none in (("pt_BR", "1.500 datasets", "0 datasets"), ("en", "1,500 datasets", "0 datasets")):
        with app.test_request_context(headers={"Accept-Language": locale.replace("_", "-")}):
            spoken = [ngettext("%(num)s dataset", "%(num)s datasets", count) for count in (1500, 0)]
            assert spoken == [large, none]
