"""Decides which process leads, and acts when that changes."""

import json
import logging
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from flask import Flask

from app.cluster import Cluster
from app.cluster.locks import Lock
from app.extensions import socketio

logger = logging.getLogger("yolo.cluster")

POLL_S = 1.0
NAME = "leader.json"


class Leadership:
    """Becomes the leader if there is none.

    A lock that was lost with the database connection is acquired again. That is safe unless another process has led
    meanwhile: then this process ends, gunicorn starts another one, and the children of jobs continue.

    Args:
        folder: of the data; the leader writes its id there.
    """

    def __init__(self, cluster: Cluster, lock: Lock, folder: Path) -> None:
        self.cluster, self.lock, self.folder = cluster, lock, folder
        self.led = False

    def acquire(self) -> bool:
        """Become the leader if there is none; returns whether it did."""
        if not self.lock.acquire():
            return False
        self.write()
        self.cluster.leads = self.led = True
        logger.info("this process leads: %s", self.cluster.id)
        return True

    def run(self, app: Flask, take_over: Callable[[], None]) -> None:
        """Check the leadership repeatedly. The body of a background task.

        Args:
            take_over: recovers what the previous leader left, in an application context.
        """
        while not self.cluster.closed:
            socketio.sleep(POLL_S)
            try:
                self.check(app, take_over)
            except Exception as error:
                logger.warning("checking the leadership: %s", getattr(error, "orig", error))

    def check(self, app: Flask, take_over: Callable[[], None]) -> None:
        """Check the lock once, and act; may raise if the database is unavailable."""
        if self.cluster.leads:
            if not self.lock.held():
                self.cluster.leads = False
                logger.warning("the leader's lock is lost: no jobs are started until it is acquired again")
        elif self.led:
            self.return_or_leave()
        elif self.acquire():
            self.begin(app, take_over)

    def return_or_leave(self) -> None:
        """After a lost lock: lead again, or restart if another process has led."""
        if self.leader() != self.cluster.id:
            logger.warning("another process leads: this one restarts")
            self.cluster.close()
            os.kill(os.getpid(), signal.SIGTERM)
        elif self.lock.acquire():
            if self.leader() != self.cluster.id:  # another process led and ended in between
                return
            self.cluster.leads = True
            logger.info("the leader's lock was acquired again: this process leads")

    def begin(self, app: Flask, take_over: Callable[[], None]) -> None:
        """Take over. If that fails, this process ends, so that another one tries."""
        try:
            with app.app_context():
                take_over()
        except Exception:
            logger.critical("taking over has failed: the process ends", exc_info=True)
            self.cluster.leads = False
            os.kill(os.getpid(), signal.SIGTERM)

    def write(self) -> None:
        about = {"id": self.cluster.id, "host": socket.gethostname(), "pid": os.getpid()}
        draft = self.folder / f".{NAME}.{self.cluster.id}"
        draft.write_text(json.dumps(about), encoding="utf-8")
        os.replace(draft, self.folder / NAME)

    def leader(self) -> str | None:
        """The id of the last process that led."""
        try:
            return str(json.loads((self.folder / NAME).read_bytes())["id"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
