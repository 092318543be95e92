"""Two evaluations on the same images: the difference, how sure it is, and what cannot be compared."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from apiflask import APIFlask

from app.core.outcome_files import MATCHES, OUTCOMES, view_name, write_outcomes, write_view
from app.core.outcomes import CORRECT, ImageResult, outcomes
from app.database import writing
from app.extensions import db
from app.models import Evaluation
from app.services.evaluations import views
from app.worker.matches import write_matches
from tests.services.test_evaluation_views import BOX, FAR, NAMES, add, pictures

ENGLISH = {"Accept-Language": "en"}
RIGHT = ImageResult([0], [BOX], [0], [0.9], [BOX], [(0, 0, 0.9)])
MISSED = ImageResult([0], [BOX], [], [], [], [])
FALSE_TOO = ImageResult([0], [BOX], [0, 1], [0.9, 0.8], [BOX, FAR], [(0, 0, 0.9)])


def keep_matches(folder: Path, images: list[ImageResult]) -> None:
    found = {"conf": [], "pred_cls": [], "target_cls": [], "tp": []}  # type: dict[str, list[Any]]
    for image in images:
        right = [outcome.kind == CORRECT for outcome in outcomes(image, 0.0) if outcome.detection >= 0]
        found["conf"].append(np.array(image.confidences))
        found["pred_cls"].append(np.array(image.detections))
        found["target_cls"].append(np.array(image.objects))
        found["tp"].append(np.repeat(np.array(right, bool)[:, None], 10, 1).reshape(-1, 10))
    write_matches(folder / MATCHES, found, "detect", range(len(images)))


def first(app: APIFlask, images: list[ImageResult]) -> int:
    number, folder = add(app, pictures(images), 0.5)
    keep_matches(folder, images)
    return number


def beside(
    app: APIFlask, first_id: int, images: list[ImageResult], training_id: int | None = None, **result: Any
) -> tuple[int, Path]:
    """Another evaluation of the same set, of the same run where none is named; its id and its folder."""
    with app.app_context(), writing() as session:
        of = session.get_one(Evaluation, first_id)
        row = Evaluation(training_id=training_id or of.training_id, dataset_id=of.dataset_id, split="val")
        row.checkpoint = "last"
        row.img_size, row.status, row.result = 640, "completed", (of.result or {}) | {"confidence": 0.5} | result
        session.add(row)
        session.flush()
        folder = app.extensions["services"].storage.evaluation_dir(row.training_id, row.token)
        number = row.id
    folder.mkdir(parents=True)
    write_outcomes(folder / OUTCOMES, pictures(images))
    write_view(folder / view_name(0.5, 0.45), pictures(images), 0.5, 0.45)
    keep_matches(folder, images)
    return number, folder


def compare(app: APIFlask, one: int, other: int, **query: Any) -> Any:
    return app.test_client().get(f"/api/evaluations/{one}/compare/{other}", query_string=query, headers=ENGLISH)


def test_a_clear_difference(idle_app: APIFlask) -> None:
    one = first(idle_app, [RIGHT] * 40)
    other, _ = beside(idle_app, one, [RIGHT, MISSED] * 20)
    found = compare(idle_app, one, other, per_page=5).get_json()
    for name in ("map50", "map95"):
        figure = found["difference"][name]
        assert 0.3 < figure["low"] < figure["value"] < figure["high"] < 0.7, name
    assert found["distinguishable"]
    assert found["message"] == "This evaluation is better."
    assert found["counts"] == {"both": 20, "this": 20, "other": 0, "neither": 0}
    assert (found["total"], len(found["images"])) == (20, 5)
    assert found["images"][0]["file"] == "images/val/2.jpg"
    assert (found["images"][0]["this_errors"], found["images"][0]["other_errors"]) == (0, 1)
    back = compare(idle_app, other, one, right="other").get_json()
    assert back["message"] == "The other evaluation is better."
    assert back["difference"]["map95"]["value"] == pytest.approx(-found["difference"]["map95"]["value"])
    assert back["total"] == 20
    offered = idle_app.test_client().get(f"/api/evaluations/{one}/compare").get_json()["evaluations"]
    assert [(item["id"], item["training_name"], item["checkpoint"]) for item in offered] == [(other, "Run", "last")]


def test_what_chance_could_have_made_is_said(idle_app: APIFlask) -> None:
    one = first(idle_app, [RIGHT] * 38 + [MISSED, RIGHT])
    other, folder = beside(idle_app, one, [RIGHT] * 38 + [RIGHT, MISSED])
    found = compare(idle_app, one, other).get_json()
    assert found["difference"]["map95"]["low"] < 0 < found["difference"]["map95"]["high"]
    assert not found["distinguishable"]
    assert found["message"] == "Not distinguishable on 40 images: the interval of the difference includes 0."
    assert found["counts"] == {"both": 38, "this": 1, "other": 1, "neither": 0}
    (folder / MATCHES).unlink()
    assert compare(idle_app, one, other).get_json() == found, "it is kept"


@pytest.mark.parametrize("damage", [b"", b"garbage", bytes(range(256)) * 40, b'{"names": 5}'])
def test_damaged_files(idle_app: APIFlask, damage: bytes) -> None:
    """What was kept is made anew; what cannot be is set aside and named, of whichever of the two it is."""
    one = first(idle_app, [RIGHT] * 20)
    other, folder = beside(idle_app, one, [MISSED] * 20)
    found = compare(idle_app, one, other).get_json()
    with idle_app.app_context():
        row = db.session.get_one(Evaluation, one)
        mine = idle_app.extensions["services"].storage.evaluation_dir(row.training_id, row.token)
    kept = mine / f"compare-{folder.name}.json"
    kept.write_bytes(damage)
    assert compare(idle_app, one, other).get_json() == found
    for path in (mine / MATCHES, folder / MATCHES, mine / OUTCOMES, folder / OUTCOMES):
        whole = path.read_bytes()
        kept.unlink(missing_ok=True)
        path.write_bytes(damage)
        answer = compare(idle_app, one, other)
        assert answer.status_code == 409, (path.name, answer.get_json())
        assert "were moved away" in answer.get_json()["detail"]
        assert [item.read_bytes() for item in path.parent.glob(f"{path.name}-*.damaged")] == [damage]
        path.write_bytes(whole)
    assert compare(idle_app, one, other).get_json() == found


def test_a_view_that_is_damaged_in_its_middle(idle_app: APIFlask) -> None:
    """It is made anew, and nothing of the other evaluation is moved away."""
    one = first(idle_app, [RIGHT] * 300)
    other, folder = beside(idle_app, one, [MISSED] * 300)
    found = compare(idle_app, one, other).get_json()
    path = folder / view_name(0.5, 0.45)
    data = bytearray(path.read_bytes())
    begin = data.index(b"images/val/5.jpg") // 4096 * 4096
    data[begin : begin + 200] = b"\xff" * 200
    path.write_bytes(data)
    assert compare(idle_app, one, other).get_json() == found
    damaged = [item.parent for item in Path(idle_app.config["MODELS_DIR"]).rglob("*.damaged")]
    assert damaged == [folder]


@pytest.mark.parametrize("text", ["{}", '{"images": 20, "figures": {"map95": 1}}', '{"differ": "x"}', '{"differ": []}'])
def test_what_was_kept_in_another_form_is_made_anew(idle_app: APIFlask, text: str) -> None:
    one = first(idle_app, [RIGHT] * 20)
    other, folder = beside(idle_app, one, [MISSED] * 20)
    with idle_app.app_context():
        row = db.session.get_one(Evaluation, one)
        mine = idle_app.extensions["services"].storage.evaluation_dir(row.training_id, row.token)
    (mine / f"compare-{folder.name}.json").write_text(text)
    assert compare(idle_app, one, other).get_json()["message"] == "This evaluation is better."


@pytest.mark.parametrize(
    ("count", "images"), [(1, "1 image is too few"), (2, "2 images are too few"), (19, "19 images are too few")]
)
def test_a_few_images_tell_nothing(idle_app: APIFlask, count: int, images: str) -> None:
    """Whatever is drawn of one image is that image: its interval has no width."""
    one = first(idle_app, [RIGHT] * count)
    other, _ = beside(idle_app, one, [MISSED] * count)
    found = compare(idle_app, one, other).get_json()
    assert found["difference"]["map95"]["low"] > 0
    assert not found["distinguishable"]
    assert found["message"] == f"Not distinguishable: {images} to tell the two apart. It takes at least 20."


@pytest.mark.parametrize(
    ("place", "status"), [((4.0, 4.0, 14.0, 14.0), 200), ((9.0, 9.0, 19.0, 19.0), 422), (BOX[:2], 422)]
)
def test_other_image_sizes_round_the_same_labels(idle_app: APIFlask, place: tuple[float, ...], status: int) -> None:
    one = first(idle_app, [RIGHT] * 20)
    other, _ = beside(idle_app, one, [ImageResult([0], [place], [], [], [], [])] * 20)
    answer = compare(idle_app, one, other)
    assert answer.status_code == status, answer.get_json()


@pytest.mark.parametrize("which", [0, 1])
def test_files_that_are_gone_are_not_made_anew(idle_app: APIFlask, which: int) -> None:
    one = first(idle_app, [RIGHT] * 3)
    other, _ = beside(idle_app, one, [RIGHT] * 3)
    both = [one, other]
    path = folder_of(idle_app, both[which]) / OUTCOMES
    path.unlink()
    answer = compare(idle_app, one, other)
    assert (answer.status_code, path.exists()) == (404, False), answer.get_json()


def test_comparing_keeps_no_slider_waiting(idle_app: APIFlask) -> None:
    one = first(idle_app, [RIGHT] * 20)
    other, _ = beside(idle_app, one, [RIGHT] * 20)
    with views.one_at_a_time():
        assert compare(idle_app, one, other).status_code == 200


def folder_of(app: APIFlask, number: int) -> Path:
    with app.app_context():
        row = db.session.get_one(Evaluation, number)
        return app.extensions["services"].storage.evaluation_dir(row.training_id, row.token)


def test_what_cannot_be_compared(idle_app: APIFlask) -> None:
    one = first(idle_app, [RIGHT] * 3)
    fewer, _ = beside(idle_app, one, [RIGHT] * 2)
    labelled, _ = beside(idle_app, one, [RIGHT, RIGHT, ImageResult([1], [BOX], [0], [0.9], [BOX], [(0, 0, 0.9)])])
    classes, _ = beside(idle_app, one, [RIGHT] * 3, names=[*NAMES, "bird"])
    early, folder = beside(idle_app, one, [FALSE_TOO] * 3)
    (folder / MATCHES).unlink()
    refused = {
        fewer: (422, "different images"),
        labelled: (422, "labels of these images have changed"),
        classes: (422, "different classes"),
        one: (422, "with itself"),
        early: (409, "earlier version"),
        99: (404, "99"),
    }
    for other, (status, text) in refused.items():
        answer = compare(idle_app, one, other)
        assert answer.status_code == status, answer.get_json()
        assert text in answer.get_json()["detail"]


def test_classifications_are_compared_by_their_accuracy(idle_app: APIFlask) -> None:
    def image(actual: int, predicted: int) -> ImageResult:
        return ImageResult([actual], [()], [predicted, 1 - predicted], [0.9, 0.1], [()] * 2, [])

    images = [image(0, 0), image(1, 1)] * 20
    one = first(idle_app, images)
    other, _ = beside(idle_app, one, [image(0, 0), image(1, 0)] * 20)
    with idle_app.app_context(), writing() as session:
        for row in session.query(Evaluation):
            row.result = row.result | {"metrics": {"top1": 0.5, "top5": 1.0, "fitness": 0.5}}
    found = compare(idle_app, one, other).get_json()
    assert found["difference"]["top1"]["value"] == pytest.approx(0.5)
    assert found["distinguishable"]
