"""Titles of findings from readers of other formats, and whether they matter to YOLO. Messages: format_texts.py."""

from typing import Any

from flask_babel import lazy_gettext as _l

from app.services.datasets import annotation_texts

NOT_READ = _l("Not used in training.")
READ = _l("Used in training as imported.")

CONVERTED: dict[str, tuple[Any, Any]] = {
    "object_degenerate": (_l("Objects without area"), NOT_READ),
    "object_outside": (_l("Objects outside the image"), NOT_READ),
    "object_clipped": (_l("Objects partly outside the image"), READ),
    "object_no_number": (_l("Objects with invalid coordinates"), NOT_READ),
    "object_unnamed": (_l("Objects without a class"), NOT_READ),
    "object_no_box": (_l("Objects without a shape"), NOT_READ),
    "object_no_image": (_l("Objects without an image"), NOT_READ),
    "object_crowd": (_l("Crowd objects (iscrowd)"), NOT_READ),
    "mask_as_box": (_l("Masks imported as boxes"), READ),
    "mask_left_out": (_l("Masks without polygon"), NOT_READ),
    "box_as_polygon": (_l("Boxes among polygons"), READ),
    "shape_unsupported": (_l("Unsupported shapes"), NOT_READ),
    "image_missing": (_l("Missing images"), NOT_READ),
    "image_repeated": (_l("Images listed twice"), READ),
    "image_unlisted": (_l("Images without annotation"), NOT_READ),
    "size_unknown": (_l("Images of unknown size"), NOT_READ),
    "annotation_unreadable": (_l("Unreadable annotations"), NOT_READ),
    "xml_unreadable": (_l("Unreadable annotations"), NOT_READ),
    "file_too_large": (_l("Annotation file too large"), NOT_READ),
}
CONVERTED |= {
    code: (title, READ if code in annotation_texts.USED else NOT_READ)
    for code, title in annotation_texts.TITLES.items()
}
