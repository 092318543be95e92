"""The learning rate over the epochs, as in ultralytics."""

import pytest

from app.core.lr_schedule import schedule

EPOCHS = (0, 5, 10, 15, 19)


def test_the_cosine_is_that_of_ultralytics() -> None:
    """Against `one_cycle(1, 0.05, 20)` of ultralytics 8.4.190."""
    factors = [schedule(True, 0.05, 20)(epoch) for epoch in EPOCHS]
    assert factors == pytest.approx([1.0, 0.860876, 0.525, 0.189124, 0.055848], abs=1e-6)


def test_the_line_is_that_of_ultralytics() -> None:
    factors = [schedule(False, 0.01, 20)(epoch) for epoch in EPOCHS]
    assert factors == pytest.approx([1.0, 0.7525, 0.505, 0.2575, 0.0595])


@pytest.mark.parametrize("cosine", [True, False])
def test_it_ends_at_the_last_rate(cosine: bool) -> None:
    assert schedule(cosine, 0.1, 7)(7) == pytest.approx(0.1)
