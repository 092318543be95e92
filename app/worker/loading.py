"""Limits memory while weights are loaded: they may come from others, and loading a checkpoint rebuilds entire
objects.
"""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.weights import memory_to_load
from app.worker.decode_limits import data_size


@contextmanager
def loading(path: Path) -> Iterator[None]:
    """Within the block, this process gets a MemoryError, or torch's own, if it needs more additional memory than the
    check of uploaded weights allows. An existing limit still applies.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = data_size() + memory_to_load(path.stat().st_size if path.is_file() else 0)
    limits = [most for most in (soft, hard) if most != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min([limit, *limits]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
