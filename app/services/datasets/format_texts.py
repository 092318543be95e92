"""What the codes of the readers of formats (app/worker/formats) say to the user."""

from flask_babel import lazy_gettext as _l

DECISIONS = {
    "names_changed": _l("Images that have the name of another one were given one of their own: %(count)s, such as "
                        "%(first)s, which is now %(name)s."),
    "names_from_file": _l("The class names were taken from %(file)s."),
    "form_names_ignored_list": _l("The class names of %(file)s were taken, not those of the form."),
    "names_sorted": _l("No file lists the classes: the %(count)s names in the annotations were put in alphabetical "
                       "order."),
    "names_added": _l("%(count)s classes are in the annotations but in no list, and were put behind the others: "
                      "%(names)s."),
    "annotation_names": _l("The class names of the annotations were taken, not those of another file or the form."),
    "lists_used": _l("The split was taken from %(lists)s. Images that are in no list were left out: %(left_out)s."),
    "lists_of_all": _l("The split was taken from %(lists)s."),
    "yaml_folders": _l("The split of %(count)s images was taken from the folders in data.yaml."),
    "keypoints_found": _l("data.yaml says nothing of keypoints, but every row has %(count)s: the task is “Pose”."),
    "shapes_mixed": _l("%(boxes)s objects are boxes and %(polygons)s are outlines. The task is “Detection”, with the "
                       "boxes round the outlines; for “Segmentation”, boxes become outlines of four corners."),
    "files_chosen": _l("Several annotation files are about the same images. Not read: %(files)s."),
    "heading_dropped": _l("A heading without objects was left out of the classes: %(names)s."),
    "merged": _l("%(count)s datasets of the ZIP were put together, classes by name: %(roots)s."),
    "format_chosen": _l("The labels are there in several formats: %(format)s was taken; not taken: %(others)s."),
    "voc_from_one": _l("The boxes of %(count)s XML files count pixels from 1, as the tool that wrote them does: they "
                       "were moved to count from 0."),
}  # fmt: skip

FINDINGS = {
    "object_degenerate": _l("The object “%(name)s” has no area (%(width)s × %(height)s pixels). It was left out."),
    "object_outside": _l("The object “%(name)s” lies outside the image. It was left out."),
    "object_clipped": _l("The object “%(name)s” reaches %(pixels)s pixels out of the image. It was cut at the edge."),
    "object_no_number": _l("A coordinate of the object “%(name)s” is not a number. The object was left out."),
    "object_unnamed": _l("The object has no class, or one that the file does not list. It was left out."),
    "object_no_box": _l("The object “%(name)s” has no box and no outline. It was left out."),
    "object_no_image": _l("The object belongs to image %(id)s, which the file does not list. It was left out."),
    "object_crowd": _l("The object “%(name)s” is a crowd (iscrowd). YOLO has no row for one: it was left out."),
    "mask_as_box": _l("The object “%(name)s” is a mask in runs (RLE). Its box was taken."),
    "mask_left_out": _l("The object “%(name)s” is a mask in runs (RLE), which has no outline. It was left out; export "
                        "it as polygons."),
    "box_as_polygon": _l("The object “%(name)s” is a box among outlines. Its four corners were taken."),
    "shape_unsupported": _l("“%(name)s” is a shape that YOLO has no row for (%(shape)s). It was left out."),
    "image_missing": _l("The image %(image)s is not in the dataset. What the file says of it was left out."),
    "image_repeated": _l("The image %(image)s was listed before (%(first)s)."),
    "image_unlisted": _l("No annotation or list speaks of the image %(image)s. It was left out."),
    "size_unknown": _l("The size of the image %(image)s is neither in the annotation nor in the image. It was left "
                       "out."),
    "annotation_unreadable": _l("The file %(file)s cannot be read: %(reason)s. What it says was left out."),
    "xml_unreadable": _l("The XML file cannot be read: %(reason)s. What it says was left out."),
    "file_too_large": _l("The file %(file)s is larger than %(limit)s bytes. What it says was left out."),
}  # fmt: skip

REASONS = {
    "no_layout": _l(
        "No dataset was found: there are %(images)s images and %(labels)s text files. Put the images and their labels "
        "into one ZIP, as YOLO (images/train, images/val and labels/train, labels/val; or train/images, train/labels "
        "and valid/images, valid/labels; or images and labels; or each image beside its .txt), COCO (JSON), Pascal "
        "VOC or CVAT (XML), LabelMe or CreateML (JSON); or, for classification, train/CLASS/… and val/CLASS/…, or "
        "CLASS/… alone: choose the task “Classification” where such folders were not taken for classes."
    ),
    "no_root": _l("There is no dataset in “%(root)s”. There are datasets in: %(roots)s."),
    "no_images_found": _l("None of the images of the dataset in “%(file)s” is in the ZIP. Put the images and the "
                          "annotations into one ZIP."),
    "no_objects": _l("The annotations hold no object with a class."),
    "same_file": _l("%(first)s and %(second)s would be the same file."),
    "label_too_large": _l("%(name)s is too large for a label file (%(limit)s bytes)."),
    "file_too_large": _l("%(file)s is larger than %(limit)s bytes."),
    "annotation_unreadable": _l("The annotation file %(file)s cannot be read: %(reason)s."),
    "xml_unreadable": _l("An XML file cannot be read: %(reason)s."),
    "classes_two": _l("A classification needs at least two folders of classes: train/CLASS/…, val/CLASS/…"),
    "pose_shape": _l("For the task pose, data.yaml must say kpt_shape, such as [17, 3]: how many keypoints, and 2 or 3 "
                     "numbers for each."),
    "pose_missing": _l("The task pose needs keypoints, and the annotations have none. Choose another task."),
    "merge_keypoints": _l("The datasets have different keypoints and cannot be put together."),
    "yaml_too_large": _l("data.yaml is larger than %(limit)s bytes."),
    "yaml_unreadable": _l("data.yaml cannot be read: %(reason)s"),
    "yaml_not_mapping": _l("data.yaml must hold keys and values, such as “names”."),
    "yaml_names": _l("“names” in data.yaml must be a list of names, or numbers with names."),
    "yaml_count": _l("data.yaml says nc: %(count)s but names %(names)s classes."),
    "yaml_gap": _l("The numbers of “names” in data.yaml must run from 0 to %(last)s without a gap."),
    "yaml_whole": _l("data.yaml has “%(text)s” where a whole number must be."),
    "yaml_kpt_shape": _l("“kpt_shape” in data.yaml must be two numbers such as [17, 3]: how many keypoints, and 2 or 3 "
                         "numbers for each."),
    "yaml_flip_idx": _l("“flip_idx” in data.yaml must hold each number from 0 to %(last)s once."),
    "names_none": _l("There must be at least one class name (%(source)s)."),
    "names_too_many": _l("There are more than %(limit)s classes (MAX_CLASSES)."),
    "name_empty": _l("Class %(number)s has an empty name (%(source)s)."),
    "name_unfit": _l("“%(name)s” cannot be a class name (%(source)s)."),
}  # fmt: skip
