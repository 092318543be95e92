"""Two evaluations on the same images: the difference, its uncertainty, and what cannot be compared."""

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
from tests.services.test_evaluation_views import BOX, DISTANT, NAMES, add, pictures

ENGLISH = {"Accept-Language": "en"}
RIGHT = ImageResult([0], [BOX], [0], [0.9], [BOX], [(0, 0, 0.9)])
MISSED = ImageResult([0], [BOX], [], [], [], [])
FALSE_TOO = ImageResult([0], [BOX], [0, 1], [0.9, 0.8], [BOX, DISTANT], [(0, 0, 0.9)])


def store_matches(folder: Path, images: list[ImageResult]) -> None:
    matches = {"conf": [], "pred_cls": [], "target_cls": [], "tp": []}  # type: dict[str, list[Any]]
    for image in images:
        right = [outcome.kind == CORRECT for outcome in outcomes(image, 0.0) if outcome.detection >= 0]
        matches["conf"].append(np.array(image.confidences))
        matches["pred_cls"].append(np.array(image.detections))
        matches["target_cls"].append(np.array(image.objects))
        matches["tp"].append(np.repeat(np.array(right, bool)[:, None], 10, 1).reshape(-1, 10))
    write_matches(folder / MATCHES, matches, "detect", range(len(images)))


def first(app: APIFlask, images: list[ImageResult]) -> int:
    number, folder = add(app, pictures(images), 0.5)
    store_matches(folder, images)
    return number


def beside(
    app: APIFlask, first_id: int, images: list[ImageResult], training_id: int | None = None, **result: Any
) -> tuple[int, Path]:
    """Another evaluation of the same split, of the same run by default; its id and its folder."""
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
    store_matches(folder, images)
    return number, folder


def compare(app: APIFlask, one: int, second: int, **query: Any) -> Any:
    return app.test_client().get(f"/api/evaluations/{one}/compare/{second}", query_string=query, headers=ENGLISH)


def test_a_clear_difference(idle_app: APIFlask) -> None:
    one = first(idle_app, [RIGHT] * 40)
    second, _ = beside(idle_app, one, [RIGHT, MISSED] * 20)
    body = compare(idle_app, one, second, per_page=5).get_json()
    for name in ("map50", "map95"):
        figure = body["difference"][name]
        assert 0.3 < figure["low"] < figure["value"] < figure["high"] < 0.7, name
    assert body["distinguishable"]
    assert body["message"] == "This evaluation is better."
    assert body["counts"] == {"both": 20, "this": 20, "other": 0, "neither": 0}
    assert (body["total"], len(body["images"])) == (20, 5)
    assert body["images"][0]["file"] == "images/val/2.jpg"
    assert (body["images"][0]["this_errors"], body["images"][0]["other_errors"]) == (0, 1)
    back = compare(idle_app, second, one, right="other").get_json()
    assert back["message"] == "The other evaluation is better."
    assert back["difference"]["map95"]["value"] == pytest.approx(-body["difference"]["map95"]["value"])
    assert back["total"] == 20
    offered = idle_app.test_client().get(f"/api/evaluations/{one}/compare").get_json()["evaluations"]
    assert [(item["id"], item["training_name"], item["checkpoint"]) for item in offered] == [(second, "Run", "last")]


def test_differences_within_chance_are_reported_as_such(idle_app: APIFlask) -> None:
    one = first(idle_app, [RIGHT] * 38 + [MISSED, RIGHT])
    second, folder = beside(idle_app, one, [RIGHT] * 38 + [RIGHT, MISSED])
    body = compare(idle_app, one, second).get_json()
    assert body["difference"]["map95"]["low"] < 0 < body["difference"]["map95"]["high"]
    assert not body["distinguishable"]
    assert body["message"] == "Not distinguishable on 40 images: the interval of the difference includes 0."
    assert body["counts"] == {"both": 38, "this": 1, "other": 1, "neither": 0}
    (folder / MATCHES).unlink()
    assert compare(idle_app, one, second).get_json() == body, "it is kept"


@pytest.mark.parametrize("damage", [b"", b"garbage", bytes(range(256)) * 40, b'{"names": 5}'])
def test_damaged_files(idle_app: APIFlask, damage: bytes) -> None:
    """What was cached is computed again; what cannot be is set aside and named, for either evaluation."""
    one = first(idle_app, [RIGHT] * 20)
    second, folder = beside(idle_app, one, [MISSED] * 20)
    expected = compare(idle_app, one, second).get_json()
    with idle_app.app_context():
        row = db.session.get_one(Evaluation, one)
        mine = idle_app.extensions["services"].storage.evaluation_dir(row.training_id, row.token)
    view = mine / f"compare-{folder.name}.json"
    view.write_bytes(damage)
    assert compare(idle_app, one, second).get_json() == expected
    for path in (mine / MATCHES, folder / MATCHES, mine / OUTCOMES, folder / OUTCOMES):
        content = path.read_bytes()
        view.unlink(missing_ok=True)
        path.write_bytes(damage)
        answer = compare(idle_app, one, second)
        assert answer.status_code == 409, (path.name, answer.get_json())
        assert "were moved away" in answer.get_json()["detail"]
        assert [item.read_bytes() for item in path.parent.glob(f"{path.name}-*.damaged")] == [damage]
        path.write_bytes(content)
    assert compare(idle_app, one, second).get_json() == expected


def test_a_view_that_is_damaged_in_its_middle(idle_app: APIFlask) -> None:
    """It is computed again, and no file of the other evaluation is moved away."""
    one = first(idle_app, [RIGHT] * 300)
    second, folder = beside(idle_app, one, [MISSED] * 300)
    expected = compare(idle_app, one, second).get_json()
    path = folder / view_name(0.5, 0.45)
    data = bytearray(path.read_bytes())
    begin = data.index(b"images/val/5.jpg") // 4096 * 4096
    data[begin : begin + 200] = b"\xff" * 200
    path.write_bytes(data)
    assert compare(idle_app, one, second).get_json() == expected
    damaged = [item.parent for item in Path(idle_app.config["MODELS_DIR"]).rglob("*.damaged")]
    assert damaged == [folder]


@pytest.mark.parametrize("text", ["{}", '{"images": 20, "figures": {"map95": 1}}', '{"differ": "x"}', '{"differ": []}'])
def test_a_view_in_an_earlier_form_is_rebuilt(idle_app: APIFlask, text: str) -> None:
    one = first(idle_app, [RIGHT] * 20)
    second, folder = beside(idle_app, one, [MISSED] * 20)
    with idle_app.app_context():
        row = db.session.get_one(Evaluation, one)
        mine = idle_app.extensions["services"].storage.evaluation_dir(row.training_id, row.token)
    (mine / f"compare-{folder.name}.json").write_text(text)
    assert compare(idle_app, one, second).get_json()["message"] == "This evaluation is better."


@pytest.mark.parametrize(
    ("count", "images"), [(1, "1 image is too few"), (2, "2 images are too few"), (19, "19 images are too few")]
)
def test_a_few_images_prove_nothing(idle_app: APIFlask, count: int, images: str) -> None:
    """Every sample of a single image is that image: its interval has no width."""
    one = first(idle_app, [RIGHT] * count)
    second, _ = beside(idle_app, one, [MISSED] * count)
    body = compare(idle_app, one, second).get_json()
    assert body["difference"]["map95"]["low"] > 0
    assert not body["distinguishable"]
    assert body["message"] == f"Not distinguishable: {images} to tell the two apart. It takes at least 20."


@pytest.mark.parametrize(
    ("corners", "status"), [((4.0, 4.0, 14.0, 14.0), 200), ((9.0, 9.0, 19.0, 19.0), 422), (BOX[:2], 422)]
)
def test_other_image_sizes_round_the_same_labels(idle_app: APIFlask, corners: tuple[float, ...], status: int) -> None:
    one = first(idle_app, [RIGHT] * 20)
    second, _ = beside(idle_app, one, [ImageResult([0], [corners], [], [], [], [])] * 20)
    answer = compare(idle_app, one, second)
    assert answer.status_code == status, answer.get_json()


@pytest.mark.parametrize("which", [0, 1])
def test_missing_files_are_not_rebuilt(idle_app: APIFlask, which: int) -> None:
    one = first(idle_app, [RIGHT] * 3)
    second, _ = beside(idle_app, one, [RIGHT] * 3)
    both = [one, second]
    path = folder_of(idle_app, both[which]) / OUTCOMES
    path.unlink()
    answer = compare(idle_app, one, second)
    assert (answer.status_code, path.exists()) == (404, False), answer.get_json()


def test_comparing_does_not_block_the_slider(idle_app: APIFlask) -> None:
    one = first(idle_app, [RIGHT] * 20)
    second, _ = beside(idle_app, one, [RIGHT] * 20)
    with views.one_at_a_time():
        assert compare(idle_app, one, second).status_code == 200


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
    second, _ = beside(idle_app, one, [image(0, 0), image(1, 0)] * 20)
    with idle_app.app_context(), writing() as session:
        for row in session.query(Evaluation):
            row.result = row.result | {"metrics": {"top1": 0.5, "top5": 1.0, "fitness": 0.5}}
    body = compare(idle_app, one, second).get_json()
    assert body["difference"]["top1"]["value"] == pytest.approx(0.5)
    assert body["distinguishable"]
