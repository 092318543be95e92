"""The kinds of files that the platform writes, and the test that damages each; an unlisted kind fails a test.

A kind is a file's name with `*` for the variable part: `epoch-*.pt`. Names come from two sources: the source code, as
texts and f-strings that end like a file's, and data folders written by the product.
"""

import ast
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

# Damaged by tests/routes/test_damaged_files.py, in every way, alone and together.
DAMAGED = {
    *(
        "installation.json",
        ".installation.json",
        "secret_key",
        "owner_token",
        "*.db-owner",
        "audit_admins.jsonl",
        "app.log",
    ),
    *("info.json", "bin", "child.json", "manifest.json"),
    *(
        "about.json",
        "names.json",
        "dataset.yaml",
        "index.sqlite",
        "split.json.gz",
        ".revision.json",
        "*-*.zip",
        "*.webp",
    ),
    *("config.yaml", "args.yaml", "spec.json", "events.jsonl", "worker.log", "rank-*.json", "results.csv", "*.png"),
    *("best.pt", "epoch-*.pt", "index.json", "index-copy.json", "epoch-*.json", "image-*.jpg", "evaluation.json"),
    *("outcomes.sqlite", "view-*.sqlite", "label-errors.sqlite", "curves.json", "matches.npz", "compare-*.json"),
    *("model.bin", "model.xml", "metadata.yaml", "input_image.jpg", "annotated.jpg", "details.json"),
    *("detections.json", "detections.csv", "labels.zip", "video.mp4"),
}
# Like one of DAMAGED, and read by the same lines.
ALIKE = {
    "last.pt": "best.pt",
    "video.webm": "video.mp4",
    **dict.fromkeys(
        ("audit.jsonl", "audit_refused.jsonl", "audit_strangers.jsonl", "audit*-*.jsonl"), "audit_admins.jsonl"
    ),
    "inference.log": "worker.log",
    "stop": "child.json",
}
# In a job's own folder, which a later attempt recreates.
OF_A_JOB = {
    *("unpacked.json", "task.json", "result.json", "arguments.json", "sample.zip", "export.zip", "placed", "reserve"),
    "heartbeat",  # only its time is read
    *("rank-*.json", "spec.json"),
}
# Named by requests, users' files and other programs: read by importers that validate everything, or only written.
EXTERNAL = {
    *("original.zip", "source.tar", "dataset-*.zip", "*-bundle.zip", "*-r*-*.zip", "results-*.csv", "yolov8*.pt"),
    *("dataset-*-findings.csv", "dataset-*-findings.json", "request.json", "thresholds.json", "default.yaml"),
    *("_annotations.coco.json", "data.yaml", "data.yml", "dataset.yml", "meta.json", "labelmap.txt", "labels.txt"),
    *("classes.txt", "predefined_classes.txt", "trainval.txt"),
    *("audit.csv", "openapi.json", "report.csv", "report.json", "data.pkl", "yolo_trainer.db"),
    *(
        "README.md",
        "README.txt",
        "*.md",
        "package.json",
        "package-lock.json",
        "requirements*.txt",
        "requirements*.lock",
    ),
}
GENERIC = {
    *("*.txt", "*.yaml", "*.jpg", "*.pt", "*.md", "*.xml", "*_*.json", "*u.pt"),  # names chosen by requests
    *("*.jsonl", "*-*.jsonl"),  # those of the audit log, see ALIKE
}
# Of backups of the whole installation, which tests/services/test_snapshots.py damages.
OF_SNAPSHOTS = {"database.sqlite3", "manifest.sha256", ".restoring.json", ".lock"}
# Between web processes: tests/cluster/test_leading.py damages the record, and locks are empty.
OF_PROCESSES = {"leader.json", "leader.lock", "start.lock", "sample.lock"}
# In the folder of a worker without a shared volume: downloaded again if they are damaged, and locks are empty.
OF_WORKERS = {"version-*.json", "version-*.lock", "worker.json"}
DRAFTS = {"*.tmp", ".*.tmp.pt", "*.old"}  # renamed to a file at once, or removed without being read

REGISTERED = (
    DAMAGED | set(ALIKE) | OF_A_JOB | EXTERNAL | OF_SNAPSHOTS | OF_PROCESSES | OF_WORKERS | DRAFTS
)  # and GENERIC, as they are
ENDINGS = (
    *(".json", ".jsonl", ".csv", ".sqlite", ".sqlite3", ".db", ".yaml", ".yml", ".gz", ".npz", ".npy", ".pt", ".log"),
    *(".zip", ".tar", ".mp4", ".webm", ".jpg", ".jpeg", ".png", ".webp", ".txt", ".sha256", ".lock", ".tmp", ".old"),
    *(".bin", ".onnx", ".pkl", ".pickle", ".parquet", ".md", ".xml"),
)
LETTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.*/")


def names_in_source(source: str) -> Iterator[str]:
    """File names in a module's texts, with `*` for the variables of an f-string; suffixes alone are excluded."""
    tree = ast.parse(source)
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in parts:
            continue
        name = (text_of(node) or "").rpartition("/")[2]
        stem = name[: name.rfind(".")] if name.endswith(ENDINGS) and set(name) <= LETTERS else ""
        if stem:
            yield name


def text_of(node: ast.AST) -> str | None:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def matches_any(name: str, kinds: Iterable[str]) -> bool:
    return any(fnmatchcase(name, kind) for kind in kinds)


def unregistered_files(data: Path) -> list[str]:
    """Files of a data folder that the product wrote and no kind matches; users' files are excluded."""
    names = []
    for path in sorted(data.rglob("*")):
        parts = path.relative_to(data).parts
        theirs = parts[0] in {"objects", "tmp", "ultralytics"} or {"source", "images", "labels"} & set(parts)
        if (
            path.is_file()
            and not theirs
            and path.name not in GENERIC
            and not matches_any(path.name, REGISTERED | {"*.jpg"})
        ):
            names.append("/".join(parts))
    return names
