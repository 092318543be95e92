"""Looks up the names of the subjects of jobs."""

from collections.abc import Callable, Collection, Mapping, Sequence

from app.jobs.model import Job

ReadNames = Callable[[Collection[int]], Mapping[int, str]]


class SubjectNames:
    """Asks the services that own the subjects' rows: jobs import none of them."""

    def __init__(self) -> None:
        self.readers: dict[str, ReadNames] = {}

    def register(self, subject_type: str, read: ReadNames) -> None:
        """Register a reader for a type of subject: it returns the names of those ids that exist."""
        self.readers[subject_type] = read

    def of_jobs(self, jobs: Sequence[Job]) -> dict[tuple[str, int], str]:
        """The names, by type and id; one query for each type."""
        ids: dict[str, set[int]] = {}
        for job in jobs:
            if job.subject_type in self.readers and job.subject_id is not None:
                ids.setdefault(job.subject_type, set()).add(job.subject_id)
        return {(kind, key): name for kind, some in ids.items() for key, name in self.readers[kind](some).items()}
