"""The decoder processes, and the fork server that starts them, with the required modules loaded.

The fork server has no threads and no open files of its parent; each decoder is its child, is limited before it reads a
byte, and ends with its socket. See app/worker/decoders.py.
"""

import errno
import fcntl
import gc
import mmap
import os
import pickle
import resource
import signal
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from app.worker.decode_limits import DecodeLimits, OverLimit, limit_memory

SPAWN, REAP, KILL = b"s", b"r", b"k"
PID = struct.Struct("=i")  # or a negative errno
LIMITS = struct.Struct("=dqi")  # seconds, bytes, number of the decoder in its pool
CLOCK = struct.Struct(
    "=cd"
)  # sent by a decoder in progress: b"c" and its seconds, INFINITE while it waits for its turn
INFINITE = float("inf")
DYING_S = 2.0  # between the end of a process's socket and its exit
BATCH_S = 0.1  # a decoder answers after this time; what it has done by then is lost if the next call ends it

Result = tuple[bool, Any]  # (True, what a function returned) or (False, the exception that it raised)

# Locked by one process at a time; released when that ends, however it ends.
_turn = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the process, and inherited by its forks)
_work: "Work | None" = None  # of this process, if it is a decoder


class ForkServerGone(Exception):
    """The process that starts decoders has ended."""


def is_decoder() -> bool:
    """Whether this process is a decoder."""
    return _work is not None


def allow_for(pixels: int) -> None:
    """Give this decoder the time for an image of so many pixels; called once the header was read and checked."""
    if _work is not None:
        _work.allow_for(pixels)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Huge images are decoded one at a time across all decoders, to limit memory. The wait does not count as decoding
    time.
    """
    try:
        fcntl.lockf(_turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        wait_for_turn()
    try:
        yield
    finally:
        fcntl.lockf(_turn, fcntl.LOCK_UN)


def wait_for_turn() -> None:
    if _work is not None:
        _work.send_clock(INFINITE)
    fcntl.lockf(_turn, fcntl.LOCK_EX)
    if _work is not None:
        _work.send_clock(_work.seconds)


class DecoderForkServer:
    """The parent's end of the process that forks the decoders.

    Args:
        positions: shared memory with a byte for each decoder of the pool: its position in its batch.
    """

    def __init__(self, positions: mmap.mmap) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            serve_forks(theirs, positions)
        theirs.close()

    def spawn(self, number: int, limits: DecodeLimits, slot: int) -> int:
        """Start a decoder that answers on this socket and works in our working directory; its pid.

        Args:
            slot: its number in the pool.

        Raises:
            ForkServerGone
            OSError: no process can be started now.
        """
        folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            pid = self._request(SPAWN + LIMITS.pack(limits.seconds, limits.memory, slot), [number, folder])
        finally:
            os.close(folder)
        if pid < 0:
            raise OSError(-pid, os.strerror(-pid))
        return pid

    def reap(self, pid: int, kill: bool) -> int:
        """The exit status of a decoder; without `kill`, of one whose socket has closed, and which exits by itself.

        Raises:
            ForkServerGone
        """
        return self._request((KILL if kill else REAP) + PID.pack(pid))

    def _request(self, message: bytes, numbers: Sequence[int] = ()) -> int:
        try:
            with self._lock:
                socket.send_fds(self._socket, [message], numbers)
                data = self._socket.recv(PID.size, socket.MSG_WAITALL)
        except ConnectionError as error:
            raise ForkServerGone from error
        if len(data) < PID.size:
            raise ForkServerGone
        return PID.unpack(data)[0]

    def close(self) -> None:
        with self._lock:
            self._socket.close()
            os.waitpid(self.pid, 0)


def serve_forks(connection: socket.socket, positions: mmap.mmap) -> NoReturn:
    """The fork server, until its socket closes."""
    try:
        close_inherited(connection.fileno(), _turn.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):  # the parent ends on these, and this process with it
            signal.signal(number, signal.SIG_IGN)
        gc.freeze()  # pages that are never written stay shared
        while True:
            message, numbers, _, _ = socket.recv_fds(connection, 4096, 2)
            if not message:
                os._exit(0)
            connection.sendall(PID.pack(obey(message, numbers, connection, positions)))
    finally:
        os._exit(1)


def obey(message: bytes, numbers: list[int], connection: socket.socket, positions: mmap.mmap) -> int:
    """Carry out a message: returns a pid or a negative errno, or an exit status."""
    if message[:1] != SPAWN:
        return reap(PID.unpack(message[1:])[0], message[:1] == KILL)
    try:
        pid = os.fork()
    except OSError as error:  # too many processes or too little memory at the moment
        pid = -(error.errno or errno.EAGAIN)
    if pid == 0:
        connection.close()
        os.fchdir(numbers[1])
        os.close(numbers[1])
        seconds, memory, slot = LIMITS.unpack(message[1:])
        serve(Work(Connection(numbers[0]), DecodeLimits(seconds, memory), positions, slot))
    for number in numbers:
        os.close(number)
    return pid


def reap(pid: int, kill: bool) -> int:
    """Wait for a decoder's exit, and kill it if it does not exit."""
    limit = time.monotonic() + (0 if kill else DYING_S)
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= limit:
            os.kill(pid, signal.SIGKILL)
            limit += DYING_S
        time.sleep(0.001)


def close_inherited(*descriptors: int) -> None:
    """Close files inherited from the parent, except stdin, stdout and stderr."""
    lowest = 3
    for number in sorted(descriptors):
        os.closerange(lowest, number)
        lowest = number + 1
    os.closerange(lowest, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


class Work:
    """The time limit of a decoder, its connection to the parent, and which call of a batch it works on.

    Args:
        limits: per call.
        positions: of all decoders of the pool, in shared memory.
        slot: the number of this one.
    """

    def __init__(self, connection: Connection, limits: DecodeLimits, positions: mmap.mmap, slot: int) -> None:
        self.connection, self.limits = connection, limits
        self.positions, self.slot = positions, slot
        self.seconds = limits.seconds  # of the current call

    def begin(self, position: int = 0) -> None:
        """Start the time of a call."""
        self.positions[self.slot] = position
        self.seconds = self.limits.seconds
        signal.setitimer(signal.ITIMER_PROF, self.seconds)

    def end(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def allow_for(self, pixels: int) -> None:
        """More time for a large image; counted from its beginning, however often this is called."""
        more = self.limits.seconds_for(pixels) - self.seconds
        if more > 0:
            self.seconds += more
            signal.setitimer(signal.ITIMER_PROF, signal.getitimer(signal.ITIMER_PROF)[0] + more)
            self.send_clock(self.seconds)

    def send_clock(self, seconds: float) -> None:
        self.connection.send_bytes(CLOCK.pack(b"c", seconds))


def serve(work: Work) -> NoReturn:
    """The decoder, until its socket closes."""
    global _work
    _work, connection = work, work.connection
    try:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)  # the default action ends the process, whatever it is doing
        limit_memory(work.limits.memory)
        while True:
            try:
                function, args = connection.recv()
            except (EOFError, ConnectionError):
                os._exit(0)
            work.begin()
            answer = answer_of(function, args)
            work.end()
            connection.send_bytes(answer)
    except (BrokenPipeError, ConnectionError):
        os._exit(0)
    finally:
        os._exit(1)


def answer_of(function: Callable[..., Any], args: tuple[Any, ...]) -> bytes:
    """The bytes that `Decoder.answer` reads."""
    try:
        return pickle.dumps((True, function(*args)), pickle.HIGHEST_PROTOCOL)
    except MemoryError:
        return pickle.dumps((False, OverLimit("memory")))
    except SystemError:  # from Pillow's C code after a failed allocation
        return pickle.dumps((False, OverLimit("crash")))
    except Exception as error:
        return pickle.dumps((False, picklable(error)))


def batch_results(function: Callable[..., Any], batch: Sequence[tuple[Any, ...]]) -> list[Result]:
    """The results of the first calls of a batch, at least of one; called in a decoder.

    Raises:
        MemoryError: the call at the decoder's present position needs too much.
        SystemError: the same.
    """
    results: list[Result] = []
    until = time.monotonic() + BATCH_S
    for position, args in enumerate(batch):
        if _work is not None:
            _work.begin(position)
        try:
            results.append((True, function(*args)))
        except (MemoryError, SystemError):
            raise
        except Exception as error:
            results.append((False, picklable(error)))
        if time.monotonic() >= until:
            break
    return results


def picklable(error: Exception) -> Exception:
    """An exception with its attributes, or only its text if it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 (what is pickled here)
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
