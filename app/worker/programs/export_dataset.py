"""Writes a version of a dataset as a ZIP in another format.

spec.json: see `ExportDatasetSpec`. Result: `images`, `objects`, `bytes`, `seconds`, and `notes`: what the format cannot
represent, {"code", "count"} each. The same version gives the same bytes.
"""

import os
import time
from pathlib import Path

from app.core.files import atomic_write
from app.core.programs import ExportDatasetResult, ExportDatasetSpec
from app.worker.channel import Channel
from app.worker.failures import DataError
from app.worker.formats import coco_writer, voc_writer, yolo_writer
from app.worker.formats.archive import Archive
from app.worker.formats.export_run import ExportRun, UnsupportedDataset, readme
from app.worker.formats.revision_tree import Revision
from app.worker.progress import ProgressReporter

WRITERS = {"yolo": yolo_writer.write, "coco": coco_writer.write, "voc": voc_writer.write}


def run(channel: Channel) -> ExportDatasetResult:
    """Export the dataset version of the spec."""
    os.nice(10)  # requests and trainings have priority
    began, spec = time.monotonic(), ExportDatasetSpec.of(channel.spec)
    revision, output = Revision.open(Path(spec.revision)), Path(spec.output)
    progress = ProgressReporter(channel, len(revision.pictures))
    jobs: list[ExportRun] = []
    try:
        atomic_write(output, lambda draft: jobs.append(write(draft, revision, spec, progress)))
    except UnsupportedDataset as error:
        raise DataError(str(error)) from error
    return {
        "images": progress.total,
        "objects": jobs[0].objects,
        "bytes": output.stat().st_size,
        "seconds": round(time.monotonic() - began, 3),
        "notes": jobs[0].notes(),
    }


def write(draft: Path, revision: Revision, spec: ExportDatasetSpec, progress: ProgressReporter) -> ExportRun:
    """Write the ZIP."""
    with open(draft, "wb") as file:
        job = ExportRun(revision, Archive(file), spec.task, progress.step)
        WRITERS[spec.format](job)
        job.archive.text("README.txt", [readme(job, spec.format)])
        job.archive.close()
    return job
