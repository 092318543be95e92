"""Which files the child of a job reads, and which it makes, where workers share no volume (STORAGE_URL)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


def attempt_prefix(token: str, attempt: int) -> str:
    """Below which an attempt of a job has its objects."""
    return f"jobs/{token}/{attempt}"


def files_below(data: Path, names: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """(path below the data folder, path) of each file of these files and folders, except hidden ones and links."""
    for name in names:
        top = data / name
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if not path.name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path.relative_to(data).as_posix(), path


@dataclass(frozen=True)
class DatasetFiles:
    """A version of a dataset, which never changes.

    Args:
        folder: of the version, below the data folder. content_hash: "": nobody knows it, and it cannot be stored.
        relatives: content hashes of other versions of the dataset, which may have the same files.
    """

    dataset_id: int
    number: int
    folder: str
    content_hash: str
    relatives: Sequence[str] = ()

    @property
    def name(self) -> str:
        """On a worker's host."""
        return f"{self.dataset_id}-{self.number}"


@dataclass(frozen=True)
class JobFiles:
    """Paths below the data folder, of files or of folders; missing ones are skipped.

    Args:
        dataset: the version that it reads; None: none.
        inputs: what it reads besides. outputs: what is kept of what it makes, as it appears.
    """

    dataset: DatasetFiles | None = None
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()


class AttemptFiles(Protocol):
    """The files of one attempt, where it runs."""

    def fetch(self) -> Sequence[int] | None:
        """Before its child starts: have on this disk what it reads. Open files that the child gets: the locks of it;
        None: it is here anyway.

        Raises:
            CannotStart: there is not enough disk, or somebody wants the job stopped.
        """

    def begin(self) -> None:
        """Its child has started: from now on what it makes is stored as it appears."""

    def deliver(self) -> None:
        """Whoever reads the rows finds the files now; a store that is away is waited for.

        Raises:
            Superseded: the job is another run's.
        """

    def close(self) -> None:
        """Its ending is written down: the last of it is delivered, and nothing stays on this disk."""

    def stop(self) -> None:
        """Store nothing more."""


class SharedFiles:
    """On a volume that all have, or on the one machine: there is nothing to do."""

    def fetch(self) -> Sequence[int] | None:
        return None

    def begin(self) -> None:
        """It reads what is there."""

    def deliver(self) -> None:
        """They are where they are read."""

    def close(self) -> None:
        """They stay."""

    def stop(self) -> None:
        """There is nothing to stop."""


class Exchange(Protocol):
    """How files come to where they are read."""

    def of_attempt(self, job: Any, kind: Any, row: Any) -> AttemptFiles:
        """The files of an attempt that this process supervises."""

    def receive_last(self, job: Any, check: Any) -> None:
        """Have here what the worker of an attempt has stored; a store that is away is waited for.

        Args:
            check: called before each pause; what it raises ends the wait.
        """


class SharedVolume:
    """All processes have the same data folder."""

    def of_attempt(self, job: Any, kind: Any, row: Any) -> AttemptFiles:
        return SharedFiles()

    def receive_last(self, job: Any, check: Any) -> None:
        """It is here."""
