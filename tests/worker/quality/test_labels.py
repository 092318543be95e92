"""Labels are validated by file and line like in ultralytics, and an image is usable if ultralytics uses it."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from app.worker.quality import Report
from tests.worker.quality.helpers import GOOD, POLYGON, entries_of, judged, pair, picture, write
from tests.worker.quality.test_images import damaged_images

LABELS: dict[str, tuple[bytes | str, list[tuple[str, str, int | None]]]] = {
    "good": (GOOD * 1 + "2 0.2 0.2 0.1 0.1\n", []),
    "empty": ("\n\n", []),
    "polygon": (POLYGON, []),
    "columns": (GOOD + "0 0.5 0.5 0.5\n", [("error", "label_columns", 2)]),
    "six": ("0 0.5 0.5 0.5 0.5 0.9\n", [("error", "label_columns", 1)]),
    "even_polygon": ("0 0.1 0.1 0.9 0.1 0.5 0.9 0.3\n", [("error", "label_columns", 1)]),
    "text": ("\n\ncat 0.5 0.5 0.5 0.5\n", [("error", "label_not_number", 3)]),
    "nan": ("0 nan 0.5 0.5 0.5\n", [("error", "label_nan", 1)]),
    "infinite": ("0 inf 0.5 0.5 0.5\n", [("error", "label_nan", 1)]),
    "outside": ("0 1.5 0.5 0.5 0.5\n", [("error", "label_out_of_range", 1)]),
    "pixels": ("0 120 80 40 30\n", [("error", "label_out_of_range", 1)]),
    "negative": ("0 -0.2 0.5 0.5 0.5\n", [("error", "label_negative", 1)]),
    "negative_width": ("0 0.5 0.5 -0.005 0.5\n", [("error", "label_negative", 1)]),
    "nearly": (
        "0 1.005 0.5 0.5 0.5\n0 -0.005 0.5 0.1 0.1\n",
        [("info", "label_near_range", 1), ("info", "label_near_range", 2)],
    ),
    "class": ("3 0.5 0.5 0.5 0.5\n", [("error", "class_out_of_range", 1)]),
    "class_below": ("-1 0.5 0.5 0.5 0.5\n", [("error", "class_out_of_range", 1)]),
    "class_float": ("0.5 0.5 0.5 0.5 0.5\n", [("error", "class_float", 1)]),
    "whole_float": ("1.0 0.5 0.5 0.5 0.5\n", []),
    "duplicate": (GOOD + "1 0.1 0.1 0.1 0.1\n" + GOOD, [("warning", "duplicate_row", 3)]),
    "flat": ("0 0.5 0.5 0.5 0\n", [("warning", "degenerate_box", 1)]),
    "mixed": (POLYGON + GOOD, [("error", "mixed_rows", 2)]),
    "utf16": (GOOD.encode("utf-16"), [("error", "label_encoding", None)]),
    "latin": ("0 0.5 0.5 0.5 0.5 é\n".encode("latin-1"), [("error", "label_encoding", None)]),
    "bom": (b"\xef\xbb\xbf" + GOOD.encode(), [("info", "label_bom", None)]),
    "old_mac": (GOOD.strip() + "\r" + "0 nan 0.5 0.5 0.5", [("error", "label_nan", 2)]),
}


def test_findings_by_file_and_line(tmp_path: Path) -> None:
    for name, (text, _) in LABELS.items():
        write(tmp_path, pair(name, text))
    write(tmp_path, {"images/train/alone.jpg": picture("alone")})
    report, findings = judged(tmp_path, orphans=["labels/train/orphan.txt"])
    by_file: dict[str, list[tuple[str, str, int | None]]] = {}
    for item in findings:
        by_file.setdefault(item["file"] or "", []).append((item["severity"], item["code"], item["line"]))
    for name, (_, expected) in LABELS.items():
        assert by_file.pop(f"labels/train/{name}.txt", []) == expected, name
    assert by_file.pop("images/train/alone.jpg") == [("info", "label_missing", None)]
    assert by_file.pop("labels/train/orphan.txt") == [("warning", "label_orphan", None)]
    assert ("info", "mixed_files", None) in by_file.pop("")
    assert not by_file
    dropped = sum(any(severity == "error" for severity, _, _ in expected) for _, expected in LABELS.values())
    assert report.images == {"train": len(LABELS) + 1, "val": 0, "test": 0}
    assert report.usable["train"] == len(LABELS) + 1 - dropped
    assert sum(report.left_out.values()) == dropped
    assert sum(report.findings.values()) == len(findings) == report.stored == sum(report.severities.values())


def random_label(rng: random.Random, pose: bool = False) -> str:
    """A label file with about one unusual thing in it."""
    odd = [
        "1.005",
        "1.0100001",
        "1.01",
        "1.02",
        "-0.01",
        "-0.0100001",
        "-0.02",
        "nan",
        "inf",
        "1e400",
        "0",
        "-0.0",
        "x",
        "1_0",
        "+.5",
        "1d3",
        "0x1",
        "１",
    ]
    rows = []
    polygons = rng.random() < 0.4
    for _row in range(rng.randint(0, 4)):
        count = rng.choice([6, 8, 10]) if polygons and not pose else 13 if pose else 4
        row = [str(rng.randint(0, 2)), *(f"{rng.uniform(0.05, 0.95):.4f}" for _ in range(count))]
        if rng.random() < 0.25:
            row[rng.randrange(len(row))] = rng.choice(odd)
        if rng.random() < 0.08:
            row[0] = rng.choice(["3", "-1", "0.5", "2.0", "999999"])
        if rng.random() < 0.08:
            row = row[: rng.randint(1, len(row))] if rng.random() < 0.5 else [*row, "0.5"]
        if rng.random() < 0.05:
            row = row[:5]
        rows += [rng.choice([" ", "\t", "  "]).join(row)] * (2 if rng.random() < 0.1 else 1)
    return rng.choice(["\n", "\r\n", "\r", "\n\n"]).join(rows) + rng.choice(["", "\n"])


ULTRALYTICS = """
import json, sys
from ultralytics.data.dataset import YOLODataset
out = []
for folder, task, names, shape in json.loads(sys.argv[1]):
    data = {"names": dict(enumerate(names)), "channels": 3} | ({"kpt_shape": shape} if shape else {})
    made = YOLODataset(img_path=folder + "/images/train", data=data, task=task, augment=False)
    out.append({label["im_file"].rpartition("/")[2]: sorted(int(row[0]) for row in label["cls"])
                for label in made.labels})
print(json.dumps(out))
"""


def test_usable_is_what_ultralytics_uses(tmp_path: Path) -> None:
    """Its own dataset class on hundreds of unusual label files and damaged images gives the same images and boxes."""
    folder, poses, rng = tmp_path / "set", tmp_path / "poses", random.Random(8)
    small = picture("small")
    for number in range(600):
        write(folder, pair(f"r{number}", random_label(rng), small))
    for number in range(400):
        # ultralytics accepts an infinite box with keypoints; here it is an error, since the loss would not be finite
        text = random_label(rng, pose=True).replace("inf", "nan").replace("1e400", "nan")
        write(poses, pair(f"p{number}", text, small))
    for name, (text, _) in LABELS.items():
        write(folder, pair(name, text, small))
    for name in ("gif", "tiny", "disguised", "no_end", "no_label", "turned"):
        write(folder, pair(name, GOOD, damaged_images()[name][1]))
    (folder / "labels/train/no_label.txt").unlink()
    arguments = [[str(folder), "detect", ["a", "b", "c"], None], [str(poses), "pose", ["a", "b", "c"], [3, 3]]]
    ours = [
        judged(folder, entries_of(folder)),
        judged(poses, entries_of(poses), task="pose", keypoints={"kpt_shape": [3, 3]}),
    ]  # before ultralytics, which saves images again
    command = [sys.executable, "-c", ULTRALYTICS, json.dumps(arguments)]
    environment = {"YOLO_AUTOINSTALL": "0", "YOLO_OFFLINE": "1", "YOLO_CONFIG_DIR": str(tmp_path), "PATH": ""}
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    for used, mine, where in zip(json.loads(output.splitlines()[-1]), ours, (folder, poses), strict=True):
        compare(used, {path.name for path in where.glob("images/train/*")}, *mine)


def compare(used: dict[str, list[int]], images: set[str], report: Report, findings: list[dict[str, Any]]) -> None:
    """`used`: classes of the boxes by image, as ultralytics will train on them."""
    errors = [item for item in findings if item["severity"] == "error" and item["image_id"]]
    broken = {item["file"].rpartition("/")[2].rpartition(".")[0] for item in errors}
    assert {name.rpartition(".")[0] for name in images - used.keys()} == broken
    assert 50 < len(broken) < len(images) - 50, "both outcomes are tried"
    assert report.usable["train"] == len(used)
    assert report.images["train"] - report.usable["train"] == sum(report.left_out.values()) == len(broken)
    boxes = [index for classes in used.values() for index in classes]
    assert report.boxes == {index: boxes.count(index) for index in sorted(set(boxes))}


def test_unknown_classes_and_a_cap_on_findings(tmp_path: Path) -> None:
    write(tmp_path, pair("a", "6 0.5 0.5 0.5 0.5\n") | pair("b", "1000 0.5 0.5 0.5 0.5\n"))
    for number in range(30):
        write(tmp_path, pair(f"x{number}", "0 nan 0 0 0\n", split="val"))
    report, findings = judged(tmp_path, names=[], max_findings=10)
    assert (report.largest_class, report.boxes) == (6, {6: 1})
    assert (report.findings["class_out_of_range"], report.findings["label_nan"]) == (1, 30)
    assert len([item for item in findings if item["severity"] == "error"]) == 10
    assert report.left_out == {"label_nan": 30, "class_out_of_range": 1}
