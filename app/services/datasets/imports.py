"""The job kinds that build dataset versions, and how their events change the datasets' rows."""

import json
import logging
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.core.children import TAKES_LONG
from app.core.imports import ImportOptions, ImportResult, RevisionOrigin
from app.database import retry_until_writable, write_now_or_later, writing
from app.events import Advanced, Event, Failed, Planned, Refused
from app.extensions import db
from app.jobs import Job, JobKind, JobService, JobStatus
from app.jobs.progress import NO_PROGRESS, JobProgressView
from app.models import Dataset, DatasetRevision, DatasetStatus, RevisionStatus
from app.notify import to_dashboard
from app.schemas.datasets import ProgressOutValues
from app.services.datasets.dataset_about import describe
from app.services.datasets.import_failures import LOST, reason
from app.services.datasets.outcome import accept, fail_revision
from app.services.datasets.specs import (
    ENVIRONMENT,
    INDEX,
    READ,
    STAGES,
    ImportParams,
    environment,
    import_params,
    import_spec,
    is_accepted,
    is_slow,
)
from app.services.datasets.verdicts import Verdicts
from app.services.storage import StorageService

logger = logging.getLogger("yolo.dataset")

IMPORT = "import_dataset"
AT_ONCE = 2  # working on images; each uses every core
LONG_S, AT_MOST = 60.0, 4  # a slow one does not block others: two large datasets must not delay all
READ_AT_ONCE = 4  # reading an upload only for its response: limits 100 concurrent uploads
POLL_S = 0.02  # short, since a request waits for the child's first verdict


class DatasetImports:
    """Builds versions by jobs. An import is `accepted` once its request was answered: only then does it have rows and
    outlast the server.

    Args:
        storage: of the datasets' files.
        jobs: runs the kinds `import_dataset` and `read_dataset`, registered here.
    """

    def __init__(self, storage: StorageService, jobs: JobService) -> None:
        self.storage, self.jobs = storage, jobs
        self.verdicts = Verdicts(jobs)
        self.lost: dict[int, float] = {}  # by job whose process was lost: the time, until it starts again or has ended
        reading = JobKind(
            READ,
            program="import_dataset",
            spec=self.spec,
            environment=environment,
            poll_s=POLL_S,
            apply=self.apply,
            ends=self.on_end,
            ended=self.conclude,
            requeued=self.notify_waiting,
            again=retry_params,
            at_once=READ_AT_ONCE,
            lasts=False,
        )
        jobs.register(
            replace(
                reading,
                name=IMPORT,
                stages=STAGES,
                collect=self.collect,
                prewarm=ENVIRONMENT,
                at_once=AT_ONCE,
                long_s=LONG_S,
                at_most=AT_MOST,
                slow=is_slow,
                lasts=is_accepted,
            )
        )
        jobs.register(replace(reading, beside_web=True))

    # Called by services.

    def prepare(self) -> None:
        """Files have begun to arrive: prewarm a child."""
        self.jobs.prewarm(IMPORT)

    def submit(self, params: ImportParams, dataset_id: int | None = None) -> Job:
        """Submit the import of a waiting request: as a full import if one can start at once; otherwise the files are
        only read for the response, and `follow` builds the version later.

        Args:
            params: `number`, `options`, `origin`; of a new dataset `staging`, and `unpack` or `folder`.
        """
        subject = ("dataset", dataset_id) if dataset_id else None
        return self.jobs.submit(IMPORT, params, subject, otherwise=READ)

    def follow(self, dataset_id: int, number: int, options: ImportOptions, origin: RevisionOrigin) -> Job:
        """Queue the build of a version whose row exists."""
        return self.jobs.submit(IMPORT, import_params(number, options, origin), ("dataset", dataset_id))

    def add(self, session: Any, dataset_id: int, params: ImportParams) -> Job:
        """As `follow`, in the transaction that creates the row; call `release` after its commit."""
        accepted_params = import_params(params["number"], params["options"], params["origin"])
        return self.jobs.add(session, IMPORT, accepted_params, ("dataset", dataset_id))

    def release(self, job_id: int) -> None:
        """After the commit of an accepted import: send the dataset's folder to its child, or announce its job. Retried
        until it succeeds.
        """
        write_now_or_later(lambda: self.send_location(job_id))

    def send_location(self, job_id: int) -> None:
        job = self.jobs.get(job_id)
        if job.status == JobStatus.PENDING:
            self.jobs.announce(job)
            self.jobs.scheduler.wake()
            return
        meter = self.jobs.live.meters.get(job_id)
        if meter is not None and meter.stage == "scanning":  # it started before the dataset had a row
            self.notify_progress(job)
        if job.kind == IMPORT and job.status == JobStatus.RUNNING:
            self.write_location(job, self.jobs.kinds[IMPORT].directory_of(job, self.jobs.root))

    def write_location(self, job: Job, directory: Path) -> None:
        """Write the file that the child's `wait_for_location` polls. An attempt without a folder gets the location in
        its spec."""
        draft = directory / ".placed.tmp"
        try:
            draft.write_text(json.dumps({"dataset": str(self.storage.dataset_dir(job.subject_id or 0))}))
            os.replace(draft, directory / "placed")
        except FileNotFoundError:
            return

    def end(self, dataset_id: int) -> None:
        """End the builds of a dataset; returns once their children have exited."""
        for job in self.of(dataset_id):
            self.jobs.end(job.id)

    def of(self, dataset_id: int) -> list[Job]:
        """The unfinished jobs that work in a dataset's folder."""
        return [job for kind in (IMPORT, READ, INDEX) for job in self.jobs.active(kind) if job.subject_id == dataset_id]

    def subjects(self) -> set[int]:
        """The datasets with a running or queued build."""
        table = Job.__table__.c  # not the class: setting up the mappers would delay the server's first answer
        unfinished = table.status.in_([JobStatus.RUNNING, JobStatus.PENDING]) & (table.kind == IMPORT)
        dataset_ids = db.session.scalars(select(table.subject_id).where(unfinished, table.subject_id.is_not(None)))
        return set(dataset_ids)

    def busy(self) -> bool:
        """Whether any version, or its index, is being built."""
        return bool(self.jobs.active(IMPORT) or self.jobs.active(INDEX))

    def progress(self, dataset_ids: Iterable[int]) -> dict[int, ProgressOutValues]:
        """The progress of these datasets' imports, by dataset."""
        if not self.jobs.live.meters:
            return {}
        running = (Job.kind == IMPORT) & (Job.status == JobStatus.RUNNING) & Job.subject_id.in_(list(dataset_ids))
        progress_by_id: dict[int, ProgressOutValues] = {}
        for job_id, dataset_id, params in db.session.execute(select(Job.id, Job.subject_id, Job.params).where(running)):
            meter = self.jobs.live.meters.get(job_id)
            if meter is not None and meter.stage:
                progress_by_id[dataset_id] = {**meter.read(), "revision": params["number"]}
        return progress_by_id

    # Callbacks of the kinds.

    def spec(self, job: Job, directory: Path) -> Mapping[str, object]:
        self.lost.pop(job.id, None)
        if job.subject_id is not None:
            self.storage.revisions.remove_unfinished(job.subject_id)
        return import_spec(self.storage, job, directory)

    def apply(self, job: Job, event: Event, directory: Path) -> None:
        """Pass the first verdict to the request that waits for it, and progress to the readers of datasets."""
        if isinstance(event, Planned):
            # accepted by an earlier server, which may have ended before the child received the location
            if is_accepted(job):
                retry_until_writable(lambda: self.write_location(job, directory))
            else:
                self.verdicts.publish(job.id, event)
        elif isinstance(event, Advanced) and job.subject_id is not None and job.kind == IMPORT:
            self.notify_progress(job)

    def on_end(self, job_id: int, event: Event) -> None:
        """Answer the waiting request with a refusal, whether or not the row can be written now."""
        if isinstance(event, Refused) or (isinstance(event, Failed) and event.kind not in {*LOST, TAKES_LONG}):
            self.verdicts.publish(job_id, event)
        elif isinstance(event, Failed) and event.kind in LOST:
            self.lost[job_id] = time.monotonic()

    def lost_for(self, job_id: int) -> float:
        """Seconds since the process of a job was lost, until the job restarts or its ending is recorded; 0:
        not lost.
        """
        since = self.lost.get(job_id)
        return 0.0 if since is None else time.monotonic() - since

    def collect(self, job: Job, result: Mapping[str, object], _directory: Path) -> Mapping[str, object]:
        """Record the built version."""
        imported, replaced, job_id = ImportResult.read(result), list[Path](), job.id
        with writing() as session:
            job = session.get_one(Job, job_id)
            rows = building_rows(session, job)
            if rows is not None:
                accept(session, *rows, imported)
                if rows[0].revision == imported.number:  # before the row announces the version
                    replaced = self.storage.revisions.show_revision(rows[0].id, imported.number)
        if rows is not None:
            self.storage.remove_all(replaced)
        images = sum(imported.images.values())
        return {
            "dataset_id": job.subject_id,
            "revision": imported.number,
            "images": images,
            "seconds": imported.seconds,
        }

    def conclude(self, job: Job) -> None:
        """After the end of a job: update the rows, and describe them in the folder."""
        self.verdicts.received.pop(job.id, None)  # the row has the verdict now
        self.lost.pop(job.id, None)
        if not is_accepted(job) or job.subject_id is None:
            return
        job_id, dataset_id, number = job.id, job.subject_id, job.params["number"]
        if job.status != JobStatus.COMPLETED:
            with writing() as session:
                job = session.get_one(Job, job_id)
                rows = building_rows(session, job)
                if rows is not None:
                    fail_revision(*rows, reason(job))
            if rows is not None:
                self.storage.revisions.remove_revision(dataset_id, number)
        dataset = db.session.get(Dataset, dataset_id)
        if dataset is None:  # deleted meanwhile
            return
        status, error, result = str(dataset.status), dataset.error, job.result or {}
        describe(self.storage, dataset_id)
        seconds, images = result.get("seconds"), result.get("images")
        after = f" after {seconds:.2f} s" if isinstance(seconds, float | int) else ""
        logger.info(
            "revision %d of dataset %d: %s%s%s", number, dataset_id, status, after, f": {error}" if error else ""
        )
        total = images if isinstance(images, int) else 0
        self.notify(job, status, {**NO_PROGRESS, "done": total, "total": total}, error)

    def notify_progress(self, job: Job) -> None:
        """Send the progress from the job's meter."""
        if meter := self.jobs.live.meters.get(job.id):
            self.notify(job, self.status_of(job), meter.read())

    def notify_waiting(self, job: Job) -> None:
        """Reset the progress of an import that waits for its next attempt."""
        if is_accepted(job) and job.kind == IMPORT:
            self.notify(job, self.status_of(job), NO_PROGRESS)

    def status_of(self, job: Job) -> str:
        status = db.session.scalar(select(Dataset.status).where(Dataset.id == job.subject_id))
        return str(status or DatasetStatus.VALIDATING)

    def notify(self, job: Job, status: str, progress: JobProgressView, error: str | None = None) -> None:
        """Send the progress to the readers of datasets."""
        message = {"dataset_id": job.subject_id, "status": status, "error": error, "revision": job.params["number"]}
        to_dashboard("dataset_update", {**message, **progress})


def retry_params(job: Job, failure: Failed) -> dict[str, object] | None:
    """The params for a retry; None: it has failed. Imports with slow images retry in the slow lane; imports whose
    staging folder was moved before the child could read it retry without that.
    """
    if failure.kind == TAKES_LONG and is_accepted(job) and not is_slow(job.params):
        return {**job.params, "slow": True}
    staging = job.params.get("staging")
    if not is_accepted(job) or not staging or str(staging) not in failure.error:
        return None
    return {name: value for name, value in job.params.items() if name != "staging"}


def building_rows(session: Any, job: Job) -> tuple[Dataset, DatasetRevision] | None:
    """The rows of an accepted import whose version is being built."""
    mine = (DatasetRevision.dataset_id == job.subject_id) & (DatasetRevision.number == job.params["number"])
    revision = session.scalar(select(DatasetRevision).where(mine))
    if revision is None or revision.status != RevisionStatus.BUILDING:
        return None
    return session.get_one(Dataset, job.subject_id), revision
