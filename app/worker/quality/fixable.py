"""The findings that have a fix. What each fix does: fixes.py."""

from app.worker.quality.model import Finding

FIXABLE = frozenset(
    {
        # images
        "image_broken",
        "image_too_large",
        "image_too_small",
        "image_format",
        "image_disguised",
        "image_unread",
        "image_flat",
        "exif_rotated",
        "duplicate_image",
        "duplicate_conflict",
        "leak",
        "leak_exact",
        "leak_source",
        # label files and rows
        "label_orphan",
        "label_encoding",
        "label_bom",
        "label_columns",
        "label_not_number",
        "label_nan",
        "label_out_of_range",
        "label_negative",
        "label_near_range",
        "label_box",
        "class_float",
        "class_out_of_range",
        "duplicate_row",
        "degenerate_box",
        "mixed_rows",
    }
)


def is_fixable(finding: Finding) -> bool:
    """Whether this finding can be fixed; of some codes, only slight cases."""
    return finding["code"] in FIXABLE and bool(finding["data"].get("fixable", True))
