"""Describes the CPU of this machine. Standard library only."""

from functools import cache
from pathlib import Path

INFO = Path("/proc/cpuinfo")
NAMED_BY = ("vendor_id", "model name", "cpu family", "model", "stepping")
BFLOAT16 = {"avx512_bf16", "amx_bf16"}


@cache
def properties(path: Path = INFO) -> dict[str, str]:
    """Properties of the first core; empty if the system has none."""
    try:
        first = path.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    rows = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in rows}


def cpu_name(path: Path = INFO) -> str:
    """A name that distinguishes CPUs that compute differently."""
    values = properties(path)
    return " ".join(values[name] for name in NAMED_BY if name in values)


def has_bfloat16(path: Path = INFO) -> bool:
    """Whether the CPU multiplies in bfloat16, which is about twice as fast."""
    return bool(BFLOAT16 & set(properties(path).get("flags", "").split()))
