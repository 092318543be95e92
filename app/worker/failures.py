"""The exceptions of children, and the classification of all exceptions."""

import errno
import sqlite3
from collections.abc import Iterator
from functools import partial
from typing import Any, NoReturn

from app.core.children import PROGRAM_CHANGED, TAKES_LONG

# Messages of torch on the CPU and on GPUs, C++, OpenCV, the system, and torch's data loader processes. The last ones,
# two of cuDNN and one of oneDNN, occur when their workspace does not fit; ultralytics classifies cuDNN's the same way.
MEMORY = (
    "out of memory",
    "allocate memory",
    "failed to allocate",
    "std::bad_alloc",
    "insufficient memory",
    "out of shared memory",
    "killed by signal: killed",
    "cublas_status_alloc_failed",
    "cudnn_status_internal_error",
    "unable to find an engine",
    "could not create a primitive",
    "can't start new thread",  # no memory for the thread's stack, as under TRAINING_MEMORY_LIMIT
)
FULL = {errno.ENOSPC, errno.EDQUOT}


class InvalidInput(Exception):
    """The input cannot be used. `code` selects the text (REASONS of app/services/datasets/texts.py), `data` fills its
    placeholders.
    """

    def __init__(self, code: str, **data: Any) -> None:
        super().__init__(code, data)
        self.code = code
        self.data = data

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(InvalidInput, self.code, **self.data), ()


class StopRequested(Exception):
    """A stop was requested; raised between two batches, so that the checkpoint stays resumable."""


class DataError(Exception):
    """The dataset cannot be used for training."""


class TakesLong(Exception):
    """Work that delays a queue takes far longer than usual."""


class WeightsError(Exception):
    """A weights file is invalid."""


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and its causes."""
    visited: set[int] = set()
    while error is not None and id(error) not in visited:
        visited.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def kind_of(error: BaseException) -> str:
    """`out_of_memory`, `disk_full`, `data`, `weights`, `takes_long`, `program_changed` or `code`: from the exception
    and its causes.
    """
    for item in chain(error):
        if disk_is_full(item):
            return "disk_full"
        if memory_gave_out(item):
            return "out_of_memory"
    for item in chain(error):
        if isinstance(item, DataError):
            return "data"
        if isinstance(item, WeightsError):
            return "weights"
        if isinstance(item, TakesLong):
            return TAKES_LONG
        if isinstance(item, ImportError) and (item.name or "").split(".")[0] == "app":
            return PROGRAM_CHANGED
    return "code"


def disk_is_full(error: BaseException) -> bool:
    """Whether an error means a full disk; SQLite has its own message."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or "disk is full" in str(error)
    return isinstance(error, OSError) and error.errno in FULL


def memory_gave_out(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    text = str(error).lower()
    return any(part in text for part in MEMORY)


def sentence(error: BaseException) -> str:
    """The exception's first line, or its type's name if it has no message."""
    text = str(error).strip()
    return text.splitlines()[0][:500] if text else type(error).__name__


def raise_as(kind: type[Exception], error: Exception, reason: BaseException | None = None) -> NoReturn:
    """Raise `kind`, unless memory or the disk ran out or a stop was requested.

    Args:
        reason: the exception whose message is used; None: the error itself.
    """
    if isinstance(error, StopRequested) or kind_of(error) in {"out_of_memory", "disk_full"}:
        raise error
    raise kind(sentence(reason or error)) from error


def raise_data_error(error: Exception) -> NoReturn:
    """Raise as a fault of the dataset, see `raise_as`.

    ultralytics wraps the reason once. Earlier exceptions that it has handled, such as a missing cache, are not the
    reason.
    """
    raise_as(DataError, error, error.__cause__)
