"""ON_SHUTDOWN=stop: trainings are asked to pause, and waited for."""

import subprocess
import sys
import time
from pathlib import Path

from app.services import shutdown

PAUSES = """
import pathlib, sys, time
stop = pathlib.Path(sys.argv[-1]) / "stop"
while not stop.exists():
    time.sleep(0.02)
(pathlib.Path(sys.argv[-1]) / "heard").write_text(stop.read_text())
"""


def start(directory: Path, code: str) -> subprocess.Popen[bytes]:
    directory.mkdir(parents=True)
    return subprocess.Popen([sys.executable, "-c", code, "app.worker.train", str(directory)])


def test_trainings_below_the_folder_pause(tmp_path: Path) -> None:
    mine, other = tmp_path / "data" / "models" / "1" / "attempts" / "1", tmp_path / "other" / "1"
    processes = [start(mine, PAUSES), start(other, PAUSES)]
    try:
        for process in processes:
            while b"app.worker.train" not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
                time.sleep(0.01)  # between fork and exec
        assert shutdown.stop_children(tmp_path / "data") == 0
        assert (mine / "heard").read_text() == "pause"
        assert processes[1].poll() is None
        assert not (other / "stop").exists()
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_one_that_does_not_end_is_counted(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(shutdown, "ASK_S", 0.3)
    process = start(tmp_path / "data" / "models" / "1", "import time; time.sleep(60)")
    try:
        while b"app.worker.train" not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
            time.sleep(0.01)
        assert shutdown.stop_children(tmp_path / "data") == 1
    finally:
        process.kill()
        process.wait()
