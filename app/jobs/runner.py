"""Runs attempts of jobs: "supervise this job, this attempt, there"."""

from typing import Protocol

from flask import Flask

from app.extensions import socketio


class Runner(Protocol):
    """Where attempts run."""

    def start(self, job_id: int, attempt: int, follows: bool = False) -> None:
        """Begin to supervise the attempt, which an earlier server may have begun; returns at once."""


class LocalRunner:
    """Supervises in this process; the child runs on this machine.

    Args:
        app: for the database.
        supervise: the work, see `JobService.supervise`.
    """

    def __init__(self, app: Flask, supervise: "Supervise") -> None:
        self.app, self._supervise = app, supervise

    def start(self, job_id: int, attempt: int, follows: bool = False) -> None:
        socketio.start_background_task(self._supervise, self.app, job_id, attempt, follows)


class Supervise(Protocol):
    def __call__(self, app: Flask, job_id: int, attempt: int, follows: bool) -> None: ...
