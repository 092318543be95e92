"""Non-maximum suppression has no time limit: no image loses its detections on a busy machine."""

from pathlib import Path

import pytest

from tests.worker.test_train import run_python

SUPPRESS = """
import itertools, time
import torch
from ultralytics.utils import nms
clock = itertools.count(0.0, 100.0)  # every look at it is 100 s later
time.time = lambda: next(clock)
predictions = torch.full((3, 5, 4), 0.9)
predictions[:, :4] = 10.0
print([len(found) for found in nms.non_max_suppression(predictions)])
"""
SERVING = """
from app.worker.serving.engines import BadModel, Engine
try:
    Engine("nowhere.pt", "cpu")
except BadModel:
    pass
"""


@pytest.mark.parametrize(
    ("begin", "counts"),
    [
        ("", [1, 0, 0]),  # ultralytics alone
        ("import app.worker.upstream", [1, 1, 1]),  # trainings, and evaluations by app.worker.measuring
        (SERVING, [1, 1, 1]),
    ],
)
def test_each_image_of_a_batch_has_its_detections(begin: str, counts: list[int], tmp_path: Path) -> None:
    assert run_python(begin + SUPPRESS, tmp_path).splitlines()[-1] == str(counts)
