"""Detects objects in one image, for stored tests and for frames."""

from pathlib import Path
from typing import cast

from flask_babel import gettext as _

from app.core.predict import EngineExport, Inference
from app.errors import Unprocessable
from app.services.infer.child import WarmModels

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".avif", ".jp2")
# Image formats that training does not support, by file extension.
UNSUPPORTED = {
    ".gif": "GIF",
    ".heic": "HEIC",
    ".heif": "HEIF",
    ".svg": "SVG",
    ".jxl": "JPEG XL",
    ".psd": "Photoshop",
    ".pdf": "PDF",
    ".dcm": "DICOM",
    ".ico": "ICO",
    ".dng": "DNG",
    ".cr2": "CR2",
    ".cr3": "CR3",
    ".nef": "NEF",
    ".arw": "ARW",
    ".mp4": "MP4",
    ".mov": "MOV",
    ".zip": "ZIP",
}


class Prediction:
    """Runs one image through the warm worker."""

    def __init__(self, warm: WarmModels) -> None:
        self.warm = warm

    def predict(
        self,
        image_path: str | Path,
        model_path: str | Path,
        conf: float = 0.5,
        iou: float = 0.5,
        output: str | Path | None = None,
        floor: float | None = None,
        export: EngineExport | None = None,
        sync: bool = False,
    ) -> Inference:
        """A model's detections in an image.

        Args:
            output: path for the image with its boxes, as JPEG; None: not drawn.
            floor: also return, as `weaker`, detections between this confidence and `conf`. Both come from one run: NMS
                proceeds from the most confident box down, so weaker boxes do not affect those above.
            sync: sync the image to the disk while the model runs.
            export: of this model, from `Engines.fastest_export`: runs in its stead.

        Raises:
            Unprocessable: invalid image.
            TooLarge: the image is too large.
            Conflict: the model cannot be used.
            Unavailable: the child does not answer.
        """
        target = str(output) if output else None
        options = {"conf": conf, "iou": iou, "output": target, "floor": floor, "export": export, "sync": sync}
        answer = self.warm.ask(do="predict", image=str(image_path), model=str(model_path), **options)
        return cast(Inference, answer)


def image_extension(filename: str) -> str:
    """The extension of an image's name, in lowercase.

    Raises:
        Unprocessable: it is not one of EXTENSIONS.
    """
    extension = Path(filename).suffix.lower()
    if extension in UNSUPPORTED:
        message = _(
            "The file is in the format %(format)s. Save it as JPEG or PNG and send it again.",
            format=UNSUPPORTED[extension],
        )
        raise Unprocessable(message, [{"field": "file", "message": message}])
    if extension not in EXTENSIONS:
        message = _("Choose an image: %(extensions)s.", extensions=" ".join(EXTENSIONS))
        raise Unprocessable(message, [{"field": "file", "message": message}])
    return extension
