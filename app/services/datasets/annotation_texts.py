"""Messages of the readers of annotation tools' files (CSV, Label Studio, Supervisely, CVAT's tracks …)."""

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from app.texts import _ln

DECISIONS = {
    "images_converted": _ln(
        "%(count)s %(format)s image was converted to JPEG, which every training reads. The original file is kept.",
        "%(count)s %(format)s images were converted to JPEG, which every training reads. The original files are kept.",
        "count",
    ),
    "files_united": _ln(
        "%(count)s image is in several annotation files (%(files)s). Its objects were put together. "
        "Objects in two files, imported once: %(twice)s.",
        "%(count)s images are in several annotation files (%(files)s). Their objects were put "
        "together. Objects in two files, imported once: %(twice)s.",
        "count",
    ),
    "folders_united": _l("These folders are one dataset: %(folders)s."),
    "names_percent": _ln(
        "%(count)s image and its label file were paired although one name has percent codes: %(first)s and %(label)s.",
        "%(count)s images and their label files were paired although one name has percent codes. "
        "Example: %(first)s and %(label)s.",
        "count",
    ),
    "class_of_all": _l("The annotations have no class names. All objects are of the class “%(name)s”."),
    "class_attribute": _l("The regions have several attributes (%(others)s). The class comes from “%(name)s”."),
    "predictions_left_out": _ln(
        "%(count)s image was left out: only a model annotated it, no person. Check the image in Label Studio.",
        "%(count)s images were left out: only a model annotated them, no person. Check the images in Label Studio.",
    ),
    "csv_form": _l("The boxes of %(file)s are read as: %(form)s."),
    "reading_frames_in_order": _l(
        "The annotations are of the frames of a video. The images are used in the order of their names: "
        "frame 0 is %(first)s."
    ),
    "reading_frames_from_zero": _l(
        "The annotations are of the frames of a video. The number in each image's name is its frame: "
        "%(first)s is the first one."
    ),
    "reading_frames_from_one": _l(
        "The annotations are of the frames of a video, and the numbers in the images' names start at 1: "
        "frame 0 is %(first)s."
    ),
    "mask_names": _ln(
        "No file names the %(count)s value of the masks. Its class is named after it.",
        "No file names the %(count)s values of the masks. Their classes are named after them.",
        "count",
    ),
    "keypoints_named": _l("The points in the group of a box are its keypoints, in this order: %(names)s."),
    "groups_joined": _ln(
        "%(count)s shape was merged into another one of the same group and class.",
        "%(count)s shapes were merged into others of the same group and class.",
        "count",
    ),
}

FINDINGS = {
    "mask_unreadable": _l("The mask of the object “%(name)s” can't be read. The object was left out."),
    "mask_noise": _ln(
        "The class “%(name)s” has %(count)s piece in the mask, which is noise. It was left out.",
        "The class “%(name)s” has %(count)s pieces in the mask, which is noise. They were left out.",
        "count",
    ),
    "images_missing": _ln(
        "%(count)s more image of this file isn't in the dataset. Its annotations were left out.",
        "%(count)s more images of this file aren't in the dataset. Their annotations were left out.",
        "count",
    ),
    "slots_left_out": _ln(
        "The file has %(count)s more image (slot). Only the first one was imported.",
        "The file has %(count)s more images (slots). Only the first one was imported.",
        "count",
    ),
    "annotations_several": _ln(
        "The image has %(count)s more annotation. Only the first one, or the ground truth, was imported.",
        "The image has %(count)s more annotations. Only the first one, or the ground truth, was imported.",
        "count",
    ),
    "frames_missing": _ln(
        "%(count)s frame of the video has no image in the dataset (%(frames)s). Objects left out: %(objects)s.",
        "%(count)s frames of the video have no image in the dataset (such as %(frames)s). Objects "
        "left out: %(objects)s.",
        "count",
    ),
}

TITLES: dict[str, LazyString] = {
    "mask_unreadable": _l("Unreadable masks"),
    "mask_noise": _l("Noisy masks"),
    "images_missing": _l("Missing images"),
    "slots_left_out": _l("Files with several images"),
    "annotations_several": _l("Images annotated several times"),
    "frames_missing": _l("Missing video frames"),
}
USED = {"annotations_several"}  # also relevant to YOLO: the import reads only one of several annotations

REASONS = {
    "labels_unread": _l(
        "These annotations have a format that isn't supported: %(files)s. Export them as YOLO, COCO or "
        "another supported format and upload them together with the images."
    ),
    "labels_spreadsheet": _l(
        "The images have no labels that can be read. If %(files)s holds them: save the sheet as CSV with one row per "
        "object (columns image, class, xmin, ymin, xmax, ymax in pixels) and upload it together with the images."
    ),
    "labels_manifest": _l(
        "The images have no labels that can be read. %(files)s is a manifest of Amazon SageMaker or Rekognition. "
        "Convert it to COCO JSON and upload the JSON file together with the images."
    ),
    "labels_images": _l(
        "The images have no labels that can be read. If %(files)s are masks, save them as PNG and upload them together "
        "with the images."
    ),
    "labels_packed": _l(
        "The images have no labels that can be read. If they are in %(files)s: extract this archive and put its files "
        "into the ZIP, beside the images."
    ),
    "predictions_only": _ln(
        "The export has %(count)s image with predictions of a model and none that a person annotated. Accept the "
        "predictions in Label Studio and export again.",
        "The export has %(count)s images with predictions of a model and none that a person annotated. Accept the "
        "predictions in Label Studio and export again.",
    ),
    "labels_beside": _l(
        "Besides the images there are files of a kind that isn't read: %(files)s. If they hold the labels, export "
        "these as YOLO, COCO or another supported format. If the folders are the classes, choose the task "
        "“Classification”."
    ),
    "frames_unknown": _l(
        "%(file)s has tracks of a video (frames: %(frames)s), but the images of the dataset "
        "(%(images)s) aren't named after its frames (frame_000000). Export the task from CVAT with "
        "its images, or as “CVAT for images 1.1”."
    ),
    "mask_values": _ln(
        "The masks have %(count)s different value, too many to be classes.",
        "The masks have %(count)s different values, too many to be classes. Save them as PNG with one "
        "value for each class.",
        "count",
    ),
    "objects_too_many": _l("The annotations have more objects than the limit of %(limit)s."),
}
