"""What each code says to the user: decisions of the import, findings of the validation, reasons to be invalid."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l

from app.services.datasets import format_texts

DECISIONS = {
    "val_split": _l(
        "The ZIP has no validation images: %(moved)s training images (%(percent)s %%) were set apart for validation, "
        "the same ones at every upload."
    ),
    "split_made": _l("The dataset has no split: %(train)s images were taken for training, %(val)s for validation and "
                     "%(test)s for the test. Each class is spread evenly, images that look alike or are from one "
                     "source stay together, and the split is the same each time (seed %(seed)s)."),
    "split_wished": _l("The images were split anew: %(train)s for training, %(val)s for validation, %(test)s for the "
                       "test (seed %(seed)s)."),
    "groups_torn": _l("%(count)s images, most of the dataset, look alike or are from one source. They could not all "
                      "stay on one side of the split: the measures of a training will look better than they are."),
    "classes_merged": _l("Of %(before)s classes %(after)s were made: those with equal names are one."),
    "root_chosen": _l("The ZIP holds several datasets: “%(root)s” was taken; not taken: %(others)s."),
    "form_names_ignored": _l("The class names of data.yaml were taken, not those of the form."),
    "download_ignored": _l("“download” in data.yaml was ignored: nothing from a dataset is ever run or fetched."),
    "classes_unnamed": _l(
        "Nobody named the classes. From the largest class number in the labels, they are called class_0 to "
        "class_%(last)s."
    ),
    "folder_names": _l("The classes are named by the folders of the images, not by data.yaml or the form."),
    "task_found": _l("From the labels, the task is “%(task)s”. If it is another one, upload the dataset again and name "
                     "its task."),
    "set_aside": _l("%(count)s images that cannot be decoded or are too large were set aside. Training will not see "
                    "them."),
    "findings_cut": _l("Of %(total)s findings the first %(stored)s are listed."),
}  # fmt: skip

FINDINGS = {
    "image_broken": _l("The image cannot be decoded (%(reason)s). It was set aside; training does not see it."),
    "image_too_large": _l("The image has %(width)s × %(height)s pixels, more than %(limit)s in all. It was set aside; "
                          "training does not see it."),
    "image_too_small": _l("The image has %(width)s × %(height)s pixels. YOLO skips images with sides below %(limit)s "
                          "pixels."),
    "image_format": _l("The file is a %(format)s image, which YOLO skips. Save it as JPEG or PNG."),
    "image_disguised": _l("The file ends in %(suffix)s but is a %(format)s image. YOLO uses it all the same."),
    "jpeg_end_missing": _l("The JPEG lacks its end mark. YOLO saves it anew before training and uses it."),
    "label_missing": _l("There is no label file. YOLO uses the image as background, without objects."),
    "label_orphan": _l("There is no image to this label file. YOLO does not read it."),
    "label_encoding": _l("The label file is not UTF-8 text (%(encoding)s). YOLO skips the image."),
    "label_bom": _l("The label file begins with a byte-order mark. YOLO reads it all the same."),
    "label_columns": _l("The row has %(columns)s columns. A box has 5 (class, x, y, width, height), a polygon 7 or "
                        "more, an odd number. YOLO skips the whole image."),
    "label_keypoints": _l("The row has %(columns)s columns. With kpt_shape of data.yaml it has %(expected)s: class, x,"
                          " y, width, height, then the keypoints. YOLO skips the whole image."),
    "label_box": _l("The file holds boxes, but the dataset's task needs polygons or corners in every file."),
    "class_unknown": _l("There are no training images in a folder “%(name)s”: this class cannot be learned. YOLO skips "
                        "the image."),
    "label_not_number": _l("“%(value)s” is not a number. YOLO skips the whole image."),
    "label_nan": _l("A value is not finite. YOLO skips the whole image."),
    "label_out_of_range": _l("%(value)s lies outside 0 to 1: coordinates are fractions of the image's sides. YOLO "
                             "skips the whole image."),
    "label_negative": _l("%(value)s is negative: coordinates are fractions of the image's sides. YOLO skips the whole "
                         "image."),
    "label_near_range": _l("A value lies outside 0 to 1 by less than 0.01. YOLO uses the row all the same."),
    "class_out_of_range": _l("There is no class %(value)s: the last one is %(last)s. YOLO skips the whole image."),
    "class_float": _l("The class %(value)s is not a whole number. YOLO skips the whole image."),
    "duplicate_row": _l("The row repeats row %(first)s. YOLO uses it once."),
    "degenerate_box": _l("The box has no area. It teaches nothing, and YOLO drops it while augmenting."),
    "mixed_rows": _l("The file mixes boxes and polygons. YOLO skips the whole image."),
    "mixed_files": _l("Some label files hold boxes, others polygons. YOLO then uses the boxes round the polygons."),
}  # fmt: skip

REASONS = {
    "no_train_images": _l("There are no training images (images/train or train/images)."),
    "one_image": _l("One training image is not enough: at least one more is needed for validation."),
    "names_too_few": _l("%(count)s class names were given, and the dataset has %(needed)s classes."),
    "class_not_there": _l("The dataset has no class “%(name)s” that could be renamed."),
    "class_no_folder": _l("“%(name)s” cannot be the name of a folder: choose another name for this class."),
    "no_train": _l("No training image can be used. The findings say why."),
    "no_val": _l("No validation image can be used. The findings say why."),
    "no_boxes": _l("No image that can be used has a labelled object. The findings say why."),
    "boxes_only": _l("Some label files hold boxes, but the task “%(task)s” needs polygons or corners in every file. "
                     "Correct them, or upload the dataset for the task detect."),
    "files_missing": _l("The dataset's files are missing on the server. Delete it and upload it again."),
    "interrupted": _l("The server was stopped before the dataset was complete. Delete it and upload it again."),
    "died": _l("The validation ended unexpectedly (%(how)s). Delete the dataset and upload it again; if it happens "
               "again, the server's log says more."),
    "stalled": _l("The validation stopped answering and was ended. Delete the dataset and upload it again."),
    "failed": _l("The dataset could not be validated: %(error)s"),
}  # fmt: skip

DECISIONS |= format_texts.DECISIONS
FINDINGS |= format_texts.FINDINGS
REASONS |= format_texts.REASONS


LEFT_OUT: dict[str, Any] = {}  # why an image is not used, by the code of the finding


def say(texts: Mapping[str, Any], code: str, data: Mapping[str, Any]) -> str:
    """The sentence for a code in the reader's language; the code itself where an older version wrote another one."""
    try:
        return str(texts[code]) % data
    except KeyError:
        return code
