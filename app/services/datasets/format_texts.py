"""Messages for the codes of the format readers (app/worker/formats)."""

from flask_babel import lazy_gettext as _l

from app.services.datasets import annotation_texts
from app.texts import _ln

DECISIONS = {
    "names_changed": _ln(
        "%(count)s image with the name of another one was renamed: %(first)s is now %(name)s.",
        "%(count)s images with the name of another one were renamed. For example, %(first)s is now %(name)s.",
        "count",
    ),
    "names_from_file": _l("The class names come from %(file)s."),
    "names_encoding": _l("The class names in %(file)s are not UTF-8. They were read as %(encoding)s."),
    "names_garbled": _l("Class names were garbled before the upload (U+FFFD): %(names)s. Enter the right names."),
    "labels_paired": _ln(
        "%(count)s label file in %(labels)s was matched by its name with an image in %(images)s.",
        "%(count)s label files in %(labels)s were matched by their names with the images in %(images)s.",
        "count",
    ),
    "ids_as_text": _l(
        "%(file)s has image or class IDs as numbers in one place and as texts in another. “0” was taken for 0."
    ),
    "form_names_ignored_list": _l("The class names come from %(file)s, not from the form."),
    "names_sorted": _ln(
        "No file lists the classes. %(count)s class name was found in the annotations.",
        "No file lists the classes. %(count)s class names were found in the annotations and sorted alphabetically.",
        "count",
    ),
    "names_added": _ln(
        "%(count)s class found in the annotations but in no class list was added at the end: %(names)s.",
        "%(count)s classes found in the annotations but in no class list were added at the end: %(names)s.",
        "count",
    ),
    "annotation_names": _l("The class names come from the annotations, not from another file or the form."),
    "lists_used": _l("The split comes from %(lists)s. Images in no list were left out: %(left_out)s."),
    "lists_of_all": _l("The split comes from %(lists)s."),
    "yaml_folders": _ln(
        "The split of %(count)s image comes from the folders in data.yaml.",
        "The split of %(count)s images comes from the folders in data.yaml.",
        "count",
    ),
    "keypoints_found": _ln(
        "data.yaml doesn't mention keypoints, but every label row has %(count)s keypoint. The task is “Pose”.",
        "data.yaml doesn't mention keypoints, but every label row has %(count)s keypoints. The task is “Pose”.",
        "count",
    ),
    "shapes_mixed": _l(
        "Objects by shape: %(boxes)s with a box, %(polygons)s with a polygon. The task is "
        "“Detection”, with a box around each polygon. For “Segmentation”, boxes become four-corner "
        "polygons."
    ),
    "files_chosen": _l("Several annotation files describe the same images. Files not imported: %(files)s."),
    "heading_dropped": _l("Classes without objects that only group others were left out: %(names)s."),
    "merged": _ln(
        "%(count)s dataset in the ZIP was imported, with classes matched by name: %(roots)s.",
        "%(count)s datasets in the ZIP were merged, with classes matched by name: %(roots)s.",
        "count",
    ),
    "format_chosen": _l("The labels come in several formats. Format used: %(format)s. Not used: %(others)s."),
    "voc_from_one": _ln(
        "The boxes of %(count)s XML file count pixels from 1 and were converted to count from 0.",
        "The boxes of %(count)s XML files count pixels from 1 and were converted to count from 0.",
        "count",
    ),
}

FINDINGS = {
    "object_degenerate": _l("The object “%(name)s” has no area (%(width)s × %(height)s px). The object was left out."),
    "object_outside": _l("The object “%(name)s” is outside the image. The object was left out."),
    "object_clipped": _l(
        "The object “%(name)s” extends %(pixels)s px beyond the image. The object was cut at the image border."
    ),
    "object_no_number": _l("A coordinate of the object “%(name)s” isn't a number. The object was left out."),
    "object_unnamed": _l("The object has no class, or a class that isn't listed in the file. The object was left out."),
    "object_no_box": _l("The object “%(name)s” has no box and no polygon. The object was left out."),
    "object_no_image": _l(
        "The object belongs to image %(id)s, which isn't listed in the file. The object was left out."
    ),
    "object_crowd": _l(
        "The object “%(name)s” is a crowd (iscrowd), which YOLO doesn't support. The object was left out."
    ),
    "mask_as_box": _l("The object “%(name)s” is an RLE mask. Its bounding box is used."),
    "mask_left_out": _l(
        "The object “%(name)s” is an RLE mask without polygon. The object was left out. Export the masks as polygons."
    ),
    "box_as_polygon": _l("The object “%(name)s” is a box among polygons. The box became a four-corner polygon."),
    "shape_unsupported": _l("“%(name)s” has a shape that YOLO doesn't support (%(shape)s). The object was left out."),
    "image_missing": _l("The image %(image)s isn't in the dataset. Its annotations were left out."),
    "image_repeated": _l("The image %(image)s is already listed (%(first)s)."),
    "image_unlisted": _l("The image %(image)s is in no annotation or list. The image was left out."),
    "size_unknown": _l(
        "The size of the image %(image)s is unknown: neither the annotation nor the image file has "
        "it. The image was left out."
    ),
    "annotation_unreadable": _l("The file %(file)s can't be read: %(reason)s. Its annotations were left out."),
    "xml_unreadable": _l("The XML file can't be read: %(reason)s. Its annotations were left out."),
    "file_too_large": _l("The file %(file)s is larger than %(limit_size)s. Its annotations were left out."),
}

REASONS = {
    "no_layout": _l(
        "No dataset found. The ZIP has images: %(images)s, text files: %(labels)s. Put images and labels into one "
        "ZIP, as YOLO (images/train, images/val and labels/train, labels/val; or train/images, train/labels and "
        "valid/images, valid/labels; or images and labels; or each image next to its .txt), COCO (JSON), Pascal "
        "VOC or CVAT (XML), LabelMe, Label Studio or Supervisely (JSON), CSV or another supported format. For "
        "classification, use train/CLASS/… and val/CLASS/…, or CLASS/… alone, and choose the task “Classification” "
        "if the folders aren't detected."
    ),
    "no_labels": _l(
        "The images have no labels (images: %(images)s, annotation files: 0). Training needs to know where the objects "
        "are. Annotate the images in an annotation tool, such as Label Studio or CVAT, export them as YOLO and upload "
        "images and labels in one ZIP: images/train/a.jpg with labels/train/a.txt. To classify whole images instead, "
        "sort them into one folder per class and choose the task “Classification”."
    ),
    "names_differ": _l(
        "No label file has the name of an image: %(label)s, for example, but %(image)s (label files: %(labels)s, "
        "images: %(images)s). Give each label file the name of its image (a.jpg and a.txt) and upload them again."
    ),
    "no_root": _l("“%(root)s” has no dataset. Folders with datasets: %(roots)s."),
    "no_images_found": _l("The ZIP has none of the images of “%(file)s”. Put images and annotations into one ZIP."),
    "no_objects": _l("The annotations have no objects with a class."),
    "same_file": _l("%(first)s and %(second)s have the same path. Rename one of them and upload again."),
    "label_too_large": _l("%(name)s is too large for a label file (limit: %(limit_size)s)."),
    "file_too_large": _l("%(file)s is larger than %(limit_size)s."),
    "annotation_unreadable": _l("The annotation file %(file)s can't be read: %(reason)s."),
    "xml_unreadable": _l("An XML file can't be read: %(reason)s."),
    "classes_two": _l("A classification dataset needs at least two class folders: train/CLASS/…, val/CLASS/…"),
    "pose_shape": _l(
        "For the “Pose” task, data.yaml needs kpt_shape, such as [17, 3]: number of keypoints, and 2 "
        "or 3 values for each."
    ),
    "pose_missing": _l("The “Pose” task needs keypoints, but the annotations have none. Choose another task."),
    "merge_keypoints": _l("The datasets have different keypoints, so they can't be merged."),
    "yaml_too_large": _l("data.yaml is larger than %(limit_size)s."),
    "yaml_unreadable": _l("data.yaml can't be read: %(reason)s."),
    "yaml_not_mapping": _l("data.yaml must have keys and values, such as “names”."),
    "yaml_names": _l("“names” in data.yaml must be a list of class names, or class IDs with names."),
    "yaml_count": _l("data.yaml has nc: %(count)s, but “names” lists another number of classes (%(names)s)."),
    "yaml_gap": _l("The class IDs in “names” of data.yaml must go from 0 to %(last)s without gaps."),
    "yaml_whole": _l("data.yaml has “%(text)s” where a whole number is expected."),
    "yaml_kpt_shape": _l(
        "“kpt_shape” in data.yaml must be two numbers such as [17, 3]: number of keypoints, and 2 or 3 values for each."
    ),
    "yaml_flip_idx": _l("“flip_idx” in data.yaml must have each number from 0 to %(last)s exactly once."),
    "names_none": _l("At least one class name is needed (%(source)s)."),
    "names_too_many": _l("The dataset has more classes than the limit of %(limit)s (MAX_CLASSES)."),
    "name_empty": _l("Class %(number)s has an empty name (%(source)s)."),
    "name_unfit": _l("“%(name)s” isn't a valid class name (%(source)s)."),
}

DECISIONS |= annotation_texts.DECISIONS
FINDINGS |= annotation_texts.FINDINGS
REASONS |= annotation_texts.REASONS
