"""Uploads that can be resumed: their headers, their metadata, and what became of them."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePath
from typing import Any, NotRequired, TypedDict

from apiflask.fields import Boolean, Dict, Integer, List, Nested, String
from marshmallow import EXCLUDE, pre_load

from app.schemas.base import DateTime, Page, PageQuery, PageQueryValues, PageValues, Schema, one_of
from app.schemas.dataset_options import OptionFieldsValues
from app.schemas.datasets import DatasetForm
from app.schemas.prediction_runs import PredictionRunForm


class UploadMetadata(DatasetForm):
    """The dataset's form as Upload-Metadata carries it; clients add names of their own, such as filetype."""

    class Meta:
        unknown = EXCLUDE
        exclude = ("file",)

    @pre_load
    def name_of_file(self, data: Any, **_: Any) -> Any:
        """Without a name, the file's."""
        return {"name": PurePath(data.get("filename", "")).stem[:100]} | data


class UploadMetadataValues(OptionFieldsValues):
    name: str
    description: str


class PredictionUploadMetadata(PredictionRunForm):
    """The prediction's form, the same way."""

    class Meta:
        unknown = EXCLUDE
        exclude = ("file", "files")


class UploadOut(Schema):
    id = String()
    state = String(
        validate=one_of(["receiving", "checking", "done", "failed"]),
        metadata={
            "description": "checking: all bytes received, the dataset or the prediction is being created; "
            "done: `dataset_id` or `prediction_id`."
        },
    )
    filename = String()
    name = String()
    length = Integer(metadata={"description": "Of the whole file, in bytes."})
    offset = Integer(metadata={"description": "Received bytes."})
    created_at = DateTime()
    expires_at = DateTime(metadata={"description": "Removed then, unless something comes; 7 days after the last byte."})
    dataset_id = Integer(allow_none=True)
    purpose = String(metadata={"description": "prediction; of an upload that is to be a dataset it is left out."})
    prediction_id = Integer(allow_none=True, metadata={"description": "If done; only where the purpose is one."})
    problem = Dict(
        allow_none=True, metadata={"description": "If failed: the problem+json that a plain POST would have returned."}
    )
    retriable = Boolean(metadata={"description": "Failed, but the bytes are kept: an empty PATCH at `length` retries."})


class UploadOutValues(TypedDict):
    id: str
    state: str
    filename: str
    name: str
    length: int
    offset: int
    created_at: datetime
    expires_at: datetime
    dataset_id: int | None
    problem: Mapping[str, object] | None
    retriable: bool
    purpose: NotRequired[str]
    prediction_id: NotRequired[int | None]


BYTES = {"type": "string", "pattern": r"^\d{1,18}$"}
CHECKSUM = {"type": "string", "pattern": "^(sha1|sha256|md5) [A-Za-z0-9+/]+={0,2}$"}


class UploadsQuery(PageQuery):
    unfinished = Boolean(
        load_default=False, metadata={"description": "Only those whose bytes are kept: not those that are a dataset."}
    )


class UploadsQueryValues(PageQueryValues):
    unfinished: bool


class UploadPage(Page):
    uploads = List(Nested(UploadOut))


class UploadPageValues(PageValues):
    uploads: list[UploadOutValues]


class TusHeaders(Schema):
    """What each request but OPTIONS and GET carries. The protocol has its own status codes for what is wrong here."""

    class Meta:
        unknown = EXCLUDE

    version = String(
        data_key="Tus-Resumable",
        load_default=None,
        metadata={"description": "1.0.0, else 412.", "enum": ["1.0.0"], "type": "string"},
    )


class TusHeadersValues(TypedDict):
    version: str | None


class CreationHeaders(TusHeaders):
    length = String(
        data_key="Upload-Length", load_default=None, metadata=BYTES | {"description": "Bytes of the whole file."}
    )
    metadata = String(
        data_key="Upload-Metadata",
        load_default="",
        metadata={
            "description": "Pairs of a name and a base64 value, separated by commas: filename (ends in .zip), and the "
            "fields of POST /api/datasets; name defaults to the file's. With purpose=prediction: filename (a video or "
            "a ZIP of images) and the fields of POST /api/predictions. Further names are ignored."
        },
    )
    checksum = String(
        data_key="Upload-Checksum", load_default=None, metadata=CHECKSUM | {"description": "Of the body, if any."}
    )


class CreationHeadersValues(TypedDict):
    version: str | None
    length: str | None
    metadata: str
    checksum: str | None


class ChunkHeaders(TusHeaders):
    offset = String(
        data_key="Upload-Offset", load_default=None, metadata=BYTES | {"description": "As HEAD says, else 409."}
    )
    checksum = String(
        data_key="Upload-Checksum",
        load_default=None,
        metadata=CHECKSUM
        | {
            "description": "sha1, sha256 or md5, a space, base64 digest. If it differs: 460, and the chunk "
            "is discarded."
        },
    )


class ChunkHeadersValues(TypedDict):
    version: str | None
    offset: str | None
    checksum: str | None
