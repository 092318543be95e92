"""tus 1.0 by its protocol: every header, every refusal, and one dataset at the end."""

import base64
import hashlib
import io
import os
import random
import shutil
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.models import now
from app.services import Services
from app.services.janitor import Janitor
from app.services.uploads.receive import LEAST, MOST, Writer, blocks
from app.services.uploads.state import RETENTION, UploadStore
from scripts.local_server import settings_for
from tests.conftest import close_app
from tests.data import change_settings, yolo_zip, zip_bytes

TUS = {"Tus-Resumable": "1.0.0", "Accept-Language": "en"}
CHUNK = TUS | {"Content-Type": "application/offset+octet-stream"}
ZIP = yolo_zip()


def metadata(**values: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())


def begin(client: FlaskClient, length: int = len(ZIP), **values: str) -> TestResponse:
    sent = {"filename": "things.zip", "name": "Things"} | values
    return client.post(
        "/api/uploads", headers=TUS | {"Upload-Length": str(length), "Upload-Metadata": metadata(**sent)}
    )


def send(client: FlaskClient, location: str, offset: int, data: bytes, **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.patch(location, headers=CHUNK | {"Upload-Offset": str(offset)} | named, data=data)


def offset(client: FlaskClient, location: str) -> int:
    return int(client.head(location, headers=TUS).headers["Upload-Offset"])


def checksum(data: bytes, algorithm: str = "sha1") -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


def outcome(client: FlaskClient, location: str, seconds: float = 180) -> dict[str, Any]:
    """The upload once it has ended."""
    limit = time.monotonic() + seconds
    while (body := client.get(location).get_json())["state"] in {"receiving", "checking"}:
        assert time.monotonic() < limit, body
        time.sleep(0.02)
    return body


def wait_for_record_alone(folder: Path) -> None:
    """Waits until the file is removed, after the response, and the record remains."""
    limit = time.monotonic() + 180
    while sorted(path.name for path in folder.iterdir()) != ["info.json"]:
        assert time.monotonic() < limit
        time.sleep(0.02)


def folder_of(app: APIFlask, location: str) -> Path:
    return Path(app.config["DATA_ROOT"]) / "uploads" / location.rpartition("/")[2]


def services_of(app: APIFlask) -> Services:
    return app.extensions["services"]


def test_options_lists_the_supported_extensions(client: FlaskClient) -> None:
    answer = client.options("/api/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == answer.headers["Tus-Resumable"] == "1.0.0"
    assert answer.headers["Tus-Max-Size"] == str(2 * 1024**3)
    extensions = "creation,creation-with-upload,checksum,termination,expiration"
    assert answer.headers["Tus-Extension"] == extensions
    assert answer.headers["Tus-Checksum-Algorithm"] == "sha1,sha256,md5"


def test_a_file_in_three_chunks_becomes_one_dataset(client: FlaskClient, app: APIFlask) -> None:
    answer = begin(client, description="Many", classes="a", relativePath="x/things.zip")
    location = answer.headers["Location"]
    assert (answer.status_code, answer.headers["Upload-Offset"], offset(client, location)) == (201, "0", 0)
    assert client.get(location).get_json() | {"id": "", "created_at": "", "expires_at": ""} == {
        "id": "",
        "state": "receiving",
        "filename": "things.zip",
        "name": "Things",
        "length": len(ZIP),
        "offset": 0,
        "created_at": "",
        "expires_at": "",
        "dataset_id": None,
        "problem": None,
        "retriable": False,
    }
    for start, end in ((0, 10), (10, 4000), (4000, len(ZIP))):
        answer = send(client, location, start, ZIP[start:end])
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(end))
        assert ("Upload-Expires" in answer.headers) == (end < len(ZIP))
    body = outcome(client, location)
    assert (body["state"], body["problem"]) == ("done", None)
    dataset = client.get(f"/api/datasets/{body['dataset_id']}").get_json()
    assert (dataset["name"], dataset["description"], dataset["total_images"]) == ("Things", "Many", 8)
    wait_for_record_alone(folder_of(app, location))
    assert send(client, location, len(ZIP), b"").status_code == 204, (
        "the last answer was lost: asking again is harmless"
    )
    assert (offset(client, location), client.get(location).get_json()["dataset_id"]) == (len(ZIP), body["dataset_id"])
    assert client.get("/api/datasets").get_json()["total"] == 1


def test_head_returns_what_was_sent(client: FlaskClient) -> None:
    header = metadata(filename="ü.zip", name="Ünïcode 🚗") + ",flag"
    location = client.post("/api/uploads", headers=TUS | {"Upload-Length": "9", "Upload-Metadata": header}).headers[
        "Location"
    ]
    answer = client.head(location, headers=TUS)
    assert (answer.status_code, answer.headers["Upload-Length"]) == (200, "9")
    assert answer.headers["Upload-Metadata"] == header
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.get(location).get_json()["name"] == "Ünïcode 🚗"


def test_creation_with_a_first_chunk(client: FlaskClient) -> None:
    headers = CHUNK | {"Upload-Length": str(len(ZIP)), "Upload-Metadata": metadata(filename="a b.zip")}
    answer = client.post("/api/uploads", headers=headers, data=ZIP[:100])
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "100")
    answer = client.post("/api/uploads", headers=headers | {"Upload-Checksum": checksum(ZIP)}, data=ZIP)
    assert answer.headers["Upload-Offset"] == str(len(ZIP))
    body = outcome(client, answer.headers["Location"])
    assert client.get(f"/api/datasets/{body['dataset_id']}").get_json()["name"] == "a b", "the file's name"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Length": None}, 400),
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "1e3"}, 400),
        ({"Upload-Length": "٣"}, 400),
        ({"Upload-Length": str(2 * 1024**3 + 1)}, 413),
        ({"Upload-Metadata": None}, 400),
        ({"Upload-Metadata": metadata(filename="a.tar")}, 400),
        ({"Upload-Metadata": "filename !!!"}, 400),
        ({"Upload-Metadata": "filename /w=="}, 400),
        ({"Upload-Metadata": metadata(filename="a.zip") + "," + metadata(filename="b.zip")}, 400),
        ({"Upload-Metadata": metadata(filename="a.zip", name=" ")}, 422),
        ({"Upload-Metadata": metadata(filename="a.zip", task="dance")}, 422),
        ({"Tus-Resumable": None}, 412),
        ({"Tus-Resumable": "0.2.2"}, 412),
        ({"Content-Type": "application/octet-stream"}, 415),
        ({"Origin": "https://example.org"}, 403),
    ],
)
def test_refused_creations(client: FlaskClient, app: APIFlask, headers: dict[str, str | None], status: int) -> None:
    fields: dict[str, Any] = TUS | {"Upload-Length": "9", "Upload-Metadata": metadata(filename="a.zip")} | headers
    sent = {name: value.encode().decode("latin-1") for name, value in fields.items() if value is not None}
    answer = client.post("/api/uploads", headers=sent, data=b"123" if "Content-Type" in headers else None)
    assert (answer.status_code, answer.get_json()["status"]) == (status, status), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert ("Tus-Version" in answer.headers) == (status == 412)
    assert not list((Path(app.config["DATA_ROOT"]) / "uploads").iterdir())


def test_refused_chunks_change_nothing(client: FlaskClient) -> None:
    location = begin(client).headers["Location"]
    assert send(client, location, 0, ZIP[:50]).status_code == 204
    answer = send(client, location, 0, ZIP[:50])
    assert (answer.status_code, answer.get_json()["offset"]) == (409, 50)
    assert send(client, location, 60, b"x").status_code == 409
    assert send(client, location, 50, b"x", Content_Type="application/octet-stream").status_code == 415
    assert client.patch(location, headers=TUS | {"Upload-Offset": "50"}, data=None).status_code == 415
    assert send(client, location, 50, b"x", Tus_Resumable="2.0.0").status_code == 412
    assert send(client, location, 50, ZIP[50:] + b"x").status_code == 413
    assert send(client, location, 50, b"x", Upload_Checksum="crc32 AAAA").status_code == 400
    assert send(client, location, 50, b"x", Upload_Checksum="sha1 AAAA").status_code == 400
    assert send(client, location, 50, b"x", Origin="https://example.org").status_code == 403
    assert client.patch(location, headers=CHUNK, data=b"x").status_code == 400
    assert send(client, "/api/uploads/" + "0" * 32, 0, b"x").status_code == 404
    assert send(client, "/api/uploads/..", 0, b"x").status_code == 404
    assert client.post("/api/datasets", headers=CHUNK, data=b"x").status_code == 415, "chunks belong to uploads alone"
    assert offset(client, location) == 50


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_a_chunk_that_arrives_damaged_is_discarded(client: FlaskClient, app: APIFlask, algorithm: str) -> None:
    location = begin(client).headers["Location"]
    assert send(client, location, 0, ZIP[:9], Upload_Checksum=checksum(ZIP[:9], algorithm)).status_code == 204
    answer = send(client, location, 9, ZIP[10:99], Upload_Checksum=checksum(ZIP[9:98], algorithm))
    assert (answer.status, answer.get_json()["status"]) == ("460 Checksum Mismatch", 460)
    assert (folder_of(app, location) / "bin").read_bytes() == ZIP[:9]
    assert send(client, location, 9, ZIP[9:], Upload_Checksum=checksum(ZIP[9:], algorithm)).status_code == 204
    assert outcome(client, location)["state"] == "done"


def test_an_unverified_checksum_does_not_count(client: FlaskClient, app: APIFlask) -> None:
    """A `kill -9` within a chunk leaves an unverified one."""
    location = begin(client).headers["Location"]
    assert send(client, location, 0, ZIP[:9]).status_code == 204
    upload = UploadStore(folder_of(app, location).parent, Path(app.config["DATA_ROOT"]) / "tmp").find(
        location.rpartition("/")[2]
    )
    upload.mark_unverified(9)
    with open(upload.bin, "ab") as file:
        file.write(b"damaged")
    assert offset(client, location) == 9
    assert upload.bin.read_bytes() == ZIP[:9]


class Stops(io.BytesIO):
    """A body whose connection breaks after these bytes."""

    def readinto(self, buffer: Any, /) -> int:
        count = super().readinto(buffer)
        if not count:
            raise ConnectionResetError
        return count


def test_bytes_before_a_broken_connection_count_unless_checksummed(client: FlaskClient) -> None:
    location = begin(client).headers["Location"]
    for sent, headers, expected in ((ZIP[:70], {}, 70), (ZIP[70:90], {"Upload_Checksum": checksum(ZIP[70:])}, 70)):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = client.patch(
            location,
            headers=CHUNK | {"Upload-Offset": str(offset(client, location))} | named,
            input_stream=Stops(sent),
            environ_overrides={"CONTENT_LENGTH": "500"},
        )
        assert (answer.status_code, offset(client, location)) == (400, expected)


class Waits(io.BytesIO):
    """A body that stops after its first half, until the test continues it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.halted, self.goes_on = threading.Event(), threading.Event()

    def readinto(self, buffer: Any, /) -> int:
        half = len(self.getvalue()) // 2
        if self.tell() >= half:
            self.halted.set()
            assert self.goes_on.wait(60)
        return super().readinto(memoryview(buffer)[:half])


def sending(app: APIFlask, location: str, body: Waits) -> tuple[threading.Thread, list[int]]:
    """A PATCH in a thread, stopped halfway; the list receives its status."""
    statuses: list[int] = []

    def work() -> None:
        headers = CHUNK | {"Upload-Offset": "0"}
        length = len(body.getvalue())
        answer = app.test_client().patch(
            location, headers=headers, input_stream=body, environ_overrides={"CONTENT_LENGTH": str(length)}
        )
        statuses.append(answer.status_code)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert body.halted.wait(60)
    return thread, statuses


def test_two_at_once_are_one(client: FlaskClient, app: APIFlask) -> None:
    location = begin(client).headers["Location"]
    body = Waits(ZIP)
    thread, statuses = sending(app, location, body)
    half = offset(client, location)
    answer = send(client, location, half, ZIP[half:])
    assert (answer.status_code, answer.headers["Retry-After"]) == (423, "2")
    body.goes_on.set()
    thread.join(60)
    assert statuses == [204]
    assert outcome(client, location)["state"] == "done"


def test_a_returning_client_replaces_its_dead_connection(
    client: FlaskClient, app: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = begin(client).headers["Location"]
    body = Waits(ZIP)
    thread, statuses = sending(app, location, body)
    monkeypatch.setattr("app.services.uploads.receive.SILENT_S", 0.0)
    half = offset(client, location)
    assert send(client, location, half, ZIP[half:]).status_code == 204
    body.goes_on.set()
    thread.join(60)
    assert statuses == [400], "the dead one writes no more"
    assert outcome(client, location)["state"] == "done"


def test_a_termination_stops_the_sender(client: FlaskClient, app: APIFlask) -> None:
    location = begin(client).headers["Location"]
    body = Waits(ZIP)
    thread, statuses = sending(app, location, body)
    assert client.delete(location).status_code == 412
    assert client.delete(location, headers=TUS).status_code == 204
    body.goes_on.set()
    thread.join(60)
    assert statuses == [400]
    assert not folder_of(app, location).exists()
    for answer in (client.head(location, headers=TUS), client.get(location), client.delete(location, headers=TUS)):
        assert answer.status_code == 404


def test_a_file_that_is_no_dataset_is_refused_as_in_a_direct_post(client: FlaskClient, app: APIFlask) -> None:
    bad = zip_bytes({"readme.txt": "nothing"})
    posted = client.post(
        "/api/datasets", data={"name": "x", "file": (io.BytesIO(bad), "x.zip")}, headers={"Accept-Language": "en"}
    )
    location = begin(client, len(bad)).headers["Location"]
    assert send(client, location, 0, bad).status_code == 204
    body = outcome(client, location)
    assert (body["state"], body["problem"], body["dataset_id"]) == ("failed", posted.get_json(), None)
    assert body["retriable"] is False
    assert send(client, location, len(bad), b"").status_code == 204
    assert client.get(location).get_json() == body, "asking again changes nothing"
    wait_for_record_alone(folder_of(app, location))
    assert client.get("/api/datasets").get_json()["total"] == 0


def test_an_empty_file_is_refused(client: FlaskClient) -> None:
    body = outcome(client, begin(client, 0).headers["Location"])
    assert (body["state"], body["problem"]["status"]) == ("failed", 400)


def test_what_failed_for_a_full_disk_can_be_tried_again(
    client: FlaskClient, app: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = begin(client).headers["Location"]
    assert send(client, location, 0, ZIP[:-1]).status_code == 204
    creation = services_of(app).datasets.creation
    with monkeypatch.context() as patched:
        patched.setattr(creation, "adopt", lambda *_: os.write(os.open("/dev/full", os.O_WRONLY), b"x"))
        assert send(client, location, len(ZIP) - 1, ZIP[-1:]).status_code == 204
        body = outcome(client, location)
    assert (body["state"], body["problem"]["status"], body["retriable"]) == ("failed", 507, True)
    assert send(client, location, len(ZIP), b"").status_code == 204
    assert outcome(client, location)["state"] == "done"


def test_an_import_that_is_stopped_does_not_begin_again(client: FlaskClient, app: APIFlask) -> None:
    """Stopped from the list of jobs, the only way while the file is checked."""
    services_of(app).jobs.scheduler.close()  # it stays queued until it is stopped
    location = begin(client).headers["Location"]
    assert send(client, location, 0, ZIP).status_code == 204
    limit = time.monotonic() + 180
    while not (jobs := client.get("/api/jobs").get_json()["jobs"]):
        assert time.monotonic() < limit
        time.sleep(0.02)
    assert client.delete(location, headers=TUS).status_code == 409
    assert client.post(f"/api/jobs/{jobs[0]['id']}/stop").status_code == 202
    body = outcome(client, location)
    assert (body["state"], body["problem"]["status"], body["retriable"]) == ("failed", 409, False)
    assert "was stopped" in body["problem"]["detail"]
    assert client.get("/api/jobs").get_json()["total"] == 1


def test_a_disk_that_would_be_full_refuses_at_the_start(app: APIFlask, client: FlaskClient) -> None:
    change_settings(app, MIN_FREE_DISK=2**60)
    assert begin(client).status_code == 507
    change_settings(app, MIN_FREE_DISK=0)
    location = begin(client).headers["Location"]
    change_settings(app, MIN_FREE_DISK=2**60)
    assert send(client, location, 0, ZIP[:9]).status_code == 507
    assert offset(client, location) == 0


def test_an_upload_reserves_space_for_itself_alone(
    app: APIFlask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed: list[int] = []
    monkeypatch.setattr(services_of(app).storage, "check_space", lambda size, _free: needed.append(size))
    location = begin(client, 1000).headers["Location"]
    send(client, location, 0, ZIP[:300])
    begin(client, 50)
    assert needed == [1000, 300, 50], "what another has only announced is not on the disk"


def test_the_janitor_reads_only_uploads_whose_time_is_over(app: APIFlask, client: FlaskClient) -> None:
    fresh, old = (folder_of(app, begin(client).headers["Location"]) for _ in range(2))
    long_ago = time.time() - RETENTION.total_seconds() - 60
    for path in (old / "info.json", old / "bin"):
        os.utime(path, (long_ago, long_ago))
    (fresh / "info.json").write_text("no record")  # it is set aside when it is read
    with app.app_context():
        assert services_of(app).uploads.remove_expired(now()) == 1
    assert not old.exists()
    assert (fresh / "info.json").read_text() == "no record"


def test_uploads_expire(app: APIFlask, client: FlaskClient) -> None:
    location, second = (begin(client).headers["Location"] for _ in range(2))
    send(client, location, 0, ZIP[:9])
    long_ago = (now() - RETENTION - timedelta(hours=1)).timestamp()
    for path in folder_of(app, location).iterdir():
        os.utime(path, (long_ago, long_ago))
    assert client.head(location, headers=TUS).status_code == 410
    assert send(client, location, 9, ZIP[9:]).status_code == 410
    with app.app_context():
        assert Janitor(services_of(app)).sweep(now())["uploads"] == 1
    assert client.head(location, headers=TUS).status_code == 404
    assert client.head(second, headers=TUS).status_code == 200
    assert not folder_of(app, location).exists()


@pytest.mark.parametrize("state", ["receiving", "checking"])
def test_a_server_killed_after_the_last_byte_continues(app: APIFlask, tmp_path: Path, state: str) -> None:
    """As after a `kill -9`: all bytes have arrived, their outcome is not recorded."""
    client = app.test_client()
    location = begin(client).headers["Location"]
    upload = UploadStore(folder_of(app, location).parent, tmp_path / "data/tmp").find(location.rpartition("/")[2])
    upload.bin.write_bytes(ZIP)
    upload.state = state
    upload.save()
    again = create_app("web", settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading"))
    try:
        assert outcome(again.test_client(), location)["dataset_id"] == 1
    finally:
        close_app(again)


def test_a_server_killed_after_the_row_creates_no_second_dataset(app: APIFlask, tmp_path: Path) -> None:
    client = app.test_client()
    location = begin(client).headers["Location"]
    send(client, location, 0, ZIP)
    first = outcome(client, location)["dataset_id"]
    upload = UploadStore(folder_of(app, location).parent, tmp_path / "data/tmp").find(location.rpartition("/")[2])
    upload.bin.write_bytes(ZIP)
    upload.state, upload.dataset_id = "checking", None
    upload.save()
    again = create_app("web", settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading"))
    try:
        assert outcome(again.test_client(), location)["dataset_id"] == first
        assert again.test_client().get("/api/datasets").get_json()["total"] == 1
    finally:
        close_app(again)


def test_blocks_fit_the_connection() -> None:
    """Large on a fast connection; without an announced length a chunk ends with its stream."""
    sizes: list[int] = []

    class Counted(io.BytesIO):
        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            sizes.append(len(buffer))
            return super().readinto(buffer)

    data = random.Random(0).randbytes(3_000_000)
    assert b"".join(bytes(block) for block in blocks(Counted(data), None, Writer())) == data
    assert sizes[0] == LEAST
    assert max(sizes) == MOST


def test_unfinished_uploads_are_listed_and_removed(client: FlaskClient) -> None:
    locations = [begin(client, name=f"Set {number}").location for number in range(3)]
    send(client, locations[1], 0, ZIP[:1000])
    answer = client.get("/api/uploads", query_string={"per_page": 2}).get_json()
    assert (answer["total"], answer["pages"], len(answer["uploads"])) == (3, 2, 2)
    every = client.get("/api/uploads", query_string={"per_page": 100}).get_json()["uploads"]
    assert {(item["name"], item["offset"], item["length"]) for item in every} == {
        ("Set 0", 0, len(ZIP)),
        ("Set 1", 1000, len(ZIP)),
        ("Set 2", 0, len(ZIP)),
    }
    assert client.delete(locations[0], headers=TUS).status_code == 204
    assert client.get("/api/uploads").get_json()["total"] == 2


def test_finished_uploads_hide_no_unfinished_one(client: FlaskClient, app: APIFlask) -> None:
    """Their records stay for days, and a page has a hundred."""
    location = begin(client, name="Old").location
    finished = begin(client, name="Finished").location
    assert send(client, finished, 0, ZIP).status_code == 204
    assert outcome(client, finished)["state"] == "done"
    wait_for_record_alone(folder_of(app, finished))
    newest = client.get("/api/uploads", query_string={"per_page": 1}).get_json()
    assert (newest["total"], newest["uploads"][0]["name"]) == (2, "Finished")
    listed = client.get("/api/uploads", query_string={"per_page": 1, "unfinished": "true"}).get_json()
    assert (listed["total"], [item["name"] for item in listed["uploads"]]) == (1, ["Old"])
    assert location.endswith(listed["uploads"][0]["id"])


def test_empty_uploads_reserve_no_disk(client: FlaskClient, monkeypatch: pytest.MonkeyPatch, app: APIFlask) -> None:
    """32 uploads of 2 GB that never send a byte; the disk has room for one of them."""
    free = shutil.disk_usage(app.config["DATA_ROOT"]).free
    change_settings(app, MIN_FREE_DISK=max(0, free - 5 * 1024**3))
    length = 2 * 1024**3
    assert [begin(client, length).status_code for _ in range(33)] == [201] * 33


@pytest.mark.parametrize("name", ["a\nb.zip", "a\0b.zip", "a\r\nX-Injected: 1.zip", "a\u2028b.zip"])
def test_control_characters_in_a_name_harm_nothing(client: FlaskClient, name: str) -> None:
    sent = {"filename": name}
    created = client.post(
        "/api/uploads", headers=TUS | {"Upload-Length": str(len(ZIP)), "Upload-Metadata": metadata(**sent)}
    )
    assert created.status_code in {201, 422}, created.text
    if created.status_code == 201:
        send(client, created.location, 0, ZIP)
        body = outcome(client, created.location)
        assert body["state"] == "done", body
        answer = client.get(f"/api/datasets/{body['dataset_id']}/original")
        assert answer.status_code == 200
        assert "X-Injected" not in answer.headers
        assert "\n" not in client.get(f"/api/datasets/{body['dataset_id']}").get_json()["name"]
