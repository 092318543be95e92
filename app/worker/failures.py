"""Why a run ended: exceptions of our own, and the kind of any other one."""

import errno
from collections.abc import Iterator

# Of torch on the CPU and on GPUs, C++, OpenCV, the system, and torch's image loading processes. The two of cuDNN and
# the one of oneDNN, the last, come when their workspace does not fit; ultralytics takes cuDNN's for the same.
MEMORY = (
    "out of memory",
    "allocate memory",
    "std::bad_alloc",
    "insufficient memory",
    "out of shared memory",
    "killed by signal: killed",
    "cublas_status_alloc_failed",
    "cudnn_status_internal_error",
    "unable to find an engine",
    "could not create a primitive",
)
FULL = {errno.ENOSPC, errno.EDQUOT}


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
        if isinstance(item, OSError) and item.errno in FULL:
            return "disk_full"
        if memory_gave_out(item):
            return "out_of_memory"
    for item in chain(error):
        if isinstance(item, DataError):
            return "data"
        if isinstance(item, WeightsError):
            return "weights"
    return "code"


def memory_gave_out(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    text = str(error).lower()
    return any(part in text for part in MEMORY)


def sentence(error: BaseException) -> str:
    """The exception's first line; its type's name where it has no text."""
    text = str(error).strip()
    return text.splitlines()[0][:500] if text else type(error).__name__
