"""The one main() of the child processes of jobs: `python -m app.worker.run DIRECTORY`.

`spec.json` names the `program`, a module below app/worker/programs; its `run(channel)` does the work and returns the
result. The last event is Finished, Stopped or Failed; exit status 0: Finished.
"""

import os
import sys
import threading
import time
import traceback
from importlib import import_module

from app.events import Finished, Stopped
from app.worker.channel import Channel, open_channel
from app.worker.failures import StopRequested, kind_of, sentence

LOOK_S = 2.0
ORPHANED = 3  # exit status


def main(directory: str) -> int:
    """Run the program; whatever goes wrong in it is said."""
    channel = open_channel(directory)
    threading.Thread(target=end_when_over, args=(channel,), name="watch", daemon=True).start()
    try:
        result = import_module(f"app.worker.programs.{channel.spec['program']}").run(channel)
    except StopRequested:
        channel.say(Stopped())
        return 1
    except Exception as error:
        channel.fail(kind_of(error), sentence(error), traceback.format_exc())
        return 1
    channel.say(Finished(result or {}))
    return 0


def end_when_over(channel: Channel) -> None:
    """End this process once its folder is gone: the job is over, and nobody will hear what it says."""
    while (channel.directory / "spec.json").exists():
        time.sleep(LOOK_S)
    os._exit(ORPHANED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
