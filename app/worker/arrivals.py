"""What comes while the child is already there: its task, and images, which are named once they are whole."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from app.worker.channel import Channel

POLL_S = 0.005
PATIENCE_S = 120.0  # for a task: the upload that it was begun for may have broken off
ALL = ""  # the last line: everything is there, the labels too


class Stopped(Exception):
    """The supervisor wants no more."""


def has_task(directory: Path) -> bool:
    """Wait for `spec.json`; false where none comes, or nobody is there any more to write it."""
    parent, limit = os.getppid(), time.monotonic() + PATIENCE_S
    while not (directory / "spec.json").exists():
        if os.getppid() != parent or time.monotonic() > limit:
            return False
        time.sleep(POLL_S)
    return True


def arrivals(channel: Channel, arriving: bool) -> Iterator[str]:
    """The names in `arrived` as they are written, until its last line; nothing where nothing is on its way.

    Raises:
        Stopped: asked to, or whoever extracts is gone: the next web process begins anew.
    """
    parent, rest = os.getppid(), ""
    if not arriving:
        return
    with open(channel.directory / "arrived", encoding="utf-8") as file:
        while True:
            *lines, rest = (rest + file.read()).split("\n")
            for name in lines:
                if name == ALL:
                    return
                yield name
            if channel.stop_requested() or os.getppid() != parent:
                raise Stopped
            time.sleep(POLL_S)
