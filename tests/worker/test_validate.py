"""The validation child: what it finds, and that `usable` is what ultralytics keeps."""

import io
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.events import Failed, Findings, Validated
from app.services.process import Child, read_events
from tests.data import image_bytes

ROOT = Path(__file__).resolve().parents[2]
GOOD = "0 0.5 0.5 0.5 0.5\n"
POLYGON = "1 0.1 0.1 0.9 0.1 0.5 0.9\n"


def validate(folder: Path, classes: int = 3, **changes: Any) -> tuple[Validated, list[dict[str, Any]]]:
    """Run the child on a dataset; its result and every finding."""
    spec = {"dataset": str(folder), "classes": classes, "max_classes": 1000, "max_pixels": 64_000_000}
    work = folder.parent / f"work-{time.monotonic_ns()}"
    child = Child.start("validate", work, spec | {"max_findings": 10_000} | changes, {})
    while child.alive():
        time.sleep(0.02)
    events = [envelope.event for _, envelope in read_events(work)]
    assert isinstance(events[-1], Validated), child.log_tail()
    return events[-1], [item for event in events if isinstance(event, Findings) for item in event.items]


def write(folder: Path, files: dict[str, bytes | str]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def pair(name: str, label: bytes | str, image: bytes | None = None, split: str = "train") -> dict[str, bytes | str]:
    return {f"images/{split}/{name}.jpg": image or image_bytes(), f"labels/{split}/{name}.txt": label}


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
    "nearly": ("0 1.005 0.5 0.5 0.5\n0 -0.005 0.5 0.1 0.1\n",
               [("info", "label_near_range", 1), ("info", "label_near_range", 2)]),
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
}  # fmt: skip


def test_findings_by_file_and_line(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    for name, (text, _) in LABELS.items():
        write(folder, pair(name, text))
    write(folder, {"images/train/alone.jpg": image_bytes(), "labels/train/orphan.txt": GOOD})
    result, findings = validate(folder)
    found: dict[str, list[tuple[str, str, int | None]]] = {}
    for item in findings:
        found.setdefault(item["file"] or "", []).append((item["severity"], item["code"], item["line"]))
    for name, (_, expected) in LABELS.items():
        assert found.pop(f"labels/train/{name}.txt", []) == expected, name
    assert found.pop("images/train/alone.jpg") == [("info", "label_missing", None)]
    assert found.pop("labels/train/orphan.txt") == [("warning", "label_orphan", None)]
    assert found.pop("") == [("info", "mixed_files", None)]
    assert not found
    dropped = sum(any(severity == "error" for severity, _, _ in expected) for _, expected in LABELS.values())
    assert result.images == {"train": len(LABELS) + 1, "val": 0, "test": 0}
    assert result.usable["train"] == len(LABELS) + 1 - dropped
    assert sum(result.findings.values()) == len(findings)


def damaged_images() -> dict[str, tuple[str, bytes, str, str]]:
    """By name: suffix, bytes, the finding's severity and code."""
    jpeg, png = image_bytes((640, 480)), image_bytes((64, 48), form="PNG")
    noise = Image.frombytes("RGB", (200, 200), random.Random(0).randbytes(120_000))
    webp, one_bit = io.BytesIO(), io.BytesIO()
    noise.save(webp, "WEBP", lossless=True)
    Image.new("1", (13_000, 13_000)).save(one_bit, "PNG")
    assert len(one_bit.getvalue()) < 40_000
    return {
        "text": ("jpg", b"this is no image", "error", "image_broken"),
        "nothing": ("jpg", b"", "error", "image_broken"),
        "half": ("jpg", jpeg[: len(jpeg) // 2], "error", "image_broken"),
        "half_webp": ("webp", webp.getvalue()[:20_000], "error", "image_broken"),
        "flipped": ("png", png[:60] + bytes([png[60] ^ 255]) + png[61:], "error", "image_broken"),
        "svg": ("png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "error", "image_broken"),
        "postscript": ("jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EOF\n", "error", "image_broken"),
        "gif": ("jpg", image_bytes(form="GIF"), "error", "image_format"),
        "bomb": ("png", one_bit.getvalue(), "error", "image_too_large"),
        "tiny": ("jpg", image_bytes((9, 40), (1, 1, 2, 2)), "error", "image_too_small"),
        "disguised": ("jpg", png, "warning", "image_disguised"),
        "no_end": ("jpg", jpeg[:-2], "info", "jpeg_end_missing"),
    }


def test_damaged_images(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    damaged = damaged_images()
    for name, (suffix, content, _, _) in damaged.items():
        write(folder, {f"images/train/{name}.{suffix}": content, f"labels/train/{name}.txt": GOOD})
    for _round in range(2):  # the second run sees the same files, though some were set aside
        result, findings = validate(folder)
        found = {Path(item["file"]).stem: (item["severity"], item["code"]) for item in findings}
        assert found == {name: (severity, code) for name, (_, _, severity, code) in damaged.items()}
        assert result.images["train"] == len(damaged)
        assert result.usable["train"] == 2
        aside = {path.stem for path in (folder / "set_aside/images/train").iterdir()}
        assert aside == {name for name, entry in damaged.items() if entry[3] in {"image_broken", "image_too_large"}}


def random_label(rng: random.Random, pose: bool = False) -> str:
    """A label file with about one odd thing in it."""
    odd = ["1.005", "1.0100001", "1.01", "1.02", "-0.01", "-0.0100001", "-0.02", "nan", "inf", "1e400", "0", "-0.0",
           "x", "1_0", "+.5", "1d3", "0x1", "１"]  # fmt: skip
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
from pathlib import Path
from ultralytics.data.utils import img2label_paths, verify_image_label
out = []
for folder, keypoints in zip(sys.argv[1:], (0, 3)):
    out.append({})
    for image in sorted(Path(folder, "images", "train").iterdir()):
        label = img2label_paths([str(image)])[0]
        kept, rows = verify_image_label((str(image), label, "", bool(keypoints), 3, keypoints, 3, False))[:2]
        out[-1][image.name] = None if kept is None else sorted(int(row[0]) for row in rows)
print(json.dumps(out))
"""


def test_usable_is_what_ultralytics_keeps(tmp_path: Path) -> None:
    """Its own function on hundreds of odd label files and damaged images gives the same images and boxes."""
    folder, poses, rng = tmp_path / "set", tmp_path / "poses", random.Random(8)
    small = image_bytes()
    for number in range(600):
        write(folder, pair(f"r{number}", random_label(rng), small))
    for number in range(400):
        # ultralytics takes an infinite box with keypoints; here it is an error, since the loss would be no number
        text = random_label(rng, pose=True).replace("inf", "nan").replace("1e400", "nan")
        write(poses, pair(f"p{number}", text, small))
    for name, (text, _) in LABELS.items():
        write(folder, pair(name, text, small))
    for name in ("gif", "tiny", "disguised", "no_end"):
        write(folder, pair(name, GOOD, damaged_images()[name][1]))
    command = [sys.executable, "-c", ULTRALYTICS, str(folder), str(poses)]
    environment = {"YOLO_AUTOINSTALL": "0", "YOLO_OFFLINE": "1", "YOLO_CONFIG_DIR": str(tmp_path), "PATH": ""}
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    theirs = json.loads(output.splitlines()[-1])
    compare(theirs[0], *validate(folder))
    compare(theirs[1], *validate(poses, task="pose", keypoints={"kpt_shape": [3, 3]}))


def compare(theirs: dict[str, list[int] | None], result: Validated, findings: list[dict[str, Any]]) -> None:
    broken = {item["file"].rpartition("/")[2].rpartition(".")[0] for item in findings if item["severity"] == "error"}
    assert {name.rpartition(".")[0] for name, rows in theirs.items() if rows is None} == broken
    assert 50 < len(broken) < len(theirs) - 50, "both outcomes are tried"
    assert result.usable["train"] == sum(rows is not None for rows in theirs.values())
    boxes = [index for rows in theirs.values() if rows for index in rows]
    assert result.boxes == {str(index): boxes.count(index) for index in sorted(set(boxes))}


def test_unknown_classes_and_a_cap_on_findings(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write(folder, pair("a", "6 0.5 0.5 0.5 0.5\n") | pair("b", "1000 0.5 0.5 0.5 0.5\n"))
    for number in range(30):
        write(folder, pair(f"x{number}", "0 nan 0 0 0\n", split="val"))
    result, findings = validate(folder, classes=0, max_findings=10)
    assert (result.largest_class, result.boxes) == (6, {"6": 1})
    assert result.findings == {"class_out_of_range": 1, "label_nan": 30}
    assert len(findings) == 10


def test_a_failure_is_said(tmp_path: Path) -> None:
    write(tmp_path, pair("a", GOOD))
    child = Child.start("validate", tmp_path / "work", {"dataset": str(tmp_path)}, {})
    while child.alive():
        time.sleep(0.02)
    (last,) = [envelope.event for _, envelope in read_events(tmp_path / "work")]
    assert isinstance(last, Failed)


def test_it_imports_nothing_heavy() -> None:
    code = "import sys, app.worker.validate; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert not {"torch", "ultralytics", "cv2", "numpy", "pandas", "flask", "apiflask"} & set(loaded.split())


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "I;16", "1", "LA"])
def test_odd_modes_are_fine(tmp_path: Path, mode: str) -> None:
    form, suffix = ("JPEG", "jpg") if mode == "CMYK" else ("PNG", "png")
    buffer = io.BytesIO()
    Image.new(mode, (40, 30)).save(buffer, form)
    write(tmp_path / "set", {f"images/train/a.{suffix}": buffer.getvalue(), "labels/train/a.txt": GOOD})
    result, findings = validate(tmp_path / "set")
    assert (result.usable["train"], findings) == (1, [])
