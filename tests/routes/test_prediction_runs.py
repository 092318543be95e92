"""Videos and many images through the API: a job computes their detections; unusable files are refused, and an
interrupted job restarts or reports why not.
"""

import csv
import io
import json
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from app import create_app
from app.database import writing
from app.extensions import db
from app.jobs import Job
from app.models import PredictionRun, Training
from app.services import predictions
from app.services.datasets import archive_texts
from app.services.predictions import texts
from app.services.predictions.jobs import IMAGES, KINDS, VIDEO
from scripts.client.yolo_client.cli import main
from scripts.local_server import settings_for
from tests.conftest import close_app
from tests.data import change_settings, image_bytes, zip_bytes
from tests.random_weights import CLASSES, add_training
from tests.videos import BROKEN, NO_VIDEOS, claim_frames, drawn_video, rotate_video

pytestmark = pytest.mark.timeout(600)
ENGLISH = {"Accept-Language": "en"}
FORM = {"Content-Type": "multipart/form-data"}
TIMES = [number / 10 for number in range(18)] + [2.5, 3.0]
UNKNOWN = 10**9
FIXTURES = Path(__file__).parents[1] / "fixtures" / "images"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[APIFlask]:
    app = create_app("web", settings_for(tmp_path_factory.mktemp("app"), SOCKETIO_ASYNC_MODE="threading"))
    yield app
    close_app(app)


@pytest.fixture
def client(serving: APIFlask) -> FlaskClient:
    return serving.test_client()


@pytest.fixture(scope="module")
def training(serving: APIFlask, random_weights: bytes) -> int:
    """A model that detects something in every image."""
    training_id = add_training(serving, random_weights)
    with serving.app_context(), writing() as session:
        row = session.get_one(Training, training_id)
        row.img_size, row.dataset.classes = 160, list(CLASSES)
    return training_id


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A phone's video: rotated, with irregular frame times."""
    return rotate_video(drawn_video(tmp_path_factory.mktemp("video") / "a.mp4", TIMES, (160, 96)), 90)


def send(client: FlaskClient, training: Any, content: bytes, name: str = "film.mp4", **fields: str) -> TestResponse:
    form = {"file": (io.BytesIO(content), name), "training_id": str(training)} | fields
    return client.post("/api/predictions", data=form, headers=ENGLISH)


def prediction_of(client: FlaskClient, prediction_id: int) -> dict[str, Any]:
    return client.get(f"/api/predictions/{prediction_id}", headers=ENGLISH).get_json()


def wait_until_ended(client: FlaskClient, prediction_id: int) -> dict[str, Any]:
    until = time.monotonic() + 300
    while (prediction := prediction_of(client, prediction_id))["status"] in {"pending", "running"}:
        assert time.monotonic() < until, prediction
        time.sleep(0.05)
    return prediction


def running(app: APIFlask, job_id: int) -> Job:
    """The job once its child is running."""
    jobs = app.extensions["services"].jobs
    until = time.monotonic() + 120
    while True:
        with app.app_context():
            job = jobs.get(job_id)
            if job.status == "running" and job.runner:
                return job
            assert job.status in {"pending", "running"}, job.error
        assert time.monotonic() < until
        time.sleep(0.01)


def files_below(app: APIFlask) -> set[Path]:
    root = Path(app.config["DATA_ROOT"])
    return {path for name in ("tmp", "predictions") for path in (root / name).rglob("*")}


def test_a_video_yields_an_annotated_one_and_its_detections(
    client: FlaskClient, serving: APIFlask, training: int, video: bytes, tmp_path: Path
) -> None:
    answer = send(client, training, video, "../Férias 2.mp4", confidence="0.2")
    body = answer.get_json()
    assert (answer.status_code, set(body)) == (202, {"message", "prediction_id", "job_id", "status"})
    assert answer.headers["Location"] == f"/api/predictions/{body['prediction_id']}"
    running(serving, body["job_id"])
    with serving.app_context():
        serving.extensions["services"].jobs.kill(body["job_id"])
    prediction = wait_until_ended(client, body["prediction_id"])
    assert (prediction["status"], prediction["error"]) == ("completed", None), "a killed child begins again"
    assert (prediction["engine"], prediction["task"], prediction["tracked"]) == ("pytorch", "detect", True)
    assert prediction["filename"] == "Férias 2.mp4"
    media = prediction["media"]
    assert (media["width"], media["height"], media["frames"], media["cut"]) == (96, 160, 20, False), "upright"
    with serving.app_context():
        serving.extensions["services"].jobs.wait(body["job_id"], 60)  # its row follows the prediction's
    job = client.get(f"/api/jobs/{body['job_id']}").get_json()
    assert (job["kind"], job["attempt"], job["result"]["prediction_id"]) == (KINDS[VIDEO], 2, prediction["id"])

    files = {file["name"]: client.get(file["url"]) for file in prediction["files"]}
    assert set(files) == {"video.mp4", "detections.json", "detections.csv"}
    lists = json.loads(files["detections.json"].data)
    assert [row["time"] for row in lists["frames"]] == pytest.approx(TIMES, abs=0.002)
    items = [item for row in lists["frames"] for item in row["detections"]]
    assert items
    assert {"class", "confidence", "bbox", "center", "area", "track_id"} == set(items[0])
    assert all(item["confidence"] >= 0.2 for item in items)
    rows = list(csv.DictReader(io.StringIO(files["detections.csv"].text)))
    assert len(rows) == len(items) == sum(row["detections"] for row in prediction["found"])
    assert {row["class"] for row in prediction["found"]} == {item["class"] for item in items}
    assert [int(row["frame"]) for row in rows] == sorted(int(row["frame"]) for row in rows)
    ids = {item["track_id"] for item in items} - {None}
    assert len(ids) < len(items), "what stands still is one object"
    (tmp_path / "made.mp4").write_bytes(files["video.mp4"].data)
    with av.open(str(tmp_path / "made.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        frames = list(container.decode(video=0))
    assert [float(frame.time) for frame in frames] == pytest.approx(TIMES, abs=0.002)
    assert (frames[0].width, frames[0].height) == (96, 160)
    part = client.get(prediction["files"][-1]["url"], headers={"Range": "bytes=0-9"})
    assert (part.status_code, len(part.data)) == (206, 10), "players ask for parts"
    listed = client.get(f"/api/predictions?training_id={training}").get_json()
    assert prediction["id"] in [row["id"] for row in listed["predictions"]]

    deleted = client.delete(f"/api/predictions/{prediction['id']}", headers=ENGLISH)
    assert (deleted.status_code, deleted.get_json()["prediction_id"]) == (200, prediction["id"])
    assert client.get(f"/api/predictions/{prediction['id']}").status_code == 404
    assert files_below(serving) <= {Path(serving.config["DATA_ROOT"], "predictions")}


def test_the_detections_are_those_of_predict(
    client: FlaskClient, serving: APIFlask, training: int, tmp_path: Path
) -> None:
    """The first frame, as an image through the Test page."""
    video = drawn_video(tmp_path / "a.mp4", TIMES[:3], (160, 96))
    prediction = wait_until_ended(
        client, send(client, training, video, confidence="0.3", track="false").get_json()["prediction_id"]
    )
    assert (prediction["status"], prediction["tracked"]) == ("completed", False)
    url = next(file["url"] for file in prediction["files"] if file["name"] == "detections.json")
    (first, *_) = json.loads(client.get(url).data)["frames"]
    with av.open(str(tmp_path / "a.mp4")) as container:
        image = next(container.decode(video=0)).to_image()
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    form = {"file": (io.BytesIO(buffer.getvalue()), "a.png"), "training_id": str(training), "confidence": "0.3"}
    expected = client.post("/api/tests", data=form).get_json()["detections"]
    serving.extensions["services"].inference.warm.close()
    assert len(first["detections"]) == len(expected) > 0
    for mine, theirs in zip(first["detections"], expected, strict=True):
        assert mine["class"] == theirs["class"]
        assert mine["bbox"] == pytest.approx(theirs["bbox"], abs=1)


def test_a_reason_without_its_data_breaks_no_list() -> None:
    assert archive_texts.refusal("no_space", {}) is None
    assert archive_texts.refusal("zip_inside", {"name": "a.zip"}) is None


@pytest.mark.parametrize("name", NO_VIDEOS)
def test_no_videos_are_refused_at_once(client: FlaskClient, serving: APIFlask, training: int, name: str) -> None:
    before = files_below(serving)
    answer = send(client, training, NO_VIDEOS[name])
    assert answer.status_code == 422, answer.text
    assert "video" in answer.get_json()["errors"][0]["message"]
    assert files_below(serving) == before


def test_an_invalid_video_fails_with_its_reason(
    client: FlaskClient, serving: APIFlask, training: int, tmp_path: Path
) -> None:
    """For other refusals: tests/worker/test_video.py."""
    film = drawn_video(tmp_path / "a.mp4", TIMES[:3])
    sent = {"claims": claim_frames(film, 10**9), "broken": BROKEN["mp4"]}
    ids = {name: send(client, training, content).get_json()["prediction_id"] for name, content in sent.items()}
    results = {name: wait_until_ended(client, prediction_id) for name, prediction_id in ids.items()}
    assert {row["status"] for row in results.values()} == {"failed"}
    assert results["claims"]["error"]["code"] == "too_long"
    assert "too many frames" in results["claims"]["error"]["message"]
    assert results["broken"]["error"]["code"] in {"not_video", "no_frames"}
    answer = client.get(f"/api/predictions/{ids['claims']}/files/video.mp4", headers=ENGLISH)
    assert (answer.status_code, answer.get_json()["current"]) == (409, "failed")
    change_settings(serving, MAX_IMAGE_PIXELS=10_000)
    large = wait_until_ended(client, send(client, training, film).get_json()["prediction_id"])
    change_settings(serving, MAX_IMAGE_PIXELS=64_000_000)
    assert large["error"]["code"] == "too_large"


def test_a_stop_ends_it(client: FlaskClient, serving: APIFlask, training: int, video: bytes) -> None:
    body = send(client, training, video).get_json()
    running(serving, body["job_id"])
    assert client.post(f"/api/jobs/{body['job_id']}/stop").status_code == 202
    stopped = wait_until_ended(client, body["prediction_id"])
    assert (stopped["status"], stopped["files"]) == ("cancelled", [])
    assert client.delete(f"/api/predictions/{body['prediction_id']}").status_code == 200


@pytest.mark.parametrize("source", [VIDEO, IMAGES])
def test_every_failure_names_what_was_sent(idle_app: APIFlask, source: str) -> None:
    with idle_app.test_request_context(headers=ENGLISH):
        for code in ("out_of_memory", "slow", "killed", "no_images" if source == IMAGES else "no_frames"):
            message = (texts.failure({"code": code}, source) or {})["message"]
            assert ("video" in message) <= (source == VIDEO), message
            assert ("image" in message) <= (source == IMAGES), message


def test_requests_that_cannot_be_met(client: FlaskClient, serving: APIFlask, training: int, video: bytes) -> None:
    before = files_below(serving)
    assert send(client, UNKNOWN, video).status_code == 404
    assert send(client, training, video, confidence="2").status_code == 422
    assert send(client, training, video, checkpoint="7").status_code == 404
    assert send(client, training, video, classes='{"nobody": 0.5}').status_code == 422
    assert send(client, training, image_bytes()).status_code == 422
    assert client.post("/api/predictions", data=video, headers={"Content-Type": "video/mp4"}).status_code == 415
    for path in (f"/api/predictions/{UNKNOWN}", f"/api/predictions/{UNKNOWN}/files/video.mp4"):
        assert client.get(path).status_code == 404
    assert client.delete(f"/api/predictions/{UNKNOWN}").status_code == 404
    empty = add_training(serving, None)
    assert send(client, empty, video).status_code == 409
    many = send_images(client, training, *[(f"{number}.jpg", b"x") for number in range(1000)])
    assert (many.status_code, many.get_json()["detail"].partition(".")[0]) == (
        413,
        "The form has too many files and fields (limit: 1,000)",
    )
    change_settings(serving, MIN_FREE_DISK=2**60)
    full = send(client, training, video + bytes(3 * 1024**2))
    change_settings(serving, MIN_FREE_DISK=0)
    assert (full.status_code, files_below(serving)) == (507, before), full.text
    assert "needs 3" in full.get_json()["detail"], "with what was sent"


def draw_image(form: str, mode: str = "RGB", turn: int = 1, size: tuple[int, int] = (96, 64)) -> bytes:
    """Noise in which the model detects something."""
    picture = Image.effect_noise(size, 120).convert(mode)
    exif = Image.Exif()
    exif[274] = turn
    buffer = io.BytesIO()
    picture.save(buffer, form, **({"exif": exif} if turn != 1 else {}))
    return buffer.getvalue()


def cut_tiff() -> bytes:
    """Of two pages, truncated after the first one."""
    buffer = io.BytesIO()
    first, second = (Image.effect_noise((96, 64), 120) for _ in range(2))
    first.save(buffer, "TIFF", save_all=True, append_images=[second])
    return buffer.getvalue()[: len(buffer.getvalue()) // 2 + 10]


def send_images(client: FlaskClient, training: Any, *files: tuple[str, bytes], key: str | None = None) -> TestResponse:
    form = {"training_id": str(training), "confidence": "0.2"}
    form |= {"files": [(io.BytesIO(content), name) for name, content in files]}  # type: ignore[dict-item]
    headers = ENGLISH | ({"Idempotency-Key": key} if key else {})
    return client.post("/api/predictions", data=form, headers=headers)


def send_two(client: FlaskClient, form: dict[str, Any]) -> TestResponse:
    """Two images to POST /api/tests, always with the same key."""
    images = [(io.BytesIO(image_bytes()), f"{number}.jpg") for number in range(2)]
    values = {"confidence": "0.2"} | form | {"files": images}
    return client.post("/api/tests", data=values, headers=ENGLISH | {"Idempotency-Key": "two"})


def test_many_images_yield_their_detections(client: FlaskClient, serving: APIFlask, training: int) -> None:
    """As in a dataset: rotated, 16 bit and HEIC are read, damaged files are named; a killed child restarts."""
    jpeg = draw_image("JPEG", turn=6)
    files = [("b/photo 10.jpg", jpeg), ("photo 2.PNG", draw_image("PNG", "I;16")), ("photo 2.jpg", draw_image("BMP"))]
    files += [
        ("Photo 10.jpg", draw_image("JPEG")),
        ("cut.jpg", jpeg[: len(jpeg) // 2]),
        ("notes.txt", b"0 0.5 0.5 1 1\n"),
    ]
    files += [("=x.heic", (FIXTURES / "turned.heic").read_bytes()), ("pages.tif", cut_tiff()), ("", draw_image("AVIF"))]
    answer = send_images(client, training, *files, key="many")
    body = answer.get_json()
    assert (answer.status_code, set(body)) == (202, {"message", "prediction_id", "job_id", "status"})
    running(serving, body["job_id"])
    with serving.app_context():
        serving.extensions["services"].jobs.kill(body["job_id"])
    assert send_images(client, training, *files, key="many").get_json()["prediction_id"] == body["prediction_id"]
    assert send_images(client, training, *files[:2], key="many").status_code == 422, "another body, the same key"
    prediction = wait_until_ended(client, body["prediction_id"])
    assert (prediction["status"], prediction["error"], prediction["source"]) == ("completed", None, "images")
    with serving.app_context():
        job = serving.extensions["services"].jobs.wait(body["job_id"], 60)
        assert (job.kind, job.attempt) == (KINDS[IMAGES], 2)
    assert (prediction["track"], prediction["tracked"]) == (False, False)
    assert (prediction["filename"], prediction["media"], prediction["images"]["read"]) == ("photo 10.jpg +8", None, 6)
    unread = ["cut.jpg", "notes.txt.jpg", "pages.tif"]
    assert [item["image"] for item in prediction["images"]["unread"]["first"]] == unread
    assert "incomplete or damaged" in prediction["images"]["unread"]["first"][0]["message"]

    downloads = {file["name"]: client.get(file["url"]).data for file in prediction["files"]}
    assert set(downloads) == {"detections.json", "detections.csv", "labels.zip"}
    lists = json.loads(downloads["detections.json"])
    sizes = {row["image"]: (row["width"], row["height"]) for row in lists["images"]}
    names = ["=x.heic", "image.jpg", "photo 2.jpg", "photo 2.PNG", "photo 10.jpg", "Photo 10_2.jpg"]
    assert sorted(sizes) == sorted(names)
    assert next(iter(sizes)) == names[0], "in the order in which people count"
    assert sizes["photo 10.jpg"] == (64, 96), "upright"
    assert [row["image"] for row in lists["unread"]] == unread
    assert [row["code"] for row in lists["unread"]] == ["cut_short", "not_image", "cut_short"]
    assert serving.config["DATA_ROOT"] not in downloads["detections.json"].decode(), "no path of the server"
    items = [item for row in lists["images"] for item in row["detections"]]
    assert items
    assert set(items[0]) == {"class", "confidence", "bbox", "center", "area"}
    rows = list(csv.DictReader(io.StringIO(downloads["detections.csv"].decode())))
    assert len(rows) == len(items) == sum(row["detections"] for row in prediction["found"])
    assert {row["image"].removeprefix("'") for row in rows} <= set(names)
    assert not any(row["image"].startswith("=") for row in rows), "no formula"
    with zipfile.ZipFile(io.BytesIO(downloads["labels.zip"])) as labels:
        lines = {name: labels.read(name).decode().splitlines() for name in labels.namelist()}
    assert lines.pop("classes.txt") == [*CLASSES]
    assert set(lines) == {
        "labels/=x.txt",
        "labels/image.txt",
        "labels/photo 2.txt",
        "labels/photo 2.PNG.txt",
        "labels/photo 10.txt",
        "labels/Photo 10_2.txt",
    }
    assert sum(map(len, lines.values())) == len(items)
    (mine,) = [row["detections"] for row in lists["images"] if row["image"] == "photo 10.jpg"]
    form = {"file": (io.BytesIO(jpeg), "a.jpg"), "training_id": str(training), "confidence": "0.2"}
    expected = client.post("/api/tests", data=form).get_json()["detections"]
    serving.extensions["services"].inference.warm.close()
    assert [item["class"] for item in mine] == [item["class"] for item in expected]
    assert [item["bbox"] for item in mine] == [pytest.approx(item["bbox"], abs=1) for item in expected]
    assert client.delete(f"/api/predictions/{prediction['id']}").status_code == 200


def test_zips_that_cannot_be_used(client: FlaskClient, serving: APIFlask, training: int) -> None:
    """The rules are those of the import, see tests/worker/importing/test_archive.py."""
    sent = {
        "path_unsafe": zip_bytes({"../a.jpg": image_bytes()}),
        "no_images": zip_bytes({"a.txt": b"", "b.gif": b""}),
        "no_images_read": zip_bytes({"a/b.jpg": b"no image"}),
        "not_zip_cut": zip_bytes({"a.jpg": image_bytes()})[:-30],
    }
    ids = {code: send(client, training, content, "a.zip").get_json()["prediction_id"] for code, content in sent.items()}
    form = {"training_id": str(training)}
    tested = client.post("/api/tests", data=form | {"file": (io.BytesIO(sent["no_images_read"]), "a.zip")})
    assert tested.status_code == 202, tested.text
    tested_id = tested.get_json()["prediction_id"]
    assert wait_until_ended(client, tested_id)["error"]["code"] == "no_images_read"
    results = {code: wait_until_ended(client, prediction_id) for code, prediction_id in ids.items()}
    assert {code: (row["status"], row["error"]["code"]) for code, row in results.items()} == {
        code: ("failed", code) for code in sent
    }
    assert "unsafe path: ../a.jpg" in results["path_unsafe"]["error"]["message"]
    assert "a/b.jpg: The file isn't a readable image" in results["no_images_read"]["error"]["message"]
    before = client.get("/api/tests").get_json()["total"]
    many = send_two(client, form)
    assert send_two(client, form).get_json() == many.get_json(), "the same key: once"
    assert send_two(client, form | {"confidence": "0.3"}).status_code == 422, "another body"
    assert (many.status_code, set(many.get_json())) == (202, {"message", "prediction_id", "job_id", "status"})
    row = prediction_of(client, many.get_json()["prediction_id"])
    assert many.headers["Location"] == f"/api/predictions/{row['id']}"
    assert (row["source"], row["confidence"], row["filename"]) == ("images", 0.2, "0.jpg +1")
    assert client.get("/api/tests").get_json()["total"] == before, "they are no tests one by one"
    ids |= {"many": row["id"], "tested": tested_id}
    video = {"files": [(io.BytesIO(b"\0\0\0\x20ftypisom" + bytes(100)), "a.mp4")]}
    assert client.post("/api/tests", data=form | video).status_code == 422
    weaker = {"files": [(io.BytesIO(image_bytes()), "a.jpg")]}
    assert client.post("/api/tests?floor=0.01", data=form | weaker).status_code == 422
    assert client.post("/api/tests", data=form, headers=FORM).status_code == 422
    nothing = client.post("/api/predictions", data={"training_id": str(training)}, headers=ENGLISH | FORM)
    assert nothing.status_code == 422
    for prediction_id in ids.values():
        assert client.delete(f"/api/predictions/{prediction_id}").status_code == 200


def test_the_client_and_files_that_are_missing_or_cut(
    client: FlaskClient,
    serving: APIFlask,
    training: int,
    video: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the damaged files of a prediction are missing; folders without a row are set aside."""
    (tmp_path / "a.mp4").write_bytes(video)
    server = make_server("127.0.0.1", 0, serving, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        command = ["yolo-client", "--url", f"http://127.0.0.1:{server.server_port}", "predict-video", str(training)]
        resumable = ["--resume", str(tmp_path / "state.json"), "--output", str(tmp_path / "out")]
        monkeypatch.setattr("sys.argv", [*command, str(tmp_path / "a.mp4"), *resumable])
        assert main() == 0
        assert client.get("/api/uploads").get_json()["uploads"][0]["filename"] == "a.mp4", "it was sent in chunks"
        assert "http" not in (tmp_path / "state.json").read_text(), "what is done is forgotten"
        (tmp_path / "photos.zip").write_bytes(zip_bytes({"a/1.jpg": draw_image("JPEG"), "a/2.png": draw_image("PNG")}))
        command[-2:] = ["predict-images", str(training)]
        monkeypatch.setattr("sys.argv", [*command, str(tmp_path / "photos.zip"), "--output", str(tmp_path / "images")])
        assert main() == 0
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    printed, images = map(json.loads, capsys.readouterr().out.splitlines())
    assert (images["status"], images["images"]["read"]) == ("completed", 2)
    assert (tmp_path / "images" / "labels.zip").is_file()
    assert (printed["status"], printed["media"]["frames"]) == ("completed", 20)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"video.mp4", "detections.json", "detections.csv"}
    prediction = prediction_of(client, printed["id"])
    service = serving.extensions["services"].predictions
    folder = service.kind.folder(prediction["id"])
    (folder / "made" / "detections.csv").write_bytes(b"cut")
    answers = {file["name"]: client.get(file["url"], headers=ENGLISH).status_code for file in prediction["files"]}
    assert answers == {"video.mp4": 200, "detections.json": 200, "detections.csv": 404}
    for name in ("..%2Finput", "input", "%00", "made"):
        assert client.get(f"/api/predictions/{prediction['id']}/files/{name}").status_code in {400, 404}
    unknown = folder.with_name("999")
    unknown.mkdir()
    with serving.app_context():
        assert service.set_unknown_aside() == 0, "its row may be just about to be committed"
        monkeypatch.setattr(predictions, "COMING_S", -1.0)
        assert service.set_unknown_aside() == 1
        row = db.session.get_one(PredictionRun, prediction["id"])
        assert row.status == "completed"
    assert folder.is_dir()
    assert not unknown.exists()
