"""Starts a child process, reads its events, checks that it lives and stops it in stages. No database.

The child has its own session and outlives the web process; its folder, pid and start time identify it afterwards.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from app.config import ROOT
from app.core.children import GATE, MAINS, MARK, STARTER
from app.events import Envelope, read_events
from app.jobs.environment import PASSED_ON

# A requested stop frees a GPU within seconds. KILL must follow TERM: a suspended process leaves TERM pending.
ASK_S, TERM_S = 15.0, 5.0

# Signals by which native libraries crash at a memory limit.
CRASHES = {-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS}

SAFE_ENVIRONMENT = {
    # A checkpoint is a pickle: load tensors and allowed classes only. Nothing is installed or fetched implicitly.
    "ULTRALYTICS_SAFE_LOAD": "1",
    "YOLO_AUTOINSTALL": "0",
    "YOLO_OFFLINE": "1",
    "YOLO_VERBOSE": "1",
    "PYTHONUNBUFFERED": "1",
    "MPLBACKEND": "Agg",
}

# Only the parent can reap a child; one of an earlier server is reaped by init.
_started: dict[int, subprocess.Popen] = {}


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: the allowed variables, safe settings, and `extra` on top; empty values are
    left out.
    """
    merged = PASSED_ON.select() | SAFE_ENVIRONMENT | {key: value for key, value in extra.items() if value}
    if not merged.get("CUDA_VISIBLE_DEVICES"):  # empty in .env means all GPUs, but no GPU to CUDA
        merged.pop("CUDA_VISIBLE_DEVICES", None)
    merged["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return merged


class Child:
    """A process that runs `app.worker.<program>` in a folder of its own.

    Args:
        directory: its folder, see app/worker/channel.py.
        pid: the process, also the id of its session and group.
        started: its start time in seconds since the epoch, which distinguishes it from a later process with the same
            pid.
        gate: our end of the pipe that a gated child reads before its work, see `start`; None: it is not gated.
    """

    def __init__(self, directory: Path, pid: int, started: float, gate: int | None = None) -> None:
        self.directory = directory
        self.pid = pid
        self.started = started
        self._gate = gate

    @classmethod
    def start(
        cls,
        program: str,
        directory: Path,
        spec: Mapping[str, object] | None,
        environment: Mapping[str, str],
        descriptors: Sequence[int] = (),
        options: Sequence[str] = (),
        gated: bool = False,
    ) -> "Child":
        """Start the program in its own session, with its task in `spec.json` and its output in `worker.log`.

        Args:
            spec: None: the program gets its task later, by `brief`.
            descriptors: open files that it inherits under the same numbers.
            options: of the program, before the directory.
            gated: load the program, then wait for `release`; the child ends by itself if this process ends before that.
        """
        directory.mkdir(parents=True, exist_ok=True)
        if spec is not None:
            write_spec(directory, spec)
        closed, gate = os.pipe() if gated else (None, None)
        if closed is not None:
            options, descriptors = [*options, GATE, str(closed)], [*descriptors, closed]
        try:
            with open(directory / "worker.log", "ab") as log:
                popen = subprocess.Popen(
                    [sys.executable, "-m", f"app.worker.{program}", *options, str(directory)],
                    cwd=directory,
                    env=child_environment(environment) | {MARK: str(directory)} | starter(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=descriptors,
                )
        except BaseException:
            if gate is not None:
                os.close(gate)
            raise
        finally:
            if closed is not None:
                os.close(closed)
        _started[popen.pid] = popen
        return cls(directory, popen.pid, start_time(popen.pid) or 0.0, gate)

    def release(self) -> None:
        """Let a `gated` child begin its work."""
        gate, self._gate = self._gate, None
        if gate is None:
            return
        # Not os.write: eventlet's retries for ever where nobody reads the pipe any more.
        with suppress(BrokenPipeError), open(gate, "wb", buffering=0) as pipe:  # broken: it has ended already
            pipe.write(b"1")

    def brief(self, spec: Mapping[str, object]) -> None:
        """Give its task to a child that was started without one."""
        write_spec(self.directory, spec)

    def alive(self) -> bool:
        """Whether it still runs; reaps an ended child of this process."""
        popen = _started.get(self.pid)
        if popen is not None:
            return popen.poll() is None
        started = start_time(self.pid)
        return started is not None and abs(started - self.started) < 1.0

    def exit_code(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs or when another process started it."""
        popen = _started.get(self.pid)
        return popen.poll() if popen is not None else None

    def events(
        self, offset: int = 0, damaged: Callable[[int], Any] = lambda _offset: None
    ) -> Iterator[tuple[int, Envelope]]:
        """Its events from byte `offset` on: (offset behind the event, event). Ends at the present end of the file.

        Args:
            damaged: called with the offset of each complete line that is not an event; it is skipped.
        """
        return read_events(self.directory, offset, damaged)

    def ask_to_stop(self, how: str = "cancel") -> None:
        """Request an end by itself, with its weights saved. `pause`: so that it can resume later."""
        draft = self.directory / ".stop.tmp"
        draft.write_text(how, encoding="ascii")
        os.replace(draft, self.directory / "stop")

    def signal(self, number: int) -> None:
        """Send a signal to it and its descendants."""
        if self.alive():
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                pass

    def sweep(self) -> None:
        """Kill processes that an ended child left behind: those with its folder in their environment."""
        for process in psutil.process_iter():
            try:
                if process.pid != self.pid and process.environ().get(MARK) == str(self.directory):
                    process.kill()
            except psutil.Error:
                continue
        _started.pop(self.pid, None)

    def stop(self, wait: Callable[[float], Any], ask: float = ASK_S, term: float = TERM_S) -> None:
        """Request, TERM, KILL, each timed. `wait(seconds)` must let other work proceed (socketio.sleep)."""
        self.ask_to_stop()
        if self._ended_within(ask, wait):
            return
        self.signal(signal.SIGTERM)
        if self._ended_within(term, wait):
            return
        self.signal(signal.SIGKILL)
        self._ended_within(5.0, wait)

    def _ended_within(self, seconds: float, wait: Callable[[float], Any]) -> bool:
        for _ in range(max(1, int(seconds / 0.05))):
            if not self.alive():
                return True
            wait(0.05)
        return not self.alive()

    def processor_s(self) -> float | None:
        """CPU time that it has used, in s, without its descendants; None: unknown."""
        try:
            used = psutil.Process(self.pid).cpu_times()
        except psutil.Error:
            return None
        return float(used.user + used.system)

    def heartbeat(self) -> float | None:
        """The time of its last heartbeat, in seconds since the epoch."""
        try:
            return (self.directory / "heartbeat").stat().st_mtime
        except FileNotFoundError:
            return None

    def log_tail(self, size: int = 4000) -> str:
        """The end of its output, for a failure report."""
        try:
            with open(self.directory / "worker.log", "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - size))
                return file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""


def starter() -> dict[str, str]:
    """The environment entry that names the process which started a child."""
    return {STARTER: f"{os.getpid()} {start_time(os.getpid()) or 0.0}"}


def starter_lives(pid: int) -> bool:
    """Whether the process that started this child still runs."""
    try:
        number, _space, began = psutil.Process(pid).environ().get(STARTER, "").partition(" ")
        process = psutil.Process(int(number))
        stands_still = process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_STOPPED}
        return not stands_still and abs(process.create_time() - float(began)) < 1.0
    except (psutil.Error, ValueError):
        return False


def write_spec(directory: Path, spec: Mapping[str, object]) -> None:
    """Write `spec.json` atomically."""
    draft = directory / ".spec.tmp"
    draft.write_text(json.dumps(spec, ensure_ascii=False, indent=1), encoding="utf-8")
    os.replace(draft, directory / "spec.json")


def start_time(pid: int) -> float | None:
    """When a process started, in seconds since the epoch; None without such a process, or for a zombie."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def oom_kills() -> int:
    """How often the kernel has killed a process for lack of memory: in our control group, or on the machine."""
    count = 0
    for path, name in (("/sys/fs/cgroup/memory.events", "oom_kill"), ("/proc/vmstat", "oom_kill")):
        try:
            with open(path, encoding="ascii") as file:
                count += sum(int(line.split()[1]) for line in file if line.split()[0] == name)
        except (OSError, ValueError, IndexError):
            continue
    return count


def find_child(directory: Path) -> Child | None:
    """The running child of this folder."""
    children = (Child(folder, pid, started) for pid, started, folder in find_children(directory) if folder == directory)
    return next(children, None)


def find_children(root: Path) -> Iterator[tuple[int, float, Path]]:
    """(pid, start time, directory) of the leading process of each child below `root`."""
    for pid in filter(leads, psutil.pids()):  # first, since it is one call; the rest reads files of /proc
        try:
            process = psutil.Process(pid)
            command, started = process.cmdline(), process.create_time()
        except psutil.Error:  # it has ended, or is another user's
            continue
        if MAINS.intersection(command) and Path(command[-1]).is_relative_to(root):
            yield pid, started, Path(command[-1])


def leads(pid: int) -> bool:
    """Whether it is the leader of its session; its forks have the same command line."""
    try:
        return os.getsid(pid) == pid
    except OSError:  # it has ended
        return False
