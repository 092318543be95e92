"""The first look at a dataset's files: a child that reads them, at work already while they are extracted."""

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.events import Planned
from app.jobs.process import Child
from app.services.datasets.children import ARRIVED, begin, dismiss, spec, verdict
from app.services.datasets.ingest import Job, slots
from app.services.datasets.spare import Spare

AT_ONCE = 4  # children that read an upload for their first verdict: 100 uploads at once must not be 100 of them
ALL = "\n"  # behind the last name, see app/worker/arrivals.py

_places = threading.BoundedSemaphore(AT_ONCE)


class Looking:
    """A child and its place, until its supervisor takes it over; a context manager that leaves nothing behind.

    Args:
        spare: where a child may be ready.
        number: of the revision that it makes.
        options, origin: see `children.spec`.
    """

    def __init__(self, spare: Spare, number: int, options: Mapping[str, Any], origin: Mapping[str, Any]) -> None:
        self.spare, self.number, self.options, self.origin = spare, number, options, origin
        self.child: Child | None = None
        self.offset = 0
        self._has_place = self._has_slot = False
        self._arrived: int | None = None

    def __enter__(self) -> "Looking":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._give_back_slot()
        if self._has_place:
            _places.release()

    def end(self) -> None:
        """The child reads no more when this returns."""
        self._close()
        if self.child is not None:
            dismiss(self.child)
            self.child = None

    def expect(self, folder: Path) -> None:
        """Files are going to be extracted to `folder/source`: begin to read them, where nothing else is being read."""
        self._has_slot = slots.acquire(blocking=False)
        self._has_place = self._has_slot and _places.acquire(blocking=False)
        if not self._has_place:
            self._give_back_slot()
            return
        self._begin(folder, arriving=True)
        assert self.child is not None
        self._arrived = os.open(self.child.directory / ARRIVED, os.O_WRONLY | os.O_APPEND)

    def arrived(self, name: str) -> None:
        """An image is whole: its path below `source/`."""
        if self._arrived is not None:
            os.write(self._arrived, f"{name}\n".encode())

    def begin(self, folder: Path) -> None:
        """All files are there."""
        if self._arrived is not None:
            os.write(self._arrived, ALL.encode())
            self._close()
            return
        _places.acquire()
        self._has_place = True
        self._begin(folder)

    def _begin(self, folder: Path, arriving: bool = False) -> None:
        storage = self.spare.storage
        values = spec(storage, folder, self.number, self.options, self.origin, arriving)
        self.child = begin(storage, values, self.spare.take())

    def verdict(self) -> Planned:
        """Wait for what the child makes of the files, letting others be served.

        Raises:
            Unprocessable, Unavailable: see `children.verdict`.
        """
        assert self.child is not None
        self.offset, planned = verdict(self.child)
        return planned

    def hand_over(self, job: Job) -> Job:
        """Give the child to the job, where it can go on at once; else another one begins later."""
        if self._has_slot or slots.acquire(blocking=False):
            job.child, job.offset, job.has_slot = self.child, self.offset, True
            self.child, self._has_slot = None, False
        return job

    def _close(self) -> None:
        if self._arrived is not None:
            os.close(self._arrived)
            self._arrived = None

    def _give_back_slot(self) -> None:
        if self._has_slot:
            slots.release()
            self._has_slot = False
