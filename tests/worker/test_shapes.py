"""Outlines of masks for the previews: at the mask's position, at tiny sizes, too."""

import pytest
import torch

from app.worker.shapes import outline

# A photograph of 128 x 96 pixels in an input of 64 x 64: 8 px of padding above and below; masks of 16 x 16 cells.
PREPROCESSING = {"imgsz": (64, 64), "ori_shape": (96, 128), "ratio_pad": ((0.5, 0.5), (0.0, 8.0))}
HALF = 0.51 / 64, 0.51 / 48  # half a pixel of the input, relative to the photograph


def bounds(left: int, top: int, right: int, bottom: int) -> tuple[list[float], list[float]]:
    """Of the outline of a mask with these cells, from the first to after the last: left and right, top and bottom."""
    mask = torch.zeros(16, 16)
    mask[top:bottom, left:right] = 1
    corners = outline(mask, PREPROCESSING)
    assert len(corners) >= 6
    return [min(corners[::2]), max(corners[::2])], [min(corners[1::2]), max(corners[1::2])]


@pytest.mark.parametrize(
    "cells",
    [(4, 5, 8, 9), (3, 4, 13, 6), (0, 2, 16, 14), (0, 2, 2, 4), (14, 12, 16, 14), (7, 7, 8, 8)],
    ids=["square", "flat", "everything", "corner", "other corner", "one cell"],
)
def test_an_outline_goes_round_its_cells(cells: tuple[int, int, int, int]) -> None:
    across, down = bounds(*cells)
    left, top, right, bottom = cells
    assert across == pytest.approx([4 * left / 64, 4 * right / 64], abs=HALF[0])
    assert down == pytest.approx([(4 * top - 8) / 48, (4 * bottom - 8) / 48], abs=HALF[1])


def test_a_mask_of_the_size_of_the_input() -> None:
    mask = torch.zeros(64, 64)
    mask[16:32, 20:40] = 1
    corners = outline(mask, PREPROCESSING)
    assert [min(corners[::2]), max(corners[::2])] == pytest.approx([20 / 64, 40 / 64], abs=HALF[0])


def test_the_largest_of_several_parts() -> None:
    mask = torch.zeros(16, 16)
    mask[3, 3] = mask[6:12, 6:12] = 1
    corners = outline(mask, PREPROCESSING)
    assert min(corners[::2]) == pytest.approx(24 / 64, abs=HALF[0])
    assert outline(torch.zeros(16, 16), PREPROCESSING) == []
