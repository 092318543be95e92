"""A body that ends before its announced length: 400, and nothing happens."""

import json

import pytest

from tests.attacks.conftest import Target
from tests.data import yolo_zip

HEAD = "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n{more}\r\n"
JSON, FORM, CHUNK = "application/json", "multipart/form-data; boundary=b", "application/offset+octet-stream"


def head(method: str, path: str, kind: str, length: int | None, more: str = "") -> bytes:
    framing = "Transfer-Encoding: chunked\r\n" if length is None else f"Content-Length: {length}\r\n"
    return HEAD.format(method=method, path=path, kind=kind, more=framing + more).encode()


def form(**fields: str | bytes) -> bytes:
    body = b""
    for name, value in fields.items():
        file = '; filename="a.zip"' if isinstance(value, bytes) else ""
        body += f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
        body += (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
    return body + b"--b--\r\n"


@pytest.mark.parametrize("announced", [5000, 2_000_000])
def test_json(target: Target, announced: int) -> None:
    """As in the issue: the received bytes are a complete request, but shorter than announced."""
    body = json.dumps({"dataset_id": target.dataset_id, "epochs": 1}).encode()
    before = target.counts()
    expected = 400 if announced < 1024**2 else 413
    assert target.status(head("POST", "/api/trainings", JSON, announced) + body) == expected
    for path in (f"/api/trainings/{target.training_id}", "/api/trainings/queue"):
        assert (
            target.status(head("PATCH" if path[-1].isdigit() else "PUT", path, JSON, 900) + b'{"name": "Cut"}') == 400
        )
    assert target.counts() == before
    assert target.server.get(f"/api/trainings/{target.training_id}").json()["name"] == "Run"


@pytest.mark.parametrize("action", ["stop", "clone", "restore", "extend", "retry", "run-again"])
def test_actions_that_need_no_body(target: Target, action: str) -> None:
    before = target.counts()
    path = f"/api/trainings/{target.training_id}/{action}"
    assert target.status(head("POST", path, JSON, 900) + b"{}") == 400
    assert target.status(head("POST", path, FORM, 900) + b"--b\r\n") == 415
    assert target.status(head("DELETE", f"/api/datasets/{target.dataset_id}", JSON, 10) + b"{}") == 400
    assert target.counts() == before


@pytest.mark.parametrize("rest", [b"", b"0", b"zz\r\n"])
def test_chunks(target: Target, rest: bytes) -> None:
    body = json.dumps({"dataset_id": target.dataset_id, "epochs": 1}).encode()
    before = target.counts()
    sent = head("POST", "/api/trainings", JSON, None) + f"{len(body):x}\r\n".encode() + body + b"\r\n" + rest
    assert target.status(sent) == 400
    assert target.status(sent[: -len(rest) - 5]) == 400
    assert target.counts() == before


def test_forms(target: Target) -> None:
    """Truncated inside the file, inside a field, and after a form that is complete by itself."""
    complete = form(name="Cut", file=yolo_zip())
    before = target.counts()
    for body, announced in (
        (complete[:-300], len(complete)),
        (complete[:70], len(complete)),
        (complete, len(complete) + 1000),
    ):
        assert target.status(head("POST", "/api/datasets", FORM, announced) + body) == 400
    picture = form(training_id=str(target.training_id), file=b"x")
    assert target.status(head("POST", "/api/tests", FORM, len(picture) + 9) + picture) == 400
    assert target.counts() == before


def test_a_cut_resumable_upload_stores_the_received_bytes_alone(target: Target) -> None:
    data = yolo_zip()
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(data)), "Upload-Metadata": "filename YS56aXA="}
    location = target.server.post("/api/uploads", headers=tus).headers["Location"]
    before = target.counts()
    more = "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
    assert target.status(head("PATCH", location, CHUNK, len(data), more) + data[:-10]) == 400
    assert target.server.get(location).json()["offset"] == len(data) - 10
    sum_ = more.replace(": 0", f": {len(data) - 10}") + "Upload-Checksum: sha1 MYTtoZsZDJqbBbjIIJzqbhUlZ8c=\r\n"
    assert target.status(head("PATCH", location, CHUNK, 10, sum_) + data[-10:-5]) == 400
    assert target.server.get(location).json() | {"expires_at": ""} == {
        **target.server.get(location).json(),
        "offset": len(data) - 10,
        "state": "receiving",
        "expires_at": "",
    }
    assert target.status(head("DELETE", location, CHUNK, 10, "Tus-Resumable: 1.0.0\r\n")) in {400, 415}
    assert target.server.get(location).status_code == 200
    assert target.counts() == before


def test_no_traceback(target: Target) -> None:
    assert "Traceback" not in target.server.log()
