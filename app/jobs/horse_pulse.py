"""Detects a frozen work-horse: it beats in memory shared with its worker."""

import mmap
import struct
import threading
import time

BEAT_S = 1.0
# longest step between two checks that counts; a longer one means that the worker itself was suspended
MAX_STEP_S = 10.0
STOPPED_S = 30.0  # without a beat: a dedicated thread beats, which only the system can stop for this long


class HorsePulse:
    """The pulse of the next forked work-horse.

    An unavailable database or a long step does not stop the beat; SIGSTOP, or a file system that hangs the whole
    process, does.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8)
        self.reset()

    def reset(self) -> None:
        """Reset before the next fork."""
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
        """In the worker: seconds without a beat, counting only time in which the worker checked."""
        present = time.monotonic()
        step, self._checked_at = min(present - self._checked_at, MAX_STEP_S), present
        beat = self._memory[:]
        self._silent_s = 0.0 if beat != self._beat else self._silent_s + step
        self._beat = beat
        return self._silent_s
