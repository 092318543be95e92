"""Decides when a running child must end: a requested stop, silence, or a time limit."""

import signal
import time

from app.events import Event, Failed
from app.jobs.kinds import JobKind
from app.jobs.model import PAUSE
from app.jobs.process import ASK_S, TERM_S, Child
from app.jobs.pulse import Pulse

SILENT_S = 60.0  # without a heartbeat
PAUSE_S = 60.0  # a pause waits longer than a stop: a kill loses what was done since the checkpoint


class RequestedStop:
    """Requests the stop, then sends TERM, then KILL, each timed by a monotonic clock. Cancel overrides pause."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.mode: str | None = None
        self._since = 0.0

    def follow(self, mode: str | None) -> None:
        """Start or continue the stop; `mode`: the row's `stop_mode`."""
        if mode is not None and mode != self.mode:
            self.child.ask_to_stop(mode)
            self.mode, self._since = mode, time.monotonic()
        if self.mode is None:
            return
        waited = time.monotonic() - self._since
        patience = PAUSE_S if self.mode == PAUSE else ASK_S
        if waited > patience + TERM_S:  # a suspended process leaves TERM pending
            self.child.signal(signal.SIGKILL)
        elif waited > patience:
            self.child.signal(signal.SIGTERM)


class Vigil:
    """How long a child has been silent, idle and running.

    Args:
        kind: has the limits.
    """

    def __init__(self, child: Child, kind: JobKind) -> None:
        self.kind, self.pulse = kind, Pulse(child)
        self._began = self._last_event_at = time.monotonic()
        self._last: Event | None = None

    def note(self, event: Event) -> None:
        """Record an event; events of background threads do not show that the work proceeds."""
        if not event.background:
            self._last, self._last_event_at = event, time.monotonic()

    def failure(self) -> Failed | None:
        """The reason to kill the child, if there is one."""
        present = time.monotonic()
        if self.pulse.silent_s() > SILENT_S:
            return Failed("stalled", f"no heartbeat for {SILENT_S:.0f} s")
        idle = self.kind.idle_s
        if idle and self._last is not None and self._last.repeated and present - self._last_event_at > idle:
            return Failed("stalled", f"no batch for {idle:.0f} s")
        if self.kind.limit_s and present - self._began > self.kind.limit_s:
            return Failed("slow", f"not done within {self.kind.limit_s:.0f} s")
        return None
