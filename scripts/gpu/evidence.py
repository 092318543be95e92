"""What is needed to diagnose a failure remotely: logs, databases, the state of the GPU, versions; at most 20 MB."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from scripts.gpu.host import packages, smi, variables, versions

LARGEST = 20 * 1024**2  # bytes, all files together
EACH = 1024**2  # bytes of one log: its beginning and its end
NAMES = ("*.log", "log.txt", "spec.json", "events.jsonl", "args.yaml", "results.csv", "*.db")
NO_GPU = "there is no nvidia-smi, or it cannot run\n"


class Evidence:
    """The folder `evidence` of a run.

    Args:
        folder: of the whole run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.target = folder, folder / "evidence"
        self.before = smi("-q")

    def collect(self, results: Mapping[str, object], check: str) -> Path:
        """Copy logs and records right after a check has failed; the folder."""
        self.target.mkdir(exist_ok=True)
        self._write("versions.json", {**versions(), "packages": packages(), "environment": variables()})
        (self.target / "nvidia-smi-before.txt").write_text(self.before or NO_GPU)
        (self.target / f"nvidia-smi-after-{check.replace(' ', '-')}.txt").write_text(smi("-q") or NO_GPU)
        self.finish(results)
        self._copy(LARGEST - EACH - sum(path.stat().st_size for path in self.target.iterdir() if path.is_file()))
        return self.target

    def finish(self, results: Mapping[str, object]) -> None:
        """Update the results in the evidence, if there is any."""
        if self.target.exists():
            (self.target / "nvidia-smi-after.txt").write_text(smi("-q") or NO_GPU)
            self._write("results.json", results)

    def _write(self, name: str, content: Mapping[str, object]) -> None:
        (self.target / name).write_text(json.dumps(content, indent=1))

    def _copy(self, free: int) -> None:
        """Copy the newest files first, as many as fit."""
        for path in self._logs():
            content = database(path) if path.suffix == ".db" else both_ends(path)
            if len(content) > free:
                continue
            copy = self.target / path.relative_to(self.folder)
            copy = copy.with_suffix(".sql") if path.suffix == ".db" else copy
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)
            free -= len(content)

    def _logs(self) -> list[Path]:
        """Every log of servers and children, newest first."""
        logs = {path for name in NAMES for path in self.folder.rglob(name) if self.target not in path.parents}
        return sorted(logs, key=lambda path: path.stat().st_mtime, reverse=True)


def both_ends(path: Path) -> bytes:
    """The file, or the first and last half megabyte of a large one."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        if size <= EACH:
            return file.read()
        start = file.read(EACH // 2)
        file.seek(size - EACH // 2)
        return start + b"\n[...]\n" + file.read()


def database(path: Path) -> bytes:
    """The rows of jobs and trainings, including the contents of the log beside the file; as SQL."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            text = "\n".join(connection.iterdump())
    except sqlite3.Error as error:
        text = f"-- {path.name} cannot be read: {error}"
    return text.encode()[:EACH]
