"""Messages for the readings of annotation files (app/core/readings.py)."""

from flask_babel import lazy_gettext as _l

from app.core.readings import QUESTIONS
from app.texts import _ln

# Labels for a button or a caption.
LABELS = {
    "centre": _l("Center and size: x, y, width, height"),
    "corners": _l("Two corners: x1, y1, x2, y2"),
    "corners_xxyy": _l("Two corners: x1, x2, y1, y2"),
    "corners_yxyx": _l("Two corners: y1, x1, y2, x2"),
    "top_left": _l("Top left corner and size: x, y, width, height"),
    "fractions": _l("Fractions of the image"),
    "pixels": _l("Pixels"),
    "percent": _l("Percent of the image (0 to 100)"),
    "thousandths": _l("Thousandths of the image (0 to 1000)"),
    "fractions_and_pixels": _l("Some labels in fractions, others in pixels"),
    "box": _l("Boxes"),
    "polygon": _l("Polygons"),
    "keypoints": _l("Boxes with keypoints"),
    "zero_based": _l("Classes start at 0"),
    "one_based": _l("Classes start at 1"),
    "frames_from_zero": _l("Frame numbers in the names, from 0"),
    "frames_from_one": _l("Frame numbers in the names, from 1"),
    "frames_in_order": _l("Frames in the order of the names"),
    "stored_pixels": _l("Pixels of the stored image"),
    "shown_pixels": _l("Pixels of the image as displayed"),
    "declared_size": _l("Scaled by the declared size"),
    "cp1252": _l("Western European (cp1252)"),
    "cp850": _l("Western European (cp850)"),
    "mac_roman": _l("Western European (Mac)"),
    "cp1250": _l("Central European (cp1250)"),
    "cp1251": _l("Cyrillic (cp1251)"),
    "koi8_r": _l("Cyrillic (KOI8-R)"),
    "cp866": _l("Cyrillic (cp866)"),
    "gb18030": _l("Simplified Chinese (GBK)"),
    "cp950": _l("Traditional Chinese (cp950)"),
    "cp932": _l("Japanese (Shift JIS)"),
    "euc_jp": _l("Japanese (EUC-JP)"),
    "cp949": _l("Korean (cp949)"),
    "cp1253": _l("Greek (cp1253)"),
    "cp1254": _l("Turkish (cp1254)"),
    "cp1255": _l("Hebrew (cp1255)"),
    "cp1256": _l("Arabic (cp1256)"),
    "cp874": _l("Thai (cp874)"),
}

DECISIONS = {
    "rows_commas": _ln(
        "Commas in %(count)s label row were read as separators or decimal points.",
        "Commas in %(count)s label rows were read as separators or decimal points.",
    ),
    "rows_mended": _ln(
        "%(count)s line of the label files was a heading or comment, or had other separators, quotes or another "
        "encoding. It was read or left out accordingly.",
        "%(count)s lines of the label files were headings or comments, or had other separators, quotes or another "
        "encoding. They were read or left out accordingly.",
    ),
    "rows_layout": _l("The rows of the label files have another layout: %(layout)s. They were converted to YOLO."),
    "rows_named": _ln(
        "%(count)s label row names its class instead of giving its ID. The name was matched.",
        "%(count)s label rows name their class instead of giving its ID. The names were matched.",
    ),
    "columns_confidence": _l("The label rows end with an extra column, a confidence. It was left out."),
    "columns_confidence_second": _l("The label rows have a confidence between class and box. It was left out."),
    "columns_track": _l("The label rows end with an extra column, a track ID. It was left out."),
    "columns_both": _l("The label rows end with two extra columns, a confidence and a track ID. They were left out."),
    "columns_angle": _l("The label rows end with an angle. The boxes were read as oriented bounding boxes."),
    "columns_rest": _l("The label rows have more columns than a box. The additional columns were left out."),
    "keypoints_other": _l(
        "The label rows don't match kpt_shape in data.yaml. From the rows, kpt_shape is [%(count)s, %(dimensions)s]."
    ),
    "unit_fractions": _l("The annotations use fractions of the image, not pixels, and were read that way."),
    "reading_stored_pixels": _ln(
        "%(count)s image is stored rotated (EXIF): %(declared)s, displayed as %(size)s. Its boxes were read as pixels "
        "of the stored image and rotated with it.",
        "%(count)s images are stored rotated (EXIF), for example %(declared)s, displayed as %(size)s. Their boxes were "
        "read as pixels of the stored image and rotated with it.",
    ),
    "reading_shown_pixels": _ln(
        "%(count)s image is stored rotated (EXIF) or has another declared size: %(declared)s, displayed as %(size)s. "
        "Its boxes were read as pixels of the displayed image.",
        "%(count)s images are stored rotated (EXIF) or have another declared size, for example %(declared)s, displayed "
        "as %(size)s. Their boxes were read as pixels of the displayed image.",
    ),
    "reading_declared_size": _ln(
        "%(count)s image has another declared size: %(declared)s, displayed as %(size)s. Its boxes were scaled by the "
        "declared size.",
        "%(count)s images have another declared size, for example %(declared)s, displayed as %(size)s. Their boxes "
        "were scaled by the declared size.",
    ),
    "outlines_fractions": _l(
        "The polygons use fractions of the image, not pixels as the boxes, and were read that way."
    ),
    "outlines_pixels": _l("The polygons use pixels, not fractions of the image as the boxes, and were read that way."),
    "unit_pixels": _l("The label files use pixels. The numbers were divided by each image's size."),
    "reading_pixels": _l("The labels were read as pixels. The numbers were divided by each image's size."),
    "reading_percent": _l("The labels were read as percentages of the image size: no number is higher than 100."),
    "reading_thousandths": _l("The labels were read as thousandths of the image size: no number is higher than 1000."),
    "reading_fractions": _ln(
        "The labels were read as fractions of the image. %(pixels)s of %(rows)s object has higher numbers.",
        "The labels were read as fractions of the image. %(pixels)s of %(rows)s objects have higher numbers.",
        "rows",
    ),
    "reading_fractions_and_pixels": _ln(
        "Some labels are fractions of the image and others pixels (%(pixels)s of %(rows)s object). Each object was "
        "read by its own numbers.",
        "Some labels are fractions of the image and others pixels (%(pixels)s of %(rows)s objects). Each object was "
        "read by its own numbers.",
        "rows",
    ),
    "reading_centre": _ln(
        "The four numbers of each box were read as center and size. %(outside)s of %(boxes)s box "
        "extends outside its image.",
        "The four numbers of each box were read as center and size. %(outside)s of %(boxes)s "
        "boxes extend outside their image.",
        "boxes",
    ),
    "reading_corners": _ln(
        "The four numbers of each box were read as two corners (x1, y1, x2, y2). As center and "
        "size, %(outside)s of %(boxes)s box would extend outside its image.",
        "The four numbers of each box were read as two corners (x1, y1, x2, y2). As center and "
        "size, %(outside)s of %(boxes)s boxes would extend outside their image.",
        "boxes",
    ),
    "reading_corners_xxyy": _ln(
        "The four numbers of each box were read as two corners (x1, x2, y1, y2). As center "
        "and size, %(outside)s of %(boxes)s box would extend outside its image.",
        "The four numbers of each box were read as two corners (x1, x2, y1, y2). As center "
        "and size, %(outside)s of %(boxes)s boxes would extend outside their image.",
        "boxes",
    ),
    "reading_corners_yxyx": _ln(
        "The four numbers of each box were read as two corners (y1, x1, y2, x2). As center "
        "and size, %(outside)s of %(boxes)s box would extend outside its image.",
        "The four numbers of each box were read as two corners (y1, x1, y2, x2). As center "
        "and size, %(outside)s of %(boxes)s boxes would extend outside their image.",
        "boxes",
    ),
    "reading_top_left": _ln(
        "The four numbers of each box were read as its top left corner and size. As center and "
        "size, %(outside)s of %(boxes)s box would extend outside its image.",
        "The four numbers of each box were read as its top left corner and size. As center and "
        "size, %(outside)s of %(boxes)s boxes would extend outside their image.",
        "boxes",
    ),
    "reading_box": _l(
        "Label rows were read as boxes with extra columns, not as polygons. Columns per row: %(columns)s."
    ),
    "reading_polygon": _l("Label rows were read as polygons. Columns per row: up to %(columns)s."),
    "reading_keypoints": _l(
        "Label rows were read as boxes with keypoints: the points are inside the boxes. "
        "Columns per row: %(columns)s. Keypoints: %(count)s."
    ),
    "reading_zero_based": _l(
        "The class IDs in the label files start at 0, as in YOLO. No row has class 0, and the "
        "highest ID is %(largest)s."
    ),
    "reading_one_based": _l(
        "The class IDs in the label files start at 1: no row has class 0, and the highest ID is "
        "%(largest)s. Each ID was lowered by 1."
    ),
}
DECISIONS |= dict.fromkeys(
    [f"reading_{encoding}" for encoding in QUESTIONS["encoding"]],
    _l("The class names in %(file)s are not UTF-8. They were read as %(encoding)s: %(names)s."),
)
