"""Detects objects in one image, for stored tests and for frames."""

from pathlib import Path
from typing import cast

from flask_babel import gettext as _

from app.core.predict import EngineExport, Inference
from app.errors import Unprocessable
from app.services.infer.child import WarmModels

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".avif", ".jp2")
# Formats of images that training does not read, by the extension of their names.
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
        """What the model finds.

        Args:
            output: where the image with its boxes goes, as JPEG; None draws nothing.
            floor: return also, as `weaker`, those between this confidence and `conf`. Both come from one run: NMS goes
                from the surest box down, so weaker boxes change nothing above them.
            sync: the image has to be on the disk before the answer comes: meanwhile the model runs.
            export: of this model, as `Engines.fastest_export` gives it: runs in its place.

        Raises:
            Unprocessable: the image.
            TooLarge: the image.
            Conflict: the model.
            Unavailable: the child cannot answer now.
        """
        target = str(output) if output else None
        options = {"conf": conf, "iou": iou, "output": target, "floor": floor, "export": export, "sync": sync}
        answer = self.warm.ask(do="predict", image=str(image_path), model=str(model_path), **options)
        return cast(Inference, answer)


def image_extension(filename: str) -> str:
    """The extension of an image's name, in small letters.

    Raises:
        Unprocessable: it is none of EXTENSIONS.
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
