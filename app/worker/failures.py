"""Why a run ended: exceptions of our own, and the kind of any other one."""

import errno
from collections.abc import Iterator

DEVICE_MEMORY = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")


class StopRequested(Exception):
    """The supervisor asked to stop; raised between two batches, so that the checkpoint stays resumable."""


class DataError(Exception):
    """The dataset cannot be trained on."""


class WeightsError(Exception):
    """A weights file is not what it should be."""


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and what caused it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def kind_of(error: BaseException) -> str:
    """`out_of_memory`, `disk_full`, `data`, `weights` or `code`, from the exception and its causes."""
    for item in chain(error):
        if isinstance(item, OSError) and item.errno in {errno.ENOSPC, errno.EDQUOT}:
            return "disk_full"
        if isinstance(item, MemoryError) or any(part in str(item) for part in DEVICE_MEMORY):
            return "out_of_memory"
    for item in chain(error):
        if isinstance(item, DataError):
            return "data"
        if isinstance(item, WeightsError):
            return "weights"
    return "code"


def sentence(error: BaseException) -> str:
    """The exception's first line; its type's name where it has no text."""
    text = str(error).strip()
    return text.splitlines()[0][:500] if text else type(error).__name__
