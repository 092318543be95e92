"""Looks at the images and labels of a dataset: what they are, what is wrong, what YOLO will do with them, what can be
mended. Called by the ingest child; Pillow, OpenCV, numpy and the standard library, never torch.

    pictures = list(scan(paths, ScanSpec(max_pixels, thumbnails), on_progress))     # in the order of the paths
    with Scan(spec) as running: running.begin(path)                                 # where some are known earlier
    groups = near_duplicates([picture.phash for picture in pictures])               # indices, for the split too
    entries = [Entry(name, split, path, picture, label=…, group=…) for …]           # one an image
    entries, done = apply_fixes(entries, codes, spec, store)                        # only where fixes are wished
    report = examine(entries, spec, folder / "index.sqlite")                        # judges labels, writes the index

Texts for the codes of findings and fixes: app/services/datasets/finding_texts.py.
"""

from app.worker.doctor.examine import Examination, Report, examine
from app.worker.doctor.fixable import FIXABLE
from app.worker.doctor.fixes import Done, apply_fixes
from app.worker.doctor.model import Entry, Finding, Picture
from app.worker.doctor.near import near_duplicates
from app.worker.doctor.scan import Scan, ScanSpec, scan

__all__ = [
    "FIXABLE",
    "Done",
    "Entry",
    "Examination",
    "Finding",
    "Picture",
    "Report",
    "Scan",
    "ScanSpec",
    "apply_fixes",
    "examine",
    "near_duplicates",
    "scan",
]
