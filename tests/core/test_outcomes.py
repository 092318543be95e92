"""The outcomes of objects and detections."""

import math
import struct

import pytest

from app.core.outcomes import (
    CORRECT,
    DUPLICATE,
    FALSE,
    MISSED,
    WRONG_CLASS,
    ImageResult,
    Outcome,
    area,
    of_classification,
    outcomes,
    pack,
    size_of,
    unpack,
)

BOX = (0.0, 0.0, 10.0, 10.0)


def image_result(
    objects: list[int], detections: list[tuple[int, float]], overlaps: list[tuple[int, int, float]]
) -> ImageResult:
    kinds, confidences = [kind for kind, _ in detections], [conf for _, conf in detections]
    boxes = [BOX] * len(objects), [BOX] * len(detections)
    return ImageResult(objects, boxes[0], kinds, confidences, boxes[1], overlaps)


def test_each_object_and_each_detection_is_there_once() -> None:
    # Detection 0 is correct; 1 is on the same object; 2 assigns another class to the second object; 3 is on no object;
    # 4 is correct for the second object, which is matched already; 5 has a low confidence. Object 2 is missed.
    image = image_result(
        [0, 0, 1],
        [(0, 0.9), (0, 0.8), (1, 0.7), (1, 0.6), (0, 0.5), (1, 0.1)],
        [(0, 0, 0.9), (1, 0, 0.7), (2, 1, 0.8), (3, 2, 0.2), (4, 1, 0.9), (5, 2, 0.9)],
    )
    assert outcomes(image, 0.25) == [
        Outcome(CORRECT, 0, 0, 0.9),
        Outcome(DUPLICATE, -1, 1, 0.7),
        Outcome(WRONG_CLASS, 1, 2, 0.8),
        Outcome(FALSE, -1, 3, 0.2),
        Outcome(DUPLICATE, -1, 4, 0.9),
        Outcome(MISSED, 2, -1, None),
    ]
    assert [item.kind for item in outcomes(image, 0.05)].count(CORRECT) == 2, "the unsure one counts"
    assert outcomes(image, 0.05, 0.95)[0] == Outcome(FALSE, -1, 0, 0.9), "it does not fit well enough"
    assert [item.kind for item in outcomes(image, 1.0)] == [MISSED] * 3


def test_a_detection_of_another_class_on_a_matched_object_is_no_duplicate() -> None:
    assert outcomes(image_result([0], [(0, 0.9), (1, 0.8)], [(0, 0, 0.9), (1, 0, 0.8)]), 0.5)[1].kind == FALSE


def test_a_detection_matches_its_best_free_object() -> None:
    image = image_result([0, 0], [(0, 0.9), (0, 0.8)], [(0, 0, 0.9), (0, 1, 0.6), (1, 0, 0.9), (1, 1, 0.5)])
    assert outcomes(image, 0.5) == [Outcome(CORRECT, 0, 0, 0.9), Outcome(CORRECT, 1, 1, 0.5)]


def test_a_classified_image_is_right_or_wrong() -> None:
    images = [ImageResult([kind], [()], [1, 0], [0.6, 0.4], [(), ()], []) for kind in (1, 0)]
    assert [of_classification(image)[0].kind for image in images] == [CORRECT, WRONG_CLASS]


@pytest.mark.parametrize(
    "image",
    [
        image_result([], [], []),
        image_result([3, 70], [], []),
        image_result([], [(0, 0.5)], []),
        image_result([1, 2], [(2, 0.75), (1, 0.5)], [(0, 1, 0.5), (1, 0, 0.25)]),
        ImageResult([0], [(0.0, 0.0, 8.0, 0.0, 8.0, 4.0, 0.0, 4.0)], [], [], [], []),
        ImageResult([1], [()], [1, 0], [0.5, 0.25], [(), ()], []),
    ],
)
def test_what_is_packed_comes_back(image: ImageResult) -> None:
    again = unpack(pack(image))
    assert [list(map(tuple, part)) for part in (again.object_corners, again.detection_corners, again.overlaps)] == [
        list(map(tuple, part)) for part in (image.object_corners, image.detection_corners, image.overlaps)
    ]
    assert (list(again.objects), list(again.detections)) == (list(image.objects), list(image.detections))
    assert list(again.confidences) == list(image.confidences)


def test_truncation_is_reported() -> None:
    with pytest.raises(struct.error):
        unpack(pack(image_result([1], [(1, 0.5)], [(0, 0, 0.5)]))[:-1])


def test_sizes_are_those_of_coco() -> None:
    sides = {31.9: "small", 32.0: "medium", 95.9: "medium", 96.0: "large"}
    assert {side: size_of((0.0, 0.0, side, side)) for side in sides} == sides
    assert size_of(()) is None
    turned = (0.0, 5.0, 5.0, 0.0, 10.0, 5.0, 5.0, 10.0)
    assert math.isclose(area(turned), 50.0)
