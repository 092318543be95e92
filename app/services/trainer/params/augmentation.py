"""Parameters of augmentation: training images are changed by chance, so that the model sees more than there is."""

from flask_babel import lazy_gettext as _l

from app.services.trainer.params.kinds import BOXES, Parameter

COLOR = (
    Parameter("hsv_h", "number", "color", _l(
        "Shift of the hue, as a part of the colour circle. Keep it small where colour tells the classes apart."
    ), 0, 1),
    Parameter("hsv_s", "number", "color", _l("Change of the saturation, as a part of it."), 0, 1),
    Parameter("hsv_v", "number", "color", _l("Change of the brightness, as a part of it: other light."), 0, 1),
    Parameter("bgr", "number", "color", _l("Chance that red and blue change places."), 0, 1, tasks=BOXES),
    Parameter("auto_augment", "choice", "color", _l(
        "A ready mixture of changes for classification: RandAugment, AutoAugment or AugMix; empty for none."
    ), choices=("randaugment", "autoaugment", "augmix", ""), tasks=("classify",)),
    Parameter("erasing", "number", "color", _l(
        "Chance that a random rectangle of the image is covered, so that no single detail decides."
    ), 0, 1, tasks=("classify",)),
)  # fmt: skip

GEOMETRY = (
    Parameter("degrees", "number", "geometry", _l(
        "Turn by up to so many degrees either way. 180 for images that have no up, such as from above."
    ), 0, 180, tasks=BOXES),
    Parameter("translate", "number", "geometry", _l(
        "Shift by up to this part of the image, so that objects are cut off at its edge as well."
    ), 0, 1, tasks=BOXES),
    Parameter("scale", "number", "geometry", _l(
        "Enlarge or shrink by up to this part: nearer and farther objects. For classification, how much may be cut off."
    ), 0, 1),
    Parameter("shear", "number", "geometry", _l("Slant by up to so many degrees."), 0, 90, tasks=BOXES),
    Parameter("perspective", "number", "geometry", _l(
        "Perspective distortion, as if seen from the side. Small numbers such as 0.0005."
    ), 0, 0.001, tasks=BOXES),
    Parameter("flipud", "number", "geometry", _l(
        "Chance to turn the image upside down. Useful for images from above."
    ), 0, 1),
    Parameter("fliplr", "number", "geometry", _l(
        "Chance to mirror left and right. Set 0 where the side matters, as for text and traffic signs."
    ), 0, 1),
)  # fmt: skip

MIXING = (
    Parameter("mosaic", "number", "mixing", _l(
        "Chance to put four images together: small objects and new surroundings in each batch."
    ), 0, 1, tasks=BOXES),
    Parameter("close_mosaic", "integer", "mixing", _l(
        "Without mosaic and mixing in so many last epochs, so that the model ends on real images. 0 keeps them to the "
        "end."
    ), 0, 10_000, tasks=BOXES),
    Parameter("mixup", "number", "mixing", _l(
        "Chance to blend two images into one. Helps large models against learning by heart."
    ), 0, 1, tasks=BOXES),
    Parameter("cutmix", "number", "mixing", _l(
        "Chance to replace a rectangle by a piece of another image."
    ), 0, 1, tasks=BOXES),
    Parameter("copy_paste", "number", "mixing", _l(
        "The part of the objects that is cut out and pasted again elsewhere. Needs polygons."
    ), 0, 1, tasks=("segment", "obb")),
    Parameter("copy_paste_mode", "choice", "mixing", _l(
        "Where pasted objects come from: “flip”, mirrored in the same image; “mixup”, from another one."
    ), choices=("flip", "mixup"), tasks=("segment", "obb")),
)  # fmt: skip

PARAMETERS = COLOR + GEOMETRY + MIXING
