"""Suspected label errors: the unusual ones come first, the usual ones are not listed."""

import random

import pytest

from app.core.label_errors import BAD_BOX, EXTRA, MISSING, WRONG_CLASS, Suspect, suspects
from app.core.outcomes import ImageResult

HERE, SHIFTED, DISTANT = (0.0, 0.0, 100.0, 100.0), (40.0, 30.0, 140.0, 130.0), (300.0, 300.0, 400.0, 400.0)


def usual(rng: random.Random, kind: int = 0) -> ImageResult:
    """A correctly detected object, and a doubtful false detection."""
    return ImageResult(
        [kind],
        [HERE],
        [kind, kind],
        [0.8 + rng.random() / 6, 0.12],
        [HERE, DISTANT],
        [(0, 0, 0.86 + rng.random() / 10)],
    )


ODD = {
    MISSING: ImageResult([0], [HERE], [0, 0], [0.99, 0.98], [HERE, DISTANT], [(0, 0, 0.9)]),
    EXTRA: ImageResult([0, 0], [HERE, DISTANT], [0], [0.99], [HERE], [(0, 0, 0.9)]),
    WRONG_CLASS: ImageResult([1], [HERE], [0], [0.99], [HERE], [(0, 0, 0.9)]),
    BAD_BOX: ImageResult([0], [SHIFTED], [0], [0.99], [HERE], [(0, 0, 0.27)]),
}


def ranked(*odd: ImageResult) -> list[Suspect]:
    rng = random.Random(1)
    images = [usual(rng, kind) for kind in [0] * 60 + [1] * 60]
    return suspects(enumerate([*images, *odd]))


@pytest.mark.parametrize("kind", ODD)
def test_edited_labels_rank_first(kind: str) -> None:
    first = ranked(ODD[kind])[0]
    assert (first.kind, first.image) == (kind, 120)
    assert first.score > 0.9
    assert (first.object >= 0, first.detection >= 0) == (kind != MISSING, kind != EXTRA)


def test_all_four_kinds_share_one_order() -> None:
    errors = ranked(*ODD.values())
    assert {item.kind for item in errors[:4]} == set(ODD)
    assert [item.score for item in errors] == sorted((item.score for item in errors), reverse=True)


def test_what_the_model_often_gets_wrong_is_no_suspect() -> None:
    """A class of which every second object is missed, and every second detection is false."""
    missed = ImageResult([0], [HERE], [0], [0.7], [DISTANT], [])
    right = ImageResult([0], [HERE], [0], [0.7], [HERE], [(0, 0, 0.9)])
    assert max((item.score for item in suspects(enumerate([missed, right] * 30))), default=0.0) < 0.6


def test_a_detected_neighbour_does_not_vouch_for_a_false_box() -> None:
    beside = ImageResult([0, 0], [HERE, (30.0, 0.0, 130.0, 100.0)], [0], [0.95], [HERE], [(0, 0, 0.92), (0, 1, 0.54)])
    first = ranked(beside)[0]
    assert (first.kind, first.image, first.object) == (EXTRA, 120, 1)


def test_a_classification() -> None:
    rng = random.Random(2)

    def image(actual: int, predicted: int, confidence: float) -> ImageResult:
        guesses = [predicted, 1 - predicted]
        return ImageResult([actual], [()], guesses, [confidence, 1 - confidence], [()] * 2, [])

    images = [image(kind, kind, 0.7 + rng.random() / 4) for kind in [0, 1] * 30]
    (first,) = suspects(enumerate([*images, image(0, 1, 0.99)]))
    assert (first.kind, first.image, first.object, first.detection) == (WRONG_CLASS, 60, 0, 0)
