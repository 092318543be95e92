"""What is stored of validations: which images, which epochs, which errors. Pure functions on small data."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from app.core.outcomes import ImageResult, pack
from app.worker.evaluation import EvaluationResults, ImageOutcomes, cells_of, match, worst
from app.worker.previews import IMAGES, Previews, spread, written


def test_the_images_show_every_class_and_are_the_same_for_a_seed() -> None:
    images = [[0]] * 200 + [[1, 0]] * 5 + [[2]] + [[]] * 50 + [[0, 1, 2] * 30]
    chosen = spread(images, 7)
    assert len(chosen) == len(set(chosen)) == IMAGES
    assert {kind for index in chosen for kind in images[index]} == {0, 1, 2}
    assert all(0 < len(images[index]) <= 40 for index in chosen), "neither empty nor crowded ones"
    assert spread(images, 7) == chosen != spread(images, 8)
    assert spread([[], []], 0) == spread([[], []], 0)
    assert len(spread([[], []], 0)) == 2, "empty ones, where there is nothing else"
    assert spread([], 0) == []


def test_a_long_run_retains_some_epochs_with_the_first_the_newest_and_the_best(tmp_path: Path) -> None:
    previews = Previews(tmp_path, "detect", ["thing"], 600)
    previews.numbers = {"a.jpg": 0}
    for epoch in range(1, 31):
        previews.detections = {0: [{"class": 0, "conf": 0.5}]}
        previews.end_epoch(epoch)
        previews.thin_out(epoch, best=min(epoch, 17))
    assert sorted(written(tmp_path)) == [1, 4, 8, 12, 16, 17, 20, 24, 28, 30]
    previews.end_epoch(31)
    assert 31 not in written(tmp_path), "no validation, no predictions"
    assert json.loads((tmp_path / "epoch-30.json").read_text())["images"] == [[{"class": 0, "conf": 0.5}]]


@pytest.mark.parametrize("damaged", ["index.json", "index-copy.json"])
def test_a_resumed_run_retains_its_previews_when_their_index_is_damaged(tmp_path: Path, damaged: str) -> None:
    samples = []
    for number in range(3):
        samples.append((str(tmp_path / f"{number}.jpg"), 0))
        Image.new("RGB", (64, 48), (80 * number, 0, 0)).save(samples[-1][0])
    dataset, folder = SimpleNamespace(samples=samples), tmp_path / "previews"
    previews = Previews(folder, "classify", ["thing"], 5)
    previews.choose(dataset, range(3), 7, 1)
    index = (folder / "index.json").read_bytes()
    previews.detections = {0: [{"class": 0, "conf": 0.5}]}
    previews.end_epoch(1)
    (folder / damaged).write_bytes(index[:40])
    again = Previews(folder, "classify", ["thing"], 5)
    again.choose(dataset, range(3), 7, 2)
    assert list(written(folder)) == [1]
    assert [(folder / name).read_bytes() for name in ("index.json", "index-copy.json")] == [index, index]


def image(detections: list[tuple[int, float]], truth: list[int], iou: Any = ()) -> ImageResult:
    overlaps = [(row, column, value) for column, values in enumerate(iou) for row, value in enumerate(values)]
    return ImageResult(
        truth,
        [(0.0, 0.0, 1.0, 1.0)] * len(truth),
        [kind for kind, _ in detections],
        [conf for _, conf in detections],
        [(0.0, 0.0, 1.0, 1.0)] * len(detections),
        sorted(overlaps, key=lambda item: (item[0], -item[2])),
    )


def test_the_most_confident_prediction_matches_its_best_free_object() -> None:
    # Both predictions are on object 0, the more confident one has the wrong class; object 1 is missed; the third has a
    # low confidence.
    result = image([(1, 0.9), (0, 0.8), (0, 0.1)], [0, 0], [[0.7, 0.9, 0.9], [0.2, 0.5, 0.9]])
    outcome = match(result, 0.25, "detect")
    assert outcome["counted"] == 2
    assert outcome["pairs"] == [(0, 0), (1, 1)]
    assert outcome["errors"] == 1
    cells = cells_of([result], [outcome], 2)
    assert {cell: dict(counts) for cell, counts in cells.items()} == {(1, 0): {0: 1}, (0, 0): {0: 1}}


@pytest.mark.parametrize(
    ("result", "pairs", "errors"),
    [
        (image([], [0, 1]), [(-1, 0), (-1, 1)], 2),
        (image([(0, 0.9)], []), [(0, -1)], 1),
        (image([(0, 0.9)], [0], [[0.4]]), [(0, -1), (-1, 0)], 2),
        (image([], []), [], 0),
    ],
)
def test_missed_objects_and_false_detections(result: ImageResult, pairs: list[Any], errors: int) -> None:
    outcome = match(result, 0.25, "detect")
    assert (outcome["pairs"], outcome["errors"]) == (pairs, errors)


def test_a_classification_is_right_or_wrong() -> None:
    right, wrong = (ImageResult([kind], [()], [1, 0], [0.6, 0.4], [(), ()], []) for kind in (1, 0))
    outcomes = [match(item, 0.0, "classify") for item in (right, wrong)]
    assert [outcome["errors"] for outcome in outcomes] == [0, 1]
    assert list(worst(outcomes)) == [1]
    assert set(cells_of([right, wrong], outcomes, 2)) == {(1, 1), (1, 0)}


def test_missing_images_get_no_picture(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    evaluation, result = EvaluationResults(tmp_path, "detect"), image([], [0])
    evaluation.images = [ImageOutcomes("a.jpg", 1, 1, pack(result))]
    outcomes = [match(result, 0.25, "detect")]
    chosen, listed = evaluation.choose(outcomes, cells_of([result], outcomes, 1))
    assert (chosen, listed) == ({}, {(1, 0): []})
