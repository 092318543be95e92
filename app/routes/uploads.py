"""Resumable uploads: tus 1.0, and the state of each as JSON."""

from email.utils import format_datetime
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request
from flask_babel import gettext as _

from app.access.principal import current
from app.config import settings
from app.errors import WrongType
from app.extensions import socketio
from app.rates import UPLOADS, limited
from app.schemas import ChunkHeaders, CreationHeaders, TusHeaders, UploadOut, UploadPage, UploadsQuery
from app.schemas.uploads import (
    ChunkHeadersValues,
    CreationHeadersValues,
    TusHeadersValues,
    UploadOutValues,
    UploadPageValues,
    UploadsQueryValues,
)
from app.services import services
from app.services.uploads.protocol import (
    ALGORITHMS,
    EXTENSIONS,
    VERSION,
    check_version,
    parse_checksum,
    parse_number,
)
from app.services.uploads.state import RECEIVING, Upload
from app.web import CHUNK_TYPE

blueprint = APIBlueprint("uploads", __name__, url_prefix="/api/uploads", tag="Uploads")

SILENCE_S = 60.0  # a connection without bytes for this long is closed: the client has gone, or will resume
DRAIN_BYTES = 256 * 1024
UPLOAD = "/<string:upload_id>"


@blueprint.after_request
def name_version(response: Response) -> Response:
    """Add the protocol version to every answer, and forbid caching."""
    response.headers["Tus-Resumable"] = VERSION
    response.headers["Cache-Control"] = "no-store"
    if response.status_code > 400 and request.mimetype == CHUNK_TYPE:
        drain(request.stream)
    return response


def drain(stream: Any) -> None:
    """Read the rest of a refused request: closing the connection would show the client a reset instead of the
    answer.
    """
    try:
        while stream.read(DRAIN_BYTES):
            socketio.sleep(0)
    except Exception:  # the client has disconnected
        return


def answer(status: int, upload: Upload | None = None, **headers: Any) -> Response:
    """An answer without a body; `Upload_Offset=5` is the header Upload-Offset."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    response.headers.update({name.replace("_", "-"): str(value) for name, value in headers.items()})
    if upload is not None and upload.state == RECEIVING:
        response.headers["Upload-Expires"] = format_datetime(upload.expires(), usegmt=True)
    return response


def chunk() -> tuple[Any, int | None]:
    """The body of this request, however large, and its announced length."""
    if request.mimetype != CHUNK_TYPE:
        raise WrongType(_("Send the bytes as Content-Type: %(type)s.", type=CHUNK_TYPE))
    request.max_content_length = None  # limited by the upload's own length
    connection = request.environ.get("gunicorn.socket")
    if connection is not None:
        connection.settimeout(SILENCE_S)
    if request.content_length is None:
        return request.stream, None
    return request.environ["wsgi.input"], request.content_length  # werkzeug's stream would copy it twice more


@blueprint.route("", methods=["OPTIONS"], provide_automatic_options=False)
@blueprint.doc(hide=True)
def capabilities() -> Response:
    """What this server can do."""
    return answer(
        204,
        Tus_Version=VERSION,
        Tus_Extension=",".join(EXTENSIONS),
        Tus_Max_Size=settings().MAX_RESUMABLE_SIZE,
        Tus_Checksum_Algorithm=",".join(ALGORITHMS),
    )


@blueprint.post("")
@limited(UPLOADS)
@blueprint.input(CreationHeaders, location="headers", arg_name="header")
@blueprint.doc(
    responses={201: "Created: `Location` is its address.", 400: "", 412: "", 413: "", 415: "", 460: "", 507: ""}
)
def create(header: CreationHeadersValues) -> Response:
    """Start a resumable upload (tus 1.0). A body of application/offset+octet-stream is its first chunk."""
    check_version(header["version"])
    length, checksum = parse_number("Upload-Length", header["length"]), parse_checksum(header["checksum"])
    first = chunk() if request.mimetype or request.content_length else None
    uploads = services().uploads
    upload, offset = uploads.create(length, header["metadata"]), 0
    if first is not None:
        upload, offset = uploads.append(upload.id, 0, *first, checksum)
    return answer(201, upload, Location=f"/api/uploads/{upload.id}", Upload_Offset=offset)


@blueprint.get("")
@blueprint.input(UploadsQuery, location="query", arg_name="query")
@blueprint.output(UploadPage)
def list_uploads(query: UploadsQueryValues) -> UploadPageValues:
    """Your own uploads that are here, for admins everybody's; the last one that changed first. DELETE removes one."""
    return services().uploads.page(**query, principal=current())


@blueprint.route(UPLOAD, methods=["HEAD"])  # registered before GET, which would match HEAD
@blueprint.doc(hide=True)
def get_offset(upload_id: str) -> Response:
    """How much has arrived."""
    check_version(request.headers.get("Tus-Resumable"))
    uploads = services().uploads
    upload = uploads.find(upload_id)
    headers = {"Upload_Metadata": upload.header} if upload.header else {}
    return answer(200, upload, Upload_Offset=uploads.offset(upload), Upload_Length=upload.length, **headers)


@blueprint.get(UPLOAD)
@blueprint.output(UploadOut)
@blueprint.doc(responses=[404, 410])
def get(upload_id: str) -> UploadOutValues:
    """Get the state of an upload: received bytes, then its dataset or why it was refused."""
    uploads = services().uploads
    return uploads.view(uploads.find(upload_id))


@blueprint.patch(UPLOAD)
@blueprint.input(ChunkHeaders, location="headers", arg_name="header")
@blueprint.doc(
    responses={
        204: "`Upload-Offset`: where it continues.",
        404: "",
        409: "",
        410: "",
        412: "",
        413: "",
        415: "",
        423: "",
        460: "",
        507: "",
    }
)
def append(upload_id: str, header: ChunkHeadersValues) -> Response:
    """Send a chunk as application/offset+octet-stream. Received bytes are kept even if the connection breaks."""
    check_version(header["version"])
    stream, length = chunk()
    offset, checksum = parse_number("Upload-Offset", header["offset"]), parse_checksum(header["checksum"])
    upload, offset = services().uploads.append(upload_id, offset, stream, length, checksum)
    return answer(204, upload, Upload_Offset=offset)


@blueprint.delete(UPLOAD)
@blueprint.input(TusHeaders, location="headers", arg_name="header")
@blueprint.doc(responses={204: "", 404: "", 409: "Its dataset is being created.", 412: ""})
def terminate(upload_id: str, header: TusHeadersValues) -> Response:
    """Delete an upload with its received bytes."""
    check_version(header["version"])
    services().uploads.terminate(upload_id)
    return answer(204)
