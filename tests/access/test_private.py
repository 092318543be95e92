"""PRIVATE_DATA: users without access cannot find a row anywhere, nor change anything about it."""

import json
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from flask_socketio import SocketIOTestClient
from sqlalchemy import event, select, update
from werkzeug.test import TestResponse

from app import create_app, notify
from app.access import audience
from app.access.private import IN_BODIES
from app.config import settings
from app.database import upgrade_if_old, writing
from app.extensions import db, socketio
from app.jobs.model import Job
from app.models import Dataset, Evaluation, ModelExport, PredictionRun, Test, Training
from app.routes.departures import close_ended
from app.routes.permissions import NAMED
from scripts.local_server import settings_for
from tests.access.conftest import Headers, create_accounts
from tests.access.test_walk import UNKNOWN_ID, address
from tests.conftest import close_database
from tests.data import valid_dataset

RowIds = dict[type, int]
MARK = "Kept-Apart"  # in each text of hidden rows
STRANGERS = ("another", "viewer")
WITHIN = {
    "image_id",
    "epoch",
    "number",
    "index",
    "user_id",
    "token_id",
    "invitation_id",
    "identity_id",
    "upload_id",
}  # not an id of a row, or not of this installation


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[APIFlask]:
    unlimited = {"RATELIMIT_ENABLED": "False", "RATELIMIT_LOGIN": "", "RATELIMIT_PASSWORDS": ""}
    folder = tmp_path_factory.mktemp("private")
    options = settings_for(folder, SOCKETIO_ASYNC_MODE="threading", AUTH="required", PRIVATE_DATA="true", **unlimited)
    app = create_app("cli", options)
    upgrade_if_old(app)
    yield app
    close_database(app)


@pytest.fixture(scope="module")
def headers(app: APIFlask) -> Headers:
    return create_accounts(app)


@pytest.fixture
def row_ids(app: APIFlask, headers: Headers) -> RowIds:
    """One row of each kind of the trainer's, created in the trainer's name or by a job of the server."""
    return create_rows(app, account(app, headers, "trainer"))


def account(app: APIFlask, headers: Headers, name: str) -> int:
    return app.test_client().get("/api/me", headers=headers[name]).json["id"]


def create_rows(app: APIFlask, owner: int) -> RowIds:
    dataset_id = valid_dataset(app)
    with app.app_context(), writing() as session:
        values = {"created_by": owner, "name": MARK, "description": MARK}
        session.execute(update(Dataset).where(Dataset.id == dataset_id).values(values))
        training = Training(name=MARK, dataset_id=dataset_id, model_version="n", created_by=owner, status="completed")
        session.add(training)
        session.flush()
        of = {"training_id": training.id}
        rows = [
            # created by the server
            Evaluation(**of, split="val", checkpoint="best", img_size=64, dataset_id=dataset_id),
            ModelExport(**of, format="onnx", weights_sha256="0" * 64, key="k", created_by=owner),
            PredictionRun(**of, source="video", filename=f"{MARK}.mp4", input_bytes=1, created_by=owner),
            Test(**of, image_path=MARK, results=[], confidence_threshold=0.5, iou_threshold=0.5, created_by=owner),
            Job(kind="evaluate", subject_type="training", subject_id=training.id, status="completed"),
        ]
        session.add_all(rows)
        session.flush()
        return {type(row): row.id for row in rows} | {Dataset: dataset_id, Training: training.id}


def share(app: APIFlask, row_ids: RowIds, shared: bool = True, *kinds: type) -> None:
    with app.app_context(), writing() as session:
        for kind in kinds or (Dataset, Training):
            session.execute(update(kind).where(kind.id == row_ids[kind]).values(shared=shared))


def rows(app: APIFlask) -> dict[str, list[Any]]:
    with app.app_context(), db.engine.connect() as connection:
        kinds = {*NAMED.values()}
        return {kind.__tablename__: connection.execute(select(kind.__table__)).all() for kind in kinds}


def masked(answer: TestResponse, number: int) -> tuple[int, str]:
    """Status and text of a response, with this id masked."""
    return answer.status_code, re.sub(rf"\b{number}\b", "ID", answer.text)


def test_each_id_in_a_path_is_covered(app: APIFlask) -> None:
    named = {name for rule in app.url_map.iter_rules() for name in rule.arguments if re.search(r"(^|_)id$", name)}
    named |= {name for rule in app.url_map.iter_rules() for name in rule._converters if name in WITHIN}
    assert named - WITHIN == set(NAMED)


def test_each_id_in_a_body_is_covered(app: APIFlask) -> None:
    """For everything that a request's schema calls an id."""
    with app.test_request_context():
        schemas = app.spec["components"]["schemas"]
    named = {
        name
        for title, schema in schemas.items()
        if title.endswith(("In", "Form", "Patch"))
        for name in schema.get("properties", {})
        if re.search(r"(^|_)ids?$", name)
    }
    assert named == set(IN_BODIES)


@pytest.mark.parametrize("person", STRANGERS)
def test_hidden_rows_are_not_found_by_id(app: APIFlask, headers: Headers, row_ids: RowIds, person: str) -> None:
    """Every route and method, with the ids of hidden rows; and nothing changes."""
    client, wrong, statuses, before = app.test_client(), [], set(), rows(app)
    for rule in app.url_map.iter_rules():
        named = [name for name in rule.arguments if name in NAMED]
        if not named:
            continue
        pattern = rule.rule
        for name in named:
            pattern = pattern.replace(f"<id:{name}>", "{" + name + "}")
        pattern = address(pattern)
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            ids = {name: row_ids[NAMED[name]] for name in named}
            answers = [
                client.open(pattern.format(**values), method=method, headers=headers[person], json={})
                for values in (ids, dict.fromkeys(named, UNKNOWN_ID))
            ]
            hidden, unknown = masked(answers[0], ids[named[0]]), masked(answers[1], UNKNOWN_ID)
            allowed = {404, 403} if person == "viewer" else {404}
            if hidden[0] not in allowed or MARK in hidden[1] or hidden != unknown:
                wrong.append((method, pattern, hidden, unknown))
            statuses.add(hidden[0])
    assert wrong == []
    assert 404 in statuses
    assert rows(app) == before


@pytest.mark.parametrize("person", STRANGERS)
def test_hidden_rows_are_in_no_list_and_on_no_page(
    app: APIFlask, headers: Headers, row_ids: RowIds, person: str
) -> None:
    client, wrong, read = app.test_client(), [], 0
    for rule in app.url_map.iter_rules():
        if rule.arguments or "GET" not in (rule.methods or set()) or rule.endpoint == "ui.source":
            continue
        for query in ("", f"?training_id={row_ids[Training]}", f"?ids={row_ids[Training]}", f"?search={MARK}"):
            answer = client.get(rule.rule + query, headers=headers[person])
            read += answer.status_code == 200
            if MARK.encode() in answer.data.replace(f"search={MARK}".encode(), b""):
                wrong.append(rule.rule + query)
    assert wrong == []
    assert read > 60
    for path, key in (("datasets", "total"), ("trainings", "total"), ("tests", "total"), ("predictions", "total")):
        assert client.get(f"/api/{path}", headers=headers[person]).json[key] == 0, path
    assert client.get("/api/jobs", headers=headers[person]).json["jobs"] == []
    assert sum(client.get("/api/system", headers=headers[person]).json["queue"].values()) == 0
    for query in ("", f"?dataset_id={row_ids[Dataset]}"):
        form = client.get(f"/trainings/new{query}", headers=headers[person])
        assert "training-defaults" not in form.text, "it requests the presets of a dataset"


def test_the_owner_and_an_admin_have_access(app: APIFlask, headers: Headers, row_ids: RowIds) -> None:
    client = app.test_client()
    paths = {
        "datasets": Dataset,
        "trainings": Training,
        "evaluations": Evaluation,
        "exports": ModelExport,
        "tests": Test,
        "predictions": PredictionRun,
        "jobs": Job,
    }
    for name, statuses in (("trainer", [200] * 7), ("admin", [200] * 7), ("owner", [200] * 7), ("another", [404] * 7)):
        answers = [client.get(f"/api/{path}/{row_ids[kind]}", headers=headers[name]) for path, kind in paths.items()]
        assert [answer.status_code for answer in answers] == statuses, name
    assert client.get("/metrics", headers=headers["trainer"]).status_code == 403
    assert client.get("/metrics", headers=headers["admin"]).status_code == 200


def test_ids_in_bodies_and_queries(app: APIFlask, headers: Headers, row_ids: RowIds) -> None:
    """A hidden row is answered like one that does not exist."""
    client, who, nobodys = app.test_client(), headers["another"], valid_dataset(app)
    mine = create_rows(app, account(app, headers, "another"))
    form = {"name": "x", "model_version": "n", "epochs": 1}

    def bodies(dataset_id: int, training_id: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
        start = {"kind": "training", "training_id": training_id, "checkpoint": "best"}
        for path in ("trainings", "trainings/check", "trainings/estimate"):
            yield "POST", f"/api/{path}", {"json": form | {"dataset_id": dataset_id}}
            yield "POST", f"/api/{path}", {"json": form | {"dataset_id": mine[Dataset], "start": start}}
        yield "POST", f"/api/trainings/{mine[Training]}/clone", {"json": {"dataset_id": dataset_id}}
        yield "POST", f"/api/trainings/{mine[Training]}/clone", {"json": {"start": start}}
        yield "POST", f"/api/trainings/{mine[Training]}/evaluations", {"json": {"dataset_id": dataset_id}}
        yield "POST", "/api/tests", {"data": {"training_id": training_id, "file": (BytesIO(b"x"), "a.png")}}
        yield "POST", "/api/predictions", {"data": {"training_id": training_id, "file": (BytesIO(b"x"), "a.mp4")}}
        yield "POST", "/api/models", {"data": {"dataset_id": dataset_id, "file": (BytesIO(b""), "a.pt")}}

    before = rows(app)
    theirs = bodies(row_ids[Dataset], row_ids[Training])
    for (method, path, body), (_method, unknown, unknown_body) in zip(
        theirs, bodies(UNKNOWN_ID, UNKNOWN_ID), strict=True
    ):
        hidden = masked(client.open(path, method=method, headers=who, **body), row_ids[Training])
        none = masked(client.open(unknown, method=method, headers=who, **unknown_body), UNKNOWN_ID)
        assert hidden[0] in {404, 422}, (path, hidden)
        assert MARK not in hidden[1], path
        assert hidden[0] == none[0], (path, hidden, none)
        assert json.loads(hidden[1])["detail"] == json.loads(none[1])["detail"], path
    assert rows(app) == before
    assert client.get(f"/api/datasets/{nobodys}", headers=who).status_code == 404
    compared = client.get(f"/api/trainings/compare?ids={mine[Training]},{row_ids[Training]}", headers=who).json
    assert ([item["id"] for item in compared["trainings"]], compared["missing"]) == (
        [mine[Training]],
        [row_ids[Training]],
    )


def test_shared_rows_are_readable_and_not_writable(app: APIFlask, headers: Headers, row_ids: RowIds) -> None:
    client, dataset, training = app.test_client(), row_ids[Dataset], row_ids[Training]

    def change(kind: str, number: int, shared: bool, name: str = "trainer") -> TestResponse:
        return client.patch(f"/api/{kind}/{number}", json={"shared": shared}, headers=headers[name])

    def status(path: str, name: str) -> int:
        return client.get(path, headers=headers[name]).status_code

    assert change("datasets", dataset, True, "another").status_code == 404
    assert change("trainings", training, True).status_code == 409  # its images belong to the dataset
    assert change("datasets", dataset, True).json["shared"] is True
    assert [status(f"/api/datasets/{dataset}", name) for name in STRANGERS] == [200, 200]
    assert [status(f"/api/trainings/{training}", name) for name in STRANGERS] == [404, 404]
    assert change("datasets", dataset, False, "another").status_code == 403
    assert change("trainings", training, True).json["shared"] is True
    paths = {"trainings": Training, "evaluations": Evaluation, "exports": ModelExport, "jobs": Job}
    for path, kind in paths.items():
        assert [status(f"/api/{path}/{row_ids[kind]}", name) for name in STRANGERS] == [200, 200], path
    for path, kind in {"tests": Test, "predictions": PredictionRun}.items():  # regardless of their creator
        assert [status(f"/api/{path}/{row_ids[kind]}", name) for name in STRANGERS] == [404, 404], path
    listed = client.get("/api/trainings", headers=headers["viewer"]).json
    assert [item["id"] for item in listed["trainings"]] == [training]
    assert listed["trainings"][0]["shared"] is True
    assert change("datasets", dataset, False).json["shared"] is False
    assert [status(f"/api/trainings/{training}", name) for name in (*STRANGERS, "trainer")] == [404, 404, 200]


def test_a_dataset_stays_visible_to_who_trained_on_it(app: APIFlask, headers: Headers, row_ids: RowIds) -> None:
    share(app, row_ids, True, Dataset)
    client, who = app.test_client(), headers["another"]
    form = {"name": "x", "model_version": "n", "epochs": 1, "dataset_id": row_ids[Dataset]}
    created = client.post("/api/trainings", json=form, headers=who)
    assert created.status_code == 201, created.text
    share(app, row_ids, False, Dataset)
    assert client.get(f"/api/datasets/{row_ids[Dataset]}", headers=who).status_code == 200
    assert client.get(f"/api/trainings/{created.json['training_id']}", headers=who).json["dataset_name"] == MARK
    assert client.get(f"/api/datasets/{row_ids[Dataset]}", headers=headers["viewer"]).status_code == 404
    assert client.delete(f"/api/datasets/{row_ids[Dataset]}", headers=headers["trainer"]).status_code == 409


def join_dashboard(app: APIFlask, headers: dict[str, str]) -> SocketIOTestClient:
    socket = socketio.test_client(app, headers=headers)
    assert socket.emit("join_dashboard", {}, callback=True)["ok"]
    return socket


def notified(app: APIFlask, row_ids: RowIds, *sockets: SocketIOTestClient) -> list[bool]:
    """Which sockets receive a training message on the dashboard, and one about the dataset."""
    with app.app_context():
        audience.forget()
        notify.to_training("training_status", row_ids[Training], {"seq": 1})
        notify.to_dashboard("dataset_update", {"dataset_id": row_ids[Dataset]})
    names_by_socket = [[message["name"] for message in socket.get_received()] for socket in sockets]
    assert all(names in ([], ["training_status", "dataset_update"]) for names in names_by_socket), names_by_socket
    return [bool(names) for names in names_by_socket]


def test_rooms(app: APIFlask, headers: Headers, row_ids: RowIds) -> None:
    owner, stranger, admin = (join_dashboard(app, headers[name]) for name in ("trainer", "viewer", "admin"))
    try:
        rooms = {"training_id": row_ids[Training]}, {"job_id": row_ids[Job]}
        for verb, payload in zip(("join_training", "join_job"), rooms, strict=True):
            answers = [socket.emit(verb, payload, callback=True) for socket in (owner, stranger, admin)]
            assert [answer.get("status", 200) for answer in answers] == [200, 404, 200], verb
        for socket in (owner, admin):
            socket.emit("leave_training", rooms[0], callback=True)
            socket.get_received()
        assert notified(app, row_ids, owner, stranger, admin) == [True, False, True]
        share(app, row_ids)
        assert notified(app, row_ids, owner, stranger, admin) == [True, True, True]
        assert stranger.emit("join_training", {**rooms[0], "event": False}, callback=True)["ok"]
        client = app.test_client()
        unshared = client.patch(f"/api/datasets/{row_ids[Dataset]}", json={"shared": False}, headers=headers["trainer"])
        assert unshared.status_code == 200
        stranger.get_received()
        with app.app_context():
            notify.to_training("training_progress", row_ids[Training], {"seq": 2}, dashboard=False)
        assert stranger.get_received() == []
        figures = [socket.emit("join_system", {}, callback=True) for socket in (stranger, admin)]
        assert [sum(figure["queue"].values()) > 0 for figure in figures] == [False, True]
    finally:
        for socket in (owner, stranger, admin):
            socket.disconnect()


def test_viewers_with_different_permissions_share_no_read(
    app: APIFlask, headers: Headers, row_ids: RowIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snapshot that one of them receives on joining is not reused for another."""
    keys: list[Any] = []
    reads = app.extensions["waiting"].snapshots
    monkeypatch.setattr(reads, "read", lambda key, work: keys.append(key) or work())
    share(app, row_ids)
    sockets = [join_dashboard(app, headers[name]) for name in ("trainer", "viewer", "another", "admin", "admin")]
    for name, payload in (("join_training", {"training_id": row_ids[Training]}), ("join_system", {})):
        assert all(socket.emit(name, payload, callback=True)["ok"] for socket in sockets)
    for socket in sockets:
        socket.disconnect()
    assert [len(set(keys[first : first + 5])) for first in (0, 5, 10)] == [4, 4, 4]


def test_another_role_ends_the_connection(app: APIFlask, headers: Headers) -> None:
    client = app.test_client()
    created = client.post(
        "/api/users", json={"name": "Ada", "role": "admin", "password": "x" * 12}, headers=headers["admin"]
    )
    login = client.post("/api/login", json={"name": "Ada", "password": "x" * 12})
    assert login.status_code == 200
    socket = socketio.test_client(app, flask_test_client=client)
    assert socket.is_connected()
    answer = app.test_client().patch(
        f"/api/users/{created.json['id']}", json={"role": "trainer"}, headers=headers["admin"]
    )
    assert answer.status_code == 200
    with app.app_context():
        close_ended()
    assert not socket.is_connected()


def test_switched_off_it_costs_nothing(idle_app: APIFlask) -> None:
    """The same queries as without the setting, and no trace of it in a response."""
    client: FlaskClient = idle_app.test_client()
    number, statements = valid_dataset(idle_app), []
    assert settings(idle_app).PRIVATE_DATA is False
    with idle_app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", lambda _c, _k, statement, *_: statements.append(statement))
    answer = client.get(f"/api/datasets/{number}")
    assert answer.status_code == 200
    assert "shared" not in answer.json
    assert not [statement for statement in statements if "shared" in statement.partition("FROM")[2]]
    assert client.patch(f"/api/datasets/{number}", json={"shared": True}).status_code == 200
