"""The images of an evaluation at any thresholds: pages, filters, many images, damaged files."""

import hashlib
import os
import random
import shutil
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.core.outcome_files import (
    CURVES,
    LABEL_ERRORS,
    OUTCOMES,
    Picture,
    read_pictures,
    view_name,
    write_outcomes,
    write_view,
)
from app.core.outcomes import ImageResult, pack
from app.database import writing
from app.models import Dataset, Evaluation, Training
from app.services.evaluations import views
from app.services.evaluations.advice import advise

ENGLISH = {"Accept-Language": "en"}
NAMES = ["cat", "dog", "cow"]
BOX, DISTANT, LARGE = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 90.0, 90.0), (0.0, 0.0, 200.0, 100.0)

PICTURES = [
    # correct; wrong class; missed and false; duplicate; no object and no detection
    ImageResult([0], [BOX], [0], [0.9], [BOX], [(0, 0, 0.9)]),
    ImageResult([0], [LARGE], [1], [0.8], [LARGE], [(0, 0, 0.75)]),
    ImageResult([1], [BOX], [2], [0.6], [DISTANT], []),
    ImageResult([2], [DISTANT], [2, 2], [0.9, 0.4], [DISTANT, DISTANT], [(0, 0, 0.9), (1, 0, 0.6)]),
    ImageResult([], [], [], [], [], []),
]


def pictures(images: list[ImageResult]) -> list[Picture]:
    return [(number, f"images/val/{number}.jpg", 640, 480, pack(image)) for number, image in enumerate(images, 1)]


def add(app: APIFlask, images: list[Picture], confidence: float = 0.5) -> tuple[int, Path]:
    """A completed evaluation; its id and the folder of its files."""
    figures = {"precision": 0.5, "recall": 0.5, "map50": 0.5, "map95": 0.5, "fitness": 0.5}
    result = {"names": NAMES, "confidence": confidence, "iou": 0.45, "metrics": figures, "images": len(images)}
    with app.app_context(), writing() as session:
        dataset = Dataset(name="Animals", classes=NAMES, status="valid")
        training = Training(name="Run", dataset=dataset, model_version="n", status="completed")
        session.add(training)
        session.flush()
        row = Evaluation(training_id=training.id, dataset_id=dataset.id, split="val", checkpoint="best", img_size=640)
        row.status, row.result = "completed", result
        session.add(row)
        session.flush()
        folder = app.extensions["services"].storage.evaluation_dir(training.id, row.token)
        number = row.id
    folder.mkdir(parents=True)
    write_outcomes(folder / OUTCOMES, images)
    write_view(folder / view_name(confidence, 0.45), images, confidence, 0.45)
    (folder / CURVES).write_text("null")
    return number, folder


def get(client: FlaskClient, evaluation_id: int, what: str, **query: Any) -> Any:
    return client.get(f"/api/evaluations/{evaluation_id}/{what}", query_string=query, headers=ENGLISH).get_json()


def image_ids(client: FlaskClient, evaluation_id: int, **query: Any) -> list[int]:
    return [image["id"] for image in get(client, evaluation_id, "images", **query)["images"]]


def test_the_matrix_holds_everything_once(idle_app: APIFlask) -> None:
    client, (number, _) = idle_app.test_client(), add(idle_app, pictures(PICTURES), 0.3)
    answer = get(client, number, "matrix")
    cells = {(cell["actual"], cell["predicted"]): cell["count"] for cell in answer["cells"]}
    assert cells == {
        ("cat", "cat"): 1,
        ("cat", "dog"): 1,
        ("dog", None): 1,
        ("cow", "cow"): 1,
        (None, "cow"): 2,
    }
    assert answer["counts"] == {"missed": 1, "false": 1, "wrong_class": 1, "duplicate": 1, "correct": 2}
    assert (answer["names"], answer["confidence"], answer["iou"]) == (NAMES, 0.3, 0.45)


def test_other_thresholds_need_no_model(idle_app: APIFlask) -> None:
    client, (number, folder) = idle_app.test_client(), add(idle_app, pictures(PICTURES), 0.3)
    assert get(client, number, "matrix", confidence=0.85)["counts"] == {
        "missed": 2,
        "false": 0,
        "wrong_class": 0,
        "duplicate": 0,
        "correct": 2,
    }
    assert get(client, number, "matrix", iou=0.8)["counts"]["wrong_class"] == 0
    for step in range(20):
        get(client, number, "matrix", confidence=0.4 + step / 100)
    views = [path.name for path in folder.glob("view-*.sqlite")]
    assert len(views) <= 9
    assert view_name(0.3, 0.45) in views, "the first one stays"
    for wrong in ({"confidence": 0}, {"confidence": "nan"}, {"iou": 1}, {"iou": 0.05}):
        answer = client.get(f"/api/evaluations/{number}/matrix", query_string=wrong)
        assert answer.status_code == 422, wrong


def test_images_are_filtered_by_their_errors(idle_app: APIFlask) -> None:
    client, (number, _) = idle_app.test_client(), add(idle_app, pictures(PICTURES), 0.3)
    assert image_ids(client, number) == [3, 2, 4, 1, 5], "most errors first"
    assert image_ids(client, number, sort="file") == [1, 2, 3, 4, 5]
    assert image_ids(client, number, sort="-file", per_page=2, page=2) == [3, 2]
    assert image_ids(client, number, kind="missed") == [3]
    assert image_ids(client, number, kind="duplicate") == [4]
    assert image_ids(client, number, kind="correct", sort="-confidence") == [1, 4]
    assert sorted(image_ids(client, number, **{"class": "cow"})) == [3, 4]
    assert image_ids(client, number, actual="cat", predicted="dog") == [2]
    assert sorted(image_ids(client, number, actual="")) == [3, 4], "false positives"
    assert image_ids(client, number, predicted="") == [3]
    assert image_ids(client, number, size="large") == [2]
    assert image_ids(client, number, kind="false", size="small") == [], "the filters are about one thing"
    assert image_ids(client, number, search="VAL/4") == [4]
    assert image_ids(client, number, search="%") == []
    for wrong in ({"kind": "odd"}, {"class": "bird"}, {"actual": "bird"}, {"sort": "password"}, {"per_page": 10**9}):
        answer = client.get(f"/api/evaluations/{number}/images", query_string=wrong, headers=ENGLISH)
        assert answer.status_code == 422, wrong


def test_each_object_and_detection_has_its_outcome(idle_app: APIFlask) -> None:
    client, (number, _) = idle_app.test_client(), add(idle_app, pictures(PICTURES), 0.3)
    answer = get(client, number, "images", kind="duplicate")
    (image,) = answer["images"]
    assert (answer["total"], image["file"], image["width"], image["errors"]) == (1, "images/val/4.jpg", 640, 1)
    assert image["objects"] == [
        {
            "class": "cow",
            "kind": "correct",
            "size": "medium",
            "detection": 0,
            "iou": pytest.approx(0.9),
            "box": [50.0, 50.0, 90.0, 90.0],
        }
    ]
    assert [(item["kind"], item["object"]) for item in image["detections"]] == [("correct", 0), ("duplicate", None)]
    assert image["detections"][1]["iou"] == pytest.approx(0.6)


def test_ten_thousand_images(idle_app: APIFlask) -> None:
    rng = random.Random(0)

    def image() -> ImageResult:
        count = rng.randrange(12)
        boxes = [(x := rng.random() * 500, y := rng.random() * 400, x + 40, y + 40) for _ in range(count)]
        more = [(0.0, 0.0, 20.0, 20.0)] * 8
        confidences = sorted((rng.random() for _ in range(count + 8)), reverse=True)
        overlaps = [(number, number, 0.5 + rng.random() / 2) for number in range(count)]
        kinds = [rng.randrange(3) for _ in range(count + 8)]
        return ImageResult(kinds[:count], boxes, kinds, confidences, [*boxes, *more], overlaps)

    number, folder = add(idle_app, pictures([image() for _ in range(10_000)]))
    assert sum(path.stat().st_size for path in folder.iterdir()) < 40 * 2**20
    client = idle_app.test_client()
    client.get("/health")
    queries: list[dict[str, Any]] = [{}, {"kind": "missed", "class": "dog"}, {"sort": "-confidence", "actual": ""}]
    tracemalloc.start()
    for query in queries:
        assert len(get(client, number, "images", **query)["images"]) == 10
    assert get(client, number, "images", confidence=0.7)["total"] == 10_000, "matched anew"
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100 * 2**20
    seconds = [quickest(lambda query=query: get(client, number, "images", **query)) for query in queries]
    assert max(seconds) < quickest(lambda: list(read_pictures(folder / OUTCOMES))) * 20, "pages are read, not matched"


def quickest(act: Callable[[], Any]) -> float:
    """CPU seconds, the minimum of three runs."""
    seconds = []
    for _ in range(3):
        began = time.process_time()
        act()
        seconds.append(time.process_time() - began)
    return min(seconds)


def test_damaged_files_are_set_aside(idle_app: APIFlask) -> None:
    client, (number, folder) = idle_app.test_client(), add(idle_app, pictures(PICTURES), 0.3)
    view = folder / view_name(0.3, 0.45)
    view.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert client.get(f"/api/evaluations/{number}/matrix").status_code == 200, "made anew"
    view.unlink()
    (folder / OUTCOMES).write_bytes(b"nothing")
    refused = client.get(f"/api/evaluations/{number}/matrix", headers=ENGLISH)
    assert refused.status_code == 409
    assert "Run the evaluation again" in refused.get_json()["detail"]
    assert client.get(f"/api/evaluations/{number}/matrix").status_code == 404
    (folder / CURVES).write_text("{")
    assert client.get(f"/api/evaluations/{number}/curves").status_code == 409
    assert {path.name.split("-2")[0] for path in folder.glob("*.damaged")} == {
        view.name,
        OUTCOMES,
        CURVES,
    }


def test_suspected_label_errors_are_ranked_and_computed_on_demand(idle_app: APIFlask) -> None:
    usual = [ImageResult([kind], [BOX], [kind], [0.9], [BOX], [(0, 0, 0.9)]) for kind in (0, 1)] * 15
    wrong = ImageResult([1], [BOX], [0], [0.95], [BOX], [(0, 0, 0.85)])
    unlabelled = ImageResult([0], [BOX], [0, 0], [0.9, 0.93], [BOX, DISTANT], [(0, 0, 0.9)])
    client, (number, folder) = idle_app.test_client(), add(idle_app, pictures([*usual, unlabelled, wrong]))
    assert not (folder / LABEL_ERRORS).exists(), "an evaluation of an earlier version"
    page = get(client, number, "label-errors", per_page=2)
    assert [(item["rank"], item["image"]["id"]) for item in page["suspects"]] == [(1, 32), (2, 31)]
    item, missing = page["suspects"]
    assert (missing["kind"], missing["object"]) == ("missing", None)
    assert missing["detection"] == {
        "class": "cat",
        "confidence": pytest.approx(0.93),
        "box": [50.0, 50.0, 90.0, 90.0],
    }
    assert (item["kind"], item["object"]["class"], item["detection"]["class"]) == ("wrong_class", "dog", "cat")
    assert item["iou"] == pytest.approx(0.85)
    assert item["image"]["file"] == "images/val/32.jpg"
    assert item["image"]["thumbnail"] == f"/api/evaluations/{number}/images/32/thumbnail"
    assert page["counts"] == {"missing": 1, "extra": 0, "wrong_class": 1, "bad_box": 0}
    assert (page["total"], page["pages"]) == (2, 1)
    only = get(client, number, "label-errors", kind="wrong_class")
    assert [item["rank"] for item in only["suspects"]] == [1]
    assert client.get(f"/api/evaluations/{number}/label-errors?kind=odd").status_code == 422
    (folder / LABEL_ERRORS).write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert get(client, number, "label-errors")["total"] == 2, "made anew"


def test_a_later_checkpoint_of_the_run_is_reported(idle_app: APIFlask) -> None:
    client, (number, folder) = idle_app.test_client(), add(idle_app, pictures(PICTURES))
    weights = folder.parent.parent / "run" / "weights" / "best.pt"
    weights.parent.mkdir(parents=True)

    def changed() -> bool:
        return bool(client.get(f"/api/evaluations/{number}").get_json()["weights_changed"])

    with idle_app.app_context(), writing() as session:
        row = session.get_one(Evaluation, number)
        row.result = (row.result or {}) | {"weights_sha256": hashlib.sha256(b"measured").hexdigest()}
        row.created_at = row.created_at.replace(year=2020)
    body = client.get(f"/api/evaluations/{number}").get_json()
    assert body["dataset_name"] == "Animals"
    weights.write_bytes(b"measured")
    assert not changed(), "written later, but the same"
    weights.write_bytes(b"of more epochs")
    assert changed()
    os.utime(weights, (0, 0))
    assert not changed(), "older than the evaluation"
    weights.unlink()
    assert not changed()


def test_the_draft_of_a_killed_server_is_removed(idle_app: APIFlask) -> None:
    client, (number, folder) = idle_app.test_client(), add(idle_app, pictures(PICTURES))
    draft = folder / ".view-0.300-0.45.sqlite-01234567"
    draft.write_bytes(b"half a file")
    assert client.get(f"/api/evaluations/{number}/matrix?confidence=0.3").status_code == 200
    assert not draft.exists()


def test_files_that_go_meanwhile(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A view is thinned out for others that are created, or the whole evaluation is deleted, between two steps."""
    client, (number, folder) = idle_app.test_client(), add(idle_app, pictures(PICTURES), 0.3)
    is_readable, vanishing = views.is_readable, []

    def then(remove: Callable[[Path], Any]) -> Callable[[Path], bool]:
        def check(path: Path) -> bool:
            readable = is_readable(path)
            if not vanishing:
                vanishing.append(remove(path))
            return readable

        return check

    monkeypatch.setattr(views, "is_readable", then(Path.unlink))
    assert get(client, number, "matrix")["counts"]["correct"] == 2, "it is made anew"
    vanishing.clear()
    monkeypatch.setattr(views, "is_readable", then(lambda path: shutil.rmtree(path.parent)))
    assert client.get(f"/api/evaluations/{number}/matrix").status_code == 404
    assert not folder.exists()
    assert client.get(f"/api/evaluations/{number}/curves").status_code == 404


def test_what_is_not_completed_has_no_results(idle_app: APIFlask) -> None:
    client, (number, _) = idle_app.test_client(), add(idle_app, pictures(PICTURES))
    with idle_app.app_context(), writing() as session:
        session.get_one(Evaluation, number).result = None
    for what in ("matrix", "images", "label-errors", "curves", "thresholds", "images/1/file", "images/1/thumbnail"):
        assert client.get(f"/api/evaluations/{number}/{what}").status_code == 409, what
        assert client.get(f"/api/evaluations/99/{what}").status_code == 404, what


CURVE = {
    "x": [0.1, 0.5, 0.9],
    "precision": [0.4, 0.8, 1.0],
    "recall": [0.9, 0.7, 0.2],
    "f1": [0.55, 0.75, 0.33],
    "classes": [{"name": "cat", "precision": [0.1, 0.2, 0.3], "recall": [0.5, 0.4, 0.3], "f1": [0.2, 0.3, 0.3]}],
}


def test_advice_follows_the_goal() -> None:
    best = {"confidence": 0.5, "precision": 0.8, "recall": 0.7, "f1": 0.75}
    assert advise(CURVE, None, None)["overall"] == best
    assert advise(CURVE, 0.75, None)["overall"] == best
    assert advise(CURVE, 0.9, None)["overall"]["confidence"] == 0.9
    assert advise(CURVE, None, 0.8)["overall"]["confidence"] == 0.1
    assert advise(CURVE, 0.9, None)["classes"] == [{"name": "cat", "threshold": None}], "it cannot be reached"
    assert advise(None, 0.9, None) == {"overall": None, "classes": []}


def test_chosen_thresholds_stay_with_the_model(idle_app: APIFlask) -> None:
    client, (number, _) = idle_app.test_client(), add(idle_app, pictures(PICTURES))
    training_id = client.get(f"/api/evaluations/{number}").get_json()["training_id"]
    address, chosen = (
        f"/api/trainings/{training_id}/thresholds",
        {"confidence": 0.4, "iou": 0.6, "classes": {"cat": 0.3}},
    )
    assert client.get(f"/api/trainings/{training_id}").get_json()["thresholds"] is None
    assert client.put(address, json=chosen).get_json() == chosen
    assert client.get(f"/api/trainings/{training_id}").get_json()["thresholds"] == chosen
    assert client.put(address, json={"classes": {"bird": 0.3}}).status_code == 422
    assert client.put(address, json={"confidence": 2}).status_code == 422
    assert client.put("/api/trainings/99/thresholds", json={}).status_code == 404
    assert client.put(address, json={}).status_code == 200
    assert client.get(f"/api/trainings/{training_id}").get_json()["thresholds"] is None
