"""What is kept of validations: which images, which epochs, which errors. Pure functions on small data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.worker.evaluation import Evaluation, cells_of, match, worst
from app.worker.previews import IMAGES, Previews, spread, written


def test_the_images_show_every_class_and_are_the_same_for_a_seed() -> None:
    images = [[0]] * 200 + [[1, 0]] * 5 + [[2]] + [[]] * 50 + [[0, 1, 2] * 30]
    chosen = spread(images, 7)
    assert len(chosen) == len(set(chosen)) == IMAGES
    assert {kind for place in chosen for kind in images[place]} == {0, 1, 2}
    assert all(0 < len(images[place]) <= 40 for place in chosen), "neither empty nor crowded ones"
    assert spread(images, 7) == chosen != spread(images, 8)
    assert spread([[], []], 0) == spread([[], []], 0)
    assert len(spread([[], []], 0)) == 2, "empty ones, where there is nothing else"
    assert spread([], 0) == []


def test_a_long_run_keeps_some_epochs_with_the_first_the_newest_and_the_best(tmp_path: Path) -> None:
    previews = Previews(tmp_path, "detect", ["thing"], 600)
    previews.places = {"a.jpg": 0}
    for epoch in range(1, 31):
        previews.found = {0: [{"class": 0, "conf": 0.5}]}
        previews.end_epoch(epoch)
        previews.thin_out(epoch, best=min(epoch, 17))
    assert sorted(written(tmp_path)) == [1, 4, 8, 12, 16, 17, 20, 24, 28, 30]
    previews.end_epoch(31)
    assert 31 not in written(tmp_path), "no validation, no predictions"
    assert json.loads((tmp_path / "epoch-30.json").read_text())["images"] == [[{"class": 0, "conf": 0.5}]]


def image(found: list[tuple[int, float]], truth: list[int], iou: Any = None) -> dict[str, Any]:
    return {
        "file": "a.jpg",
        "class": np.array([kind for kind, _ in found]),
        "conf": np.array([conf for _, conf in found]),
        "truth": np.array(truth),
        "iou": None if iou is None else np.array(iou),
    }


def test_the_surest_prediction_takes_its_best_free_object() -> None:
    # Both predictions lie on object 0, the surer one has the wrong class; object 1 is missed; the third is unsure.
    told = image([(1, 0.9), (0, 0.8), (0, 0.1)], [0, 0], [[0.7, 0.9, 0.9], [0.2, 0.5, 0.9]])
    outcome = match(told, 0.25, "detect")
    assert outcome["counted"] == [0, 1]
    assert outcome["pairs"] == [(0, 0), (1, 1)]
    assert outcome["errors"] == 1
    cells = cells_of([told], [outcome], 2)
    assert {cell: dict(counts) for cell, counts in cells.items()} == {(1, 0): {0: 1}, (0, 0): {0: 1}}


@pytest.mark.parametrize(
    ("told", "pairs", "errors"),
    [
        (image([], [0, 1]), [(-1, 0), (-1, 1)], 2),
        (image([(0, 0.9)], []), [(0, -1)], 1),
        (image([(0, 0.9)], [0], [[0.4]]), [(0, -1), (-1, 0)], 2),
        (image([], []), [], 0),
    ],
)
def test_what_is_missed_and_what_is_made_up(told: dict[str, Any], pairs: list[Any], errors: int) -> None:
    outcome = match(told, 0.25, "detect")
    assert (outcome["pairs"], outcome["errors"]) == (pairs, errors)


def test_a_classification_is_right_or_wrong() -> None:
    right, wrong = image([(1, 0.6), (0, 0.4)], [1]), image([(1, 0.6), (0, 0.4)], [0])
    outcomes = [match(item, 0.0, "classify") for item in (right, wrong)]
    assert [outcome["errors"] for outcome in outcomes] == [0, 1]
    assert list(worst(outcomes)) == [1]
    assert set(cells_of([right, wrong], outcomes, 2)) == {(1, 1), (1, 0)}


def test_images_that_are_gone_get_no_picture(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    evaluation = Evaluation(tmp_path, "detect")
    evaluation.images = [image([], [0])]
    outcomes = [match(evaluation.images[0], 0.25, "detect")]
    chosen, listed = evaluation.choose(outcomes, cells_of(evaluation.images, outcomes, 1))
    assert (chosen, listed) == ({}, {(1, 0): []})
