"""The devices that running jobs hold, as their rows say: read for a plan, claimed and displaced in a transaction."""

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import select

from app.extensions import db
from app.jobs.devices import Holding, Pool, Use, displaced
from app.jobs.kinds import Kinds
from app.jobs.model import DISPLACED, Job, JobStatus
from app.models.base import now


class Holdings:
    """Which jobs hold which devices.

    Args:
        kinds: say how the jobs of a kind use their devices.

    `pool` is set when the server starts; `sources` yield the holdings of processes that still run although their job
    has ended or is pending. If a running row has the same job, the row counts.
    """

    def __init__(self, kinds: Kinds) -> None:
        self.kinds, self.pool = kinds, Pool()
        self.sources: list[Callable[[], Iterable[Holding]]] = []

    def read(self) -> list[Holding]:
        """The holdings of all running jobs, and of processes that have not ended yet; one per job."""
        table = Job.__table__.c  # not the class: setting up the mappers would delay the server's first answer
        columns = (table.id, table.kind, table.devices, table.subject_type, table.subject_id)
        holds = (table.status == JobStatus.RUNNING) & table.devices.is_not(None)
        holdings = {item.job_id: item for source in self.sources for item in source()}
        for row in db.session.execute(select(*columns).where(holds)):
            if row.kind in self.kinds and (use := self.kinds[row.kind].use) is not None:
                subject = (row.subject_type, row.subject_id) if row.subject_type else None
                holdings[row.id] = Holding(row.id, use, tuple(row.devices or ()), subject)
        return list(holdings.values())

    def used(self, devices: Iterable[str], use: Use) -> bool:
        """Whether a job of this use, or of a higher one, is on one of these devices."""
        requested = set(devices)
        return any(item.use >= use and not requested.isdisjoint(item.devices) for item in self.read())

    def displace(self, use: Use, devices: Sequence[str]) -> None:
        """Displace the jobs that must leave these devices to a starting one; in its write transaction."""
        ids = [item.job_id for item in displaced(use, devices, self.read())]
        still = Job.id.in_(ids) & (Job.status == JobStatus.RUNNING)
        for row in db.session.scalars(select(Job).where(still).with_for_update()) if ids else ():
            if row.stop_mode is None:
                row.stop_mode, row.stop_requested_at = DISPLACED, now()
