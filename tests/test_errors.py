"""The one format of every failure: problem+json (RFC 9457), or a page if a browser requested one."""

import errno
import sqlite3
from collections.abc import Callable

import pytest
from apiflask import APIFlask
from flask import abort
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app import errors, schemas

FORM = "multipart/form-data"
KEYS = {"type", "title", "status", "detail", "errors"}


def database(message: str) -> OperationalError:
    return OperationalError("INSERT", {}, sqlite3.OperationalError(message))


RAISED: dict[str, tuple[Callable[[], Exception], int]] = {
    "upload": (lambda: errors.BadUpload("not a ZIP"), 400),
    "origin": (lambda: errors.ForeignOrigin("no"), 403),
    "missing": (lambda: errors.NotFound("no"), 404),
    "conflict": (lambda: errors.Conflict("no"), 409),
    "transition": (lambda: errors.IllegalTransition("completed", "running"), 409),
    "large": (lambda: errors.TooLarge("no"), 413),
    "content": (lambda: errors.Unprocessable("no", [{"field": "file", "message": "bad"}]), 422),
    "code": (lambda: RuntimeError("secret /etc/passwd"), 500),
    "later": (lambda: errors.Unavailable("later"), 503),
    "locked": (lambda: database("database is locked"), 503),
    "read-only database": (lambda: database("attempt to write a readonly database"), 503),
    "read-only disk": (lambda: OSError(errno.EROFS, "x"), 503),
    "full database": (lambda: database("database or disk is full"), 507),
    "full disk": (lambda: OSError(errno.ENOSPC, "secret /etc/passwd"), 507),
    "quota": (lambda: OSError(errno.EDQUOT, "x"), 507),
}


@pytest.fixture
def client(app: APIFlask) -> FlaskClient:
    """An application with endpoints that fail in every way."""

    @app.get("/api/fail/<name>")
    def fail(name: str) -> str:
        raise RAISED[name][0]()

    @app.get("/api/abort/<int:status>")
    def stop(status: int) -> str:
        abort(status)

    @app.post("/api/form")
    @app.input(schemas.TestForm, location="form_and_files")
    def form(**_: object) -> dict:
        return {}

    @app.post("/api/json")
    @app.input(schemas.TrainingIn)
    def body(**_: object) -> dict:
        return {}

    return app.test_client()


def check(answer: TestResponse, status: int, *members: str) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.content_type.startswith("application/problem+json")
    body = answer.get_json()
    assert set(body) == KEYS | set(members)
    assert (body["type"], body["status"]) == ("about:blank", status)
    assert body["title"]
    assert body["detail"]
    assert all(set(item) == {"field", "message"} for item in body["errors"])
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return body


@pytest.mark.parametrize("name", RAISED)
def test_raised(client: FlaskClient, name: str) -> None:
    status = RAISED[name][1]
    answer = client.get(f"/api/fail/{name}")
    body = check(answer, status, *(["current"] if name == "transition" else []))
    assert (answer.headers.get("Retry-After") is not None) == (status == 503)
    assert body["errors"] == ([{"field": "file", "message": "bad"}] if name == "content" else [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 415, 418, 422, 429, 500, 503])
def test_aborted(client: FlaskClient, status: int) -> None:
    check(client.get(f"/api/abort/{status}"), status)


def test_of_the_framework(client: FlaskClient) -> None:
    check(client.get("/api/nothing"), 404)
    refused = client.delete("/api/tests")
    check(refused, 405)
    assert "GET" in refused.headers["Allow"]
    check(client.post("/api/json", data="x", content_type="text/plain"), 415)
    check(client.post("/api/json", data="{", content_type="application/json"), 400)
    fields = check(client.post("/api/json", json={"epochs": "5"}), 422)["errors"]
    assert {item["field"] for item in fields} == {"dataset_id", "epochs"}
    assert (
        check(client.post("/api/form", data={"training_id": "1"}, content_type=FORM), 422)["errors"][0]["field"]
        == "file"
    )


def test_a_body_that_is_no_json_is_named(client: FlaskClient) -> None:
    english = {"Accept-Language": "en"}
    answer = client.post("/api/json", data="{bad", content_type="application/json", headers=english)
    assert check(answer, 400)["detail"] == "The body isn't valid JSON."


def test_the_message_of_an_unchanged_status(app: APIFlask) -> None:
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert str(errors.IllegalTransition("pending", "pending").detail).startswith("The status is already “Queued”")
        assert "can't change to “Paused”" in str(errors.IllegalTransition("failed", "paused").detail)


def test_larger_than_allowed(app: APIFlask, client: FlaskClient) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 1000
    check(client.post("/api/form", data={"training_id": "1" * 2000}, content_type=FORM), 413)
    check(client.post("/api/json", data="[" * 2000, content_type="application/json"), 413)


def test_a_browser_gets_a_page(client: FlaskClient) -> None:
    answer = client.get("/nothing", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    check(client.get("/nothing", headers={"Accept": "application/json"}), 404)
    check(client.get("/api/nothing", headers={"Accept": "text/html"}), 404)


def test_portuguese_is_the_default(client: FlaskClient) -> None:
    english = client.get("/api/nothing", headers={"Accept-Language": "en"}).get_json()
    assert english["title"] == "Not found"
    assert client.get("/api/nothing").get_json()["title"] == "Não encontrado"
