"""What each code says to the user: decisions of the import, reasons to be invalid. Findings: finding_texts.py."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l

from app.services.datasets import finding_texts, format_texts, reading_texts

TASKS = {"detect": _l("Detection"), "segment": _l("Segmentation"), "pose": _l("Pose"), "obb": _l("Oriented boxes"),
         "classify": _l("Classification")}  # fmt: skip
FORMATS = {"yolo": "YOLO", "darknet": "YOLO (darknet)", "cvat-yolo": "YOLO (CVAT)", "coco": "COCO", "voc": "Pascal VOC",
           "cvat": "CVAT", "labelme": "LabelMe", "createml": "CreateML",
           "folders": _l("folders of classes")}  # fmt: skip
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
    "names_given": _l("The %(count)s classes have the names that were given for them."),
    "task_found": _l("From the labels, the task is “%(task)s”. If it is another one, choose it here."),
    "task_wished": _l("The task is “%(task)s”, as it was chosen."),
    "task_folders": _l("There are no labels: each folder of images is a class, and the task is “%(task)s”."),
    "task_plain_folders": _l("There are no labels: each folder of images was taken as a class, and the task is "
                             "“%(task)s”. If the images do have labels, they are missing: upload them together."),
    "set_aside": _l("Images that cannot be decoded or are too large were set aside: %(count)s. Training will not see "
                    "them."),
    "members_twice": _l("Files that are in the ZIP twice with the same content were taken once: %(count)s, such as "
                        "%(first)s."),
    "folders_cut": _l("The ZIP holds a whole path of folders. The folders above the dataset (%(folder)s) were left "
                      "out."),
    "names_decoded": _l("The ZIP does not say how its file names are encoded. They were read as %(encoding)s."),
    "zips_opened": _l("The ZIP holds other ZIPs. They were opened: %(names)s."),
    "findings_cut": _l("Of %(total)s findings the first %(stored)s are listed."),
}  # fmt: skip

REASONS = {
    "no_train_images": _l("There are no training images (images/train or train/images)."),
    "disk_full": _l("The disk is full. Delete something and try again."),
    "one_image": _l("One training image is not enough: at least one more is needed for validation."),
    "names_too_few": _l("%(count)s class names were given, and the dataset has %(needed)s classes."),
    "class_not_there": _l("The dataset has no class “%(name)s” that could be renamed."),
    "class_no_folder": _l("“%(name)s” cannot be the name of a folder: choose another name for this class."),
    "no_train": _l("No training image can be used. The findings say why."),
    "no_val": _l("No validation image can be used. The findings say why."),
    "no_boxes": _l("No image that can be used has a labelled object. The findings say why."),
    "boxes_only": _l("Some label files hold boxes, but the task “%(task)s” needs polygons or corners in every file. "
                     "Fix it among the findings (boxes become outlines of four corners), or choose the task "
                     "“Detection”."),
    "files_missing": _l("The dataset's files are missing on the server. Delete it and upload it again."),
    "interrupted": _l("The server was stopped before the dataset was complete. Delete it and upload it again."),
    "died": _l("The validation ended unexpectedly (%(how)s). Delete the dataset and upload it again; if it happens "
               "again, the server's log says more."),
    "stalled": _l("The validation stopped answering and was ended. Delete the dataset and upload it again."),
    "failed": _l("The dataset could not be validated: %(error)s"),
}  # fmt: skip

DECISIONS |= format_texts.DECISIONS | reading_texts.DECISIONS
REASONS |= format_texts.REASONS


LEFT_OUT = finding_texts.LEFT_OUT


def say(texts: Mapping[str, Any], code: str, data: Mapping[str, Any]) -> str:
    """The sentence for a code in the reader's language; the code itself where an older version wrote another one."""
    try:
        return str(texts[code]) % data
    except KeyError:
        return code
