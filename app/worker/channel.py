"""The child's end of its supervision: writes numbered events and a heartbeat, reads stop requests.

The child's folder has `spec.json` (its task), `events.jsonl` (its events), `worker.log` (stdout and stderr, redirected
by the parent), `heartbeat` (touched every second), `reserve` (disk space for the terminal event) and, after a stop
request, `stop`.
"""

import errno
import json
import os
import signal
import threading
import time
from pathlib import Path

from app.core.children import MARK
from app.core.json_object import JsonObject
from app.events import Event, Failed, encode, read_events

HEARTBEAT_S = 1.0
RESERVE = 64 * 1024  # bytes: space for a failure with its traceback on a full disk
ORPHANED = 3  # exit status of a process whose job has ended or has another attempt
ROOT = "YOLO_WORKER_PID"  # pid of the child's first process
BEGAN = "YOLO_WORKER_BEGAN"  # start time by the monotonic clock, which stops while the machine is suspended
_current: "Channel | None" = None


def open_channel(directory: str | Path) -> "Channel":
    """Open the process's channel on this folder; its descendants find the folder by `current()`."""
    global _current
    os.environ[MARK] = str(directory)
    os.environ[ROOT] = str(os.getpid())
    os.environ[BEGAN] = str(time.monotonic())
    _current = Channel(directory)
    _current.catch_terminations()
    return _current


def current() -> "Channel":
    """The process's channel; opened here in another process of the same training.

    Such a process keeps the default handling of SIGTERM: the first process reports the ending.
    """
    global _current
    _current = _current or Channel(os.environ[MARK])
    return _current


def folder() -> Path:
    """The folder of this training's attempt, in any of its processes."""
    return Path(os.environ[MARK])


def newest_attempt(folder: Path) -> int:
    """The highest number of an attempt's folder in this folder; 0: there is none."""
    try:
        return max((int(name) for name in os.listdir(folder) if name.isdecimal()), default=0)
    except OSError:  # the folder may have been removed
        return 0


def read_spec(directory: Path) -> JsonObject:
    return json.loads((directory / "spec.json").read_text(encoding="utf-8"))


class Channel:
    """Writes events, and reads stop requests.

    Args:
        directory: the folder created by the parent, with `spec.json`.
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
        """Treat SIGTERM as a stop request from now on."""
        signal.signal(signal.SIGTERM, lambda *_: self._terminated.set())

    def end_if_superseded(self) -> None:
        """Exit if a later attempt of the job has begun, whose files must not be overwritten: this process may have been
        suspended, or its host disconnected, so that nothing could stop it.
        """
        if newest_attempt(self.directory.parent) > self._attempt:
            os._exit(ORPHANED)

    def catch_up(self) -> None:
        """Continue the event file after another process of this training; only one writes at a time."""
        for _, envelope in read_events(self.directory):
            self._seq = envelope.seq
            self.ended = self.ended or envelope.event.terminal

    def emit(self, event: Event) -> None:
        """Append an event; a terminal one is synced, and later ones are dropped.

        Raises:
            OSError: the disk is full; the file has no part of the event.
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
        """Seconds since the child was started."""
        return round(time.monotonic() - self._began, 3)

    def _append(self, line: bytes) -> None:
        """Append a line atomically: an incomplete line would break the file for its reader."""
        end = os.fstat(self._file).st_size
        try:
            if os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.ftruncate(self._file, end)
            raise

    def fail(self, kind: str, error: str, traceback: str = "") -> None:
        """Report a failure; `error` is for the user, `traceback` for the log."""
        self.emit(Failed(kind, error, traceback))

    def requested_stop(self) -> str | None:
        """`cancel` or `pause`, as requested by the supervisor; `terminated` after SIGTERM alone; None: no request."""
        try:
            text = (self.directory / "stop").read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            return "terminated" if self._terminated.is_set() else None
        return "pause" if text == "pause" else "cancel"

    def stop_requested(self) -> bool:
        """Whether a stop was requested, by file or by SIGTERM."""
        return self.requested_stop() is not None

    def _reserve_space(self) -> None:
        try:
            (self.directory / "reserve").write_bytes(b"\0" * RESERVE)
        except OSError:  # the disk is already full: the first event will fail
            pass

    def _beat(self) -> None:
        # Runs in a thread, so that a long epoch is not mistaken for a stall.
        path = self.directory / "heartbeat"
        while True:
            try:
                path.touch()
            except OSError:  # on a full disk, the training fails where it writes its own files
                pass
            time.sleep(HEARTBEAT_S)
