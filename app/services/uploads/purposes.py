"""The results of a resumable upload: a dataset, or a prediction on a video or on many images."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol

from flask_babel import gettext as _
from marshmallow import Schema, ValidationError

from app.access.principal import current_account_id
from app.errors import BadUpload, Unprocessable, field_errors
from app.schemas import PredictionUploadMetadata, UploadMetadata
from app.schemas.prediction_runs import RequestedRun
from app.schemas.uploads import UploadMetadataValues
from app.services.datasets.archive_texts import by_name as kind_of
from app.services.datasets.importing import DatasetCreation
from app.services.idempotency import RequestKey
from app.services.predictions.inputs import InputFile, PredictionInput
from app.services.uploads.state import DATASET, PREDICTION, Upload

if TYPE_CHECKING:
    from app.services.predictions import Predictions
    from app.services.quotas import Quotas


class Purpose(Protocol):
    """The purpose of an upload. `result`: the field of the result's id, in the upload and in the response stored with
    its key.
    """

    result: str

    def check(self, metadata: Mapping[str, str], length: int) -> Mapping[str, object]:
        """The form in the metadata, checked as far as possible without the contents."""

    def expect(self, length: int) -> None:
        """The last bytes will arrive soon."""

    def create(self, upload: Upload, key: RequestKey) -> int:
        """Create the dataset or prediction from the complete file, without copying it; its id."""

    def busy(self) -> str:
        """Why an upload cannot be removed during `create`."""


class DatasetPurpose:
    """Creates datasets.

    Args:
        creation: creates them from complete files. quotas: per person.
    """

    result = "dataset_id"

    def __init__(self, creation: DatasetCreation, quotas: "Quotas") -> None:
        self.creation, self.quotas = creation, quotas

    def check(self, metadata: Mapping[str, str], length: int) -> Mapping[str, object]:
        """The dataset's form; further metadata is stored with the upload and otherwise ignored.

        Raises:
            BadUpload: its name is not that of a ZIP.
            Unprocessable: a field is invalid.
            TooLarge: the person's quota is exceeded.
        """
        if not metadata.get("filename", "").lower().endswith(".zip"):
            message = _("The file name must end in .zip.")
            raise BadUpload(
                kind_of(metadata.get("filename", "")) or _("Only ZIP files are accepted."),
                [{"field": "filename", "message": message}],
            )
        form: UploadMetadataValues = checked_form(UploadMetadata(), metadata)
        self.quotas.check_datasets(current_account_id(), length)
        return {**form}

    def expect(self, length: int) -> None:
        self.creation.expect(length)

    def create(self, upload: Upload, key: RequestKey) -> int:
        form: UploadMetadataValues = checked_form(UploadMetadata(), upload.metadata)
        with open(upload.bin, "rb") as file:
            return self.creation.create(file, upload.filename, **form, request_key=key).id

    def busy(self) -> str:
        return _("The file is complete and its dataset is being created. Delete the dataset afterwards.")


class PredictionPurpose:
    """Creates predictions on a video or a ZIP of images, see POST /api/predictions."""

    result = "prediction_id"

    def __init__(self, predictions: "Predictions") -> None:
        self.predictions = predictions

    def check(self, metadata: Mapping[str, str], length: int) -> Mapping[str, object]:
        """The prediction's form, with a `name`.

        Raises:
            Unprocessable: a field or a threshold is invalid.
            NotFound: there is no such run or checkpoint.
            Conflict: it has no weights.
        """
        form: RequestedRun = checked_form(PredictionUploadMetadata(), metadata)
        self.predictions.options(form)
        return {**form, "name": PurePath(metadata.get("filename", "")).name[:100]}

    def expect(self, length: int) -> None:
        """Nothing is prepared."""

    def create(self, upload: Upload, key: RequestKey) -> int:
        values: RequestedRun = checked_form(PredictionUploadMetadata(), upload.metadata)
        with open(upload.bin, "rb") as file:
            sent = PredictionInput([InputFile(file, upload.filename, upload.bin)], many=False)
            return self.predictions.create(sent, values, key)["prediction_id"]

    def busy(self) -> str:
        return _("The file is complete and its prediction is being created. Delete the prediction afterwards.")


def purpose_of(metadata: Mapping[str, str]) -> str:
    """The purpose in the metadata, by default DATASET.

    Raises:
        Unprocessable: there is no such purpose.
    """
    purpose = metadata.get("purpose", DATASET)
    if purpose not in (DATASET, PREDICTION):
        text = _("Must be dataset or prediction.")
        raise Unprocessable(text, [{"field": "purpose", "message": text}])
    return purpose


def checked_form(schema: Schema, values: Mapping[str, object]) -> Any:
    """The fields of a form as the schema loads them, from the metadata of an upload or from what was stored of it.

    Raises:
        Unprocessable: one is invalid.
    """
    try:
        return schema.load(dict(values))
    except ValidationError as error:
        message = _("Some fields are not valid. Correct them and send the request again.")
        raise Unprocessable(message, field_errors(error.messages)) from None
