"""The audit log: who, what, when, from which address, with what result; no log contains a secret."""

import csv
import json
import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask import jsonify
from flask.testing import FlaskClient

from app.access.secrets import owner_secret
from app.config import settings
from app.routes.audit import created_ids
from app.services.audit import NAME, AuditLog
from tests.access.conftest import OURS, PASSWORD, Headers
from tests.data import valid_dataset

REMOTE = {"REMOTE_ADDR": "192.0.2.44"}


def entries(app: APIFlask, headers: Headers, **query: Any) -> list[dict[str, Any]]:
    answer = app.test_client().get("/api/audit", headers=headers["admin"], query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json["entries"]


def test_who_did_what_from_where_and_how_it_ended(app: APIFlask, headers: Headers) -> None:
    client, before = app.test_client(), datetime.now(UTC) - timedelta(seconds=1)
    form = {"name": "=1+1", "model_version": "n", "epochs": 1, "dataset_id": valid_dataset(app)}
    created = client.post("/api/trainings", json=form, headers=headers["trainer"], environ_base=REMOTE)
    path = f"/api/trainings/{created.json['training_id']}"
    client.delete(path, headers=headers["another"], environ_base=REMOTE)
    client.get(path, headers=headers["viewer"], environ_base=REMOTE)  # changes nothing
    client.delete(path, environ_base=REMOTE)  # unauthenticated
    refused, succeeded = entries(app, headers, limit=2)
    assert before < datetime.fromisoformat(succeeded.pop("time")) < datetime.now(UTC)
    me = client.get("/api/me", headers=headers["trainer"]).json["id"]
    assert int(refused["id"]) > int(succeeded.pop("id"))
    assert succeeded == {
        "account_id": me,
        "name": "trainer",
        "role": "trainer",
        "via": "token",
        "address": "192.0.2.44",
        "action": "trainings.create_training",
        "method": "POST",
        "path": "/api/trainings",
        "status": 201,
        "result": "done",
        "reason": None,
        "created": {"training_id": created.json["training_id"]},
    }
    assert [refused[name] for name in ("name", "method", "path", "status", "result")] == [
        *("another", "DELETE", path, 403, "refused")
    ]


def test_started_work_is_recorded_with_its_ids(app: APIFlask) -> None:
    """An evaluation, an export or a prediction is answered with 202."""
    with app.test_request_context():
        answer = jsonify(message="begun", evaluation_id=3, job_id=4, status="pending")
    for status, ids in ((202, {"evaluation_id": 3, "job_id": 4}), (200, {})):
        answer.status_code = status
        assert created_ids(answer) == ids


def test_logins_that_fail_are_recorded_without_what_was_typed(
    app: APIFlask, headers: Headers, log_in: Callable[[str], FlaskClient]
) -> None:
    typed = {"name": "pass word in the wrong field", "password": "hunter2 hunter2"}
    assert app.test_client().post("/api/login", json=typed, environ_base=REMOTE).status_code == 401
    browser = log_in("viewer")
    assert browser.post("/api/logout", headers=OURS).status_code == 200
    logout, login, failed = entries(app, headers, limit=3)
    assert (failed["action"], failed["name"], failed["via"], failed["status"]) == ("accounts.log_in", None, None, 401)
    assert (login["action"], login["name"], login["result"]) == ("accounts.log_in", "viewer", "done")
    assert (logout["action"], logout["name"]) == ("accounts.log_out", "viewer")


def test_pages_of_entries_and_filters(app: APIFlask, headers: Headers) -> None:
    client = app.test_client()
    for number in range(5):
        assert client.post(f"/api/trainings/{10**6 + number}/stop", headers=headers["trainer"]).status_code == 404
    unpaged, admin = entries(app, headers, limit=5), headers["admin"]
    first = client.get("/api/audit?limit=3", headers=admin).json
    second = client.get(f"/api/audit?limit=2&before={first['next']}", headers=admin).json
    assert first["entries"] + second["entries"] == unpaged
    assert {entry["name"] for entry in entries(app, headers, name="trainer")} == {"trainer"}
    assert {entry["result"] for entry in entries(app, headers, result="refused")} == {"refused"}
    assert entries(app, headers, name="nobody has this name") == []
    for query in ("before=x", "limit=0", "limit=501", "result=other"):
        assert client.get(f"/api/audit?{query}", headers=admin).status_code == 422


def test_the_csv_has_every_entry_and_no_formula(app: APIFlask, headers: Headers) -> None:
    client, admin = app.test_client(), headers["admin"]
    form = {"name": "=HYPERLINK(1)", "role": "viewer"}
    token = client.post("/api/tokens", json={"name": "x", "role": "viewer"}, headers=admin)
    created = client.post("/api/users", json=form, headers=admin)
    client.delete(f"/api/users/{created.json['id']}", headers=admin)
    answer = client.get("/api/audit.csv", headers=admin)
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert [row["id"] for row in rows[:10]] == [entry["id"] for entry in entries(app, headers, limit=10)]
    assert not [cell for row in rows for cell in row.values() if cell.startswith("=")]
    assert token.json["token"] not in answer.text


@pytest.mark.parametrize("path", ["/api/audit", "/api/audit.csv", "/audit"])
def test_only_admins_read_the_audit_log(app: APIFlask, headers: Headers, path: str) -> None:
    statuses = [
        app.test_client().get(path, headers=headers[name]).status_code for name in ("viewer", "trainer", "admin")
    ]
    assert statuses == [403, 403, 200]


def test_no_secret_in_any_log(app: APIFlask, headers: Headers, log_in: Callable[[str], FlaskClient]) -> None:
    """For every login method, used correctly and incorrectly, and for secrets in addresses and bodies that
    are refused.
    """
    client, admin = app.test_client(), headers["admin"]
    browser = log_in("trainer")
    cookie = browser.get_cookie(app.extensions["access"].cookie).value
    token = browser.post("/api/tokens", json={"name": "x", "role": "viewer"}, headers=OURS).json["token"]
    invitation = client.post("/api/invitations", json={"role": "viewer"}, headers=admin).json["path"].partition("=")[2]
    with app.app_context():
        link = app.extensions["services"].accounts.owner_login.link(settings(app)).partition("=")[2]
    owner, key = owner_secret(settings(app).INSTANCE_PATH), app.config["SECRET_KEY"]
    wrong = "ytp_this-is-a-secret-of-somebody-else"
    bodies: list[Any] = [{"token": token}, {"token": wrong}, {"link": link}, {"link": wrong}, {"link": [wrong]}]
    bodies += [
        {"invitation": invitation, "name": "Ines", "password": PASSWORD},
        {"name": "x", "password": PASSWORD + "!"},
    ]
    for number, body in enumerate(bodies):
        client.post("/api/login", json=body, environ_base={"REMOTE_ADDR": f"10.9.0.{number}"})
    client.post("/api/login", data=json.dumps({"token": wrong}), content_type="text/plain", environ_base=REMOTE)
    client.get(f"/api/trainings?token={token}")
    client.post("/api/trainings", json={"name": "x"}, headers={"Authorization": f"Bearer {wrong}"})
    client.post("/api/users", json={"name": "x" * 99, "role": "viewer", "password": PASSWORD}, headers=admin)
    secrets = [cookie, token, invitation, link, owner, key, wrong, PASSWORD]
    assert all(len(secret) > 10 for secret in secrets)
    files = [path for path in settings(app).LOG_DIR.iterdir() if path.is_file()]
    assert {NAME, "app.log"} <= {path.name for path in files}
    for path in files:
        assert not [secret for secret in secrets if secret in path.read_text()], path.name
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path.name


@pytest.mark.usefixtures("socketio_initialized")
def test_files_are_rotated_and_the_oldest_deleted(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, 10_000)
    for number in range(400):
        log.write(path=f"/{number}", name="a\nb\u2028c")
    paths = [entry["path"] for entry in log.entries() if entry.get("via") != "server"]
    assert paths == [f"/{number}" for number in range(399, 399 - len(paths), -1)]
    assert 60 < len(paths) < 120
    assert 8_000 < sum(path.stat().st_size for path in tmp_path.glob("audit-*.jsonl")) <= 10_000
    ids = [int(entry["id"]) for entry in log.entries()]
    assert ids == sorted(set(ids), reverse=True)


@pytest.mark.usefixtures("socketio_initialized")
def test_removed_audit_files_are_logged(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, 10_000)
    files = set()
    for number in range(400):
        log.write(path=f"/{number}")
        files |= set(tmp_path.glob("audit-*.jsonl"))
    removed = {path.name for path in files if not path.exists()}
    pruned = [entry for entry in log.entries() if entry.get("action") == "audit.make_room"]
    assert {entry["path"] for entry in pruned} == removed != set()
    assert {(entry["via"], entry["name"]) for entry in pruned} == {("server", None)}


@pytest.mark.usefixtures("socketio_initialized")
def test_expired_entries_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They disappear from the page at once, and from the disk with their file, even when nothing is logged."""
    days = 86_400 * 10**9
    today = time.time_ns()

    def write_at(day: float, path: str, **more: Any) -> AuditLog:
        monkeypatch.setattr(time, "time_ns", lambda: today + round(day * days))
        log = AuditLog(tmp_path, days=90)  # as a server that started at that time
        log.write(path=path, **more)
        return log

    write_at(0, "/stranger", via=None)
    for day in range(0, 100, 2):
        log = write_at(day, f"/{day}")
    log = write_at(98.5, "/late")
    assert [entry["path"] for entry in log.entries()] == ["/late", *(f"/{day}" for day in range(98, 8, -2))]
    oldest_times = [int(json.loads(path.read_text().splitlines()[0])["id"]) for path in tmp_path.iterdir()]
    assert min(oldest_times) >= today + (98 - 90 - 3) * days
    assert not list(tmp_path.glob("audit_strangers*"))
    for path in tmp_path.iterdir():
        assert path.stat().st_size < 1000, "what is old does not wait for a file to be full"


@pytest.mark.usefixtures("socketio_initialized")
def test_a_file_that_another_process_has_set_aside(tmp_path: Path) -> None:
    """Two web processes write to one log: both see that the file is full."""
    ours, theirs = AuditLog(tmp_path, 10_000), AuditLog(tmp_path, 10_000)
    for number in range(300):
        (ours if number % 2 else theirs).write(path=f"/{number}")
    assert sum(entry["path"] != "" for entry in ours.entries()) > 50
    ours.set_aside("audit")
    theirs.set_aside("audit")
    theirs.write(path="/last")
    assert next(ours.entries())["path"] == "/last"


@pytest.mark.usefixtures("socketio_initialized")
def test_damaged_lines_are_skipped(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    log.write(path="/1")
    with open(tmp_path / NAME, "ab") as file:
        file.write(b'{"id": "12", "path": \n\xff\x00\n[]\n{"id": "x"}\n' + b"[" * 100_000 + b"\n")
    log.write(path="/2")
    assert [entry["path"] for entry in log.entries()] == ["/2", "/1"]


@pytest.mark.usefixtures("socketio_initialized")
def test_a_truncated_line_does_not_damage_the_next(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    for path in ("/1", "/2"):
        log.write(path=path)
    (tmp_path / NAME).write_bytes((tmp_path / NAME).read_bytes()[:-9])
    log.write(path="/3")
    assert [entry["path"] for entry in log.entries()] == ["/3", "/1"]


LINES = [
    *('{"id": "' + "9" * digits + '"}' for digits in (21, 5000)),
    *(
        '{"id": "5", ' + field + "}"
        for field in (
            *('"created": [1]', '"created": {"a": "b"}', '"created": null', '"created": {"a": 1e400}'),
            *('"account_id": "x"', '"account_id": [2]', '"status": 1e400', '"status": true'),
            *('"path": {"a": 1}', '"name": 5', '"path": "\\ud800"', '"time": NaN', '"more": "\\udfff"'),
        )
    ),
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[:40])
def test_lines_with_values_of_another_kind(
    app: APIFlask, headers: Headers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str
) -> None:
    log = AuditLog(tmp_path)
    (tmp_path / NAME).write_text(line + "\n")
    log.write(path="/1", created={"training_id": 5})
    monkeypatch.setattr(app.extensions["services"].audit, "folder", tmp_path)
    assert [entry["path"] for entry in entries(app, headers, before="9" * 20)] == ["/1"]
    table = app.test_client().get("/api/audit.csv", headers=headers["admin"])
    assert table.text.count("\n") == 2


def test_a_file_of_the_log_that_cannot_be_read(
    app: APIFlask, headers: Headers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = AuditLog(tmp_path)
    log.write(path="/1")
    (tmp_path / "audit-1.jsonl").mkdir()
    monkeypatch.setattr(app.extensions["services"].audit, "folder", tmp_path)
    assert [entry["path"] for entry in entries(app, headers)] == ["/1"]


@pytest.mark.usefixtures("socketio_initialized")
def test_a_folder_that_cannot_be_written_stops_no_request(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "away")
    log.write(path="/1")
    assert list(log.entries()) == []


@pytest.mark.usefixtures("socketio_initialized")
def test_refusals_displace_no_other_entries(tmp_path: Path) -> None:
    """Refusals of strangers and of users each have a budget of their own, and share one list."""
    log = AuditLog(tmp_path, 20_000)
    log.write(path="/admin", via="session", result="done", role="admin")
    log.write(path="/done", via="session", result="done", role="trainer")
    log.write(path="/refused", via="session", result="refused", role="admin")
    for number in range(300):
        log.write(path=f"/stranger/{number}", via=None, result="refused")
    log.write(path="/last", via="token", result="failed")
    paths = [entry["path"] for entry in log.entries() if entry["via"] != "server"]
    assert paths[0] == "/last"
    assert paths[1] == "/stranger/299"
    assert paths[-3:] == ["/refused", "/done", "/admin"]
    assert len(paths) < 50
    assert [entry["path"] for entry in log.entries(result="done") if entry["via"] != "server"] == ["/done", "/admin"]
    assert log.newest(1, via="token")[0][0]["path"] == "/last"
    for number in range(300):
        log.write(path=f"/trainer/{number}", via="session", result="done", role="trainer")
    assert "/done" not in [entry["path"] for entry in log.entries()]
    assert [entry["path"] for entry in log.entries(result="done")][-1] == "/admin", "no trainer pushes out an admin"
    assert list(log.entries(result='do"ne')) == []
