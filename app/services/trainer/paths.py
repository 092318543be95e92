"""Redacts this machine's paths in texts for other people: exceptions, tracebacks, output."""

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from app.config import ROOT

BEGINS = r"/(?<![\w.:/~-]/)"  # a slash; behind these it is a part of something else: an address, "and/or", "3/20"
PART = r"[^\s/'\"`:,;()<>|\[\]]"
SYSTEM = ("/dev/", "/proc/", "/sys/")  # the same on every machine
NO_NAMES: Mapping[int, str] = {}


def redact_paths(text: str, data: Path, datasets: Mapping[int, str] = NO_NAMES, stored: bool = False) -> str:
    """The text with paths that mean something on another machine, too.

    A file of a dataset is told from the dataset on, which has its name where it is known; other data from the data
    folder on; code from its package on; of any other path its last part is left.

    Args:
        data: the data folder. datasets: names by id. stored: by this version, already without folders: what
            stands behind a dataset's name, which may end in anything, is no path of its own.
    """

    def short(match: re.Match[str]) -> str:
        if match["dataset"]:
            return datasets.get(int(match["id"])) or f"datasets/{match['id']}"
        if match["other"]:
            return match[0] if stored or match[0].startswith(SYSTEM) else f"…/{match['last']}"
        return "data" if match["root"] else ""

    return paths_below(str(data)).sub(short, text)


@lru_cache
def paths_below(data: str) -> re.Pattern[str]:
    """A pattern of absolute paths that distinguishes those of the data folder, as spelled and with links resolved."""
    spellings = {str(Path(data).absolute()), str(Path(data).resolve())}
    root = "|".join(re.escape(path[1:]) for path in sorted(spellings, key=len, reverse=True))
    kinds = {
        "dataset": rf"(?:{root})/datasets/(?P<id>\d+)(?:/revisions/\d+)?(?![\w-])",
        "data": rf"(?:{root})/",
        "root": rf"(?:{root})(?![\w.-])",
        "code": rf"(?:[^\s'\"]*/(?:site-packages|dist-packages|python3\.\d+)|{re.escape(str(ROOT)[1:])})/",
        "other": rf"(?:{PART}+/)+(?P<last>{PART}*)",
    }
    return re.compile(f"{BEGINS}(?:{'|'.join(f'(?P<{name}>{pattern})' for name, pattern in kinds.items())})")
