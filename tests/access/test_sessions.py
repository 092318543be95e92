"""What ends with a login, and what belongs to one user."""

import base64
from collections.abc import Callable
from datetime import timedelta

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from flask_socketio import SocketIOTestClient
from sqlalchemy import func, select, update

from app.access.principal import on_behalf_of
from app.access.secrets import digest
from app.database import writing
from app.extensions import db, socketio
from app.jobs.model import Job
from app.models import AccessToken, Account, Dataset, LoginSession
from app.models.base import now
from app.notify import DASHBOARD
from app.routes.departures import close_ended
from app.services import services
from tests.access.conftest import OURS, PASSWORD, Headers
from tests.data import valid_dataset

LogIn = Callable[[str], FlaskClient]
TUS = {"Tus-Resumable": "1.0.0"}


def following(app: APIFlask, **who: object) -> SocketIOTestClient:
    """A socket that has joined a room."""
    socket = socketio.test_client(app, **who)
    assert socket.emit("join_dashboard", {}, callback=True)["ok"]
    return socket


def in_dashboard() -> int:
    return len(list(socketio.server.manager.get_participants("/", DASHBOARD)))


def new_token(app: APIFlask, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
    created = app.test_client().post("/api/tokens", json={"name": "x", "role": "viewer"}, headers=headers)
    assert created.status_code == 201, created.text
    return created.json["id"], {"Authorization": f"Bearer {created.json['token']}"}


def test_a_socket_leaves_its_rooms_at_the_logout(app: APIFlask, headers: Headers, log_in: LogIn) -> None:
    browser = log_in("viewer")
    mine, theirs = following(app, flask_test_client=browser), following(app, headers=headers["viewer"])
    assert in_dashboard() == 2
    assert browser.post("/api/logout", headers=OURS).status_code == 200
    assert (mine.is_connected(), theirs.is_connected(), in_dashboard()) == (False, True, 1)
    theirs.disconnect()
    assert browser.get("/api/me").status_code == 401


def test_a_socket_leaves_its_rooms_when_its_token_is_deleted(app: APIFlask, headers: Headers) -> None:
    token_id, header = new_token(app, headers["viewer"])
    browser = app.test_client()
    secret = header["Authorization"].split()[1]
    at = {"REMOTE_ADDR": "10.2.0.1"}
    assert browser.post("/api/login", json={"token": secret}, environ_base=at).status_code == 200
    sockets = [following(app, headers=header), following(app, flask_test_client=browser)]
    answer = app.test_client().delete(f"/api/tokens/{token_id}", headers=headers["viewer"])
    assert answer.status_code == 200
    assert [socket.is_connected() for socket in sockets] == [False, False]
    assert in_dashboard() == 0


def test_tokens_created_by_a_token_expire_with_it(app: APIFlask, headers: Headers) -> None:
    """An expiring or stolen token could otherwise create one that never expires."""
    until = (now() + timedelta(days=1)).isoformat()
    client = app.test_client()
    values = {"name": "x", "role": "trainer", "expires_at": until}
    short = client.post("/api/tokens", json=values, headers=headers["trainer"]).json
    token_headers = {"Authorization": f"Bearer {short['token']}"}
    for expiry in ({}, {"expires_at": (now() + timedelta(days=9)).isoformat()}):
        created = client.post("/api/tokens", json={"name": "y", "role": "viewer"} | expiry, headers=token_headers)
        assert created.status_code == 201, created.text
        assert created.json["expires_at"] == short["expires_at"]


def test_a_restricted_owner_token_changes_what_it_created(app: APIFlask, headers: Headers) -> None:
    client = app.test_client()
    token = client.post("/api/tokens", json={"name": "x", "role": "trainer"}, headers=headers["owner"]).json
    token_headers = {"Authorization": f"Bearer {token['token']}", "Tus-Resumable": "1.0.0"}
    begun = token_headers | {"Upload-Length": "100", "Upload-Metadata": "filename YS56aXA="}
    location = client.post("/api/uploads", headers=begun).headers["Location"]
    assert client.head(location, headers=token_headers).status_code == 200
    assert client.head(location, headers=headers["trainer"] | {"Tus-Resumable": "1.0.0"}).status_code == 403
    assert client.delete(location, headers=token_headers).status_code == 204


def test_a_token_deletes_none_with_more_permissions(app: APIFlask, headers: Headers) -> None:
    client = app.test_client()
    high = client.post("/api/tokens", json={"name": "high", "role": "trainer"}, headers=headers["trainer"]).json["id"]
    low_id, low = new_token(app, headers["trainer"])
    assert client.delete(f"/api/tokens/{high}", headers=low).status_code == 403
    assert client.delete(f"/api/tokens/{high}", headers=headers["trainer"]).status_code == 200
    assert client.delete(f"/api/tokens/{low_id}", headers=low).status_code == 200


def test_a_socket_leaves_its_rooms_when_its_person_is_blocked(app: APIFlask, headers: Headers, log_in: LogIn) -> None:
    with app.app_context():
        account_id = db.session.scalar(select(Account.id).where(Account.key == "viewer"))
    path, admin = f"/api/users/{account_id}", headers["admin"]
    sockets = [following(app, headers=headers["viewer"]), following(app, flask_test_client=log_in("viewer"))]
    client = app.test_client()
    try:
        assert client.patch(path, json={"active": False}, headers=admin).status_code == 200
        assert [socket.is_connected() for socket in sockets] == [False, False]
        assert client.get("/api/me", headers=headers["viewer"]).status_code == 401
    finally:
        assert client.patch(path, json={"active": True}, headers=admin).status_code == 200


def test_a_socket_leaves_its_rooms_when_the_session_is_over(app: APIFlask, log_in: LogIn) -> None:
    browser = log_in("viewer")
    socket = following(app, flask_test_client=browser)
    secret = browser.get_cookie(app.extensions["access"].cookie).value
    with app.app_context():
        assert close_ended() == 0
        with writing() as session:
            mine = LoginSession.digest == digest(secret)
            session.execute(update(LoginSession).where(mine).values(expires_at=now() - timedelta(seconds=1)))
        assert close_ended() == 1
    assert not socket.is_connected()
    assert in_dashboard() == 0


def test_the_use_of_a_token_is_written_beside_the_requests(app: APIFlask, headers: Headers) -> None:
    token_id, header = new_token(app, headers["viewer"])

    def used() -> object:
        listed = app.test_client().get("/api/tokens", headers=headers["viewer"]).json["tokens"]
        return next(token["used_at"] for token in listed if token["id"] == token_id)

    with app.app_context():
        services().accounts.tokens.write_uses()
        for _time in range(3):
            assert app.test_client().get("/api/me", headers=header).status_code == 200
        assert used() is None, "no request waits for it"
        assert services().accounts.tokens.write_uses() == 2, "this token's and the one that lists"
        assert used() is not None
        db.session.remove()
        assert db.session.get(AccessToken, token_id).used_at > now() - timedelta(minutes=5)


def test_idempotency_keys_are_per_user(app: APIFlask, headers: Headers) -> None:
    form = {"name": "Once", "model_version": "n", "epochs": 1, "dataset_id": valid_dataset(app)}
    names = ("trainer", "trainer", "another", "owner", "owner")
    answers = [
        app.test_client().post("/api/trainings", json=form, headers=headers[name] | {"Idempotency-Key": "one"})
        for name in names
    ]
    ids = [answer.json["training_id"] for answer in answers]
    assert ids[0] == ids[1]
    assert ids[3] == ids[4]
    assert len(set(ids)) == 3


def test_uploads_are_per_user(app: APIFlask, headers: Headers) -> None:
    client = app.test_client()
    name = base64.b64encode(b"a.zip").decode()
    start = TUS | {"Upload-Length": "10", "Upload-Metadata": f"filename {name}"}
    created = client.post("/api/uploads", headers=headers["trainer"] | start)
    assert created.status_code == 201
    path = created.headers["Location"]
    chunk = TUS | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    people = ("viewer", "another", "trainer", "admin")

    def answers(method: str, more: dict[str, str], **options: object) -> list[int]:
        sent = [client.open(path, method=method, headers=headers[name] | more, **options) for name in people]
        return [answer.status_code for answer in sent]

    assert answers("HEAD", TUS) == [403, 403, 200, 200]
    assert answers("GET", {}) == [403, 403, 200, 200]
    assert answers("PATCH", chunk, data=b"PK") == [403, 403, 204, 409]
    totals = [client.get("/api/uploads", headers=headers[name]).json["total"] for name in people]
    assert totals == [0, 0, 1, 1]
    assert client.delete(path, headers=headers["another"] | TUS).status_code == 403
    assert client.delete(path, headers=headers["trainer"] | TUS).status_code == 204


def test_the_result_of_an_upload_belongs_to_its_sender(app: APIFlask) -> None:
    with app.test_request_context("/"), on_behalf_of(41), writing() as session:
        row = Dataset(name="from an upload", path="x")
        session.add(row)
        session.flush()
        assert row.created_by == 41


def test_a_job_belongs_to_the_owner_of_its_subject(
    app: APIFlask, headers: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server creates jobs, too: the owner of the training can stop them."""
    client = app.test_client()
    me = client.get("/api/me", headers=headers["trainer"]).json["id"]
    with app.app_context(), writing() as session:
        dataset = Dataset(name="mine", path="y", created_by=me)
        session.add(dataset)
        session.flush()
        jobs = [
            Job(kind="index_dataset", subject_type="dataset", subject_id=dataset.id),
            Job(kind="sample", created_by=me),
            Job(kind="sample"),
        ]
        session.add_all(jobs)
        session.flush()
        ids = [job.id for job in jobs]
    monkeypatch.setattr(app, "dispatch_request", lambda: ("let through", 299))

    def answers(name: str) -> list[int]:
        return [client.post(f"/api/jobs/{job}/stop", headers=headers[name]).status_code for job in ids]

    assert answers("viewer") == [403, 403, 403]
    assert answers("trainer") == [299, 299, 403]
    assert answers("another") == [403, 403, 403]
    assert answers("admin") == [299, 299, 299]


def test_a_new_role_applies_at_once_and_tokens_never_exceed_theirs(app: APIFlask, headers: Headers) -> None:
    owner, form = app.test_client(), {"name": "Promoted", "role": "viewer", "password": PASSWORD}
    person = owner.post("/api/users", json=form, headers=headers["owner"]).json["id"]
    by_name, by_token = app.test_client(), app.test_client()
    assert by_name.post("/api/login", json={"name": "Promoted", "password": PASSWORD}).status_code == 200
    token = by_name.post("/api/tokens", json={"name": "reads", "role": "viewer"}, headers=OURS).json["token"]
    assert by_token.post("/api/login", json={"token": token}).status_code == 200
    for role, with_token in (("trainer", "viewer"), ("admin", "viewer"), ("viewer", "viewer")):
        owner.patch(f"/api/users/{person}", json={"role": role}, headers=headers["owner"])
        assert [browser.get("/api/me").json["role"] for browser in (by_name, by_token)] == [role, with_token]
    owner.delete(f"/api/users/{person}", headers=headers["owner"])


def test_a_wrong_password_and_an_unknown_name_are_indistinguishable(app: APIFlask, headers: Headers) -> None:
    at = {"REMOTE_ADDR": "10.3.0.1"}
    tried = [{"name": "viewer", "password": "wrong horse"}, {"name": "nobody here", "password": PASSWORD}]
    texts = [app.test_client().post("/api/login", json=form, environ_base=at).json["detail"] for form in tried]
    assert texts[0] == texts[1]
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Account).where(Account.password == PASSWORD)) == 0


def test_visually_identical_names_are_one(app: APIFlask, headers: Headers) -> None:
    """A zero-width space and a direction mark are invisible; a name that consists of them is refused."""
    client = app.test_client()

    def create(name: str) -> int:
        answer = client.post("/api/users", json={"name": name, "role": "viewer"}, headers=headers["owner"])
        return answer.status_code

    names = ("Ana", "Ana\u200b", "A\u202ena", "\uff21na", "Ana  ", "\u200b", "\u0390" * 60)
    assert [create(name) for name in names] == [201, 422, 422, 422, 422, 422, 201]
