"""Files that come while the child is already there: the web process names each image once it is whole."""

import os
import time
from collections.abc import Iterator

from app.worker.channel import Channel

POLL_S = 0.005
ALL = ""  # the last line: everything is there, the labels too


class Stopped(Exception):
    """The supervisor wants no more."""


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
