"""Programs of a single request: how they end, and that they leave nothing."""

import os
import time
from pathlib import Path
from typing import Any

from apiflask import APIFlask

from app.events import Failed, Finished, Refused
from app.jobs.process import Child, find_children
from app.jobs.restart import end_orphans
from app.jobs.short import run_program


def task(folder: Path, content: bytes | None) -> dict[str, Any]:
    """A task of the program `video`; one without content never gets its input."""
    source = folder / "video"
    if content is None:
        os.mkfifo(source)
    else:
        source.write_bytes(content)
    limits = {"max_pixels": 1000, "max_frames": 10, "rate": 10, "seconds": 10.0, "memory": 3 * 1024**3}
    return {"input": str(source), "output": str(folder / "video.webm")} | limits


def test_its_ending_is_the_terminal_event_of_the_program(idle_app: APIFlask, tmp_path: Path) -> None:
    assert run_program("video", tmp_path, task(tmp_path, b"no video"), 60) == Refused("not_video")
    small = {"train": 1, "val": 1, "size": 32, "seed": 0, "output": str(tmp_path / "sample.zip")}
    ending = run_program("sample", tmp_path / "sample", small, 60)
    assert isinstance(ending, Finished)
    unknown = run_program("nothing_of_this_name", tmp_path / "unknown", {}, 60)
    assert isinstance(unknown, Failed)
    assert (unknown.kind, "nothing_of_this_name" in unknown.error) == ("program_changed", True)


def test_a_job_beyond_its_time_limit_is_killed(idle_app: APIFlask, tmp_path: Path) -> None:
    ending = run_program("video", tmp_path, task(tmp_path, None), 1.0)
    assert isinstance(ending, Failed)
    assert ending.kind == "timeout"
    assert list(find_children(tmp_path)) == []


def test_the_next_server_ends_it(tmp_path: Path) -> None:
    child = Child.start("run", tmp_path / "tmp" / "a", {"program": "video"} | task(tmp_path, None), {})
    until = time.monotonic() + 180
    while not list(find_children(tmp_path)) and time.monotonic() < until:
        time.sleep(0.05)
    end_orphans(tmp_path, set())
    while child.alive() and time.monotonic() < until:
        time.sleep(0.05)
    assert not child.alive()
