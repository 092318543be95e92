"""The child that is at work already while a dataset's files are extracted."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from apiflask import APIFlask

from app.config import ROOT
from app.events import Ingested
from app.jobs.process import Child, Pulse, child_environment
from app.services.datasets.children import kill
from app.services.datasets.ingest import AT_ONCE, slots
from app.services.datasets.looking import Looking
from app.services.datasets.options import recipe
from app.services.datasets.spare import Spare
from app.services.storage import StorageService
from tests.data import image_bytes, yolo_files

ORIGIN = {"kind": "upload", "name": "a.zip"}
LIMIT_S = 20.0


@pytest.fixture
def storage(idle_app: APIFlask) -> Iterator[StorageService]:
    with idle_app.app_context():
        yield idle_app.extensions["services"].storage


def until(found: Callable[[], bool]) -> None:
    """Wait for the child."""
    limit = time.monotonic() + LIMIT_S
    while not found():
        assert time.monotonic() < limit
        time.sleep(0.02)


def put(folder: Path, files: dict[str, bytes | str]) -> list[str]:
    """Write files as an extraction does; the names of the images."""
    for name, content in files.items():
        path = folder / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [name for name in files if name.endswith((".jpg", ".png"))]


def thumbnails(folder: Path) -> int:
    return len(list(folder.glob("thumbnails/*/*.webp")))


def looking_at(storage: StorageService) -> Looking:
    return Looking(Spare(storage), 1, recipe({}, 1000), ORIGIN)


def finished(looking: Looking, place: Path) -> Ingested:
    """The child's result, once it is told where the dataset is."""
    child = looking.child
    assert child is not None
    (child.directory / "placed").write_text(json.dumps({"dataset": str(place)}))
    until(lambda: not child.alive())
    result = [said.event for _, said in child.events()][-1]
    assert isinstance(result, Ingested), result
    return result


def test_images_are_read_while_others_are_still_extracted(storage: StorageService) -> None:
    """And the folder may be renamed while they are: what the child makes of them is whole."""
    folder, placed = storage.new_tmp(), storage.dataset_dir(7)
    sizes = {f"images/train/{side}.png": image_bytes((side, 48), form="PNG") for side in (60, 61, 62, 63, 64, 65)}
    images = put(folder, sizes | {"images/val/late_é.png": image_bytes((70, 48), form="PNG")})
    with looking_at(storage) as looking:
        looking.expect(folder)
        for name in images[:3]:
            looking.arrived(name)
        until(lambda: thumbnails(folder) == 3)
        for name in images[3:]:
            looking.arrived(name)
        put(folder, {name.replace("images", "labels").replace("png", "txt"): "0 0.5 0.5 0.2 0.2\n" for name in images})
        looking.begin(folder)
        assert looking.verdict().images == 7
        os.replace(folder, placed)
        assert finished(looking, placed).usable == {"train": 6, "val": 1, "test": 0}
    assert thumbnails(placed) == len(list(placed.glob("revisions/1/images/*/*"))) == 7


def test_what_was_read_early_is_what_is_read_late(storage: StorageService) -> None:
    """The same result, whether images were named one by one or found at the end."""
    results = []
    for early in (True, False):
        folder = storage.new_tmp()
        folder.mkdir()
        with looking_at(storage) as looking:
            if early:
                looking.expect(folder)
            for name in put(folder, yolo_files(4, 2) | {"images/train/broken.jpg": b"\xff\xd8 no picture"}):
                looking.arrived(name)
            looking.begin(folder)
            looking.verdict()
            result = finished(looking, folder)
        results.append((result.hash, result.images, result.usable, result.findings, result.boxes))
    assert results[0] == results[1]
    assert results[0][3]["image_broken"] == 1


def test_nothing_is_begun_early_where_all_are_busy(storage: StorageService) -> None:
    folder = storage.new_tmp()
    for _ in range(AT_ONCE):
        assert slots.acquire(blocking=False)
    try:
        with looking_at(storage) as looking:
            looking.expect(folder)
            assert looking.child is None
            put(folder, yolo_files(2, 1))
            looking.begin(folder)
            assert looking.verdict().images == 3
    finally:
        for _ in range(AT_ONCE):
            slots.release()


def test_an_extraction_that_fails_leaves_no_child(storage: StorageService) -> None:
    folder = storage.new_tmp()
    folder.mkdir()
    with looking_at(storage) as looking:
        looking.expect(folder)
        child = looking.child
        assert child is not None
        assert child.alive()
    assert not child.alive()
    assert not child.directory.exists()
    free = [slots.acquire(blocking=False) for _ in range(AT_ONCE)]
    assert all(free), "its place is free again"
    for _ in free:
        slots.release()


def test_a_child_is_ready_before_its_task(storage: StorageService) -> None:
    """One at most, and one that has ended is not given out."""
    folder, spare = storage.new_tmp(), Spare(storage)
    put(folder, yolo_files(2, 1))
    spare.prepare()
    spare.prepare()
    (ready,) = storage.ingests.iterdir()
    with Looking(spare, 1, recipe({}, 1000), ORIGIN) as looking:
        looking.begin(folder)
        assert looking.child is not None
        assert looking.child.directory == ready
        assert looking.verdict().images == 3
    spare.prepare()
    (waiting,) = storage.ingests.iterdir()
    kill(Child(waiting, **json.loads((waiting / "child.json").read_text())))
    assert spare.take() is None
    assert not waiting.exists()


def test_a_child_whose_server_died_ends(tmp_path: Path) -> None:
    """The server's successor begins anew; this one would wait for names for ever."""
    (tmp_path / "1/source").mkdir(parents=True)
    spec = {"dataset": str(tmp_path / "1"), "arriving": True, "objects": str(tmp_path), "options": {}, "wait": True,
            "max_pixels": 1000}  # fmt: skip
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    (tmp_path / "arrived").touch()
    server = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'app.worker.ingest', sys.argv[1]], start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", server, str(tmp_path)], cwd=ROOT, env=child_environment({}), stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        child = Child(tmp_path, pid, psutil.Process(pid).create_time())
        until(lambda: child.heartbeat() is not None)
        parent.kill()
    until(lambda: not child.alive())


def test_a_clock_that_jumps_is_no_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop that slept, or NTP: only the monotonic clock tells how long a child was silent."""
    (tmp_path / "heartbeat").touch()
    pulse = Pulse(Child(tmp_path, 0, 0.0))
    clock = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    assert pulse.silent_s() == 0
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert pulse.silent_s() == 0
    monkeypatch.setattr(time, "monotonic", lambda: clock + 61)
    assert pulse.silent_s() == 61
    os.utime(tmp_path / "heartbeat", (1, 1))
    assert pulse.silent_s() == 0
