"""What findings about labels and classes say: files, rows, objects, and how many there are of each class."""

from flask_babel import lazy_gettext as _l

from app.services.datasets.told import SKIPS_IMAGE, USES_IT, Told

SKIPS_ALL = _l("One such row is enough: YOLO skips the whole image with all its objects.")
DROPS_ROW = _l("The row is removed; the other rows of the file stay.")
CLIPS = _l("What lies outside by up to a tenth of the image is cut at its edge. What lies further out stays: it is "
           "probably in pixels, or belongs to another image.")  # fmt: skip
RECTANGLES = _l("For the tasks segment and obb, boxes become outlines with four corners; for detect, outlines become "
                "the boxes round them.")  # fmt: skip

LABEL_TEXTS: dict[str, Told] = {
    "label_missing": Told(
        _l("Images without a label file"),
        _l("There is no label file."),
        _l(
            "YOLO uses the image as background, without objects. If there are objects in it, it learns to "
            "overlook them."
        ),
    ),
    "label_orphan": Told(
        _l("Labels without an image"),
        _l("There is no image to this label file."),
        _l("YOLO does not read it."),
        _l("It is left out."),
    ),
    "label_encoding": Told(
        _l("Label files in another encoding"),
        _l("The label file is not UTF-8 text (%(encoding)s)."),
        SKIPS_IMAGE,
        _l("The file is written as UTF-8."),
    ),
    "label_bom": Told(
        _l("Label files with a byte-order mark"),
        _l("The label file begins with a byte-order mark."),
        USES_IT,
        _l("The file is written without it."),
    ),
    "label_columns": Told(
        _l("Rows with the wrong number of columns"),
        _l(
            "The row has %(columns)s columns. A box has 5 (class, x, y, width, height), a polygon 7 "
            "or more, an odd number."
        ),
        SKIPS_ALL,
        _l("A sixth column, the confidence of a prediction, is cut off. Other such rows are removed."),
    ),
    "label_keypoints": Told(
        _l("Rows with the wrong number of keypoints"),
        _l(
            "The row has %(columns)s columns. With kpt_shape of data.yaml it has %(expected)s: class, x, y, width, "
            "height, then the keypoints."
        ),
        SKIPS_ALL,
    ),
    "label_box": Told(
        _l("Boxes where outlines are needed"),
        _l("The file holds boxes, but the dataset's task needs polygons or corners in every file."),
        _l("YOLO refuses to train with this dataset."),
        RECTANGLES,
    ),
    "label_not_number": Told(
        _l("Rows with text"),
        _l("“%(value)s” is not a number."),
        SKIPS_ALL,
        DROPS_ROW,
    ),
    "label_nan": Told(_l("Values that are not finite"), _l("A value is not finite."), SKIPS_ALL, DROPS_ROW),
    "label_out_of_range": Told(
        _l("Coordinates above 1"),
        _l("%(value)s lies outside 0 to 1: coordinates are fractions of the image's sides."),
        SKIPS_ALL,
        CLIPS,
    ),
    "label_negative": Told(
        _l("Coordinates below 0"),
        _l("%(value)s is negative: coordinates are fractions of the image's sides."),
        SKIPS_ALL,
        CLIPS,
    ),
    "label_near_range": Told(
        _l("Coordinates slightly outside"),
        _l("A value lies outside 0 to 1 by less than 0.01."),
        USES_IT,
        _l("The object is cut at the image's edge."),
    ),
    "class_out_of_range": Told(
        _l("Classes that do not exist"),
        _l("There is no class %(value)s: the last one is %(last)s."),
        SKIPS_ALL,
        DROPS_ROW,
    ),
    "class_float": Told(
        _l("Classes that are not whole numbers"),
        _l("The class %(value)s is not a whole number."),
        SKIPS_ALL,
        _l("A class that is off a whole number by up to 0.01 becomes that number. Others stay."),
    ),
    "class_unknown": Told(
        _l("Folders without training images"),
        _l("There are no training images in a folder “%(name)s”: this class cannot be learned."),
        SKIPS_IMAGE,
    ),
    "duplicate_row": Told(
        _l("Rows that are there twice"),
        _l("The row repeats row %(first)s."),
        _l("YOLO uses it once."),
        DROPS_ROW,
    ),
    "degenerate_box": Told(
        _l("Objects without area"),
        _l("The object has no area."),
        _l("It teaches nothing, and YOLO drops it while augmenting."),
        DROPS_ROW,
    ),
    "mixed_rows": Told(
        _l("Boxes and outlines in one file"),
        _l("The file mixes boxes and outlines."),
        SKIPS_ALL,
        RECTANGLES,
    ),
    "mixed_files": Told(
        _l("Some files with boxes, some with outlines"),
        _l("Some label files hold boxes, others outlines."),
        _l("YOLO then uses the boxes round the outlines, and trains for the task detect."),
    ),
    "small_boxes": Told(
        _l("Objects too small to be seen"),
        _l(
            "%(count)s objects have a side under %(limit)s pixels at image size %(size)s; the smallest has "
            "%(smallest)s."
        ),
        _l(
            "YOLO uses them, but one cell of its finest grid is %(limit)s pixels wide: it hardly finds them. A larger "
            "image size helps, or cutting the images into tiles."
        ),
    ),
    "class_missing_train": Told(
        _l("Classes without training objects"),
        _l("The class “%(name)s” has no object in the training images."),
        _l("It cannot be learned."),
    ),
    "class_missing_val": Told(
        _l("Classes without validation objects"),
        _l("The class “%(name)s” has no object in the validation images."),
        _l("How well it is found is not measured. Split the dataset anew to spread it."),
    ),
    "class_missing_test": Told(
        _l("Classes without test objects"),
        _l("The class “%(name)s” has no object in the test images."),
        _l("The test says nothing of it. Split the dataset anew to spread it."),
    ),
    "class_few": Told(
        _l("Classes with few objects"),
        _l("The class “%(name)s” has %(count)s objects in the training images, fewer than %(few)s."),
        _l("It will hardly be learned. Ultralytics advises 1,500 images and 10,000 objects for each class."),
    ),
}
