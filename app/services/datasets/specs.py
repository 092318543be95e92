"""Builds the spec of an import's child."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from app.config import Settings, settings
from app.core.imports import ArchiveLimits, ImportOptions, ImportSpec, RevisionOrigin, ServerFolder
from app.jobs import Job
from app.services.storage import StorageService

READ, INDEX = "read_dataset", "index_dataset"  # kinds of jobs whose import builds no version, see imports and reindex
MAX_FINDINGS = 100_000  # in the index of a version; further ones are only counted
ENVIRONMENT = {
    # OpenBLAS's threads busy-wait on cores that decode images, and no matrix product here is large enough to need them.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # glibc reuses the memory of one image for the next: mapping it again costs 5 % of a decoding. Bytes.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(256 * 2**20),
}
# The share of the entire import before each stage: 364 images of 0.3 megapixels with 13 objects each took 4.3 s to
# extract, 10.2 s to scan, 5.2 s to check and 1.4 s to build. Larger images take longer to scan.
STAGES = {"extracting": 0.0, "reading": 0.1, "scanning": 0.15, "checking": 0.75, "building": 0.95}
UNPACKED = "unpacked.json"  # in a job's folder: what its first attempt extracted


class ImportSource(TypedDict, total=False):
    """How the files of a new dataset arrive: `unpack`: as a ZIP in its staging folder; `folder`: a `ServerFolder`."""

    unpack: bool
    folder: dict[str, str]


class ImportParams(ImportSource):
    """The params of an import. `staging`: the folder of a new dataset; `accepted`: its request was answered."""

    number: int
    options: ImportOptions
    origin: RevisionOrigin
    staging: NotRequired[str]
    accepted: NotRequired[bool]


def import_spec(storage: StorageService, job: Job, directory: Path) -> dict[str, object]:
    """An `ImportSpec` as values. `directory`: of the job's attempt."""
    params, config, dataset_id = job.params, settings(), job.subject_id
    # once accepted, its files are in the dataset's folder, whatever else is left of the upload
    arrives = not is_accepted(job)
    folder = storage.dataset_dir(dataset_id) if dataset_id is not None else Path(params["staging"])
    spec = ImportSpec(
        dataset=str(folder),
        number=params["number"],
        objects=str(storage.objects),
        options=params["options"],
        unpacked=str(directory.parent / UNPACKED),
        fixes=params["origin"].get("fixes") or [],
        unpack=arrives and params.get("unpack", False),
        folder=ServerFolder(**params["folder"]) if arrives and params.get("folder") else None,
        adopt=job.kind != INDEX and params["origin"].get("kind") == "adopted",
        staged=arrives,
        verdict_only=job.kind == READ,
        index_of=params["hash"] if job.kind == INDEX else "",
        limits=limits(config),
        max_pixels=config.MAX_IMAGE_PIXELS,
        max_findings=MAX_FINDINGS,
        decode_seconds=config.IMAGE_DECODE_SECONDS,
        hurry=job.kind not in {READ, INDEX} and not is_slow(params),
    )
    return asdict(spec)


def import_params(number: int, options: ImportOptions, origin: RevisionOrigin) -> ImportParams:
    """The params of an import that no request waits for."""
    return {"number": number, "options": options.copy(), "origin": origin.copy(), "accepted": True}


def is_accepted(job: Any) -> bool:
    """Whether its request was answered, or it never had one; `job`: a job or its row."""
    return bool(job.params.get("accepted"))


def is_slow(params: Mapping[str, object]) -> bool:
    """Whether an earlier attempt has found that the images are slow."""
    return bool(params.get("slow"))


def environment(_job: Job) -> Mapping[str, str]:
    return ENVIRONMENT


def limits(config: Settings) -> ArchiveLimits:
    return ArchiveLimits(config.MAX_ZIP_ENTRIES, config.MAX_EXPANDED_SIZE, config.MIN_FREE_DISK, config.MAX_CLASSES)
