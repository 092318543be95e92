"""The units of numbers that are not fractions."""

import pytest

from app.worker.formats.row_units import Unit, infer_unit, is_mixed, smaller_scale

SIZE = (640, 480)
Boxes = list[tuple[tuple[float, ...], tuple[int, int]]]


def in_pixels(size: tuple[int, int], outside: int = 0, count: int = 30) -> Boxes:
    """Centre and sides all over the image; those of `outside` extend beyond it by 10 pixels at the right."""
    wide, high = size[0] / 5, size[1] / 5
    boxes: Boxes = [
        ((wide + 3 * wide * at / count, high + 3 * high * at / count, wide, high), size) for at in range(count)
    ]
    return [((size[0] - 30, high, 80, high), size)] * outside + boxes[outside:]


def test_pixels_stay_pixels_in_small_and_large_images() -> None:
    for size in (SIZE, (90, 90), (4000, 3000)):
        assert infer_unit(in_pixels(size)) == Unit("pixels", [])


def test_one_box_that_reaches_out_makes_no_thousandths() -> None:
    assert infer_unit(in_pixels(SIZE, outside=1)) == Unit("pixels", [])


def test_many_boxes_that_reach_out_are_a_question_and_no_answer() -> None:
    """Nothing near 1000: the images were rotated, or scaled down."""
    assert infer_unit(in_pixels(SIZE, outside=10)) == Unit("pixels", ["thousandths"])


def test_few_boxes_are_no_proof() -> None:
    assert infer_unit([((900, 900, 100, 100), SIZE)] * 2) == Unit("pixels", ["thousandths"])


def test_thousandths_and_percent() -> None:
    thousandths = [(values, SIZE) for values, _ in in_pixels((1000, 1000))] + [((930.0, 930.0, 100.0, 100.0), SIZE)]
    assert infer_unit(thousandths) == Unit("thousandths", ["pixels"])
    percent = [(values, SIZE) for values, _ in in_pixels((100, 100))] + [((93.0, 93.0, 10.0, 10.0), SIZE)]
    assert infer_unit(percent) == Unit("percent", ["pixels"])


@pytest.mark.parametrize(
    ("fractions", "outside", "mixed"), [(10, 0, True), (2, 0, False), (10, 9, False), (0, 0, False)]
)
def test_fractions_among_pixels(fractions: int, outside: int, mixed: bool) -> None:
    """A few wrong numbers, or boxes that extend beyond their images, do not change the unit."""
    boxes = in_pixels(SIZE, outside, count=15) + [(((0.5, 0.5, 0.2, 0.3)), SIZE)] * fractions
    assert is_mixed(boxes) is mixed
    assert not is_mixed([*boxes, *[((1.5, 1.6, 0.2, 0.3), SIZE)] * 5])


def test_a_smaller_scale_is_fully_used_and_much_smaller_than_the_images() -> None:
    percent = [(values, SIZE) for values, _ in in_pixels((100, 100))]
    assert smaller_scale(percent[:15]) is None, "no box reaches the end of the scale"
    percent.append(((93.0, 93.0, 10.0, 10.0), SIZE))
    assert smaller_scale(percent) == "percent"
    assert smaller_scale([(values, (190, 190)) for values, _ in percent]) is None
    assert smaller_scale(percent[-7:]) is None, "few boxes may lie in one corner"
    assert smaller_scale([((930, 930, 100, 100), (4000, 3000))] * 8) == "thousandths"
    assert smaller_scale([((930, 930, 100, 100), (1900, 1900))] * 8) is None
