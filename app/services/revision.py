"""The present revision of a dataset, asked of a child process: hashing would stop the web process."""

import json
import logging
import signal
import time
from pathlib import Path

from app.extensions import socketio
from app.services.process import Child
from app.services.storage.unpack import remove_tree

logger = logging.getLogger("yolo.dataset")

LIMIT_S = 600.0  # some 100 GB; a dataset that did not change takes 0.2 s
POLL_S = 0.02


def current_revision(data: Path, folder: Path) -> str | None:
    """The revision of app/worker/revision.py; None where it cannot be found out. Lets others be served meanwhile.

    Args:
        data: the dataset.yaml.
        folder: a staging folder that does not exist yet; it is gone afterwards.
    """
    child = Child.start("revision", folder, {"data": str(data)}, {})
    try:
        until = time.monotonic() + LIMIT_S
        while child.alive():
            if time.monotonic() > until:
                child.signal(signal.SIGKILL)
            socketio.sleep(POLL_S)
        return json.loads((folder / "result.json").read_text(encoding="utf-8"))["revision"]
    except (OSError, ValueError, KeyError):
        logger.warning("the revision of %s cannot be found out", data, extra={"output": child.log_tail()})
        return None
    finally:
        child.sweep()
        remove_tree(folder)
