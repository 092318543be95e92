"""Messages of findings about labels and classes: files, rows, objects, class counts."""

from flask_babel import lazy_gettext as _l

from app.services.datasets.wording import SKIPS_IMAGE, USES_IT, FindingText
from app.texts import _ln

SKIPS_ALL = _l("One invalid row is enough: YOLO skips the image with all its objects.")
DROPS_ROW = _l("The row is removed. The other rows of the file are kept. An image without any row left is left out.")
CLIPS = _l(
    "Objects that extend beyond the image by up to a tenth are cut at its border. Values further outside "
    "aren't changed: they may be in pixels or belong to another image."
)
RECTANGLES = _l(
    "For “Segmentation” and “Oriented bounding boxes”, boxes become four-corner polygons. For "
    "“Detection”, polygons become boxes."
)

LABEL_TEXTS: dict[str, FindingText] = {
    "label_missing": FindingText(
        _l("Images without a label file"),
        _l("The image has no label file."),
        _l(
            "YOLO treats the image as background (no objects). If it does contain objects, the model learns to "
            "miss them."
        ),
    ),
    "label_orphan": FindingText(
        _l("Label files without image"),
        _l("The label file has no image."),
        _l("YOLO ignores the file."),
        _l("The file is removed."),
    ),
    "label_encoding": FindingText(
        _l("Label files not in UTF-8"),
        _l("The label file isn't UTF-8 text (%(encoding)s)."),
        SKIPS_IMAGE,
        _l("The file is converted to UTF-8."),
    ),
    "label_bom": FindingText(
        _l("Label files with a byte-order mark"),
        _l("The label file begins with a byte-order mark."),
        USES_IT,
        _l("The byte-order mark is removed."),
    ),
    "label_columns": FindingText(
        _l("Rows with the wrong number of columns"),
        _ln(
            "The row has %(columns)s column. A box has 5 (class, x, y, width, height), a polygon an odd number, 7 "
            "or more.",
            "The row has %(columns)s columns. A box has 5 (class, x, y, width, height), a polygon an odd number, 7 "
            "or more.",
            "columns",
        ),
        SKIPS_ALL,
        _l(
            "A sixth column (prediction confidence) is removed. Other rows with the wrong number of columns are "
            "removed."
        ),
    ),
    "label_keypoints": FindingText(
        _l("Rows with the wrong number of keypoints"),
        _ln(
            "The row has %(columns)s column. According to kpt_shape in data.yaml, a row has %(expected)s: class, "
            "x, y, width, height, then the keypoints.",
            "The row has %(columns)s columns. According to kpt_shape in data.yaml, a row has %(expected)s: class, "
            "x, y, width, height, then the keypoints.",
            "columns",
        ),
        SKIPS_ALL,
    ),
    "label_box": FindingText(
        _l("Boxes where polygons are needed"),
        _l("The file has boxes, but the dataset's task needs polygons in every file."),
        _l("YOLO can't train on this dataset."),
        RECTANGLES,
    ),
    "label_not_number": FindingText(
        _l("Rows with non-numeric values"),
        _l("“%(value)s” isn't a number."),
        SKIPS_ALL,
        DROPS_ROW,
    ),
    "label_nan": FindingText(_l("Non-finite values"), _l("A value isn't a finite number."), SKIPS_ALL, DROPS_ROW),
    "label_out_of_range": FindingText(
        _l("Coordinates above 1"),
        _l("%(value)s is greater than 1. Coordinates must be fractions of the image size, from 0 to 1."),
        SKIPS_ALL,
        CLIPS,
    ),
    "label_negative": FindingText(
        _l("Coordinates below 0"),
        _l("%(value)s is negative. Coordinates must be fractions of the image size, from 0 to 1."),
        SKIPS_ALL,
        CLIPS,
    ),
    "label_near_range": FindingText(
        _l("Coordinates slightly out of range"),
        _l("A value is slightly outside the range from 0 to 1."),
        USES_IT,
        _l("The object is cut at the image border."),
    ),
    "class_out_of_range": FindingText(
        _l("Class IDs that don't exist"),
        _l("The class ID %(value)s doesn't exist. The last one is %(last)s."),
        SKIPS_ALL,
        DROPS_ROW,
    ),
    "class_float": FindingText(
        _l("Class IDs that aren't whole numbers"),
        _l("The class ID %(value)s isn't a whole number."),
        SKIPS_ALL,
        _l("Class IDs very close to a whole number are rounded. Other rows aren't changed."),
    ),
    "class_unknown": FindingText(
        _l("Folders without training images"),
        _l("The folder “%(name)s” has no training images, so the model can't learn this class."),
        SKIPS_IMAGE,
    ),
    "duplicate_row": FindingText(
        _l("Duplicate rows"),
        _l("The row is a duplicate of row %(first)s."),
        _l("YOLO uses the object once."),
        DROPS_ROW,
    ),
    "degenerate_box": FindingText(
        _l("Objects without area"),
        _l("The object has no area."),
        _l("The object has no effect: YOLO drops it during data augmentation."),
        DROPS_ROW,
    ),
    "mixed_rows": FindingText(
        _l("Boxes and polygons in one file"),
        _l("The file mixes boxes and polygons."),
        SKIPS_ALL,
        RECTANGLES,
    ),
    "mixed_files": FindingText(
        _l("Files with boxes mixed with files with polygons"),
        _l("Some label files have boxes, others have polygons."),
        _l("YOLO uses a box around each polygon and trains for “Detection”."),
    ),
    "small_boxes": FindingText(
        _l("Objects too small to detect"),
        _ln(
            "%(count)s object has a side under %(limit)s px at image size %(size)s; the smallest side is "
            "%(smallest)s px.",
            "%(count)s objects have a side under %(limit)s px at image size %(size)s; the smallest side is "
            "%(smallest)s px.",
            "count",
        ),
        _l(
            "YOLO can hardly detect these objects: its finest grid cell is %(limit)s px wide. Use a larger image "
            "size or split the images into tiles."
        ),
    ),
    "class_missing_train": FindingText(
        _l("Classes missing from the training set"),
        _l("The class “%(name)s” has no objects in the training set."),
        _l("The model can't learn this class."),
    ),
    "class_missing_val": FindingText(
        _l("Classes missing from the validation set"),
        _l("The class “%(name)s” has no objects in the validation set."),
        _l("This class isn't evaluated. Create a new split to distribute it."),
    ),
    "class_missing_test": FindingText(
        _l("Classes missing from the test set"),
        _l("The class “%(name)s” has no objects in the test set."),
        _l("The test set doesn't evaluate this class. Create a new split to distribute it."),
    ),
    "class_few": FindingText(
        _l("Classes with few objects"),
        _ln(
            "The class “%(name)s” has %(count)s object in the training set, fewer than %(few)s.",
            "The class “%(name)s” has %(count)s objects in the training set, fewer than %(few)s.",
            "count",
        ),
        _l(
            "Results for this class will be poor. Ultralytics recommends more for each class: images: "
            "%(advised_images)s, objects: %(advised_objects)s."
        ),
    ),
}
