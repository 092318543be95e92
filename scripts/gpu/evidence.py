"""What is needed to mend a failure from afar: logs, the state of the GPU before and after, versions; at most 20 MB."""

import json
from pathlib import Path
from typing import Any

from scripts.gpu.host import smi, versions

LARGEST = 20 * 1024**2  # bytes, all files together
EACH = 1024**2  # bytes of one log: its beginning and its end
NAMES = ("*.log", "log.txt", "spec.json", "events.jsonl", "args.yaml", "results.csv")


class Evidence:
    """The folder `evidence` of a run.

    Args:
        folder: of the whole run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.before = smi("-q")

    def collect(self, results: dict[str, Any]) -> Path:
        """Copy what tells what happened; the folder."""
        target = self.folder / "evidence"
        target.mkdir(exist_ok=True)
        (target / "results.json").write_text(json.dumps(results, indent=1))
        (target / "versions.json").write_text(json.dumps(versions(), indent=1))
        (target / "nvidia-smi-before.txt").write_text(self.before or "there is no nvidia-smi\n")
        (target / "nvidia-smi-after.txt").write_text(smi("-q") or "there is no nvidia-smi\n")
        free = LARGEST - sum(path.stat().st_size for path in target.iterdir())
        for path in self.logs(target):
            content = both_ends(path)
            if len(content) > free:
                break
            copy = target / path.relative_to(self.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)
            free -= len(content)
        return target

    def logs(self, target: Path) -> list[Path]:
        """Every log of servers and children, the newest first."""
        found = {path for name in NAMES for path in self.folder.rglob(name) if target not in path.parents}
        return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def both_ends(path: Path) -> bytes:
    """The file, or the first and last half megabyte of a large one."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        if size <= EACH:
            return file.read()
        start = file.read(EACH // 2)
        file.seek(size - EACH // 2)
        return start + b"\n[...]\n" + file.read()
