"""Parameters of data augmentation."""

from flask_babel import lazy_gettext as _l

from app.core.tasks import LOCALIZED
from app.services.trainer.params.kinds import Parameter

COLOR = (
    Parameter(
        "hsv_h",
        "number",
        "color",
        _l("Maximum hue shift, as a fraction of the color wheel. Keep it small when color distinguishes the classes."),
        0,
        1,
    ),
    Parameter("hsv_s", "number", "color", _l("Maximum saturation change, as a fraction."), 0, 1),
    Parameter(
        "hsv_v", "number", "color", _l("Maximum brightness change, as a fraction. Simulates different lighting."), 0, 1
    ),
    Parameter(
        "bgr", "number", "color", _l("Probability of swapping the red and blue channels."), 0, 1, tasks=LOCALIZED
    ),
    Parameter(
        "auto_augment",
        "choice",
        "color",
        _l(
            "Ready-made data augmentation for classification: RandAugment, AutoAugment or AugMix. Leave empty for none."
        ),
        choices=("randaugment", "autoaugment", "augmix", ""),
        tasks=("classify",),
    ),
    Parameter(
        "erasing",
        "number",
        "color",
        _l(
            "Probability of covering a random rectangle of the image (random erasing), so that no single detail "
            "decides."
        ),
        0,
        1,
        tasks=("classify",),
    ),
)

GEOMETRY = (
    Parameter(
        "degrees",
        "number",
        "geometry",
        _l(
            "Maximum rotation in either direction, in degrees. Use 180 for images without a natural up direction, such "
            "as aerial images."
        ),
        0,
        180,
        tasks=LOCALIZED,
    ),
    Parameter(
        "translate",
        "number",
        "geometry",
        _l("Maximum shift, as a fraction of the image, so that some objects are cut at its border."),
        0,
        1,
        tasks=LOCALIZED,
    ),
    Parameter(
        "scale",
        "number",
        "geometry",
        _l("Maximum scaling, as a fraction: objects nearer and farther. For classification, how much may be cropped."),
        0,
        1,
    ),
    Parameter("shear", "number", "geometry", _l("Maximum shear, in degrees."), 0, 90, tasks=LOCALIZED),
    Parameter(
        "perspective",
        "number",
        "geometry",
        _l("Perspective distortion, as if seen from the side. Use very small values."),
        0,
        0.001,
        tasks=LOCALIZED,
    ),
    Parameter(
        "flipud", "number", "geometry", _l("Probability of a vertical flip. Useful for images taken from above."), 0, 1
    ),
    Parameter(
        "fliplr",
        "number",
        "geometry",
        _l("Probability of a horizontal flip. Use 0 where left and right matter, as in text and traffic signs."),
        0,
        1,
    ),
)

MIXING = (
    Parameter(
        "mosaic",
        "number",
        "mixing",
        _l("Probability of combining four images into one (mosaic): smaller objects and new contexts in each batch."),
        0,
        1,
        tasks=LOCALIZED,
    ),
    Parameter(
        "close_mosaic",
        "integer",
        "mixing",
        _l(
            "Number of last epochs without mosaic and mixing, so that the run ends on unmodified images. 0 never "
            "disables them."
        ),
        0,
        10_000,
        tasks=LOCALIZED,
    ),
    Parameter(
        "mixup",
        "number",
        "mixing",
        _l("Probability of blending two images into one (MixUp). Helps large models against overfitting."),
        0,
        1,
        tasks=LOCALIZED,
    ),
    Parameter(
        "cutmix",
        "number",
        "mixing",
        _l("Probability of replacing a rectangle with a piece of another image (CutMix)."),
        0,
        1,
        tasks=LOCALIZED,
    ),
    Parameter(
        "copy_paste",
        "number",
        "mixing",
        _l("Fraction of objects copied and pasted elsewhere (copy-paste). Needs polygons."),
        0,
        1,
        tasks=("segment", "obb"),
    ),
    Parameter(
        "copy_paste_mode",
        "choice",
        "mixing",
        _l("Source of pasted objects: “flip”, mirrored from the same image; “mixup”, from another image."),
        choices=("flip", "mixup"),
        tasks=("segment", "obb"),
    ),
)

PARAMETERS = COLOR + GEOMETRY + MIXING
