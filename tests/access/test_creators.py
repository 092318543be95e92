"""Lists name the creator of each row, and can be filtered by creator."""

import pytest
from apiflask import APIFlask

from app.database import writing
from app.jobs.model import Job
from app.models import Dataset, Evaluation, ModelExport, PredictionRun, Test, Training
from tests.access.conftest import Headers

LISTS = ["datasets", "trainings", "tests", "predictions", "jobs"]


@pytest.fixture(scope="module")
def accounts(app: APIFlask, headers: Headers) -> dict[str, int]:
    """A row of each kind by the trainer, by the other trainer and by the owner; returns the ids of both accounts."""
    client = app.test_client()
    people = {name: client.get("/api/me", headers=headers[name]).json["id"] for name in ("trainer", "another")}
    with app.app_context(), writing() as session:
        for account in (*people.values(), None):
            dataset = Dataset(name="d", path="p", created_by=account)
            session.add(dataset)
            session.flush()
            training = Training(name="t", dataset_id=dataset.id, model_version="n", created_by=account)
            session.add(training)
            session.flush()
            key = {"training_id": training.id, "created_by": account}
            session.add_all(
                [
                    Evaluation(split="val", checkpoint="best", img_size=64, **key),
                    PredictionRun(source="video", filename="a.mp4", input_bytes=1, **key),
                    Test(image_path="x", results=[], confidence_threshold=0.5, iou_threshold=0.5, **key),
                    ModelExport(key="onnx", format="onnx", arguments={}, weights_sha256="0" * 64, **key),
                    Job(kind="sample", created_by=account),
                ]
            )
    return people


def creators(app: APIFlask, headers: dict[str, str], name: str, query: str = "") -> set[object]:
    answer = app.test_client().get(f"/api/{name}?per_page=100{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return {item["created_by"] and (item["created_by"]["id"], item["created_by"]["name"]) for item in answer.json[name]}


@pytest.mark.parametrize("name", LISTS)
def test_each_list_names_the_creator(app: APIFlask, headers: Headers, accounts: dict[str, int], name: str) -> None:
    mine, theirs = (accounts["trainer"], "trainer"), (accounts["another"], "another")
    me = headers["trainer"]
    assert creators(app, me, name) >= {mine, theirs, None}
    assert creators(app, me, name, "&created_by=me") == {mine}
    assert creators(app, me, name, f"&created_by={accounts['another']}") == {theirs}
    assert creators(app, me, name, "&created_by=owner") == {None}
    assert creators(app, headers["owner"], name, "&created_by=me") == {None}
    assert app.test_client().get(f"/api/{name}?created_by=else", headers=me).status_code == 422


def test_evaluations_and_exports_of_a_training_name_their_creator(
    app: APIFlask, headers: Headers, accounts: dict[str, int]
) -> None:
    client, me = app.test_client(), headers["trainer"]
    trainings = client.get("/api/trainings?created_by=me&per_page=100", headers=me).json["trainings"]
    training_id = max(item["id"] for item in trainings)
    for name in ("evaluations", "exports"):
        listed = client.get(f"/api/trainings/{training_id}/{name}", headers=me).json[name]
        assert [item["created_by"]["name"] for item in listed] == ["trainer"]


def test_a_new_name_appears_at_once(app: APIFlask, headers: Headers, accounts: dict[str, int]) -> None:
    path, client = f"/api/users/{accounts['another']}", app.test_client()
    assert client.patch(path, json={"name": "Someone"}, headers=headers["admin"]).status_code == 200
    try:
        assert (accounts["another"], "Someone") in creators(app, headers["viewer"], "datasets")
    finally:
        client.patch(path, json={"name": "another"}, headers=headers["admin"])
