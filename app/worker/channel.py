"""The child's end of the line to the supervisor: numbered events out, a heartbeat, the wish to stop in.

The folder that the child is given holds `spec.json` (its task), `events.jsonl` (what it says), `worker.log` (its
stdout and stderr, connected by the parent), `heartbeat` (touched every second) and, once asked to stop, `stop`.
"""

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from app.events import Event, Failed, encode, read_events

HEARTBEAT_S = 1.0
VARIABLE = "YOLO_WORKER_DIRECTORY"  # how the processes of a multi-GPU training find the folder
_current: "Channel | None" = None


def open_channel(directory: str | Path) -> "Channel":
    """The process's one channel, on this folder; processes that it starts find the folder by `current()`."""
    global _current
    os.environ[VARIABLE] = str(directory)
    _current = Channel(directory)
    return _current


def current() -> "Channel":
    """The process's channel; opened here where another process of the same training was given the folder."""
    return _current or open_channel(os.environ[VARIABLE])


class Channel:
    """Says events and knows whether the child shall stop.

    Args:
        directory: the folder that the parent made, with `spec.json` in it.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self.spec: dict[str, Any] = json.loads((self.directory / "spec.json").read_text(encoding="utf-8"))
        self.ended = False
        self._seq = 0
        self.catch_up()
        self._lock = threading.Lock()
        self._file = open(self.directory / "events.jsonl", "a", encoding="utf-8")  # noqa: SIM115 (open for life)
        self._terminated = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: self._terminated.set())
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def catch_up(self) -> None:
        """Go on behind what another process of this training said: one speaks at a time."""
        for _, said in read_events(self.directory):
            self._seq = said.seq
            self.ended = self.ended or said.event.terminal

    def say(self, event: Event) -> None:
        """Append one event; a terminal one is synced to the disk, and later ones are dropped."""
        with self._lock:
            if self.ended:
                return
            self._seq += 1
            self._file.write(encode(event, self._seq))
            self._file.flush()
            if event.terminal:
                self.ended = True
                os.fsync(self._file.fileno())

    def fail(self, kind: str, error: str, traceback: str = "") -> None:
        """Say that the run failed; `error` is for the user, `traceback` for the log."""
        self.say(Failed(kind, error, traceback))

    def stop_requested(self) -> bool:
        """Whether the supervisor asked to stop, by file or by SIGTERM."""
        return self._terminated.is_set() or (self.directory / "stop").exists()

    def _beat(self) -> None:
        # A thread of its own: one long epoch is no stall.
        path = self.directory / "heartbeat"
        while True:
            path.touch()
            time.sleep(HEARTBEAT_S)
