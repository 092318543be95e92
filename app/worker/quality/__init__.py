"""Checks the images and labels of a dataset: their properties, faults, how YOLO handles these, and which can be fixed.
Runs in the import's child; Pillow, OpenCV, numpy and the standard library, never torch.

    pictures = list(scan(paths, ScanSpec(max_pixels, thumbnails), on_progress))     # in the order of the paths
    with Scan(spec) as running: running.begin(path)                                 # where some are known earlier
    groups = near_duplicates([picture.phash for picture in pictures])               # indices, for the split too
    entries = [Entry(name, split, path, picture, label=…, group=…) for …]           # one an image
    entries, done = apply_fixes(entries, codes, spec, store)                        # only where fixes are wished
    report = examine(entries, spec, folder / "index.sqlite")                        # judges labels, writes the index

Texts for the codes of findings and fixes: app/services/datasets/finding_texts.py.
"""

from app.worker.quality.examine import Examination, Report, examine
from app.worker.quality.fixable import FIXABLE
from app.worker.quality.fixes import AppliedFixes, apply_fixes
from app.worker.quality.model import Entry, Finding, ImageRecord
from app.worker.quality.near_duplicates import near_duplicates
from app.worker.quality.processor_budget import TooCostlyTogether
from app.worker.quality.scan import Scan, ScanSpec, scan

__all__ = [
    "FIXABLE",
    "AppliedFixes",
    "Entry",
    "Examination",
    "Finding",
    "ImageRecord",
    "Report",
    "Scan",
    "ScanSpec",
    "TooCostlyTogether",
    "apply_fixes",
    "examine",
    "near_duplicates",
    "scan",
]
