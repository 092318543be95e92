"""Tests of trained models: the endpoints, the warm child process, accepted and refused images."""

import io
import os
import pickle
import struct
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from PIL import Image, ImageFont
from werkzeug.test import TestResponse

from app import create_app
from app.errors import Unavailable
from app.guard import raise_file_limit
from app.jobs import Job, JobKind
from app.jobs.devices import Pool, Use
from app.jobs.process import find_children
from app.services.infer import child
from app.worker import picture
from scripts.local_server import Server, settings_for
from tests.conftest import close_app
from tests.data import image_bytes, zip_bytes
from tests.random_weights import CLASSES, add_training, write_weights


@pytest.fixture(scope="session")
def weights(random_weights: bytes) -> bytes:
    return random_weights


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[APIFlask]:
    """One application, and with it one warm child, for all tests that do not break them. It has a thousand open files,
    as with a thousand connections, so that the descriptor of the child's pipe is too high for select().
    """
    folder = tmp_path_factory.mktemp("warm")
    app = create_app("web", settings_for(folder, SOCKETIO_ASYNC_MODE="threading", MAX_IMAGE_PIXELS="20000000"))
    raise_file_limit()
    connections = [os.open(os.devnull, os.O_RDONLY) for _ in range(1024)]
    yield app
    close_app(app)
    for number in connections:
        os.close(number)


@pytest.fixture(scope="module")
def training(warm: APIFlask, weights: bytes) -> int:
    return add_training(warm, weights)


@pytest.fixture
def client(warm: APIFlask) -> FlaskClient:
    return warm.test_client()


def send(client: FlaskClient, training: Any, data: bytes, name: str = "a.jpg", **fields: str) -> TestResponse:
    form = {"file": (io.BytesIO(data), name), "training_id": str(training)} | fields
    return client.post("/api/tests", data=form, headers={"Accept-Language": "en"})


def encode_image(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def files_below(app: APIFlask) -> set[str]:
    root = Path(app.config["DATA_ROOT"])
    return {str(path.relative_to(root)) for name in ("tmp", "tests") for path in (root / name).rglob("*")}


def test_answer_files_and_lists(client: FlaskClient, warm: APIFlask, training: int) -> None:
    sent = image_bytes((320, 240))
    answer = send(client, training, sent, "Foto.JPG", confidence="0.3", iou="0.4")
    assert answer.status_code == 201, answer.text
    body = answer.get_json()
    assert set(body) == {"test_id", "detections", "inference_time", "image_url", "total_time"}
    assert 0 < body["inference_time"] < body["total_time"]
    assert body["detections"]
    for item in body["detections"]:
        assert set(item) == {"class", "confidence", "bbox", "center", "area"}
        x1, y1, x2, y2 = item["bbox"]
        assert 0 <= x1 < x2 <= 320
        assert 0 <= y1 < y2 <= 240
        assert item["class"] in CLASSES
        assert item["confidence"] >= 0.3
        assert item["center"] == pytest.approx([(x1 + x2) / 2, (y1 + y2) / 2], abs=0.02)
        assert item["area"] == pytest.approx((x2 - x1) * (y2 - y1), abs=0.02)
    number = body["test_id"]
    folder = Path(warm.config["TESTS_DIR"]) / str(number)
    assert {path.name for path in folder.iterdir()} == {"input_image.jpg", "annotated.jpg", "about.json"}
    assert client.get(f"/api/tests/{number}/input").data == sent

    drawn = client.get(body["image_url"])
    assert drawn.mimetype == "image/jpeg"
    with Image.open(io.BytesIO(drawn.data)) as annotated, Image.open(io.BytesIO(sent)) as original:
        assert annotated.size == (320, 240)
        assert annotated.convert("RGB").tobytes() != original.convert("RGB").tobytes()

    one = client.get(f"/api/tests/{number}").get_json()
    assert body.items() <= one.items()
    assert (one["training_id"], one["training_name"], one["iou_threshold"]) == (training, "Células 1", 0.4)
    assert one["created_at"].endswith("Z")
    page = client.get(f"/api/tests?training_id={training}&per_page=1").get_json()
    assert page["tests"][0]["id"] >= number
    assert page["per_page"] == 1
    assert client.get("/api/tests?training_id=999").get_json() == {
        "tests": [],
        "total": 0,
        "page": 1,
        "per_page": 10,
        "pages": 0,
    }


def test_confidence_threshold_cuts(client: FlaskClient, training: int) -> None:
    every = send(client, training, PICTURE, confidence="0.01").get_json()["detections"]
    level = (every[0]["confidence"] + every[-1]["confidence"]) / 2
    fewer = send(client, training, PICTURE, confidence=str(level)).get_json()["detections"]
    assert 0 < len(fewer) < len(every)
    assert all(item["confidence"] >= level - 0.0001 for item in fewer)
    assert send(client, training, PICTURE, confidence="1.0").get_json()["detections"] == []


def rotated_image() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated right to be upright
    return encode_image(Image.new("RGB", (120, 60), "navy"), "JPEG", exif=exif)


KINDS = {
    "grey.png": (encode_image(Image.new("L", (90, 60), 77), "PNG"), (90, 60)),
    "deep.png": (encode_image(Image.new("I;16", (90, 60), 40000), "PNG"), (90, 60)),
    "float.tiff": (encode_image(Image.new("F", (90, 60), 0.5), "TIFF"), (90, 60)),
    "clear.png": (encode_image(Image.new("RGBA", (90, 60), (9, 9, 9, 20)), "PNG"), (90, 60)),
    "print.jpg": (encode_image(Image.new("CMYK", (90, 60), (9, 9, 9, 20)), "JPEG"), (90, 60)),
    "bits.bmp": (encode_image(Image.new("1", (90, 60)), "BMP"), (90, 60)),
    "moving.webp": (
        encode_image(
            Image.new("RGB", (90, 60), "red"), "WEBP", save_all=True, append_images=[Image.new("RGB", (90, 60), "blue")]
        ),
        (90, 60),
    ),
    "turned.jpeg": (rotated_image(), (60, 120)),
    "new.avif": (encode_image(Image.new("RGB", (90, 60), "red"), "AVIF"), (90, 60)),
    "wavelets.jp2": (encode_image(Image.new("RGB", (90, 60), "red"), "JPEG2000"), (90, 60)),
    "lab.tif": (encode_image(Image.new("LAB", (90, 60)), "TIFF"), (90, 60)),
    "tiny.png": (encode_image(Image.new("RGB", (1, 1)), "PNG"), (1, 1)),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_images(client: FlaskClient, training: int, name: str) -> None:
    data, size = KINDS[name]
    answer = send(client, training, data, name)
    assert answer.status_code == 201, answer.text
    with Image.open(io.BytesIO(client.get(answer.get_json()["image_url"]).data)) as annotated:
        assert annotated.size == size
    for item in answer.get_json()["detections"]:
        assert 0 <= item["bbox"][2] <= size[0]
        assert 0 <= item["bbox"][3] <= size[1]


def test_sixteen_bit_images_preserve_their_brightness(tmp_path: Path) -> None:
    (tmp_path / "deep.png").write_bytes(KINDS["deep.png"][0])
    assert picture.read(tmp_path / "deep.png", 10_000).getpixel((5, 5)) == (40000 >> 8,) * 3


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"GIF89a", "a.gif", "GIF"),
        (b"GIF89a" + bytes(40), "a.jpg", "GIF"),
        (b"", "a.jpg", "empty"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "phone.jpg", "HEIC"),
        (b"x", "phone.HEIC", "HEIC"),
        (b"<html><body>", "a.jpg", "HTML"),
        (image_bytes((320, 240))[:-200], "a.jpg", "JPEG image is incomplete"),
    ],
)
def test_what_is_no_image_is_named(client: FlaskClient, training: int, data: bytes, name: str, message: str) -> None:
    form = {"training_id": str(training), "file": (io.BytesIO(data), name)}
    answer = client.post("/api/tests", data=form, headers={"Accept-Language": "en"})
    assert (answer.status_code, message in answer.get_json()["detail"]) == (422, True), answer.text


def huge_png() -> bytes:
    """13000 x 13000 one-bit pixels in some 20 KB."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(bytes((13000 // 8 + 1) * 13000), 9)
    header = struct.pack(">IIBBBBB", 13000, 13000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


GIF = encode_image(Image.new("P", (20, 20)), "GIF")
PICTURE = image_bytes((320, 240))
REFUSED: dict[str, tuple[bytes, str, dict[str, str], int, str | None]] = {
    "truncated": (PICTURE[: len(PICTURE) // 2], "a.jpg", {}, 422, "file"),
    "truncated png": (KINDS["grey.png"][0][:60], "a.png", {}, 422, "file"),
    "empty": (b"", "a.jpg", {}, 422, "file"),
    "a ZIP inside": (zip_bytes({"a": "b"}), "a.png", {}, 422, "file"),
    "a page inside": (b"<html><script>alert(1)</script>", "a.jpg", {}, 422, "file"),
    "a GIF inside": (GIF, "a.jpg", {}, 422, "file"),
    "named .gif": (GIF, "a.gif", {}, 422, "file"),
    "named .svg": (b"<svg/>", "a.svg", {}, 422, "file"),
    "no extension": (PICTURE, "a", {}, 422, "file"),
    "too many pixels": (huge_png(), "a.png", {}, 413, None),
    "confidence": (PICTURE, "a.jpg", {"confidence": "1.5"}, 422, "confidence"),
    "confidence NaN": (PICTURE, "a.jpg", {"confidence": "nan"}, 422, "confidence"),
    "iou": (PICTURE, "a.jpg", {"iou": "-0.1"}, 422, "iou"),
    "unknown field": (PICTURE, "a.jpg", {"model": "/etc/passwd"}, 422, "model"),
    "unknown training": (PICTURE, "a.jpg", {"training_id": "987654"}, 404, None),
    "no id": (PICTURE, "a.jpg", {"training_id": "../1"}, 422, "training_id"),
    "id too large": (PICTURE, "a.jpg", {"training_id": str(2**63)}, 422, "training_id"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_images_leave_nothing(client: FlaskClient, warm: APIFlask, training: int, case: str) -> None:
    data, name, fields, status, field = REFUSED[case]
    before = files_below(warm)
    answer = send(client, training, data, name, **fields)
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    assert [item["field"] for item in answer.get_json()["errors"]] == ([field] if field else [])
    assert files_below(warm) == before


def test_no_file_and_no_form(client: FlaskClient, training: int) -> None:
    answer = client.post("/api/tests", data={"training_id": str(training)}, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["field"] == "file"
    assert client.post("/api/tests", json=[]).status_code in {400, 415, 422}


class Malice:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_weights_that_cannot_be_used(
    client: FlaskClient, warm: APIFlask, weights: bytes, training: int, tmp_path: Path
) -> None:
    trap = tmp_path / "trap"
    bad = {
        "none": None,
        "empty": b"",
        "half": weights[: len(weights) // 2],
        "code": pickle.dumps(Malice(trap)),
        "dict": pickle.dumps({"model": 1}),
        "picture": PICTURE,
    }
    before = files_below(warm)
    for name, content in bad.items():
        answer = send(client, add_training(warm, content), PICTURE)
        assert answer.status_code == 409, (name, answer.text)
        assert files_below(warm) == before
    assert not trap.exists()
    assert send(client, training, PICTURE).status_code == 201  # the child is still running


def test_last_weights_of_a_cancelled_training(client: FlaskClient, warm: APIFlask, weights: bytes) -> None:
    assert send(client, add_training(warm, weights, "last.pt"), PICTURE).status_code == 201


def test_leftover_folder_of_a_crash_is_replaced(client: FlaskClient, warm: APIFlask, training: int) -> None:
    last = send(client, training, PICTURE).get_json()["test_id"]
    stale = Path(warm.config["TESTS_DIR"]) / str(last + 1)
    stale.mkdir()
    (stale / "annotated.jpg").write_bytes(b"of another picture")
    answer = send(client, training, PICTURE)
    assert answer.get_json()["test_id"] == last + 1
    assert client.get(f"/api/tests/{last + 1}/image").data != b"of another picture"


def test_service_methods_and_cache(warm: APIFlask, weights: bytes, tmp_path: Path) -> None:
    service = warm.extensions["services"].inference
    paths = [tmp_path / f"{number}.pt" for number in range(3)]
    (tmp_path / "a.jpg").write_bytes(PICTURE)
    with warm.app_context():
        for path in paths:
            path.write_bytes(weights)
            assert tuple(service.load_model(path)) == CLASSES
        assert list(service.loaded_models) == [str(path) for path in paths[1:]]  # INFERENCE_CACHE_SIZE is 2
        service.predict(tmp_path / "a.jpg", paths[1])
        service.load_model(paths[0])
        assert list(service.loaded_models) == [str(paths[1]), str(paths[0])]
        box = {"class": "ção", "confidence": 0.5, "bbox": [10, 10, 60, 60]}
        drawn = service.draw_predictions(tmp_path / "a.jpg", [box], tmp_path / "drawn.jpg")
    with Image.open(drawn) as annotated:
        assert annotated.size == (320, 240)


def test_a_training_gets_the_gpu(warm: APIFlask, client: FlaskClient, training: int) -> None:
    """The warm process releases its GPU to a training, answers from the CPU meanwhile, and then uses the GPU again."""
    jobs = warm.extensions["services"].jobs
    jobs.register(JobKind("work", "sample", drawing, use=Use.WORK))
    warm.extensions["services"].inference.warm.close()
    jobs.devices.pool = Pool(("0",))

    def newest() -> dict[str, Any]:
        job, *earlier = client.get("/api/jobs?kind=predict").get_json()["jobs"]
        assert all(predecessor["status"] not in {"pending", "running"} for predecessor in earlier), "one at a time"
        return job

    try:
        assert send(client, training, PICTURE).status_code == 201
        first = newest()
        assert (first["status"], first["device"]) == ("running", "0")
        with warm.app_context():
            work = jobs.submit("work", {"device": "0"}).id
        until = time.monotonic() + 180
        while client.get(f"/api/jobs/{first['id']}").get_json()["status"] == "running":
            assert time.monotonic() < until
            time.sleep(0.05)
        assert client.get(f"/api/jobs/{first['id']}").get_json()["error"]["code"] == "device_taken"
        assert send(client, training, PICTURE).status_code == 201
        assert (newest()["status"], newest()["device"]) == ("running", "cpu")
        client.post(f"/api/jobs/{work}/stop")
        while client.get(f"/api/jobs/{work}").get_json()["status"] == "running":
            assert time.monotonic() < until + 60
            time.sleep(0.05)
        assert send(client, training, PICTURE).status_code == 201
        assert (newest()["status"], newest()["device"]) == ("running", "0")
    finally:
        jobs.devices.pool = Pool()
        warm.extensions["services"].inference.warm.close()
    while (ended := newest())["status"] == "running":
        assert time.monotonic() < until + 240
        time.sleep(0.05)
    assert ended["status"] == "completed", "it ends when its socket closes"


def drawing(_job: Job, directory: Path) -> dict[str, Any]:
    return {"output": str(directory / "sample.zip"), "train": 20_000, "val": 1, "size": 32}


def test_waiting_for_a_start_is_limited(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "QUEUE_S", 0.01)
    worker = idle_app.extensions["services"].inference.warm.worker
    with idle_app.test_request_context(), worker._changing, pytest.raises(Unavailable):
        worker.ask({"do": "start"})
    assert not worker._changing.locked()


def test_overwritten_weights_are_reloaded(
    warm: APIFlask, weights: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("other")
    service = warm.extensions["services"].inference
    path = folder / "best.pt"
    path.write_bytes(weights)
    with warm.app_context():
        service.load_model(path)
        os.replace(write_weights(folder / "new.pt", "um", "dois"), path)
        assert service.load_model(path) == ["um", "dois"]


def test_letters_of_portuguese_have_glyphs() -> None:
    font = picture.label_font(20)
    assert isinstance(font, ImageFont.FreeTypeFont)
    missing = bytes(font.getmask("\ue123"))
    assert all(bytes(font.getmask(letter)) != missing for letter in "áàâãéêíóôõúüçÁÀÂÃÉÊÍÓÔÕÚÜÇ")


def child_of(server: Server) -> psutil.Process:
    (children,) = find_children(Path(server.folder, "data", "jobs"))
    return psutil.Process(children[0])


def test_warm_child_of_a_real_server(server: Server, weights: bytes) -> None:
    """Concurrent requests, other clients served meanwhile, a killed child, and its end with the server's."""
    number = add_training(create_app("cli", server.settings), weights)

    def post(_: int) -> dict[str, Any]:
        answer = server.post("/api/tests", files={"file": ("a.jpg", PICTURE)}, data={"training_id": number})
        assert answer.status_code == 201, answer.text + server.log()
        return answer.json()

    with ThreadPoolExecutor(6) as pool:
        sent_at, slowest = time.monotonic(), 0.0
        waiting = [pool.submit(post, turn) for turn in range(6)]
        while not all(item.done() for item in waiting):
            began = time.monotonic()
            assert server.get("/health").status_code == 200
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.02)
        took = time.monotonic() - sent_at
        results = [item.result() for item in waiting]
    assert slowest < max(2, took / 2), "requests waited while the child started"
    assert len({item["test_id"] for item in results}) == 6
    assert all(item["detections"] == results[0]["detections"] for item in results)

    first = child_of(server)
    (job,) = server.get("/api/jobs?kind=predict&status=running").json()["jobs"]
    assert job["device"] == "cpu"
    first.kill()
    post(0)
    assert server.get(f"/api/jobs/{job['id']}").json()["error"]["code"] == "killed"
    second = child_of(server)
    assert second.pid != first.pid
    if server.mode == "eventlet":
        assert server.stop() == 0
    else:  # without any notice
        server.kill()
    second_exited = psutil.wait_procs([second], timeout=60)[0]  # unloading torch takes a second of CPU time
    assert second_exited, "the child outlived its server"
    server.start()
    statuses = [item["status"] for item in server.get("/api/jobs?kind=predict").json()["jobs"]]
    assert statuses == ["cancelled", "failed"], "the next server detects that it has exited"
