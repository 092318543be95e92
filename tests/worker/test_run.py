"""The one main() of child processes: what ends a child whose job is over."""

import shutil
import time
from pathlib import Path

from app.jobs.process import Child
from app.worker.run import ORPHANED


def test_a_child_ends_with_its_job(tmp_path: Path) -> None:
    directory, output = tmp_path / "job" / "1", tmp_path / "sample.zip"
    spec = {"program": "sample", "output": str(output), "train": 100_000, "val": 1, "size": 32}
    child = Child.start("run", directory, spec, {})
    until = time.monotonic() + 180
    while not list(child.events()):
        assert child.alive(), child.log_tail()
        assert time.monotonic() < until
        time.sleep(0.05)
    shutil.rmtree(directory.parent)
    while child.alive():
        assert time.monotonic() < until
        time.sleep(0.05)
    assert child.exit_code() == ORPHANED
    assert not output.exists()
