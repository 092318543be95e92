"""What the readers of other formats find: titles, and whether YOLO gets to see it. The messages: format_texts.py."""

from typing import Any

from flask_babel import lazy_gettext as _l

NOT_READ = _l("YOLO does not get to see it.")
READ = _l("YOLO uses it as it is now.")

CONVERTED: dict[str, tuple[Any, Any]] = {
    "object_degenerate": (_l("Objects without area"), NOT_READ),
    "object_outside": (_l("Objects outside their image"), NOT_READ),
    "object_clipped": (_l("Objects that reach out of their image"), READ),
    "object_no_number": (_l("Objects without numbers"), NOT_READ),
    "object_unnamed": (_l("Objects without a class"), NOT_READ),
    "object_no_box": (_l("Objects without a shape"), NOT_READ),
    "object_no_image": (_l("Objects without an image"), NOT_READ),
    "object_crowd": (_l("Crowds"), NOT_READ),
    "mask_as_box": (_l("Masks taken as boxes"), READ),
    "mask_left_out": (_l("Masks without an outline"), NOT_READ),
    "box_as_polygon": (_l("Boxes among outlines"), READ),
    "shape_unsupported": (_l("Shapes that YOLO does not know"), NOT_READ),
    "image_missing": (_l("Images that are not there"), NOT_READ),
    "image_repeated": (_l("Images listed twice"), READ),
    "image_unlisted": (_l("Images without an annotation"), NOT_READ),
    "size_unknown": (_l("Images of unknown size"), NOT_READ),
    "annotation_unreadable": (_l("Annotations that cannot be read"), NOT_READ),
    "xml_unreadable": (_l("Annotations that cannot be read"), NOT_READ),
    "file_too_large": (_l("Annotations that are too large"), NOT_READ),
}
