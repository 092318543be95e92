"""Uploads as extracted by the import's child."""

from contextlib import chdir
from pathlib import Path

from app.core.imports import ARCHIVE, ArchiveLimits, ImportSpec, Unpacked
from app.services.datasets.archive_texts import refusal
from app.worker.failures import InvalidInput
from app.worker.importing.incoming_files import IncomingFiles

ROOMY = ArchiveLimits(min_free=0)


def bring(folder: Path, data: bytes, limits: ArchiveLimits = ROOMY) -> Unpacked:
    """Extract a ZIP to `folder/source`; a refusal is raised as in the response to the request."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ARCHIVE).write_bytes(data)
    record = folder / "unpacked.json"
    record.unlink(missing_ok=True)
    spec = ImportSpec(str(folder), 1, "", {}, str(record), unpack=True, limits=limits)
    with chdir(folder):
        arrival = IncomingFiles(spec, lambda _count, _total: None, lambda _name: None)
        try:
            arrival.fetch()
        except InvalidInput as verdict:
            answer = refusal(verdict.code, verdict.data)
            assert answer is not None, "every refusal has its text"
            raise answer from verdict
        arrival.wait_until_synced()
    return arrival.unpacked


def stored(folder: Path) -> list[str]:
    """The raw files of a dataset."""
    source = folder / "source"
    return sorted(path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())
