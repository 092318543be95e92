"""What a kind of background work registers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.jobs.model import Job

Collect = Callable[[Job, dict[str, Any], Path], dict[str, Any]]


def as_it_is(_job: Job, result: dict[str, Any], _directory: Path) -> dict[str, Any]:
    """The result as the program gave it."""
    return result


@dataclass(frozen=True)
class JobKind:
    """One kind of background work.

    Args:
        name: in rows and in the API.
        program: the module below `app.worker.programs` whose `run(channel)` does the work in a child process.
        spec: what the program is told, from the job and the directory of its attempt.
        collect: takes what the program made out of the directory, before the row says `completed`, and returns the
            row's `result`. Called again where the server ended between the two. An OSError fails the job.
        at_once: how many may run at the same time.
        restarts: how often it begins anew after its process was lost.
        lasts: whether somebody can still use the result after a restart of the server.
        limit_s: seconds after which a run is given up; 0: none.
        environment: of the child, on top of the usual one.
    """

    name: str
    program: str
    spec: Callable[[Job, Path], Mapping[str, Any]]
    collect: Collect = as_it_is
    at_once: int = 1
    restarts: int = 1
    lasts: bool = True
    limit_s: float = 0.0
    environment: Mapping[str, str] = field(default_factory=dict)


class Kinds:
    """The kinds that the services registered, by name."""

    def __init__(self) -> None:
        self._kinds: dict[str, JobKind] = {}

    def register(self, kind: JobKind) -> None:
        self._kinds[kind.name] = kind

    def __getitem__(self, name: str) -> JobKind:
        return self._kinds[name]

    def __contains__(self, name: str) -> bool:
        return name in self._kinds

    def names(self) -> list[str]:
        return sorted(self._kinds)
