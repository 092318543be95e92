"""Resumable uploads against the real server, in both modes: interrupted, killed, resumed, identical byte by byte."""

import base64
import hashlib
import http.client
import random
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from tusclient.client import TusClient
from tusclient.storage.filestorage import FileStorage

from scripts.client import Client
from scripts.client.yolo_client import resumable
from scripts.local_server import MODES, Server
from tests.test_uploads import drawn_zip, wait_for_dataset

TUS = {"Tus-Resumable": "1.0.0"}
CHUNK = TUS | {"Content-Type": "application/offset+octet-stream"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 images, about 15 MB."""
    path = tmp_path_factory.mktemp("archive") / "things.zip"
    path.write_bytes(drawn_zip(100))
    return path


def begin(server: Server, length: int, **options: bytes) -> str:
    """The path of a new upload."""
    metadata = {"filename": b"things.zip", "name": b"T"} | options
    header = ",".join(f"{key} {base64.b64encode(value).decode()}".strip() for key, value in metadata.items())
    answer = server.post("/api/uploads", headers=TUS | {"Upload-Length": str(length), "Upload-Metadata": header})
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def offset(server: Server, location: str) -> int:
    answer = requests.head(server.url + location, headers=TUS, timeout=30)
    assert answer.status_code == 200
    return int(answer.headers["Upload-Offset"])


def patch(server: Server, location: str, at: int, data: bytes, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.patch(
        server.url + location, data=data, headers=CHUNK | {"Upload-Offset": str(at)} | named, timeout=60
    )


def half_sent(server: Server, location: str, at: int, data: bytes, announced: int) -> http.client.HTTPConnection:
    """A PATCH of which only this much was sent."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    connection.putrequest("PATCH", location)
    for name, value in (CHUNK | {"Upload-Offset": str(at), "Content-Length": str(announced)}).items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(data)
    return connection


def outcome(server: Server, location: str, seconds: float = 180) -> dict[str, Any]:
    limit = time.monotonic() + seconds
    while (body := server.get(location).json())["state"] in {"receiving", "checking"}:
        assert time.monotonic() < limit, body
        time.sleep(0.05)
    return body


def stored(server: Server, location: str) -> Path:
    return server.folder / "data" / "uploads" / location.rpartition("/")[2] / "bin"


def wait_for_size(path: Path, size: int) -> None:
    limit = time.monotonic() + 180
    while path.stat().st_size < size:
        assert time.monotonic() < limit, path.stat().st_size
        time.sleep(0.005)


def test_cut_at_random_offsets_it_is_the_same_file(server: Server, archive: Path) -> None:
    """Its last byte is sent separately, so that the rest can be read before it becomes a dataset."""
    data, chance = archive.read_bytes(), random.Random(5)
    location = begin(server, len(data))
    for _ in range(6):
        at = offset(server, location)
        sent = chance.randrange(1, max(2, (len(data) - 1 - at) // 2))
        connection = half_sent(server, location, at, data[at : at + sent], len(data) - at)
        # the server does not know the user of a program that ended before
        wait_for_size(stored(server, location), at + 1)
        connection.close()
        assert free_again(server, location) == at + sent, "bytes before the end of the connection count"
    at = offset(server, location)
    assert patch(server, location, at, data[at:-1]).status_code == 204
    assert hashlib.sha256(stored(server, location).read_bytes() + data[-1:]).digest() == hashlib.sha256(data).digest()
    assert patch(server, location, len(data) - 1, data[-1:]).status_code == 204
    body = outcome(server, location)
    assert wait_for_dataset(server, body["dataset_id"])["total_images"] == 100


def free_again(server: Server, location: str) -> int:
    """The offset, once the server has noticed the end of the sending connection."""
    limit = time.monotonic() + 180
    while (answer := patch(server, location, offset(server, location), b"")).status_code in {409, 423}:
        assert time.monotonic() < limit
        time.sleep(0.01)
    assert answer.status_code == 204
    return int(answer.headers["Upload-Offset"])


@pytest.mark.parametrize("mode", MODES)
def test_a_killed_server_continues_where_it_was(tmp_path: Path, archive: Path, mode: str) -> None:
    data = archive.read_bytes()
    with Server(tmp_path, mode) as server:
        location = begin(server, len(data))
        for share in (0.3, 0.8):
            at = offset(server, location)
            goal = int(len(data) * share)
            connection = half_sent(server, location, at, data[at:goal], len(data) - at)
            wait_for_size(stored(server, location), at + (goal - at) // 2)
            server.kill()
            connection.close()
            server.start()
            assert at < (now := offset(server, location)) <= goal
            assert stored(server, location).read_bytes() == data[:now]
        at = offset(server, location)
        assert patch(server, location, at, data[at:]).status_code == 204
        server.kill()  # after the last byte, during the creation
        server.start()
        body = outcome(server, location)
        assert (body["state"], body["dataset_id"]) == ("done", 1), body
        assert wait_for_dataset(server, 1)["total_images"] == 100
        assert server.get("/api/datasets").json()["total"] == 1


def test_two_writers_at_once(server: Server, archive: Path) -> None:
    data = archive.read_bytes()
    location = begin(server, len(data))
    connection = half_sent(server, location, 0, data[:2_000_000], len(data))
    wait_for_size(stored(server, location), 1)
    answer = patch(server, location, 0, data[:5_000_000])
    assert (answer.status_code, answer.json()["status"]) == (423, 423)
    connection.send(data[2_000_000:])
    assert connection.getresponse().status == 204
    connection.close()
    assert outcome(server, location)["state"] == "done"


def test_a_refused_chunk_is_answered_and_its_connection_continues(server: Server, archive: Path) -> None:
    data = archive.read_bytes()
    location = begin(server, len(data))
    with requests.Session() as session:
        headers = CHUNK | {"Upload-Offset": "7"}
        for _ in range(2):
            assert session.patch(server.url + location, data=data, headers=headers, timeout=60).status_code == 409
        headers = CHUNK | {"Upload-Offset": "0", "Upload-Checksum": "md5 " + base64.b64encode(bytes(16)).decode()}
        answer = session.patch(server.url + location, data=data, headers=headers, timeout=60)
        assert (answer.status_code, answer.reason) == (460, "Checksum Mismatch")
        assert stored(server, location).stat().st_size == 0

        def in_pieces() -> Any:
            yield from (data[start : start + 100_000] for start in range(0, len(data), 100_000))

        headers = CHUNK | {"Upload-Offset": "0"}
        answer = session.patch(server.url + location, data=in_pieces(), headers=headers, timeout=60)
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(len(data))), "chunked, of no length"
        assert outcome(server, location)["state"] == "done"


def test_empty_options_are_as_if_they_were_not_sent(threading_server: Server) -> None:
    """They were accepted when the upload began, and must not fail it after its last byte."""
    data = drawn_zip(4)
    location = begin(threading_server, len(data), split=b"", rename=b"", classes=b"")
    assert patch(threading_server, location, 0, data).status_code == 204
    body = outcome(threading_server, location)
    assert body["state"] == "done", body
    assert wait_for_dataset(threading_server, body["dataset_id"])["total_images"] == 4


def test_tuspy_resumes(threading_server: Server, archive: Path, tmp_path: Path) -> None:
    """Another project's client, with its own checksums and its own storage."""
    server, memory = threading_server, FileStorage(str(tmp_path / "urls.json"))

    def uploader() -> Any:
        return TusClient(server.url + "/api/uploads").uploader(
            str(archive),
            chunk_size=2_000_000,
            store_url=True,
            url_storage=memory,
            upload_checksum=True,
            metadata={"filename": archive.name, "name": "By tuspy"},
            retries=0,
        )

    first = uploader()
    first.upload(stop_at=6_000_000)
    server.kill()
    server.start()
    second = uploader()
    assert (second.url, second.offset) == (first.url, 6_000_000)
    second.upload()
    body = outcome(server, urlsplit(second.url).path)
    assert wait_for_dataset(server, body["dataset_id"])["name"] == "By tuspy"


def test_our_client_resumes(
    threading_server: Server, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted by killing the server; what it sent is not sent again."""
    server, state = threading_server, tmp_path / "resume.json"
    client = Client(server.url)
    monkeypatch.setattr(resumable, "RETRIES", 0)
    failed: list[Exception] = []

    def work() -> None:
        try:
            client.upload(archive, "Mine", state, chunk=1_000_000)
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    uploads = server.folder / "data" / "uploads"
    limit = time.monotonic() + 180
    while not any(path.stat().st_size > 1_500_000 for path in uploads.glob("*/bin")):
        assert time.monotonic() < limit
        time.sleep(0.002)
    server.kill()
    thread.join(60)
    assert failed, "it was cut"
    (cut,) = uploads.glob("*/bin")
    partial = cut.stat().st_size
    assert 1_500_000 < partial < archive.stat().st_size
    inode = cut.stat().st_ino
    server.start()
    assert cut.stat().st_ino == inode
    dataset_id = client.upload(archive, "Mine", state, chunk=1_000_000)
    assert wait_for_dataset(server, dataset_id)["name"] == "Mine"
    assert [path.name for path in uploads.iterdir()] == [cut.parent.name], "no second upload was begun"
    assert not state.exists() or "http" not in state.read_text(), "what is done is forgotten"
