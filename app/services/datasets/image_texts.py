"""What findings about images say: what cannot be read, what is there twice, what is in two splits."""

from flask_babel import lazy_gettext as _l

from app.services.datasets.told import SKIPS_IMAGE, USES_IT, Told

DROPS_IMAGE = _l("The image and its label are left out of the new revision.")

IMAGE_TEXTS: dict[str, Told] = {
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
}
