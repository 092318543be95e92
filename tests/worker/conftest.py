"""Real trainings for tests."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.worker.child import Run


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def start(**changes: Any) -> Run:
        runs.append(Run(tmp_path, **changes))
        return runs[-1]

    yield start
    for item in runs:
        item.child.stop(time.sleep, ask=0.1, term=0.1)
