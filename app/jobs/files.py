"""Declares which files a job's child reads and writes, for workers without a shared volume (STORAGE_URL)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


def attempt_prefix(token: str, attempt: int) -> str:
    """The prefix of the objects of a job's attempt."""
    return f"jobs/{token}/{attempt}"


def files_below(data: Path, names: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """(path below the data folder, path) of each file in these files and folders, except hidden ones and links."""
    for name in names:
        top = data / name
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if not path.name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path.relative_to(data).as_posix(), path


@dataclass(frozen=True)
class DatasetFiles:
    """A version of a dataset, which never changes.

    Args:
        folder: of the version, below the data folder. content_hash: "": unknown; the version cannot be stored.
        relatives: content hashes of other versions of the dataset, which may share files.
    """

    dataset_id: int
    number: int
    folder: str
    content_hash: str
    relatives: Sequence[str] = ()

    @property
    def name(self) -> str:
        """Its name in a host's cache."""
        return f"{self.dataset_id}-{self.number}"


@dataclass(frozen=True)
class JobFiles:
    """Paths below the data folder, of files or folders; missing ones are skipped.

    Args:
        dataset: the version that the child reads, if any.
        inputs: what it reads besides. outputs: what it writes and is to be stored, as it appears.
    """

    dataset: DatasetFiles | None = None
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()


class AttemptFiles(Protocol):
    """The files of one attempt, where it runs."""

    def fetch(self) -> Sequence[int] | None:
        """Fetch what the child reads, before it starts. Returns descriptors of the locks that the child inherits; None:
        nothing was fetched.

        Raises:
            CannotStart: there is not enough disk, or the job is to stop.
        """

    def begin(self) -> None:
        """The child has started: store what it writes as it appears."""

    def deliver(self) -> None:
        """Deliver the files before the row refers to them; waits for a store that is unavailable.

        Raises:
            Superseded: the job has another attempt.
        """

    def close(self) -> None:
        """The ending is recorded: deliver the last files, and remove them from this disk."""

    def stop(self) -> None:
        """Stop storing files."""


class SharedFiles:
    """On a shared volume, or on a single machine: there is nothing to transfer."""

    def fetch(self) -> Sequence[int] | None:
        return None

    def begin(self) -> None:
        """The child reads the originals."""

    def deliver(self) -> None:
        """Already where they are read."""

    def close(self) -> None:
        """The files stay."""

    def stop(self) -> None:
        """Nothing to stop."""


class Exchange(Protocol):
    """How files are transferred to where they are read."""

    def of_attempt(self, job: Any, kind: Any, row: Any) -> AttemptFiles:
        """The files of an attempt that this process supervises."""

    def receive_last(self, job: Any, check: Any) -> None:
        """Receive what the worker of an attempt has stored; waits for a store that is unavailable.

        Args:
            check: called before each pause; an exception ends the wait.
        """


class SharedVolume:
    """All processes have the same data folder."""

    def of_attempt(self, job: Any, kind: Any, row: Any) -> AttemptFiles:
        return SharedFiles()

    def receive_last(self, job: Any, check: Any) -> None:
        """Already here."""
