"""Decodes untrusted images under limits of time and memory: exceeding them kills one small process, never the import or
the test.

    with DecoderPool(4, limits) as decoders:                        # from several threads
        picture = decoders.run(read_picture, path, …)               # what the function returns or raises; OverLimit
        results = decoders.run_batch(read_picture, [(path, …), …])  # of the first ones, with one message each way
    pixels = confined(read_pixels, path)                # as `run`, with one decoder that the process keeps

Decoders are forks of this process, see app/worker/decoder_processes.py: starting one takes milliseconds.
"""

import mmap
import os
import pickle
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from app.worker.decode_limits import ORDINARY, SECONDS, DecodeLimits, OverLimit
from app.worker.decoder_processes import (
    CLOCK,
    INFINITE,
    DecoderForkServer,
    ForkServerGone,
    Result,
    allow_for,
    batch_results,
    is_decoder,
    one_at_a_time,
)

__all__ = [
    "ORDINARY",
    "SECONDS",
    "DecodeLimits",
    "DecoderPool",
    "OverLimit",
    "Result",
    "allow_for",
    "confined",
    "one_at_a_time",
    "prepare",
    "set_limits",
    "wall_seconds",
]

GRACE_S = 110.0  # wall time, for the disk
SLOWED = 30  # slowdown: a decoder has a low priority on a loaded machine


class DecoderPool:
    """Up to `count` decoders, started on demand; a context manager. Thread-safe.

    Args:
        count: parallel decodings.
        limits: per decoding.
    """

    def __init__(self, count: int, limits: DecodeLimits) -> None:
        self.limits = limits
        self._positions = mmap.mmap(-1, count)  # written by the decoders: each in its own byte
        self._fork_server = DecoderForkServer(self._positions)
        self._renewing = threading.Lock()
        self._at_work: set[Decoder] = set()
        self._aborted = False
        self._slots: SimpleQueue[Slot] = SimpleQueue()
        for number in range(count):
            self._slots.put(Slot(number))

    def __enter__(self) -> "DecoderPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """The result of `function(*args)`, or its exception, called in a decoder.

        Args:
            function: of a module, since it is sent by name.

        Raises:
            OverLimit: it exceeded a limit, or its process ended.
            OSError: no process can be started now.
        """
        succeeded, answer = self._call(function, args)
        if not succeeded:
            raise answer
        return answer

    def run_batch(self, function: Callable[..., Any], batch: Sequence[tuple[Any, ...]]) -> dict[int, Result]:
        """The results of some calls of a function, by position in the batch: of the first ones that one decoder makes
        within BATCH_S, at least of one; or only (False, OverLimit) of the one that exceeded a limit. The others are to
        be requested again.

        Args:
            batch: the arguments of each call, at most 256, since a position is a byte.

        Raises:
            OSError: no process can be started now.
        """
        try:
            succeeded, answer = self._call(batch_results, (function, batch))
        except OverLimit as error:
            last = len(batch) - 1  # where memory was overwritten, the position may be too
            return {min(error.position, last): (False, error)}
        if not succeeded:
            raise answer
        return dict(enumerate(answer))

    def _call(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Result:
        """The result of a function in a decoder; raises as `run`, except for the function's own exceptions."""
        slot, question = self._slots.get(), (function, args)
        decoder = slot.decoder
        self._positions[slot.number] = 0
        try:
            if self._aborted:
                raise OverLimit("ended")
            if decoder is None or not decoder.fits() or not decoder.ask(question):  # ended while idle
                decoder = self._another(slot)
                decoder.ask(question)
            self._at_work.add(decoder)
            if self._aborted:
                decoder.kill()
            succeeded, answer = decoder.answer(self.limits)
            if isinstance(answer, OverLimit):  # replace the process, which may still hold too much memory
                raise answer
        except BaseException as error:
            if decoder is not None:
                decoder.end()
                self._at_work.discard(decoder)
            slot.decoder = None
            if isinstance(error, OverLimit):
                error.position = self._positions[slot.number]
            raise
        else:
            self._at_work.discard(decoder)  # before another thread can use it
        finally:
            self._slots.put(slot)
        return succeeded, answer

    def _another(self, slot: "Slot") -> "Decoder":
        """A new decoder for a slot."""
        if slot.decoder is not None:
            slot.decoder.end()
            slot.decoder = None
        server = self._fork_server
        try:
            slot.decoder = Decoder(server, self.limits, slot.number)
        except ForkServerGone:
            slot.decoder = Decoder(self._replace(server), self.limits, slot.number)
        return slot.decoder

    def _replace(self, previous: DecoderForkServer) -> DecoderForkServer:
        """A new fork server after one has ended, as for lack of memory; created by the first thread that calls."""
        with self._renewing:
            if self._fork_server is previous:
                previous.close()
                self._fork_server = DecoderForkServer(self._positions)
            return self._fork_server

    def abort(self) -> None:
        """Kill all decodings: each `run` in progress, and each later one, raises OverLimit."""
        self._aborted = True
        for decoder in list(self._at_work):
            decoder.kill()

    def close(self) -> None:
        """End all decoders; no `run` may be in progress."""
        while not self._slots.empty():
            if decoder := self._slots.get().decoder:
                decoder.end()
        self._fork_server.close()


@dataclass
class Slot:
    """One of the decoders that a pool may have: its number, and the process, once it was started."""

    number: int
    decoder: "Decoder | None" = None


class Decoder:
    """The parent's end of one decoding process."""

    def __init__(self, server: "DecoderForkServer", limits: DecodeLimits, slot: int) -> None:
        self.server = server
        self.folder = working_folder()
        ours, theirs = socket.socketpair()
        with theirs:
            self.pid = server.spawn(theirs.fileno(), limits, slot)
        self.connection = Connection(ours.detach())
        self.status = 0
        self._lock = threading.Lock()

    def fits(self) -> bool:
        """Whether its working directory is ours: paths may be relative."""
        return self.folder == working_folder()

    def ask(self, question: tuple[Callable[..., Any], tuple[Any, ...]]) -> bool:
        """Send a function and its arguments; False: the process has ended."""
        try:
            self.connection.send(question)
        except ConnectionError:
            return False
        return True

    def answer(self, limits: DecodeLimits) -> tuple[bool, Any]:
        """(True, result) or (False, exception).

        Raises:
            OverLimit: the process has ended.
        """
        try:
            return pickle.loads(self._read_answer(limits))  # noqa: S301 (a fork of this process)
        except (EOFError, ConnectionError) as error:
            raise OverLimit(cause_of(self.end(kill=False))) from error

    def _read_answer(self, limits: DecodeLimits) -> bytes:
        """Wait for its answer, for the time that it announces, or for `limits.wall`; its wait for a turn does not
        count.
        """
        seconds, until = limits.seconds, None if limits.wall is None else time.monotonic() + limits.wall
        while self.connection.poll(wall_seconds(seconds) if until is None else max(0.0, until - time.monotonic())):
            data = self.connection.recv_bytes()
            if len(data) != CLOCK.size or data[:1] != b"c":  # a pickle begins differently
                return data
            _, seconds = CLOCK.unpack(data)
        raise OverLimit("wall")

    def kill(self) -> None:
        """Kill it from another thread; the thread that waits then sees its end."""
        with self._lock:  # its pid cannot be reused before it is reaped
            if self.pid:
                os.kill(self.pid, signal.SIGKILL)

    def end(self, kill: bool = True) -> int:
        """End the process; its exit status, negative for a signal."""
        with self._lock:
            pid, self.pid = self.pid, 0
        if pid:
            self.connection.close()
            try:
                self.status = self.server.reap(pid, kill)
            except ForkServerGone:  # it ends with its socket or by its time limit, with an unknown status
                self.status = 0
        return self.status


def cause_of(status: int) -> str:
    """The reason why a decoder ended by itself."""
    return {-signal.SIGPROF: "time", -signal.SIGXCPU: "time", -signal.SIGKILL: "killed"}.get(status, "crash")


def wall_seconds(seconds: float) -> float | None:
    """The longest silence of a decoder with this CPU time limit; None: unlimited."""
    return None if seconds == INFINITE else GRACE_S + SLOWED * seconds


def working_folder() -> tuple[int, int]:
    status = os.stat(".")
    return status.st_dev, status.st_ino


class OwnDecoder:
    """The single decoder of a process that decodes images occasionally."""

    def __init__(self) -> None:
        self.limits = DecodeLimits()
        self._lock = threading.Lock()
        self._pool: DecoderPool | None = None

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """As `DecoderPool.run`."""
        if is_decoder():
            return function(*args)
        return self.prepare().run(function, *args)

    def prepare(self) -> DecoderPool:
        with self._lock:
            self._pool = self._pool or DecoderPool(1, self.limits)
        return self._pool


_single = OwnDecoder()
confined = _single.run


def set_limits(limits: DecodeLimits) -> None:
    """Set the limits of `confined` in this process, before its first call."""
    _single.limits = limits


def prepare(limits: DecodeLimits) -> None:
    """Fork the server of `confined` now, before this process loads much memory or starts threads."""
    set_limits(limits)
    _single.prepare()
