"""The page of tests: many images with the slider and two models, and the camera."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from app import create_app
from app.database import writing
from app.models import Checkpoint, Training, TrainingMetric, now
from scripts.local_server import Server
from tests.browser.conftest import Open, shoot, wait_until
from tests.data import image_bytes
from tests.random_weights import CLASSES, add_training
from tests.videos import PLAYLIST, drawn_video

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def model(site: Server, random_weights: bytes) -> int:
    return add_training(create_app("cli", site.settings), random_weights)


def file(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


def drawn(page: Page) -> int:
    return int(page.locator("[data-picture] canvas").first.get_attribute("data-drawn") or -1)


def test_pictures_the_slider_and_two_models(open_page: Open, model: int) -> None:
    page = open_page(f"/tests?training_id={model}", locale="en", expected="Failed to load resource")
    expect(page.get_by_role("combobox", name="Model", exact=True)).to_have_value("Células 1")
    page.locator("[name=confidence]").fill("0.05")
    large, small = image_bytes((320, 240)), image_bytes((200, 300), (40, 40, 150, 150))
    files = [file("a.jpg", large), file("cut.jpg", large[:400]), file("notes.txt", b"no"), file("b.jpg", small)]
    busy = '{"title": "Temporarily unavailable", "detail": "Busy.", "errors": []}'
    page.route("**/api/tests?floor=*", lambda route: route.fulfill(status=503, body=busy))
    page.locator("[data-file]").set_input_files(files)
    expect(page.get_by_role("alert")).to_contain_text("Busy.")
    expect(page.locator("[data-queue-text]")).to_contain_text("1 of 4")  # the text file; the others are still waiting
    caption = page.locator(".test-caption").first
    expect(caption).to_have_text("a.jpg · queued")  # no boxes, but not because nothing was detected
    page.unroute("**/api/tests?floor=*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".test-tile[data-state=done]")).to_have_count(2, timeout=240_000)
    expect(page.locator(".test-tile[data-state=failed]")).to_have_count(2)
    few_at = drawn(page)
    assert few_at > 0
    expect(page.locator("[data-found-count]")).to_have_text(str(few_at))

    # The slider takes effect without a request, both ways.
    methods: list[str] = []
    page.on("request", lambda request: methods.append(request.method))
    page.locator("[name=confidence]").fill("0.01")
    most = drawn(page)
    page.locator("[name=confidence]").fill("1")
    assert drawn(page) < most
    page.locator("[name=confidence]").fill("0.05")
    assert drawn(page) == few_at
    page.locator("[data-classes] [type=checkbox]").first.uncheck()
    assert drawn(page) < few_at
    page.get_by_role("button", name="All or none").click()
    page.get_by_role("button", name="All or none").click()
    assert drawn(page) == 0
    expect(page.locator("[data-found]")).to_contain_text("No detections above this threshold")
    page.get_by_role("button", name="All or none").click()
    assert drawn(page) == few_at
    assert "POST" not in methods

    # Through the images by keys; each invalid file shows its error.
    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-picture] [role=alert]")).to_contain_text("isn't a readable image")
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-picture] [role=alert]")).to_contain_text("This is not an image.")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".test-tile[aria-current=true]")).to_contain_text("b.jpg")

    with page.expect_download() as download:
        page.get_by_role("button", name="Download detections (JSON)").click()
    records = json.loads(Path(download.value.path()).read_text())
    assert [record["file"] for record in records] == ["a.jpg", "b.jpg"]
    assert len(records[0]["detections"]) == few_at
    assert {item["class"] for record in records for item in record["detections"]} <= set(CLASSES)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download detections (CSV)").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 1 + sum(max(1, len(record["detections"])) for record in records)

    # The same model compared with itself: both detect everything.
    page.get_by_label("Compare with a second model").check()
    page.get_by_role("button", name="Test again with these values").click()
    expect(page.locator("[data-found]")).to_contain_text("Only A: 0")
    expect(page.locator("[data-found]")).to_contain_text("Only B: 0")
    expect(page.locator("[data-picture] canvas")).to_have_count(2)
    expect(page.locator(".test-shot")).to_have_count(4)
    shoot(page, "tests-two-models")
    tile, first_class = page.locator(".test-tile[aria-current=true]"), page.locator("[data-classes] .count").first
    expect(tile).to_contain_text("A: ")
    expect(first_class).to_have_text(re.compile(r"^(\d+) · \1$"))  # of each model, not their sum
    page.get_by_label("Compare with a second model").uncheck()
    expect(tile).not_to_contain_text("A: ")
    expect(first_class).to_have_text(re.compile(r"^\d+$"))


def film(path: Path, code: str = "VP80") -> Path:
    """Two seconds, five frames a second."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 5, (160, 120))
    for number in range(10):
        writer.write(np.full((120, 160, 3), 20 * number, np.uint8))
    writer.release()
    return path


def test_a_video_is_looked_at_frame_by_frame(open_page: Open, model: int, tmp_path: Path) -> None:
    page = open_page(f"/tests?training_id={model}", locale="en", expected="422")
    expect(page.get_by_role("combobox", name="Model", exact=True)).to_have_value("Células 1")
    page.locator("[name=confidence]").fill("0.05")
    (tmp_path / "none.mp4").write_bytes(bytes(500))
    page.locator("[data-video-file]").set_input_files(tmp_path / "none.mp4")
    expect(page.get_by_role("alert")).to_contain_text("“none.mp4” can't be used")
    expect(page.get_by_role("alert")).to_contain_text("not a video that can be decoded")
    page.locator("[data-video-file]").set_input_files(film(tmp_path / "film.webm"))
    expect(page.locator("[data-video-text]")).to_have_text("Frames: 4 of 4")
    expect(page.get_by_role("alert")).to_have_count(0)
    timeline = page.get_by_role("slider", name="Objects detected over time")
    timeline.focus()
    page.keyboard.press("Home")
    expect(timeline).to_have_attribute("aria-valuenow", "0")
    expect(page.locator("[data-found] tbody tr").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download detections (CSV)").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert {line.split(",")[1] for line in lines[1:]} == {"0.000", "0.500", "1.000", "1.500"}
    shoot(page, "tests-video")


@pytest.fixture
def judged(site: Server, model: int) -> Iterator[int]:
    """The model with an evaluation that recommends 43%, and a newer one on other classes that learned nothing."""
    app = create_app("cli", site.settings)
    folder = Path(app.config["MODELS_DIR"]) / str(model) / "evaluation"
    folder.mkdir(exist_ok=True)
    number = add_training(app, (folder.parent / "run/weights/best.pt").read_bytes())
    with app.app_context(), writing() as session:
        row = session.get_one(Training, model)
        row.end_time = now()
        row.metrics = [TrainingMetric(epoch=1, map50=0.9, map95=0.6, timestamp=now())]
        row.checkpoints = [Checkpoint(epoch=1, model_path=f"models/{model}/run/weights/best.pt", is_best=True)]
        weak = session.get_one(Training, number)
        weak.name, weak.end_time, weak.metrics = "Learned nothing", now(), [TrainingMetric(epoch=1, map50=0.0)]
        weak.checkpoints = [Checkpoint(epoch=1, model_path="best.pt", is_best=True)]
    body = {"names": list(CLASSES), "matrix": [], "images": 9, "objects": 9, "best": {"confidence": 0.43, "f1": 0.9}}
    (folder / "evaluation.json").write_text(json.dumps(body))
    yield number
    with app.app_context(), writing() as session:
        session.get_one(Training, number).deleted_at = now()
        session.get_one(Training, model).checkpoints = []
        session.get_one(Training, model).metrics = []


def test_it_opens_on_the_best_model_with_its_stored_threshold(open_page: Open, judged: int) -> None:
    page = open_page("/tests", locale="en")
    expect(page.get_by_role("combobox", name="Model", exact=True)).to_have_value("Células 1")
    expect(page.locator("[name=confidence]")).to_have_value("0.43")
    expect(page.locator("[data-recommended]")).to_have_text("43% is recommended for this model.")
    page.locator("[name=confidence]").fill("0.05")
    page.get_by_role("button", name="Use the recommended 43%").click()
    expect(page.locator("[name=confidence]")).to_have_value("0.43")

    # A comparison shows nothing until both have answered, and requests the second model by itself.
    page.locator("[data-file]").set_input_files(file("a.jpg", image_bytes((320, 240))))
    expect(page.locator("[data-found-count]")).not_to_be_empty()
    delayed: list[Route] = []
    page.route("**/api/tests?*", lambda route: delayed.append(route))
    page.get_by_label("Compare with a second model").check()
    expect(page.locator("[data-picture]")).to_contain_text("Both models are analyzing the image")
    expect(page.locator("[data-recommended]")).to_have_text("43% is recommended for the first model.")
    expect(page.locator("[data-picture] canvas")).to_have_count(0)
    for route in delayed:
        route.continue_()
    page.unroute("**/api/tests?*")
    expect(page.locator("[data-found]")).to_contain_text("Only B: 0")
    expect(page.locator("[data-picture] canvas")).to_have_count(2)

    # Another model: the list of classes is its own.
    page.get_by_label("Compare with a second model").uncheck()
    page.locator("[name=confidence]").fill("0.01")
    expect(page.locator("[data-classes] li").first).to_be_visible()
    page.locator("[data-classes] [type=checkbox]").first.uncheck()
    page.get_by_role("combobox", name="Model", exact=True).fill("Learned")
    page.get_by_role("option", name="Learned nothing").click()
    expect(page.locator("[data-recommended]")).to_be_hidden()
    expect(page.locator("[data-classes] [type=checkbox]").first).to_be_checked()


def test_a_video_of_opencv_is_decoded_by_the_server(open_page: Open, model: int, tmp_path: Path) -> None:
    """MPEG-4 Part 2, which browsers do not play."""
    page = open_page(f"/tests?training_id={model}", locale="en")
    expect(page.get_by_role("combobox", name="Model", exact=True)).to_have_value("Células 1")
    delayed: list[Route] = []
    page.route("**/api/tests/videos*", lambda route: delayed.append(route))
    page.locator("[data-video-file]").set_input_files(film(tmp_path / "film.mp4", "mp4v"))
    expect(page.locator("[data-video-notice]")).to_contain_text("The server is converting it")
    for route in delayed:
        route.continue_()
    page.unroute("**/api/tests/videos*")
    expect(page.locator("[data-video-text]")).to_have_text("Frames: 4 of 4", timeout=240_000)
    expect(page.locator("[data-video-notice]")).to_be_empty()


FREE = 21 * 1024**2


def test_an_entire_video_is_analyzed_by_the_server(open_page: Open, model: int, tmp_path: Path) -> None:
    """An interrupted upload, progress, playback of the annotated video, downloads of its files; a playlist is refused;
    deletion.
    """
    page = open_page(f"/tests?training_id={model}", locale="en", expected="422|ERR_FAILED")
    expect(page.get_by_role("combobox", name="Model", exact=True)).to_have_value("Células 1")
    page.get_by_role("tab", name="Video").click()
    jobs = page.locator("[data-video-jobs]")
    expect(jobs).to_contain_text("Videos and images that the server has analyzed appear here.")
    page.locator("[name=confidence]").fill("0.1")
    (tmp_path / "list.mp4").write_bytes(PLAYLIST)
    page.locator("[data-video-job-file]").set_input_files(tmp_path / "list.mp4")
    expect(page.get_by_role("alert")).to_contain_text("neither a video that can be decoded nor a ZIP")
    drawn_video(tmp_path / "street.mp4", [number / 10 for number in range(12)])
    with open(tmp_path / "street.mp4", "ab") as file:  # an MP4 may have free space; now it is sent in chunks
        file.write(FREE.to_bytes(4, "big") + b"free" + bytes(FREE - 8))
    cut: list[str] = []
    page.route("**/api/uploads/*", lambda route: cut.append(route.request.method) or route.abort(), times=1)
    page.locator("[data-video-job-file]").set_input_files(tmp_path / "street.mp4")
    row = jobs.locator("[data-prediction]", has_text="street.mp4")
    expect(row).to_contain_text("street.mp4", timeout=60_000)
    assert cut == ["PATCH"]
    expect(row.get_by_role("button", name="Stop")).to_be_visible()
    shoot(page, "tests-video-job-running")
    expect(row).to_contain_text("12 frames · ", timeout=240_000)
    row.locator("video").evaluate("video => video.dataset.plays = 'on'")
    (tmp_path / "a.jpg").write_bytes(image_bytes())
    (tmp_path / "cut.jpg").write_bytes(image_bytes()[:300])
    page.locator("[data-image-job-files]").set_input_files([tmp_path / "a.jpg", tmp_path / "cut.jpg"])
    images = jobs.locator("[data-prediction]", has_text="a.jpg +1")
    expect(images.get_by_role("link")).to_have_count(3, timeout=240_000)
    images.get_by_text("1 image can't be read.").click()
    expect(images).to_contain_text("cut.jpg The file")
    wait_until(page, "document.querySelector('.video-job-player').videoWidth === 160")
    expect(row.locator("video")).to_have_attribute("data-plays", "on")  # other rows were added and changed meanwhile
    expect(row.locator(".video-job-classes")).to_contain_text("<b>ção</b>")
    hrefs = [link.get_attribute("href") or "" for link in row.get_by_role("link").all()]
    assert sorted(href.rpartition("/")[2].partition("?")[0] for href in hrefs) == [
        "detections.csv",
        "detections.json",
        "video.mp4",
    ]
    for locale, width, theme in (("en", 1280, "light"), ("pt-BR", 360, "dark")):
        other = open_page(f"/tests?training_id={model}", locale, width, theme)
        other.get_by_role("tab").nth(1).click()
        wait_until(other, "document.querySelector('.video-job-player').videoWidth === 160")
        assert other.evaluate("document.documentElement.scrollWidth") <= width
        shoot(other, f"tests-video-job-{locale}-{width}-{theme}")
    images.get_by_role("button", name="Delete these detections?").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(images).to_have_count(0)
    row.get_by_role("button", name="Delete this video?").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(jobs).to_contain_text("Videos and images that the server has analyzed appear here.")


def test_the_camera_sends_one_frame_at_a_time(open_page: Open, model: int, site: Server) -> None:
    page = open_page(f"/tests?training_id={model}")
    expect(page.get_by_role("combobox", name="Modelo", exact=True)).to_have_value("Células 1")
    waiting, most, sent = set(), [0], [0]

    def begun(request: object) -> None:
        waiting.add(request)
        most[0], sent[0] = max(most[0], len(waiting)), sent[0] + 1

    page.on("request", lambda request: begun(request) if "/frames" in request.url else None)
    page.on("requestfinished", lambda request: waiting.discard(request))
    before = site.get("/api/tests").json()["total"]
    page.get_by_role("tab", name="Câmera").click()
    page.get_by_role("button", name="Ligar câmera").click()
    expect(page.locator("[data-camera-figures]")).to_contain_text("por segundo")
    wait_until(page, "document.querySelector('[data-camera-figure] canvas').dataset.drawn !== undefined")
    page.wait_for_timeout(300)
    shoot(page, "tests-camera")
    page.get_by_role("button", name="Interromper").click()
    expect(page.get_by_role("button", name="Ligar câmera")).to_be_visible()
    assert sent[0] > 0
    assert most[0] == 1
    assert site.get("/api/tests").json()["total"] == before, "frames are not kept"
    refuse = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
    page.evaluate(f"() => {{ {refuse}; }}")
    page.get_by_role("button", name="Ligar câmera").click()
    expect(page.get_by_role("alert")).to_contain_text("O acesso à câmera foi negado")


# The labels drawn for some detections in an image of 200 x 100: [text, x, y, width, height] each, in order.
LABELS = """async ({address, detections, options}) => {
  const { draw } = await import(address);
  const context = document.createElement('canvas').getContext('2d');
  const [grounds, labels] = [[], []];
  context.fillRect = (...place) => grounds.push(place);
  context.fillText = (text) => labels.push([text, ...grounds.pop()]);
  const quiet = (item) => ({ quiet: item.quiet });
  draw(context, detections, { scale: 1, width: 200, height: 100, labels: true, styleOf: quiet, ...options });
  return labels;
}"""


def detection(name: str, confidence: float, bbox: list[float], **more: object) -> dict[str, object]:
    return {"class": name, "confidence": confidence, "bbox": bbox, **more}


def test_where_labels_stand(open_page: Open, site: Server) -> None:
    page = open_page("/tests", locale="en")
    address = page.evaluate(
        "document.querySelector('script[src*=shell]').src.replace('ui/shell', 'inference/detections')"
    )

    def labels(*detections: dict[str, object], **options: object) -> list[tuple[str, list[float]]]:
        argument = {"address": address, "detections": detections, "options": options}
        return [(text, box) for text, *box in page.evaluate(LABELS, argument)]

    ((text, (x, y, width, height)),) = labels(detection("cat", 0.876, [50, 60, 90, 95]))
    assert (text, x) == ("cat 88%", 50 - 0.75)  # including the outer half of its line, 1.5 px wide
    assert y + height == 60 - 0.75, "above the box"
    assert 30 < width < 100
    ((_, (_, y, _, _)),) = labels(detection("cat", 0.9, [50, 5, 90, 95]))
    assert y == 5 - 0.75, "inside the box where there is no room above it"
    ((_, (_, y, _, _)),) = labels(detection("cat", 0.9, [50, -20, 90, 95]))
    assert y == 0, "never outside the picture"
    ((_, (x, _, width, _)),) = labels(detection("cat", 0.9, [190, 60, 199, 95]))
    assert x + width == 200
    ((_, (x, _, width, _)),) = labels(detection("a name that is far too long " * 5, 0.9, [90, 60, 99, 95]))
    assert (x, width) == (0, 200)

    turned = detection("cat", 0.9, [20, 30, 80, 90], corners=[[20, 60], [50, 90], [80, 60], [50, 30]])
    ((_, (x, y, _, height)),) = labels(turned)
    assert (x, y + height) == (50 - 0.75, 30 - 0.75), "at the highest corner, which its upright box does not have"
    ((_, (x, y, _, height)),) = labels(detection("cat", 0.9, [50, 60, 90, 95]), scale=0.5)
    assert (x, y + height) == (25 - 0.75, 30 - 0.75), "where the box is in a smaller picture"

    several = [detection("sure", 0.9, [50, 60, 90, 95]), detection("less", 0.4, [55, 60, 90, 95])]
    assert [text for text, _ in labels(*several)] == ["less 40%", "sure 90%"], "the surest lies on top"
    assert labels(*several, labels=False) == []
    assert [text for text, _ in labels(several[0], several[1] | {"quiet": True})] == ["sure 90%"]
    classification = detection("indoors", 0.7, [0, 0, 200, 100], top5=[{"class": "indoors", "confidence": 0.7}])
    ((text, (x, y, _, _)),) = labels(classification, labels=False)
    assert (text, x, y) == ("indoors 70%", 0, 0), "the class of a whole picture, in its corner"
