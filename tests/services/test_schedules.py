"""The computed iterations of a run are those of ultralytics."""

import pytest

from app.services.trainer.learning import iterations


@pytest.mark.parametrize(
    ("images", "batch", "fraction", "expected"),
    [(240, 16, 1.0, 15), (241, 16, 1.0, 16), (240, 4, 0.25, 15), (240, 16, 0.25, 4), (3, 16, 0.01, 1), (0, 16, 1.0, 1)],
)
def test_iterations_of_an_epoch(images: int, batch: int, fraction: float, expected: int) -> None:
    """240 images with `fraction` 0.25 and batches of 4 are 15, as its events say: `batches`."""
    assert iterations(images, batch, {"fraction": fraction}) == expected
    if fraction == 1:
        assert iterations(images, batch, {}) == expected
