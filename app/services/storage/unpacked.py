"""Extracts an upload in a child process, for a caller without a job."""

from dataclasses import asdict
from pathlib import Path

from app.core.imports import ArchiveLimits, ImportSpec, Unpacked
from app.core.spec import of_values
from app.events import Finished, Refused
from app.jobs.short import run_program


def unpack_dataset(folder: Path, work: Path, limits: ArchiveLimits) -> Unpacked:
    """Extract `original.zip` of a staged dataset to `source/`.

    Args:
        work: a folder for the process, created here and left to the caller.

    Raises:
        AppError: it was refused.
        RuntimeError: the process failed; the message says why.
    """
    spec = ImportSpec(str(folder), 1, "", {}, str(work / "unpacked.json"), unpack=True, limits=limits)
    event = run_program("unpack_dataset", work, asdict(spec))
    if isinstance(event, Finished):
        return of_values(Unpacked, event.result)
    if isinstance(event, Refused):
        from app.services.datasets.archive_texts import refusal  # not at import: its package imports this one

        if error := refusal(event.code, event.data):
            raise error
    raise RuntimeError(f"the archive could not be extracted: {event}")
