"""What each code of a finding says to the user: its title, the message for one case, what YOLO does with it, and what
the fix does where there is one. Codes come from app/worker/doctor and, of other formats, from app/worker/formats.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l

from app.services.datasets import format_texts
from app.services.datasets.converted_texts import CONVERTED

SKIPS_IMAGE = _l("YOLO skips the image.")
SKIPS_ALL = _l("One such row is enough: YOLO skips the whole image with all its objects.")
USES_IT = _l("YOLO uses it all the same.")
DROPS_ROW = _l("The row is removed; the other rows of the file stay.")
DROPS_IMAGE = _l("The image and its label are left out of the new revision.")
CLIPS = _l("What lies outside by up to a tenth of the image is cut at its edge. What lies further out stays: it is "
           "probably in pixels, or belongs to another image.")  # fmt: skip
RECTANGLES = _l("For the tasks segment and obb, boxes become outlines with four corners; for detect, outlines become "
                "the boxes round them.")  # fmt: skip

EFFECT = ("images", "rows", "files")
ROWS_DONE = _l("%(title)s: %(rows)s rows or files were mended or removed.")
IMAGES_DONE = _l("%(title)s: %(images)s images were mended, moved or left out.")
FILES_DONE = _l("%(title)s: left out.")


@dataclass(frozen=True)
class Told:
    """The texts of a code; `fix` is None where nothing can be mended."""

    title: Any
    message: Any
    effect: Any
    fix: Any = None


TEXTS: dict[str, Told] = {
    "image_broken": Told(
        _l("Broken images"),
        _l("The image cannot be decoded (%(reason)s)."),
        _l("It was set aside: training does not see it."),
        DROPS_IMAGE,
    ),
    "image_too_large": Told(
        _l("Images beyond the limit"),
        _l("The image has %(width)s × %(height)s pixels, more than %(limit)s in all."),
        _l("It was set aside: training does not see it."),
        DROPS_IMAGE,
    ),
    "image_too_small": Told(
        _l("Images too small for YOLO"),
        _l("The image has %(width)s × %(height)s pixels. Each side must have %(limit)s at least."),
        SKIPS_IMAGE,
        DROPS_IMAGE,
    ),
    "image_format": Told(
        _l("Formats that YOLO does not read"),
        _l("The file is a %(format)s image."),
        SKIPS_IMAGE,
        _l("The image is saved as PNG, without loss."),
    ),
    "image_disguised": Told(
        _l("Images with the wrong suffix"),
        _l("The file ends in %(suffix)s but is a %(format)s image."),
        USES_IT,
        _l("The file gets the suffix of its format; its content stays."),
    ),
    "image_tiny": Told(
        _l("Very small images"),
        _l("The image has %(width)s × %(height)s pixels only."),
        _l("YOLO scales it up to the training's image size; there is little to be seen."),
    ),
    "image_large": Told(
        _l("Very large images"),
        _l("The image has %(width)s × %(height)s pixels."),
        _l(
            "YOLO decodes it whole in every epoch and scales it down: training is slower, and small objects vanish. "
            "Cutting it into tiles helps."
        ),
    ),
    "jpeg_end_missing": Told(
        _l("JPEGs without an end mark"),
        _l("The JPEG lacked its end mark."),
        _l("The stored copy got it, and nothing else was changed. YOLO would have saved the image anew, with loss."),
    ),
    "exif_rotated": Told(
        _l("Images stored turned (EXIF)"),
        _l("The camera noted that the image is to be turned (EXIF orientation %(orientation)s)."),
        _l(
            "YOLO turns it and takes the labels for those of the upright image. If your annotation tool showed it "
            "lying down, its boxes are in the wrong place: look at the image here."
        ),
        _l("The image is saved upright with the same labels. Training sees the same as before."),
    ),
    "image_blank": Told(
        _l("Blank images"),
        _l("The image shows nothing: all of it has about one brightness."),
        _l("YOLO uses it all the same. With boxes in it, it teaches what is not there."),
    ),
    "image_dark": Told(
        _l("Dark images"),
        _l("The image is dark: even its brightest parts are below a third of full brightness."),
        _l("YOLO uses it all the same, and learns little from it."),
    ),
    "image_blurred": Told(
        _l("Blurred images"),
        _l("The image is blurred: its sharpness is %(sharpness)s, below %(limit)s."),
        _l("YOLO uses it all the same. Edges of objects are learned badly from it."),
    ),
    "duplicate_image": Told(
        _l("Images that are there twice"),
        _l("The image and its labels are those of %(other)s."),
        _l("YOLO uses both: this image counts twice."),
        _l("One of them stays, the others are left out."),
    ),
    "duplicate_conflict": Told(
        _l("The same image with different labels"),
        _l("The image is the same as %(other)s, but its labels differ."),
        _l("YOLO uses both: one contradicts the other."),
        _l("The one with the most objects stays, the others are left out. Check it."),
    ),
    "near_duplicate": Told(
        _l("Images that look alike"),
        _l("The image looks like %(other)s."),
        _l("YOLO uses both. Many of them teach little that is new."),
    ),
    "leak": Told(
        _l("Images that look alike in different splits"),
        _l("The image is in %(split)s and looks like %(other)s, which is in %(other_split)s."),
        _l("The model is measured on what it has seen in training: the measures look better than they are."),
        _l("Images that look alike go to the split where most of them are, where no split is left empty by that."),
    ),
    "leak_exact": Told(
        _l("The same image in different splits"),
        _l("The image is in %(split)s and is the same as %(other)s, which is in %(other_split)s."),
        _l("The model is measured on what it has seen in training: the measures look better than they are."),
        _l("The copies go to the split where most of them are, where no split is left empty by that."),
    ),
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

# Why an image is not used, by the code of the first reason; a part of the summary.
LEFT_OUT: dict[str, Any] = {code: told.title for code, told in TEXTS.items()}


def told_of(code: str) -> Told:
    """The texts of a code; one that an older version wrote says itself."""
    if code in TEXTS:
        return TEXTS[code]
    title, effect = CONVERTED.get(code, (code, ""))
    return Told(title, format_texts.FINDINGS.get(code, code), effect)


def effects(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the fixes of a revision did, by code; `report` is the revision's."""
    shown = []
    for code, done in (report.get("effects") or {}).items():
        told = told_of(code)
        text = ROWS_DONE if done["rows"] else IMAGES_DONE if done["images"] else FILES_DONE
        data = {"title": str(told.title), "rows": done["rows"], "images": done["images"], "files": len(done["files"])}
        shown.append(
            {"code": code, "title": data["title"], "message": str(text) % data} | {key: done[key] for key in EFFECT}
        )
    return shown


def filled(text: Any, data: Mapping[str, Any]) -> str:
    """A text with its places filled; as it is where an older version gave other data."""
    try:
        return str(text) % data
    except (KeyError, ValueError, TypeError):
        return str(text)
