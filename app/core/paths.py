"""Redacts this machine's paths in texts for users: exceptions, tracebacks, output."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # of the program
WORKERS = "workers"  # in the data folder of a host: the folders of its workers, see worker_folder

BEGINS = r"/(?<![\w.:/~-]/)"  # a slash; after these characters it is part of something else: a URL, "and/or", "3/20"
PART = r"[^\s/'\"`:,;()<>|\[\]]"
SYSTEM = ("/dev/", "/proc/", "/sys/")
SHARED_MEMORY = "/dev/shm/"  # noqa: S108 (only compared)
NO_NAMES: Mapping[int, str] = {}


def redact_paths(text: str, data: Path, datasets: Mapping[int, str] = NO_NAMES, stored: bool = False) -> str:
    """The text, with only those parts of paths that are meaningful on another machine.

    A path to a dataset's file starts at the dataset, with its name if known; to other data, at the data folder; to
    code, at its package; any other path is reduced to its last part.

    Args:
        data: the data folder of the process that wrote the text. datasets: names by id.
        stored: the text was already redacted by this version: what follows a dataset's name, which may end in any
            character, is not a path.
    """

    def short(match: re.Match[str]) -> str:
        if match["dataset"]:
            return datasets.get(int(match["id"])) or f"datasets/{match['id']}"
        if match["other"]:
            return match[0] if stored or is_of_every_machine(match[0]) else f"…/{match['last']}"
        return "data" if match["root"] else ""

    return paths_below(str(data)).sub(short, text)


def is_of_every_machine(path: str) -> bool:
    """Whether an absolute path means the same on every machine. A folder in /dev/shm is someone's data."""
    return path.startswith(SYSTEM) and not (path.startswith(SHARED_MEMORY) and "/" in path[len(SHARED_MEMORY) :])


def data_folder_of(directory: Path) -> Path:
    """The data folder of the process that ran a training's attempt: one of another host, if a worker there sent the
    files.

    Args:
        directory: of the attempt, `models/{id}/attempts/{n}` below the data folder.
    """
    try:
        return Path(json.loads((directory / "spec.json").read_bytes())["training_dir"]).parents[1]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return directory.parents[3]


@lru_cache
def paths_below(data: str) -> re.Pattern[str]:
    """A pattern of absolute paths that recognizes those in the data folder, as spelled and with links resolved.

    In a worker's own folder, datasets and downloaded weights are links to its host's folder.
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
    """A pattern of any of these folders, without the first slash, the longest first; the root folder is left out."""
    texts = sorted((str(folder)[1:] for folder in folders if folder.name), key=len, reverse=True)
    return "|".join(map(re.escape, texts)) or "(?!)"
