"""Queues exports: a row and its job, committed together; equal requests share a row."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from sqlalchemy import delete, select

from app.core.exports import ExportArguments
from app.core.failure import JobFailure
from app.database import writing
from app.extensions import db
from app.jobs import Job, JobStatus
from app.jobs.devices import CPU
from app.jobs.model import DISPLACED
from app.jobs.progress import JobProgressView
from app.models import ModelExport, Training
from app.schemas.exports import ExportErrorOutValues
from app.services.exports import texts
from app.services.exports.files import ExportFiles
from app.services.exports.formats import environment_note
from app.services.trainer.run_endings import AUTOMATIC, mark_requested

if TYPE_CHECKING:
    from app.jobs import JobService

KIND = "export_model"
UNASKED = "export_model_automatic"  # the same program, but displaced by all other work
FIRST, NORMAL, LAST = 200, 0, -1000  # trainings have -100 to 100: an export of minutes runs before hours of training
UNFINISHED = (JobStatus.PENDING, JobStatus.RUNNING)


class ExportState(TypedDict):
    """The state of an export: its job's until that has ended, then the row's."""

    status: str
    progress: JobProgressView | None
    error: ExportErrorOutValues | None


class ExportQueue:
    """Adds exports and finds existing ones.

    Args:
        files: of the exports.
    """

    def __init__(self, files: ExportFiles, jobs: "JobService") -> None:
        self.files, self.jobs = files, jobs

    def find_existing(self, training_id: int, key: str) -> ModelExport | None:
        """The export with this key that is unfinished, or complete with its files; none that failed or is being
        stopped.
        """
        mine = (ModelExport.training_id == training_id) & (ModelExport.key == key)
        for row in db.session.scalars(select(ModelExport).where(mine).order_by(ModelExport.id.desc())):
            status = self.state(row)["status"]
            if (status in UNFINISHED and not is_ending(row)) or (
                status == JobStatus.COMPLETED and self.files.are_intact(row)
            ):
                return row
        return None

    def find_failed(self, training_id: int, key: str) -> ModelExport | None:
        """The newest failure with this key, if another attempt with the installed packages would fail in the
        same way.
        """
        mine = (ModelExport.training_id == training_id) & (ModelExport.key == key)
        row = db.session.scalars(select(ModelExport).where(mine).order_by(ModelExport.id.desc()).limit(1)).first()
        if row is None or row.details.get("versions") != environment_note():
            return None
        state = self.state(row)
        final = state["status"] == JobStatus.FAILED and state["error"] and state["error"]["code"] in texts.FINAL
        return row if final else None

    def begin(
        self,
        training_id: int,
        key: str,
        form: str,
        arguments: ExportArguments,
        sha256: str,
        automatic: bool = False,
    ) -> ModelExport:
        """Add a row with its job; if an equal request was first, returns its row.

        Args:
            automatic: not requested by a user.
        """
        replaced: list[Path] = []
        with writing() as session:
            session.get(Training, training_id, with_for_update=True)
            row = self.find_existing(training_id, key)
            if row is not None:
                job = None if automatic else self.promote(session, row)
            else:
                row = ModelExport(training_id=training_id, key=key, format=form, arguments=arguments)
                row.weights_sha256, row.details = sha256, {"versions": environment_note()}
                job, replaced = self.add(session, row, automatic)
            export_id = row.id
        if job is not None:
            self.announce(job)
        self.files.remove(replaced)
        return db.session.get_one(ModelExport, export_id)

    def add(self, session: Any, row: ModelExport, automatic: bool) -> tuple[Job, list[Path]]:
        """Add the job; also returns the folders of the exports that it replaces."""
        unasked = {AUTOMATIC: True} if automatic else {}
        if automatic:
            row.details = {**row.details, "automatic": True}
        session.add(row)
        session.flush()
        replaced = self.remove_older(session, row)
        replaced += self.forget_earlier(session, row.training_id, row.weights_sha256) if automatic else []
        params = {"device": "auto" if row.format == "engine" else CPU, "export_id": row.id} | unasked
        kind, priority = (UNASKED, LAST) if automatic else (KIND, self.priority(session))
        job = self.jobs.add(session, kind, params, ("training", row.training_id), priority)
        session.flush()
        row.job_id = job.id
        return job, replaced

    def remove_older(self, session: Any, row: ModelExport) -> list[Path]:
        """Delete the rows of the same key that failed or lost their files; returns their folders."""
        same = (ModelExport.training_id == row.training_id) & (ModelExport.key == row.key) & (ModelExport.id < row.id)
        replaced = [self.files.folder(older) for older in session.scalars(select(ModelExport).where(same))]
        session.execute(delete(ModelExport).where(same))
        return replaced

    def bring_forward(self, export_id: int) -> bool:
        """Convert an automatic export to a requested one, which is not displaced. False: it was deleted, or is being
        stopped.
        """
        with writing() as session:
            row = session.get(ModelExport, export_id, populate_existing=True)
            if row is None or is_ending(row):
                return False
            job = self.promote(session, row)
        if job is not None:
            self.announce(job)
        return True

    def promote(self, session: Any, row: ModelExport) -> Job | None:
        """Mark an automatic export as requested; returns its job if that changes."""
        details = row.details.copy()
        details.pop("automatic", None)
        row.details = details
        job = session.get(Job, row.job_id, populate_existing=True) if row.job_id else None
        if job is None or job.kind != UNASKED or job.status not in UNFINISHED:
            return None
        mark_requested(job, KIND, self.priority(session))
        return job

    def forget_earlier(self, session: Any, training_id: int, sha256: str) -> list[Path]:
        """Delete the automatic exports of earlier weights of a run; returns their folders."""
        rows = session.scalars(select(ModelExport).where(ModelExport.training_id == training_id))
        unasked = [row for row in rows if row.details.get("automatic") and row.weights_sha256 != sha256]
        over = [row for row in unasked if row.status not in UNFINISHED]
        folders = [self.files.folder(row) for row in over]
        for row in over:
            session.delete(row)
        return folders

    def announce(self, job: Job) -> None:
        """Wake the queue, after the commit."""
        self.jobs.announce(job)
        self.jobs.scheduler.wake()

    def priority(self, session: Any) -> int:
        """The priority of a new export: before the waiting trainings, unless another export already waits there, since
        many of them would delay all trainings.
        """
        unfinished = (Job.kind == KIND) & Job.status.in_(UNFINISHED)
        return NORMAL if session.scalar(select(Job.id).where(unfinished).limit(1)) else FIRST

    def state(self, row: ModelExport) -> ExportState:
        """status, progress and error: the job's until it has ended, then the row's."""
        status, progress = row.status, None
        error: JobFailure | None = row.error
        if status in UNFINISHED:
            job = db.session.get(Job, row.job_id, populate_existing=True) if row.job_id else None
            if job is None or job.kind not in {KIND, UNASKED}:
                status, error = JobStatus.FAILED, {"code": "interrupted"}
            elif job.status != JobStatus.COMPLETED:  # the job has completed, and the row is about to be written
                status, error, progress = job.status, job.error, self.jobs.view(job)["progress"]
        code = error["code"] if error else None
        return {
            "status": status,
            "progress": progress,
            "error": {"code": code, "message": texts.failure(code)} if code else None,
        }


def is_ending(row: ModelExport) -> bool:
    """Whether its job is being stopped and will not restart."""
    job = db.session.get(Job, row.job_id, populate_existing=True) if row.job_id else None
    return job is not None and job.status in UNFINISHED and job.stop_mode not in {None, DISPLACED}
