"""Requests that no page of ours sends: each gets 4xx as problem+json, nothing is changed, nothing crashes."""

import json
import socket
from typing import Any

import pytest
import requests
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from scripts.local_server import Server

IDS = ("0", "-1", "9e99", "1.0", "%00", "..%2fx", "../x", str(2**63), "01", "1%20", "٣", "NaN", "null", "1;drop")
LISTS = ("/api/datasets", "/api/trainings", "/api/tests")
TRAINING = {"name": "a", "dataset_id": 1, "epochs": 1, "batch_size": 1, "img_size": 64, "learning_rate": 0.01}

FIELDS: list[tuple[str, Any]] = [
    *[("epochs", value) for value in (-1, 0, 10**9, 1.5, "5", True, None, [], {}, float("nan"), float("inf"))],
    *[("img_size", value) for value in (31, 10**6, "640", None, 64.5)],
    *[("batch_size", value) for value in (0, -1, "16", False, 10**30)],
    *[("learning_rate", value) for value in (0, -1, 2, "0.01", True, None, float("nan"), float("-inf"))],
    *[("dataset_id", value) for value in (0, -1, 2**63, "1", 1.0, None, True)],
    *[("model_version", value) for value in ("https://example.org/x.pt", "../../x.pt", "q", "", 5, None, ["n"])],
    *[("name", value) for value in ("", "   ", "a" * 101, "a\nb", "a\n", "a\x00b", 5, None)],
    *[(key, "x") for key in ("model", "project", "device", "resume", "epoch", "__proto__")],
]
PARAMS = [{"project": "/etc"}, {"device": "0;id"}, {"model": "../../x.pt"}, {"data": "x.yaml"}, {"no_such": 1}]

BODIES: list[tuple[bytes, str, set[int]]] = [
    (b"[]", "application/json", {400}),
    (b"null", "application/json", {400}),
    (b'"x"', "application/json", {400}),
    (b"5", "application/json", {400}),
    (b"", "application/json", {422}),  # an empty body: the missing fields are named
    (b" " * 2_000_000, "application/json", {413}),
    (b"{", "application/json", {400}),
    (b'{"name": "\xff\xfe"}', "application/json", {400}),
    (b"[" * 100_000 + b"]" * 100_000, "application/json", {400}),
    (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "application/json", {400}),
    (b'{"name": "a"}', "text/plain", {415}),
    (b'{"name": "a"}', "", {415}),
    (b'{"name": "a"}', "application/x-www-form-urlencoded", {415}),
    (b'{"name": "a"}', "application/json; charset=utf-99", {400, 415, 422}),
]


@pytest.fixture
def client(common_app: APIFlask) -> FlaskClient:
    return common_app.test_client()


def assert_refused(answer: TestResponse, *statuses: int) -> dict[str, Any]:
    assert answer.status_code in statuses, answer.text
    assert answer.content_type.startswith("application/problem+json")
    return answer.get_json()


@pytest.mark.parametrize("identifier", IDS)
def test_ids(client: FlaskClient, identifier: str) -> None:
    for path in LISTS:
        assert_refused(client.get(f"{path}/{identifier}"), 400, 404)
    assert_refused(client.get(f"/api/tests/{identifier}/image"), 400, 404)
    assert_refused(client.get(f"/api/trainings/{identifier}/metrics"), 400, 404)
    assert_refused(client.post(f"/api/trainings/{identifier}/stop"), 400, 404)
    assert_refused(client.delete(f"/api/datasets/{identifier}"), 400, 404, 405)


@pytest.mark.parametrize(("field", "value"), FIELDS, ids=lambda value: repr(value)[:24])
def test_fields_of_a_training(client: FlaskClient, field: str, value: Any) -> None:
    body = assert_refused(
        client.post("/api/trainings", data=json.dumps(TRAINING | {field: value}), content_type="application/json"), 422
    )
    assert field in {item["field"] for item in body["errors"]}


@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_parameters_of_a_training(client: FlaskClient, params: dict[str, Any]) -> None:
    assert_refused(client.post("/api/trainings", json=TRAINING | {"params": params}), 422)


@pytest.mark.parametrize(("body", "content_type", "statuses"), BODIES, ids=lambda value: repr(value)[:24])
def test_bodies(client: FlaskClient, body: bytes, content_type: str, statuses: set[int]) -> None:
    assert_refused(client.post("/api/trainings", data=body, content_type=content_type), *statuses)


@pytest.mark.parametrize("path", ["/api/tests", "/api/datasets"])
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{}", "application/json"),
        (b"x", "multipart/form-data"),
        (b"x", "multipart/form-data; boundary=a"),
        (b"--a\r\n\r\n", "multipart/form-data; boundary=a"),
        (
            b'--a\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--a--\r\n',
            "multipart/form-data; boundary=a",
        ),
        (b"x" * 70_000, "multipart/form-data; boundary=a"),
        (b"", "multipart/form-data; boundary=a"),
    ],
)
def test_forms(client: FlaskClient, path: str, body: bytes, content_type: str) -> None:
    assert_refused(client.post(path, data=body, content_type=content_type), 400, 413, 415, 422)


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("query", ["page=-1", "page=0", "per_page=1000000000", "per_page=0", "page=x", "page=1e9"])
def test_pages(client: FlaskClient, path: str, query: str) -> None:
    assert_refused(client.get(f"{path}?{query}"), 400, 422)


@pytest.mark.parametrize("path", ["/api/datasets", "/api/trainings"])
@pytest.mark.parametrize("query", ["sort=password", "sort=", "status=x", "status=valid%00", "search=" + "a" * 101])
def test_filters(client: FlaskClient, path: str, query: str) -> None:
    assert_refused(client.get(f"{path}?{query}"), 422)


def test_a_page_behind_the_last_is_empty(client: FlaskClient) -> None:
    for path in LISTS:
        answer = client.get(f"{path}?page=1000000")
        assert answer.status_code == 200
        assert answer.get_json()["total"] == 0


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://", "x"])
def test_foreign_origins(client: FlaskClient, origin: str) -> None:
    headers = {"Origin": origin}
    assert_refused(client.post("/api/trainings", json=TRAINING, headers=headers), 403)
    assert_refused(client.post("/api/tests", headers=headers), 403)
    assert_refused(client.delete("/api/datasets/1", headers=headers), 403)
    assert "Access-Control-Allow-Origin" not in client.get("/api/tests", headers=headers).headers


def test_the_same_origin_is_allowed(client: FlaskClient) -> None:
    answer = client.post("/api/tests", headers={"Origin": "http://localhost"})
    assert answer.status_code in {400, 422}


def test_on_the_wire(server: Server) -> None:
    """Against a real server: Socket.IO's checks, and that the server answers afterwards."""
    address = "/socket.io/?EIO=4&transport=polling"
    assert server.get(address, headers={"Origin": "https://evil.example"}).status_code == 400
    assert server.get(address, headers={"Origin": server.url}).status_code == 200

    session = server.get(address).text
    number = json.loads(session[1:])["sid"]
    path = f"{server.url}{address}&sid={number}"
    assert requests.post(path, data="40", timeout=10).status_code == 200
    assert requests.post(path, data="4" + "x" * 2_000_000, timeout=10).status_code == 400

    for header in ("-1", "x", "9" * 30):
        answer = raw(server, f"POST /api/tests HTTP/1.1\r\nHost: a\r\nContent-Length: {header}\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert server.get("/health").status_code == 200
    assert "Traceback" not in server.log()


def raw(server: Server, text: str) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(65536)
