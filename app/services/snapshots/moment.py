"""Which files belong to the rows of one moment, and whether that moment has passed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from app.jobs.kinds import Kinds
from app.jobs.model import Job, JobStatus
from app.models import Dataset, DatasetRevision, Evaluation, ModelExport, PredictionRun, Test, Training

# Models whose rows have files. Checkpoints are excluded: a training replaces its own at each epoch, so no round would
# be without a change, and a row without its file is not listed.
OWNERS = (Dataset, DatasetRevision, Training, Test, PredictionRun, ModelExport, Evaluation)
NUMBERED = re.compile(
    r"(datasets|models|tests|predictions)/([1-9]\d*)(?:/(revisions|attempts)/(\d+))?(?:/|$)", re.ASCII
)
OWNER_OF = {"datasets": Dataset, "models": Training, "tests": Test, "predictions": PredictionRun}


@dataclass(frozen=True)
class Moment:
    """The rows that determine the files.

    Args:
        ids: by table, of rows that have files.
        jobs: (id, attempt, status) of jobs that a later server continues, and the highest id of a job.
        revisions: the highest number by dataset. attempts: by training.
    """

    ids: dict[str, frozenset[int]]
    jobs: frozenset[tuple[int, int, str]]
    revisions: dict[int, int]
    attempts: dict[int, int]

    @classmethod
    def of(cls, connection: Connection, kinds: Kinds) -> "Moment":
        ids = {owner.__tablename__: frozenset(connection.scalars(select(owner.id))) for owner in OWNERS}
        mine, run = DatasetRevision, Training
        numbers = connection.execute(select(mine.dataset_id, func.max(mine.number)).group_by(mine.dataset_id))
        attempts = connection.execute(select(run.id, run.attempt))
        return cls(ids, frozenset(lasting(connection, kinds)), pairs(numbers), pairs(attempts))

    def has_passed(self, later: "Moment") -> bool:
        """Whether files of this moment may have been deleted, or be newer: rows were deleted, or a job began or ended.
        Additions are excluded by `includes`.
        """
        return self.jobs != later.jobs or any(self.ids[name] - later.ids[name] for name in self.ids)

    def includes(self, path: str) -> bool:
        """Whether a path below the data folder existed at this moment, judged by its rows."""
        match = NUMBERED.match(path)
        if match is None:
            return True
        folder, number, kind, part = match[1], int(match[2]), match[3], int(match[4] or 0)
        if number not in self.ids[OWNER_OF[folder].__tablename__]:
            return False
        if kind == "revisions" and folder == "datasets":
            return part <= self.revisions.get(number, 0)
        return not (kind == "attempts" and folder == "models") or part <= self.attempts.get(number, 0)


def pairs(rows: Iterable[Any]) -> dict[int, int]:
    return {row[0]: row[1] for row in rows}


def lasting(connection: Connection, kinds: Kinds) -> Iterable[tuple[int, int, str]]:
    """Jobs that a later server continues: id, attempt and status."""
    columns = Job.id, Job.kind, Job.params, Job.attempt, Job.status
    for row in connection.execute(select(*columns)):
        if row.kind in kinds and kinds[row.kind].outlasts_server(row):
            yield row.id, row.attempt, JobStatus(row.status).value
