"""Messages of findings about images: unreadable ones, duplicates, the same image in two splits."""

from flask_babel import lazy_gettext as _l

from app.services.datasets.wording import SKIPS_IMAGE, USES_IT, FindingText

DROPS_IMAGE = _l("The image and its labels are removed from the new version.")

IMAGE_TEXTS: dict[str, FindingText] = {
    "image_broken": FindingText(
        _l("Corrupt images"),
        _l("The image can't be decoded: %(reason)s."),
        _l("The image is left out of training."),
        DROPS_IMAGE,
    ),
    "image_too_large": FindingText(
        _l("Images above the size limit"),
        _l("The image has %(width)s × %(height)s px, above the limit of %(limit_megapixels)s megapixels."),
        _l("The image is left out of training."),
        DROPS_IMAGE,
    ),
    "image_too_small": FindingText(
        _l("Images too small for YOLO"),
        _l("The image has %(width)s × %(height)s px. Each side needs at least %(limit)s px."),
        SKIPS_IMAGE,
        DROPS_IMAGE,
    ),
    "image_format": FindingText(
        _l("Image formats not supported by YOLO"),
        _l("The image is in %(format)s format."),
        SKIPS_IMAGE,
        _l("The image is converted to PNG without quality loss."),
    ),
    "image_converted": FindingText(
        _l("Images converted to JPEG"),
        _l("The image is in %(format)s format and was converted to JPEG for training."),
        USES_IT,
    ),
    "image_disguised": FindingText(
        _l("Images with the wrong file extension"),
        _l("The file extension is %(suffix)s, but the image is %(format)s."),
        USES_IT,
        _l("The file gets the extension of its format. Its content isn't changed."),
    ),
    "image_tiny": FindingText(
        _l("Very small images"),
        _l("The image has only %(width)s × %(height)s px."),
        _l("YOLO enlarges the image to the training image size. It has little detail."),
    ),
    "image_large": FindingText(
        _l("Very large images"),
        _l("The image has %(width)s × %(height)s px."),
        _l(
            "YOLO decodes and downsizes the full image in every epoch: training is slower, and small objects get "
            "lost. Split the image into tiles."
        ),
    ),
    "jpeg_end_missing": FindingText(
        _l("JPEGs without end marker"),
        _l("The JPEG has no end marker."),
        _l(
            "The marker was added to the stored copy. Otherwise, YOLO would have re-encoded the image with quality "
            "loss."
        ),
    ),
    "exif_rotated": FindingText(
        _l("Rotated images (EXIF)"),
        _l("The camera stored the image rotated (EXIF orientation %(orientation)s)."),
        _l(
            "YOLO rotates the image and expects labels of the upright image. If your annotation tool showed the "
            "image unrotated, the boxes are misplaced: check them in the viewer."
        ),
        _l("The image is rotated upright and keeps its labels. Training sees the same image as before."),
    ),
    "image_blank": FindingText(
        _l("Blank images"),
        _l("The image is blank: its brightness is nearly uniform."),
        _l("YOLO uses the image. If it has labels, they are misleading."),
    ),
    "image_dark": FindingText(
        _l("Dark images"),
        _l("The image is dark: even its brightest areas are below a third of full brightness."),
        _l("YOLO uses the image, but it adds little information."),
    ),
    "image_blurred": FindingText(
        _l("Blurry images"),
        _l("The image is blurry: its sharpness is %(sharpness)s, below %(limit)s."),
        _l("YOLO uses the image, but its object edges are unclear."),
    ),
    "duplicate_image": FindingText(
        _l("Duplicate images"),
        _l("The image and its labels are identical to %(other)s."),
        _l("YOLO uses both images, so this image counts twice."),
        _l("One copy is kept, the others are removed."),
    ),
    "duplicate_conflict": FindingText(
        _l("Duplicate images with different labels"),
        _l("The image is identical to %(other)s, but the labels differ."),
        _l("YOLO uses both images, and their labels contradict each other."),
        _l("The copy with the most objects is kept, the others are removed. Review the result."),
    ),
    "near_duplicate": FindingText(
        _l("Near-duplicate images"),
        _l("The image is a near-duplicate of %(other)s."),
        _l("YOLO uses both images. Many near-duplicates add little information."),
    ),
    "image_scans": FindingText(
        _l("Images that take too long to decode"),
        _l("The JPEG has more than %(limit)s scans. Decoding it would take minutes."),
        SKIPS_IMAGE,
    ),
    "image_pages": FindingText(
        _l("TIFFs with too many pages"),
        _l("The TIFF has %(count)s pages; %(limit)s of this size are allowed. Training would decode all of them."),
        SKIPS_IMAGE,
    ),
    "image_frames": FindingText(
        _l("Images with too many frames"),
        _l("Frames in the file: %(count)s; limit for this size: %(limit)s. Training would decode all of them."),
        SKIPS_IMAGE,
    ),
    "image_tiles": FindingText(
        _l("Images in too many tiles"),
        _l("The tiles of the image add up to %(count)s MP; the limit is %(limit)s MP."),
        SKIPS_IMAGE,
    ),
    "image_slow": FindingText(
        _l("Images that take too long to decode"),
        _l("Decoding the image took more than %(limit)s s and was stopped."),
        SKIPS_IMAGE,
    ),
    "image_memory": FindingText(
        _l("Images that need too much memory"),
        _l("Decoding the image needs more than %(limit)s MB of memory."),
        SKIPS_IMAGE,
    ),
    "image_unread": FindingText(
        _l("Images that training can't read"),
        _l("The reader that training uses (OpenCV) can't read this image (%(format)s, %(mode)s)."),
        SKIPS_IMAGE,
        _l("The image is saved as 8-bit PNG or JPEG, with the same labels."),
    ),
    "image_flat": FindingText(
        _l("Images that training sees in one color"),
        _l("Training reads the values of this image (%(mode)s) as 8 bits and sees almost one color."),
        USES_IT,
        _l("The image is saved as 8-bit PNG, its values spread from black to white."),
    ),
    "leak": FindingText(
        _l("Near-duplicate images across splits"),
        _l("The image is in the %(split)s and is a near-duplicate of %(other)s, which is in the %(other_split)s."),
        _l(
            "Data leakage: the model is evaluated on images it saw in training, so its metrics look better than "
            "they are."
        ),
        _l("Near-duplicates move to one set, with all images of their source. The sets keep about their sizes."),
    ),
    "leak_source": FindingText(
        _l("Images of one source across splits"),
        _l(
            "The image is in the %(split)s and has the same source as %(other)s, which is in the %(other_split)s: "
            "%(source)s."
        ),
        _l(
            "Data leakage: frames of one video or copies of one image are nearly the same. The model is evaluated on "
            "images it almost saw in training, so its metrics look better than they are."
        ),
        _l("All images of a source move to one set. The sets keep about their sizes."),
    ),
    "leak_exact": FindingText(
        _l("Duplicate images across splits"),
        _l("The image is in the %(split)s and is identical to %(other)s, which is in the %(other_split)s."),
        _l(
            "Data leakage: the model is evaluated on images it saw in training, so its metrics look better than "
            "they are."
        ),
        _l("Duplicates move to one set, with all images of their source. The sets keep about their sizes."),
    ),
}
