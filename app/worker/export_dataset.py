"""Writes a revision of a dataset as a ZIP in another format: `python -m app.worker.export_dataset DIRECTORY`.

spec.json: `revision` (its folder), `format` (yolo, coco or voc), `output` (the ZIP to write), `task` (optional).
Says Exporting and, at its end, Exported or Failed. Exit status 0: the ZIP is there, whole, on the disk. The same
revision gives the same bytes.
"""

import errno
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from app.events import Exported, Exporting
from app.worker.channel import Channel
from app.worker.files import put
from app.worker.formats import coco_writer, voc_writer, yolo_writer
from app.worker.formats.archive import Archive
from app.worker.formats.revision_tree import Revision
from app.worker.formats.writing import Job, Unfit, readme

WRITERS = {"yolo": yolo_writer.write, "coco": coco_writer.write, "voc": voc_writer.write}
REPORT_S = 0.25


class Stopped(Exception):
    """The supervisor wants no more."""


class Export:
    """The state of one run."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.spec: dict[str, Any] = channel.spec
        self.done, self.total = 0, 0
        self.said = 0.0

    def run(self) -> None:
        """From the first image to the terminal event."""
        began = time.monotonic()
        revision = Revision.open(Path(self.spec["revision"]))
        self.total = len(revision.pictures)
        output, jobs = Path(self.spec["output"]), list[Job]()
        put(output, lambda draft: jobs.append(self.write(draft, revision)))
        self.channel.say(
            Exported(self.total, jobs[0].objects, output.stat().st_size, round(time.monotonic() - began, 3),
                     jobs[0].notes())
        )  # fmt: skip

    def write(self, draft: Path, revision: Revision) -> Job:
        """The whole ZIP."""
        with open(draft, "wb") as file:
            job = Job(revision, Archive(file), self.spec.get("task"), self.step)
            WRITERS[self.spec["format"]](job)
            job.archive.text("README.txt", [readme(job, self.spec["format"])])
            job.archive.close()
        return job

    def step(self) -> None:
        """One more image is in it."""
        self.done += 1
        now = time.monotonic()
        if now - self.said >= REPORT_S or self.done == self.total:
            self.said = now
            if self.channel.stop_requested():
                raise Stopped
            self.channel.say(Exporting(self.done, self.total))


def main(directory: str) -> int:
    """Write what `spec.json` asks for; the exit status."""
    os.nice(10)  # whoever waits for a page or a training comes first
    channel = Channel(directory)
    channel.hear_terminations()
    try:
        Export(channel).run()
    except Stopped:
        return 1
    except Unfit as error:
        channel.fail("data", str(error))
        return 1
    except Exception as error:  # whatever it is, the web process must hear of it
        full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
        kind = "disk_full" if full else "out_of_memory" if isinstance(error, MemoryError) else "code"
        channel.fail(kind, f"{type(error).__name__}: {error}"[:500], traceback.format_exc())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
