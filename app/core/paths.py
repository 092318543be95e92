"""Redacts this machine's paths in texts for other people: exceptions, tracebacks, output."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # of the program
WORKERS = "workers"  # in the data folder of a host whose workers have folders of their own; see worker_folder

BEGINS = r"/(?<![\w.:/~-]/)"  # a slash; behind these it is a part of something else: an address, "and/or", "3/20"
PART = r"[^\s/'\"`:,;()<>|\[\]]"
SYSTEM = ("/dev/", "/proc/", "/sys/")  # the same on every machine
NO_NAMES: Mapping[int, str] = {}


def redact_paths(text: str, data: Path, datasets: Mapping[int, str] = NO_NAMES, stored: bool = False) -> str:
    """The text with paths that mean something on another machine, too.

    A file of a dataset is told from the dataset on, which has its name where it is known; other data from the data
    folder on; code from its package on; of any other path its last part is left.

    Args:
        data: the data folder of the process that wrote the text. datasets: names by id.
        stored: by this version, already without folders: what stands behind a dataset's name, which may end in
            anything, is no path of its own.
    """

    def short(match: re.Match[str]) -> str:
        if match["dataset"]:
            return datasets.get(int(match["id"])) or f"datasets/{match['id']}"
        if match["other"]:
            return match[0] if stored or match[0].startswith(SYSTEM) else f"…/{match['last']}"
        return "data" if match["root"] else ""

    return paths_below(str(data)).sub(short, text)


def data_folder_of(directory: Path) -> Path:
    """The data folder of the process of a training's attempt: of another host, where a worker there sent the files.

    Args:
        directory: of the attempt, `models/{id}/attempts/{n}` below the data folder.
    """
    try:
        return Path(json.loads((directory / "spec.json").read_bytes())["training_dir"]).parents[1]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return directory.parents[3]


@lru_cache
def paths_below(data: str) -> re.Pattern[str]:
    """A pattern of absolute paths that distinguishes those of the data folder, as spelled and with links resolved.

    Datasets and downloaded weights of a worker's own folder are links into that of its host.
    """
    spellings = {Path(data).absolute(), Path(data).resolve()}
    root = pattern_of(spellings)
    shared = pattern_of({path.parents[1] for path in spellings if path.parent.name == WORKERS})
    kinds = {
        "dataset": rf"(?:{root}|{shared})/datasets/(?P<id>\d+)(?:/revisions/\d+)?(?![\w-])",
        "data": rf"(?:(?:{root})/|(?:{shared})/(?=(?:datasets|weights|cache)/))",
        "root": rf"(?:{root})(?![\w.-])",
        "code": rf"(?:[^\s'\"]*/(?:site-packages|dist-packages|python3\.\d+)|{re.escape(str(ROOT)[1:])})/",
        "other": rf"(?:{PART}+/)+(?P<last>{PART}*)",
    }
    return re.compile(f"{BEGINS}(?:{'|'.join(f'(?P<{name}>{pattern})' for name, pattern in kinds.items())})")


def pattern_of(folders: set[Path]) -> str:
    """A pattern of any of them, without the first slash, the longest first; the root folder is left out."""
    texts = sorted((str(folder)[1:] for folder in folders if folder.name), key=len, reverse=True)
    return "|".join(map(re.escape, texts)) or "(?!)"
