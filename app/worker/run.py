"""The one main() of the child processes of jobs: `python -m app.worker.run DIRECTORY`.

`spec.json` names the `program`, a module below app/worker/programs; its `run(channel)` does the work and returns the
result. The terminal event is Finished, Stopped or Failed, or one of the program's own: the program then emits it
itself, and has an `ending(error, channel)` for exceptions. Exit status 0: done, or stopped as requested.

With `--prewarm PROGRAM` before the directory, it loads that program and waits for `spec.json`; without one, it ends by
itself. With `--gate NUMBER`, it loads its program, and begins once the gate opens: by then its row names this process,
so that no other one is started for the job.
"""

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from app.core.children import GATE
from app.events import Event, Failed, Finished, Refused, Stopped
from app.worker import failures
from app.worker.channel import ORPHANED, Channel, open_channel
from app.worker.failures import StopRequested, kind_of, sentence

POLL_S = 2.0
SPEC_POLL_S = 0.005
PATIENCE_S = 120.0  # for a task: its request may have been aborted
MOST = 20_000  # characters of a traceback

Ending = Callable[[BaseException, Channel], Event]


def main(directory: str, gate: int | None = None) -> int:
    """Run the program; emits its ending, whatever it is.

    Args:
        gate: the pipe to wait on before the work.
    """
    channel = open_channel(directory)
    threading.Thread(target=end_when_over, args=(channel,), name="watch", daemon=True).start()
    end: Ending = ending
    try:
        program = import_module(f"app.worker.programs.{channel.spec['program']}")
        end = getattr(program, "ending", ending)
        if gate is not None and not pass_gate(gate):
            return ORPHANED
        result = program.run(channel)
    except BaseException as error:  # every exception must become an event
        report_ending(channel, end, error)
        return 0 if isinstance(error, StopRequested) else 1
    channel.catch_up()
    channel.emit(Finished(result or {}))
    return 0


def report_ending(channel: Channel, end: Ending, error: BaseException) -> None:
    """Emit the ending, unless another process of the job has done so."""
    channel.catch_up()
    if channel.ended:
        return
    event = end(error, channel)
    channel.emit(event)
    print(getattr(event, "traceback", "") or "stopped as requested", file=sys.stderr)


def ending(error: BaseException, _channel: Channel) -> Event:
    """The terminal event of a program that an exception ended."""
    if isinstance(error, StopRequested):
        return Stopped()
    if isinstance(error, failures.InvalidInput):
        return Refused(error.code, error.data)
    text = "".join(traceback.format_exception(error))
    return Failed(kind_of(error), sentence(error), text[-MOST:])


def has_task(directory: str, program: str) -> bool:
    """Load the program and wait for `spec.json`; false if none comes, or the process that started this one
    has ended.
    """
    parent, limit = os.getppid(), time.monotonic() + PATIENCE_S
    import_module(f"app.worker.programs.{program}")
    while not Path(directory, "spec.json").exists():
        if os.getppid() != parent or time.monotonic() > limit:
            return False
        time.sleep(SPEC_POLL_S)
    return True


def pass_gate(gate: int) -> bool:
    """Wait at the gate; false if the process that started this one ended before the row named it."""
    with open(gate, "rb", buffering=0) as pipe:
        return bool(pipe.read(1))


def end_when_over(channel: Channel) -> None:
    """End this process once its folder was deleted, or another attempt has begun: nothing reads its events."""
    while (channel.directory / "spec.json").exists():
        time.sleep(POLL_S)
        channel.end_if_superseded()
    os._exit(ORPHANED)


if __name__ == "__main__":
    if sys.argv[1] == "--prewarm" and not has_task(sys.argv[-1], sys.argv[2]):
        sys.exit(ORPHANED)
    sys.exit(main(sys.argv[-1], int(sys.argv[2]) if sys.argv[1] == GATE else None))
