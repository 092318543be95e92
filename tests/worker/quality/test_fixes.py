"""Each fix: its changes, what it leaves, its report; and that the source is not written to."""

import hashlib
import io
import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.config import ROOT
from app.worker import decoders
from app.worker.quality import FIXABLE, AppliedFixes, Entry, Examination, ScanSpec, apply_fixes
from tests.worker.quality.helpers import GOOD, NAMES, POLYGON, codes, entries_of, judged, pair, picture, write
from tests.worker.quality.test_images import turned

CORNERS = "0 0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75\n"


def fixed(
    folder: Path, codes: list[str] | str = "all", entries: list[Entry] | None = None, **spec: Any
) -> tuple[list[Entry], dict[str, AppliedFixes]]:
    """Fix a dataset; returns the entries and the changes. Existing files are not changed."""
    before = digests(folder)
    new = folder / "new"

    def store(content: bytes, suffix: str) -> Path:
        new.mkdir(exist_ok=True)
        path = new / hashlib.sha256(content).hexdigest()
        path.write_bytes(content)
        return path

    examination = Examination(**({"names": NAMES} | spec))
    changed, fixes = apply_fixes(
        entries or entries_of(folder), codes, examination, store, ScanSpec(64_000_000, folder / "new" / "thumbnails")
    )
    assert {name: digest for name, digest in digests(folder).items() if not name.startswith("new/")} == before
    return changed, {item.code: item for item in fixes}


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


ROWS: dict[str, tuple[bytes | str, str, str]] = {
    # code: before, after, the task
    "duplicate_row": (GOOD + "1 0.1 0.1 0.1 0.1\n" + GOOD, GOOD + "1 0.1 0.1 0.1 0.1\n", "detect"),
    "degenerate_box": (GOOD + "0 0.5 0.5 0 0.5\n", GOOD, "detect"),
    "class_out_of_range": (GOOD + "3 0.5 0.5 0.5 0.5\n", GOOD, "detect"),
    "class_float": ("0.999 0.5 0.5 0.5 0.5\n", "1 0.5 0.5 0.5 0.5\n", "detect"),
    "label_nan": (GOOD + "0 nan 0.5 0.5 0.5\n", GOOD, "detect"),
    "label_not_number": ("cat 0.5 0.5 0.5 0.5\n" + GOOD, GOOD, "detect"),
    "label_columns": (GOOD + "1 0.5 0.5 0.2 0.2 0.93\n0 0.5\n", GOOD + "1 0.5 0.5 0.2 0.2\n", "detect"),
    "label_out_of_range": ("0 1.05 0.5 0.3 0.5\n", "0 0.95 0.5 0.1 0.5\n", "detect"),
    "label_negative": ("1 -0.08 0.1 -0.04 0.1 0.02 0.9\n", "1 0 0.1 0 0.1 0.02 0.9\n", "segment"),
    "label_near_range": ("0 1.005 0.5 0.21 0.5\n", "0 0.95 0.5 0.1 0.5\n", "detect"),
    "label_encoding": (GOOD.encode("utf-16"), GOOD, "detect"),
    "label_bom": (b"\xef\xbb\xbf" + GOOD.encode(), GOOD, "detect"),
    "mixed_rows": (CORNERS + "1 0.5 0.5 0.5 0.5\n", GOOD + "1 0.5 0.5 0.5 0.5\n", "detect"),
    "label_box": (GOOD, CORNERS, "segment"),
}


@pytest.mark.parametrize("code", ROWS)
def test_rows(tmp_path: Path, code: str) -> None:
    was, becomes, task = ROWS[code]
    write(tmp_path, pair("x", was) | pair("fine", POLYGON if task == "segment" else GOOD))
    before = codes(judged(tmp_path, task=task)[1])
    assert code in before
    (fine, mended), fixes = fixed(tmp_path, [code], task=task)
    assert (mended.label, mended.text) == (None, becomes)
    assert (fine.label, fine.text) == (tmp_path / "labels/train/fine.txt", None), "linked as it is"
    assert fixes.keys() == {code}
    assert fixes[code].rows == before.count(code)
    assert fixes[code].files == ["labels/train/x.txt"]
    report, findings = judged(tmp_path, [fine, mended], task=task)
    assert (codes(findings, "small_boxes"), report.usable["train"]) == ([], 2)
    assert code in codes(judged(tmp_path, fixed(tmp_path, ["leak"], task=task)[0], task=task)[1]), "not asked for"


def test_a_mixed_file_becomes_like_the_majority(tmp_path: Path) -> None:
    write(tmp_path, pair("a", POLYGON) | pair("b", POLYGON + GOOD) | pair("c", POLYGON))
    entries, fixes = fixed(tmp_path, "all")
    assert entries[1].text == POLYGON + CORNERS
    assert fixes["mixed_rows"].rows == 1
    assert judged(tmp_path, entries)[0].task == "segment"


@pytest.mark.parametrize("row", ["0 120 80 40 30\n", "0 0.5 0.5 -0.05 0.5\n", "0.5 0.5 0.5 0.5 0.5\n"])
def test_what_is_no_slip_stays(tmp_path: Path, row: str) -> None:
    """Pixels, a negative width, half a class: the intention is unknown, and the image stays out of training."""
    write(tmp_path, pair("a", row))
    _report, findings = judged(tmp_path)
    assert [item["fixable"] for item in findings if item["severity"] == "error"] == [0]
    (entry,), fixes = fixed(tmp_path)
    assert (entry.label, fixes) == (tmp_path / "labels/train/a.txt", {})


def test_several_faults_in_one_file(tmp_path: Path) -> None:
    text = "9 0.5 0.5 0.5 0.5\n0 nan 1 1 1\n0.001 1.02 0.5 0.1 0.2\n" + GOOD + GOOD
    write(tmp_path, pair("a", text.encode("utf-16")))
    (entry,), fixes = fixed(tmp_path)
    assert entry.text == "0 0.985 0.5 0.03 0.2\n" + GOOD
    assert {code: item.rows for code, item in fixes.items()} == {
        "label_encoding": 1,
        "class_out_of_range": 1,
        "label_nan": 1,
        "class_float": 1,
        "label_out_of_range": 1,
        "duplicate_row": 1,
    }
    assert codes(judged(tmp_path, [entry])[1]) == []


def test_keypoints_are_clipped(tmp_path: Path) -> None:
    write(tmp_path, pair("a", "0 0.5 0.5 0.4 0.4 1.005 0.5 2 -0.005 0.5 1\n"))
    (entry,), fixes = fixed(tmp_path, task="pose", keypoints={"kpt_shape": [2, 3]})
    assert entry.text == "0 0.5 0.5 0.4 0.4 1 0.5 2 0 0.5 1\n"
    assert fixes["label_near_range"].rows == 1


def test_origins_follow_their_rows(tmp_path: Path) -> None:
    write(tmp_path, {"images/train/a.jpg": picture("a")})
    (entry,) = entries_of(tmp_path)
    entry.text, entry.origins = "9 0.5 0.5 0.1 0.1\n" + GOOD, [("a.xml", 1), ("a.xml", 2)]
    (mended,), _fixes = fixed(tmp_path, entries=[entry])
    assert (mended.text, mended.origins) == (GOOD, [("a.xml", 2)])
    assert entry.text == "9 0.5 0.5 0.1 0.1\n" + GOOD, "the base's entry stays"


def test_useless_images_go(tmp_path: Path) -> None:
    files = pair("broken", GOOD, b"no image") | pair("tiny", GOOD, picture("t", size=(5, 50))) | pair("fine", GOOD)
    write(tmp_path, files)
    entries, fixes = fixed(tmp_path)
    assert [entry.name for entry in entries] == ["fine.jpg"]
    assert (fixes["image_broken"].images, fixes["image_too_small"].images) == (1, 1)
    assert fixes["image_broken"].files == ["images/train/broken.jpg"]


def test_disguised_images_get_their_suffix(tmp_path: Path) -> None:
    write(tmp_path, pair("a", GOOD, picture("a", "PNG")) | {"images/val/A.png": picture("other", "PNG")})
    entries, fixes = fixed(tmp_path, ["image_disguised"])
    renamed = next(entry for entry in entries if entry.split == "train")
    assert (renamed.name, renamed.label_file) == ("a_2.png", "labels/train/a_2.txt"), "the name is taken in val"
    assert renamed.image == tmp_path / "images/train/a.jpg", "its content stays"
    assert fixes["image_disguised"].images == 1
    assert "image_disguised" not in codes(judged(tmp_path, entries)[1])


def test_turned_images_are_saved_upright(tmp_path: Path) -> None:
    """The same pixels as from ultralytics' reader of the original, and the same boxes."""
    import cv2
    import numpy as np

    write(tmp_path, pair("a", GOOD, turned(6)) | {"images/val/p.png": turned(3, "PNG")})
    entries, fixes = fixed(tmp_path, ["exif_rotated"])
    assert fixes["exif_rotated"].images == 2
    for entry, original in zip(entries, ("images/train/a.jpg", "images/val/p.png"), strict=True):
        before = cv2.imread(str(tmp_path / original))
        after = cv2.imdecode(np.fromfile(entry.image, np.uint8), cv2.IMREAD_COLOR)
        assert after.shape == before.shape
        assert np.abs(after.astype(int) - before).mean() < 2
        assert (entry.picture.height, entry.picture.width) == before.shape[:2]
        assert entry.picture.sha256 == hashlib.sha256(entry.image.read_bytes()).hexdigest()
        assert (tmp_path / "new/thumbnails" / entry.picture.sha256[:2] / f"{entry.picture.sha256}.webp").exists()
        assert Image.open(entry.image).getexif().get(274, 1) == 1
    assert entries[0].label == tmp_path / "labels/train/a.txt"
    assert "exif_rotated" not in codes(judged(tmp_path, entries)[1])


def test_other_formats_become_png(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture("a"))).save(buffer, "GIF")
    write(tmp_path, pair("a", GOOD, buffer.getvalue()))
    (entry,), fixes = fixed(tmp_path)
    assert (entry.name, entry.picture.format, entry.picture.usable) == ("a.png", "PNG", True)
    assert fixes["image_format"].images == 1
    assert judged(tmp_path, [entry])[0].usable["train"] == 1


def test_leaks_go_to_one_side(tmp_path: Path) -> None:
    for name in ("t1", "t2", "t3"):
        write(tmp_path, pair(name, GOOD))
    write(tmp_path, pair("a", GOOD, picture("a")) | pair("b", GOOD, picture("a", "PNG"), "val"))
    write(tmp_path, pair("c", GOOD, picture("c")) | pair("d", GOOD, picture("c"), "test"))
    write(tmp_path, pair("e", GOOD, picture("e", "PNG"), "test") | pair("v", GOOD, split="val"))
    entries, fixes = fixed(tmp_path, ["leak", "leak_exact"])
    splits = {entry.name: entry.split for entry in entries}
    assert (splits["b.jpg"], splits["d.jpg"]) == ("train", "train")
    assert (splits["e.jpg"], splits["v.jpg"]) == ("test", "val")
    assert (fixes["leak"].images, fixes["leak_exact"].images) == (1, 1)
    assert not {"leak", "leak_exact"} & set(codes(judged(tmp_path, entries)[1]))


def test_a_source_is_joined_although_its_images_are_reported_as_alike(tmp_path: Path) -> None:
    """Two similar frames in two splits are one finding; the fix for sources must apply to them, too."""
    frame = picture("f1")
    files = pair("f1", GOOD, frame) | pair("f2", GOOD, frame + b"\0", split="val")
    files |= pair("a", GOOD) | pair("b", GOOD, split="val") | pair("c", GOOD) | pair("d", GOOD, split="val")
    write(tmp_path, files)
    entries = [replace(entry, source="f" * entry.name.startswith("f")) for entry in entries_of(tmp_path)]
    changed, _ = fixed(tmp_path, ["leak_source"], entries)
    assert len({entry.split for entry in changed if entry.source}) == 1


def test_copies_beside_a_leak_go_with_it(tmp_path: Path) -> None:
    """Two copies in val, and one of them looks like an image of train: moving only one would leave the leak."""
    write(tmp_path, pair("a", GOOD, picture("a")) | pair("x", GOOD) | pair("v", GOOD, split="val"))
    write(tmp_path, pair("b", GOOD, picture("a", "PNG"), "val") | pair("c", GOOD, picture("a", "PNG"), "val"))
    entries, _fixes = fixed(tmp_path, ["leak"])
    assert {entry.split for entry in entries if entry.name in {"a.jpg", "b.jpg", "c.jpg"}} == {"val"}
    assert "leak" not in codes(judged(tmp_path, entries)[1])


def test_no_split_is_emptied(tmp_path: Path) -> None:
    write(tmp_path, pair("a", GOOD, picture("a")) | pair("b", GOOD, picture("a"), "val"))
    entries, fixes = fixed(tmp_path, ["leak_exact"])
    assert ({entry.split for entry in entries}, fixes) == ({"train", "val"}, {}), "nothing can be done"
    write(tmp_path, pair("t", GOOD))
    entries, fixes = fixed(tmp_path, ["leak_exact"])
    assert {entry.name: entry.split for entry in entries} == {"a.jpg": "val", "b.jpg": "val", "t.jpg": "train"}
    assert fixes["leak_exact"].images == 1


def test_repeated_images_go(tmp_path: Path) -> None:
    write(tmp_path, pair("a", GOOD, picture("a")) | pair("b", GOOD, picture("a")))
    write(tmp_path, pair("c", GOOD, picture("c")) | pair("d", GOOD + "1 0.1 0.1 0.1 0.1\n", picture("c")))
    entries, fixes = fixed(tmp_path)
    assert [entry.name for entry in entries] == ["a.jpg", "d.jpg"], "the one with the most objects stays"
    assert (fixes["duplicate_image"].images, fixes["duplicate_conflict"].images) == (1, 1)


def test_orphans_go(tmp_path: Path) -> None:
    write(tmp_path, pair("a", GOOD))
    findings = [{"severity": "warning", "code": "label_orphan", "file": "labels/x.txt", "line": None, "data": {}}]
    spec = Examination(NAMES, findings=findings)
    _entries, fixes = apply_fixes(entries_of(tmp_path), "all", spec, lambda *_: tmp_path)
    assert [(item.code, item.files) for item in fixes] == [("label_orphan", ["labels/x.txt"])]
    assert spec.findings == []


def test_every_code_is_tried_here() -> None:
    images = {
        "image_broken",
        "image_too_large",
        "image_too_small",
        "image_format",
        "image_unread",
        "image_flat",
        "image_disguised",
        "exif_rotated",
        "duplicate_image",
        "duplicate_conflict",
        "leak",
        "leak_exact",
        "leak_source",
        "label_orphan",
    }
    assert images | ROWS.keys() == FIXABLE


LOST = {
    "names that nobody lists": "tree 0.5 0.5 0.5 0.5\n",
    "classes that do not exist": "7 0.5 0.5 0.5 0.5\n8 0.2 0.2 0.1 0.1\n",
    "two columns": "0 0.5\n",
    "nothing finite": "0 nan 0.5 0.5 0.5\n",
    "no area": "0 0.5 0.5 0 0.5\n",
}


@pytest.mark.parametrize("kind", LOST)
def test_no_labelled_image_becomes_background(tmp_path: Path, kind: str) -> None:
    """An image that loses all of its rows is left out, and the examination reports it before the fix is requested."""
    write(
        tmp_path, pair("lost", LOST[kind]) | pair("partly", GOOD + LOST[kind]) | pair("fine", GOOD) | pair("empty", "")
    )
    judged(tmp_path)
    costs = cost_of(tmp_path)
    rows = LOST[kind].count("\n")
    assert costs["all"] == {"rows": 2 * rows, "images": 1}
    assert costs == dict.fromkeys(costs, costs["all"]), "one kind of fault: its fix costs what all do"
    changed, fixes = fixed(tmp_path)
    assert {entry.name: entry.text for entry in changed} == {
        "empty.jpg": None,
        "fine.jpg": None,
        "partly.jpg": GOOD,
    }
    assert sum(item.emptied for item in fixes.values()) == 1


def cost_of(folder: Path) -> dict[str, Any]:
    with sqlite3.connect(folder / "index.sqlite") as connection:
        [text] = connection.execute("SELECT value FROM statistics WHERE name = 'costs'").fetchone()
    cost: dict[str, Any] = json.loads(text)
    return cost


def save_little(folder: Path) -> None:
    """Turn a large and a small image upright, with a memory limit for decoders of 120 MiB above their parent."""
    decoders.set_limits(decoders.DecodeLimits(memory=120 * 2**20))
    entries, fixes = fixed(folder, ["exif_rotated"])
    (fix,) = fixes.values()
    assert (fix.images, fix.files) == (1, ["images/train/small.jpg"])
    assert (fix.unsaved, fix.unsaved_files) == (1, ["images/train/large.jpg"])
    assert [entry.image.parent.name for entry in entries] == ["train", "new"]


def test_images_too_costly_to_save_are_named(tmp_path: Path) -> None:
    """Nothing is left out silently. In a process of its own, since memory that this one has freed could be reused."""
    large = pair("large", GOOD, turned(6, size=(5000, 4000)))
    write(tmp_path, large | pair("small", GOOD, turned(6)))
    program = f"from pathlib import Path; from {__name__} import save_little; save_little(Path({str(tmp_path)!r}))"
    process = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert process.returncode == 0, process.stderr
