"""Every route and every socket event, as nobody, a viewer, two trainers and an admin."""

import re
from collections.abc import Iterator

import pytest
from apiflask import APIFlask
from sqlalchemy import update

from app.access.door import OwnerRule
from app.core.roles import Role
from app.database import writing
from app.extensions import db, socketio
from app.models import Dataset, Evaluation, PredictionRun, Test, Training
from app.routes.live import HANDLERS
from app.routes.permissions import EVENTS, RULES
from tests.access.conftest import PEOPLE
from tests.data import valid_dataset

UNKNOWN_ID = 999_999
REFUSED = {401, 403}


def address(rule: str) -> str:
    """The address of a route, with ids that do not exist."""
    text = re.sub(r"<id:\w+>|<int:\w+>", str(UNKNOWN_ID), rule)
    return re.sub(r"<(?:\w+:)?\w+>", "x", text)


def walk(app: APIFlask) -> Iterator[tuple[str, str, str]]:
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule.endpoint, method, address(rule.rule)


def test_each_route_and_each_event_has_a_role(app: APIFlask) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == set(RULES)
    assert set(HANDLERS) == set(EVENTS)


@pytest.mark.parametrize("person", ["nobody", *PEOPLE])
def test_each_role_reaches_exactly_what_it_covers(
    app: APIFlask, headers: dict[str, dict[str, str]], person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Authorization only: accepted requests get a stub's response, and nothing happens."""
    monkeypatch.setattr(app, "dispatch_request", lambda: ("let through", 299))
    role, client, wrong = PEOPLE.get(person), app.test_client(), []
    for endpoint, method, path in walk(app):
        rule = RULES[endpoint]
        need = Role.TRAINER if isinstance(rule, OwnerRule) else rule
        expected = 299 if need is None or (role and role.covers(need)) else 403 if role else 401
        answer = client.open(path, method=method, headers=headers[person])
        actual = answer.status_code if answer.status_code in REFUSED else 299  # otherwise: authorized
        if actual != expected:
            wrong.append(f"{method} {path}: {actual} instead of {expected}")
        if expected in REFUSED and answer.mimetype != "application/problem+json":
            wrong.append(f"{method} {path}: {answer.mimetype}")
    assert wrong == []


@pytest.fixture(scope="module")
def row_ids(app: APIFlask, headers: dict[str, dict[str, str]]) -> dict[str, dict[type, int]]:
    """Ids of a training of each trainer, and of rows that the server created from it, by owner."""
    ids_by_owner = {}
    for name in ("trainer", "another"):
        account = app.test_client().get("/api/me", headers=headers[name]).json["id"]
        dataset_id = valid_dataset(app)
        with app.app_context(), writing() as session:
            session.execute(update(Dataset).where(Dataset.id == dataset_id).values(created_by=account))
            training = Training(name="run", dataset_id=dataset_id, model_version="n", created_by=account)
            session.add(training)
            session.flush()
            training_id = training.id
            rows = [
                Evaluation(training_id=training_id, split="val", checkpoint="best", img_size=64),
                PredictionRun(training_id=training_id, source="video", filename="a.mp4", input_bytes=1),
                Test(training_id=training_id, image_path="x", results=[], confidence_threshold=0.5, iou_threshold=0.5),
            ]
            session.add_all(rows)
            session.flush()
            ids = {type(row): row.id for row in rows}
            ids_by_owner[name] = ids | {Training: training_id, Dataset: dataset_id}
    return ids_by_owner


def test_trainers_change_their_rows_and_admins_every_row(
    app: APIFlask,
    headers: dict[str, dict[str, str]],
    row_ids: dict[str, dict[type, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app, "dispatch_request", lambda: ("let through", 299))
    client, wrong, models = app.test_client(), [], set()
    for rule in app.url_map.iter_rules():
        rule_of_owner = RULES[rule.endpoint]
        if not isinstance(rule_of_owner, OwnerRule) or rule_of_owner.model not in row_ids["trainer"]:
            continue
        models.add(rule_of_owner.model)
        path = address(
            rule.rule.replace(f"<id:{rule_of_owner.argument}>", str(row_ids["trainer"][rule_of_owner.model]))
        )
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            answers = [client.open(path, method=method, headers=headers[name]).status_code for name in PEOPLE]
            if answers != [403, 299, 403, 299]:
                wrong.append((method, path, answers))
    assert wrong == []
    assert models == set(row_ids["trainer"])


def test_created_rows_belong_to_their_creator(app: APIFlask, headers: dict[str, dict[str, str]]) -> None:
    """Through a real request: the row records its sender."""
    client = app.test_client()
    me = client.get("/api/me", headers=headers["trainer"]).json["id"]
    form = {"name": "Mine", "model_version": "n", "epochs": 1}
    created = client.post("/api/trainings", json=form | {"dataset_id": valid_dataset(app)}, headers=headers["trainer"])
    assert created.status_code == 201, created.text
    with app.app_context():
        assert db.session.get(Training, created.json["training_id"]).created_by == me
    path = f"/api/trainings/{created.json['training_id']}"
    renamed = [client.patch(path, json={"name": "x"}, headers=headers[name]).status_code for name in PEOPLE]
    assert renamed == [403, 200, 403, 200]


def test_a_socket_requires_authentication(app: APIFlask, headers: dict[str, dict[str, str]]) -> None:
    stranger = socketio.test_client(app)
    assert not stranger.is_connected()
    assert not socketio.test_client(app, headers={"Authorization": "Bearer ytp_wrong"}).is_connected()
    reader = socketio.test_client(app, headers=headers["viewer"])
    assert reader.is_connected()
    assert reader.emit("join_dashboard", {}, callback=True)["ok"]
    reader.disconnect()


def test_a_handshake_of_a_stranger_occupies_no_slot(app: APIFlask, headers: dict[str, dict[str, str]]) -> None:
    path, client = "/socket.io/?EIO=4&transport=polling", app.test_client()
    assert client.get(path).status_code == 401
    assert client.get(path, headers=headers["viewer"]).status_code == 200
