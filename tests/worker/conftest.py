"""Real trainings for tests."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.worker.child import Run


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    made: list[Run] = []

    def start(**changes: Any) -> Run:
        made.append(Run(tmp_path, **changes))
        return made[-1]

    yield start
    for item in made:
        item.child.stop(time.sleep, ask=0.1, term=0.1)
