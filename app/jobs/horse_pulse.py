"""Detects a frozen work-horse: it beats in memory that it shares with its worker."""

import mmap
import struct
import threading
import time

BEAT_S = 1.0
MAX_STEP_S = 10.0  # between two checks; more only where the worker itself stood still, and has checked nothing
STOPPED_S = 30.0  # without a beat: a thread of its own gives it, which nothing but the system can hold up for so long


class HorsePulse:
    """Of the work-horse that is forked next.

    A database that is away, or a step that takes long, is no reason not to beat; SIGSTOP, or a file system that hangs
    the whole process, is.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8)
        self.reset()

    def reset(self) -> None:
        """Another one is about to be forked."""
        self._beat = self._memory[:]
        self._silent_s, self._checked_at = 0.0, time.monotonic()

    def begin(self) -> None:
        """In the work-horse: beat until it ends."""
        threading.Thread(target=self._run, name="pulse", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._memory[:] = struct.pack("d", time.monotonic())
            time.sleep(BEAT_S)

    def silent_s(self) -> float:
        """In the worker: seconds without a beat, of those in which it has checked."""
        present = time.monotonic()
        step, self._checked_at = min(present - self._checked_at, MAX_STEP_S), present
        beat = self._memory[:]
        self._silent_s = 0.0 if beat != self._beat else self._silent_s + step
        self._beat = beat
        return self._silent_s
