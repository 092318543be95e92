"""The child's side of its supervision: numbered events out, a heartbeat, a requested stop in.

The folder that the child is given holds `spec.json` (its task), `events.jsonl` (what it says), `worker.log` (its
stdout and stderr, connected by the parent), `heartbeat` (touched every second), `reserve` (room for the last words)
and, once asked to stop, `stop`.
"""

import errno
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from app.core.children import MARK
from app.events import Event, Failed, encode, read_events

HEARTBEAT_S = 1.0
RESERVE = 64 * 1024  # bytes: a failure with its traceback must still fit on a disk that is full
ORPHANED = 3  # exit status of a process whose work is for nobody
ROOT = "YOLO_WORKER_PID"  # the first process of the child
BEGAN = "YOLO_WORKER_BEGAN"  # when that began, by the machine's steady clock, which stands still while it sleeps
_current: "Channel | None" = None


def open_channel(directory: str | Path) -> "Channel":
    """The process's one channel, on this folder; processes that it starts find the folder by `current()`."""
    global _current
    os.environ[MARK] = str(directory)
    os.environ[ROOT] = str(os.getpid())
    os.environ[BEGAN] = str(time.monotonic())
    _current = Channel(directory)
    _current.catch_terminations()
    return _current


def current() -> "Channel":
    """The process's channel; opened here where another process of the same training has the folder.

    That process is not ours to end: SIGTERM keeps its meaning there, and the first process tells what happened.
    """
    global _current
    _current = _current or Channel(os.environ[MARK])
    return _current


def folder() -> Path:
    """The folder of this training's attempt, in any of its processes."""
    return Path(os.environ[MARK])


def newest_attempt(folder: Path) -> int:
    """The highest number of an attempt that has a folder in this one; 0: there is none."""
    try:
        return max((int(name) for name in os.listdir(folder) if name.isdecimal()), default=0)
    except OSError:  # a folder that is gone is looked for elsewhere
        return 0


def read_spec(directory: Path) -> dict[str, Any]:
    return json.loads((directory / "spec.json").read_text(encoding="utf-8"))


class Channel:
    """Writes events, and reads whether the child shall stop.

    Args:
        directory: the folder that the parent made, with `spec.json` in it.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self.spec = read_spec(self.directory)
        self._attempt = newest_attempt(self.directory.parent)
        self.ended = False
        self._began = float(os.environ.get(BEGAN) or time.monotonic())
        self._seq = 0
        self.catch_up()
        self._lock = threading.Lock()
        self._file = os.open(self.directory / "events.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._terminated = threading.Event()
        self._reserve_space()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def catch_terminations(self) -> None:
        """SIGTERM is a request from now on, not the end."""
        signal.signal(signal.SIGTERM, lambda *_: self._terminated.set())

    def end_if_superseded(self) -> None:
        """End this process where a later attempt of its job has begun: it must not write over the files of that one. It
        may have stood still, or its host may be cut off, and nobody there is left to tell it."""
        if newest_attempt(self.directory.parent) > self._attempt:
            os._exit(ORPHANED)

    def catch_up(self) -> None:
        """Continue the event file behind another process of this training: one writes at a time."""
        for _, envelope in read_events(self.directory):
            self._seq = envelope.seq
            self.ended = self.ended or envelope.event.terminal

    def emit(self, event: Event) -> None:
        """Append one event; a terminal one is synced to the disk, and later ones are dropped.

        Raises:
            OSError: the disk is full; nothing of the event is in the file.
        """
        with self._lock:
            if self.ended:
                return
            if event.terminal:
                (self.directory / "reserve").unlink(missing_ok=True)
            self._append(encode(event, self._seq + 1, self.worked()).encode())
            self._seq += 1
            if event.terminal:
                self.ended = True
                os.fsync(self._file)

    def worked(self) -> float:
        """Seconds since the child began."""
        return round(time.monotonic() - self._began, 3)

    def _append(self, line: bytes) -> None:
        """Append the line atomically: half a line would spoil the file for its reader."""
        end = os.fstat(self._file).st_size
        try:
            if os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.ftruncate(self._file, end)
            raise

    def fail(self, kind: str, error: str, traceback: str = "") -> None:
        """Say that the run failed; `error` is for the user, `traceback` for the log."""
        self.emit(Failed(kind, error, traceback))

    def requested_stop(self) -> str | None:
        """`cancel` or `pause`, as the supervisor asked; `terminated` after SIGTERM alone; None: go on."""
        try:
            text = (self.directory / "stop").read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            return "terminated" if self._terminated.is_set() else None
        return "pause" if text == "pause" else "cancel"

    def stop_requested(self) -> bool:
        """Whether the supervisor asked to stop, by file or by SIGTERM."""
        return self.requested_stop() is not None

    def _reserve_space(self) -> None:
        try:
            (self.directory / "reserve").write_bytes(b"\0" * RESERVE)
        except OSError:  # no room already: the first real write will say so
            pass

    def _beat(self) -> None:
        # A thread of its own: one long epoch is no stall.
        path = self.directory / "heartbeat"
        while True:
            try:
                path.touch()
            except OSError:  # a full disk ends the training where it writes, not here
                pass
            time.sleep(HEARTBEAT_S)
