"""Messages for decisions of the import, and reasons for invalid datasets. Findings: finding_texts.py."""

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l

from app.core import formats
from app.core.text_data import TextData
from app.services.datasets import finding_texts, format_texts, reading_texts
from app.texts import _ln, fill

FORMATS = {item.key: item.title for item in formats.FORMATS} | {
    "masks": _l("masks (PNG)"),
    "folders": _l("class folders"),
}
DECISIONS = {
    "val_split": _ln(
        "The ZIP has no validation set. %(moved)s training image (%(percent)s%%) was moved to it, the same one at "
        "every upload.",
        "The ZIP has no validation set. %(moved)s training images (%(percent)s%%) were moved to it, the same ones "
        "at every upload.",
        "moved",
    ),
    "split_made": _l(
        "The dataset has no split. New split by images: training %(train)s, validation %(val)s, test "
        "%(test)s. Classes are distributed evenly, near-duplicates and images from the same source "
        "stay together, and the split is always the same (seed %(seed)s)."
    ),
    "split_wished": _l("New split by images: training %(train)s, validation %(val)s, test %(test)s (seed %(seed)s)."),
    "groups_torn": _ln(
        "%(count)s image, most of the dataset, is a near-duplicate or from the same source. It "
        "couldn't stay in one set, so metrics will look better than they are (data leakage).",
        "%(count)s images, most of the dataset, are near-duplicates or from the same source. They "
        "couldn't all stay in one set, so metrics will look better than they are (data leakage).",
        "count",
    ),
    "classes_merged": _l("Classes with the same name were merged. Before: %(before)s. Now: %(after)s."),
    "root_chosen": _l("The ZIP has several datasets. Dataset used: “%(root)s”. Not used: %(others)s."),
    "form_names_ignored": _l("The class names come from data.yaml, not from the form."),
    "download_ignored": _l(
        "“download” in data.yaml was ignored. The server never runs or downloads anything on behalf of a dataset."
    ),
    "classes_unnamed": _l(
        "The classes have no names. They are called class_0 to class_%(last)s, after the highest class ID in the "
        "labels."
    ),
    "folder_names": _l("The classes are named after the image folders, not after data.yaml or the form."),
    "names_given": _ln(
        "The dataset has %(count)s class, named as you entered.",
        "The dataset has %(count)s classes, named as you entered.",
        "count",
    ),
    "task_found": _l("The labels suggest the task “%(task)s”. If that is wrong, choose another task here."),
    "task_wished": _l("The task is “%(task)s”, as you chose."),
    "task_folders": _l("The dataset has no labels: each image folder is a class, and the task is “%(task)s”."),
    "task_table": _l("%(file)s gives each image its class. The task is “Classification”."),
    "task_plain_folders": _l(
        "The dataset has no labels: each image folder became a class, and the task is "
        "“%(task)s”. If your images do have labels, upload images and labels together."
    ),
    "set_aside": _ln(
        "%(count)s image can't be decoded or is too large and was left out of training.",
        "%(count)s images can't be decoded or are too large and were left out of training.",
        "count",
    ),
    "images_unread": _ln(
        "%(count)s image of a format that isn't read (%(kinds)s) was left out. Save it as JPEG or PNG and upload the "
        "dataset again.",
        "%(count)s images of formats that aren't read (%(kinds)s) were left out. Save them as JPEG or PNG and upload "
        "the dataset again.",
    ),
    "members_twice": _ln(
        "%(count)s file that is in the ZIP twice with the same content was imported once: %(first)s.",
        "%(count)s files that are in the ZIP twice with the same content were imported once. Example: %(first)s.",
    ),
    "folders_cut": _l("The ZIP has a full path of folders. The folders above the dataset were left out: %(folder)s."),
    "names_decoded": _l("The ZIP doesn't say how its file names are encoded. They were read as %(encoding)s."),
    "zips_opened": _l("The ZIP has other ZIPs inside, which were extracted: %(names)s."),
    "images_embedded": _ln(
        "%(count)s image was extracted from its annotation file (imageData): the upload has no image file for it.",
        "%(count)s images were extracted from their annotation files (imageData): the upload has no image files for "
        "them.",
        "count",
    ),
    "findings_cut": _l("Issues listed: %(stored)s of %(total)s."),
}

REASONS = {
    "no_train_images": _l("The dataset has no training images (images/train or train/images)."),
    "disk_full": _l("The disk is full. Free some space and try again."),
    "one_image": _l("The dataset has one image only. Add at least one more for the validation set."),
    "names_too_few": _l(
        "The dataset has another number of classes (%(needed)s) than class names were given (%(count)s)."
    ),
    "class_not_there": _l("The dataset has no class “%(name)s”, so it can't be renamed."),
    "class_no_folder": _l("“%(name)s” isn't a valid folder name. Choose another name for this class."),
    "no_train": _l("None of the training images can be used. See the issues."),
    "no_val": _l("None of the validation images can be used. See the issues."),
    "no_boxes": _l("None of the usable images has an annotated object. See the issues."),
    "boxes_only": _l(
        "Some label files have boxes, but the task “%(task)s” needs polygons in every file. Fix this "
        "in the Issues tab (boxes become four-corner polygons), or choose the task “Detection”."
    ),
    "files_missing": _l(
        "The dataset files are missing on the server. Put the dataset folder back: the dataset becomes valid by "
        "itself, at the latest when the server restarts. Without a copy of the folder, delete the dataset and upload "
        "it again."
    ),
    "interrupted": _l(
        "The server was stopped before the dataset check finished. Delete the dataset and upload it again."
    ),
    "died": _l(
        "The dataset check ended unexpectedly (%(how)s). Delete the dataset and upload it again. If the "
        "error persists, see the server log."
    ),
    "lost": _l(
        "The dataset check ended unexpectedly. Delete the dataset and upload it again. If the error persists, see the "
        "server log."
    ),
    "out_of_memory": _l(
        "The dataset check ran out of memory. Close other programs on the server, then upload the dataset again."
    ),
    "not_placed": _l(
        "The dataset files couldn't be moved to their place, so the dataset check was ended. Delete the dataset and "
        "upload it again. If the error persists, see the server log."
    ),
    "images_costly": _l(
        "The images take much longer to decode than other images of their size, so the dataset check was stopped "
        "(limit: %(seconds)s s of CPU time). Save these images again as baseline JPEG or PNG and upload the "
        "dataset again."
    ),
    "stopped": _l("The dataset check was stopped. To check the dataset again, upload it again."),
    "program_changed": _l(
        "The server was upgraded while the dataset was being checked. Restart the server, delete the dataset and "
        "upload it again."
    ),
    "stalled": _l("The dataset check stopped responding and was ended. Delete the dataset and upload it again."),
    "failed": _l("The dataset check failed: %(error)s"),
}

DECISIONS |= format_texts.DECISIONS | reading_texts.DECISIONS
REASONS |= format_texts.REASONS


EXCLUSION_TITLES = finding_texts.EXCLUSION_TITLES


def message_of(texts: Mapping[str, object], code: str, data: TextData) -> str:
    """The sentence of a code in the reader's language; the code itself if it is unknown, as from an older version."""
    try:
        return fill(texts[code], data)
    except KeyError:
        return code
