"""UploadService: resumable uploads (tus 1.0), from the first byte to the dataset or the prediction.

The state is on the disk, below data/uploads/{id}/ (see state.py), and survives a kill -9 without a table. After the
last byte, the dataset or the prediction (purposes.py) is created in the background (completion.py): the response to the
last chunk does not wait for it, and `state` has the outcome.
"""

import logging
import re
import shutil
import uuid
from datetime import datetime

from flask_babel import get_locale
from flask_babel import gettext as _

from app.access.principal import Principal, current_account_id
from app.config import settings
from app.core.roles import Role
from app.database import refuse_writes
from app.errors import Conflict, Gone, NotFound, TooLarge
from app.i18n import ngettext
from app.models import now
from app.schemas.uploads import UploadOutValues, UploadPageValues
from app.services.datasets.importing import DatasetCreation
from app.services.predictions import Predictions
from app.services.quotas import Quotas
from app.services.storage import StorageService
from app.services.uploads.completion import Completion
from app.services.uploads.protocol import Checksum, parse_metadata
from app.services.uploads.purposes import DatasetPurpose, PredictionPurpose, Purpose, purpose_of
from app.services.uploads.receive import Readable, Writers, receive_chunk, too_large
from app.services.uploads.state import CHECKING, DATASET, PREDICTION, RECEIVING, RETENTION, Upload, UploadStore
from app.texts import size
from app.threads import run_blocking

logger = logging.getLogger("yolo.uploads")

UNFIT_IN_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class UploadService:
    """Resumable uploads.

    Args:
        storage: of their folders and disk.
        creation: creates datasets from complete files. predictions: creates predictions from them.
        shared: whether other processes receive chunks of the same uploads.
    """

    def __init__(
        self, storage: StorageService, creation: DatasetCreation, predictions: Predictions, shared: bool = False
    ) -> None:
        self.storage = storage
        self.store = UploadStore(storage.data_root / "uploads", storage.tmp)
        self.writers = Writers((lambda upload_id: self.store.folder / upload_id / "lock") if shared else None)
        self.quotas = Quotas(self.store)
        self.purposes: dict[str, Purpose] = {
            DATASET: DatasetPurpose(creation, self.quotas),
            PREDICTION: PredictionPurpose(predictions),
        }
        self.completion = Completion(self.purposes, self.store, self.writers)

    def create(self, length: int, header: str) -> Upload:
        """Create an upload, after all checks that do not need its contents.

        Args:
            length: of the entire file, in bytes.
            header: Upload-Metadata.

        Raises:
            TooLarge: over MAX_RESUMABLE_SIZE, or a quota of the person.
            NoSpace: it would fill the disk.
            Conflict: the person has too many uploads.
            BadUpload: invalid metadata.
            Unprocessable: its metadata.
            NotFound: its metadata refers to a missing object.
        """
        limit = settings().MAX_RESUMABLE_SIZE
        if length > limit:
            raise TooLarge(
                _(
                    "The file has %(file_size)s; the limit is %(limit_size)s (MAX_RESUMABLE_SIZE).",
                    file_size=size(length),
                    limit_size=size(limit),
                )
            )
        metadata = parse_metadata(header)
        if "filename" in metadata:
            metadata["filename"] = single_line(metadata["filename"])
        purpose = purpose_of(metadata)
        form = self.purposes[purpose].check(metadata, length)
        # Announced bytes of other uploads are not counted: the disk is checked again for each chunk.
        self.storage.check_space(length, settings().MIN_FREE_DISK)
        owner = current_account_id()
        upload = Upload(
            self.store.folder / uuid.uuid4().hex,
            length,
            metadata,
            form,
            str(get_locale()),
            now().isoformat(),
            header=header,
            created_by=owner,
            purpose=purpose,
        )
        with self.quotas.for_upload(owner, length):
            run_blocking(self.store.add, upload)
        logger.info("upload %s: %s, %d bytes", upload.id, upload.filename, length)
        if length == 0:
            self.completion.begin(upload)
        return upload

    def find(self, upload_id: str) -> Upload:
        """One upload.

        Raises:
            NotFound: there is none.
            Gone: it has expired.
        """
        upload = self.store.find(upload_id)
        if upload.state == RECEIVING and upload.expires() < now():
            raise Gone(
                ngettext(
                    "This upload has expired after %(num)s day without data. Upload the file again.",
                    "This upload has expired after %(num)s days without data. Upload the file again.",
                    RETENTION.days,
                )
            )
        return upload

    def offset(self, upload: Upload) -> int:
        """The synced bytes, which the client need not send again."""
        if self.writers.busy(upload.id):
            return upload.size()  # a chunk is being received; the client's next PATCH is answered 423 or 409
        refuse_writes()  # truncates unverified bytes
        return run_blocking(upload.received)

    def append(
        self, upload_id: str, offset: int, stream: Readable, length: int | None, checksum: Checksum | None
    ) -> tuple[Upload, int]:
        """Append a chunk; the upload, and its new offset. The last byte starts the completion.

        Args:
            offset: where the client's chunk begins.
            length: of the chunk; None: until its stream ends.

        Raises:
            Locked: another chunk is being received.
            Conflict: the offset is another one.
            TooLarge: the chunk exceeds the upload's length.
            ChecksumMismatch: see `receive_chunk`.
            ConnectionCut: see `receive_chunk`.
        """
        self.find(upload_id)
        with self.writers.only(upload_id) as writer:
            upload = self.find(upload_id)  # as the previous writer left it
            at = run_blocking(upload.received)
            if offset != at:
                raise Conflict(_("This upload continues at byte %(offset)s.", offset=at), members={"offset": at})
            if length is not None and at + length > upload.length:
                raise too_large()
            if upload.state == RECEIVING and length != 0:
                self.storage.check_space(length or 0, settings().MIN_FREE_DISK)
                if checksum:
                    run_blocking(upload.mark_unverified, at)
                if length is not None and upload.length - at <= 2 * length:  # this chunk or the next one is the last
                    self.purposes[upload.purpose].expect(length)
                at = receive_chunk(upload.bin, at, upload.length, stream, length, checksum, writer)
                run_blocking(upload.mark_verified)
            if at == upload.length and (upload.state == RECEIVING or upload.retriable()):
                self.completion.begin(upload)
        return upload, at

    def terminate(self, upload_id: str) -> None:
        """Remove an upload; a request that is writing to it ends.

        Raises:
            Conflict: its dataset or prediction is being created.
        """
        upload = self.store.find(upload_id)
        self.writers.replace(upload_id)
        if self.store.find(upload_id).state == CHECKING:
            raise Conflict(self.purposes[upload.purpose].busy())
        run_blocking(self.store.remove, upload)

    def remove_expired(self, time: datetime) -> int:
        """For the janitor: remove uploads whose last byte is too old; returns how many."""
        count = 0
        for upload in self.store.unchanged_since(time - RETENTION):
            if upload.state != CHECKING and not self.writers.busy(upload.id):
                run_blocking(self.store.remove, upload)
                count += 1
        for folder in self.store.without_record((time - RETENTION).timestamp()):
            run_blocking(shutil.rmtree, folder, True)
            count += 1
        return count

    def page(
        self, page: int, per_page: int, unfinished: bool = False, principal: Principal | None = None
    ) -> UploadPageValues:
        """A page of the stored uploads, for schemas.UploadPage; only those of the page are read.

        Args:
            principal: whose uploads; None: everyone's.
        """
        ids = self.store.newest_first(unfinished)
        if principal is not None and principal.role != Role.ADMIN:
            ids = [upload_id for upload_id in ids if self.is_of(principal, upload_id)]
        views = []
        for upload_id in ids[(page - 1) * per_page : page * per_page]:
            try:
                views.append(self.view(self.store.find(upload_id)))
            except NotFound:  # removed meanwhile
                continue
        pages = -(-len(ids) // per_page)
        return {"uploads": views, "total": len(ids), "page": page, "per_page": per_page, "pages": pages}

    def is_of(self, principal: Principal, upload_id: str) -> bool:
        try:
            return principal.owns(self.store.find(upload_id).created_by)
        except NotFound:  # removed meanwhile
            return False

    def view(self, upload: Upload) -> UploadOutValues:
        """An upload for schemas.UploadOut."""
        view: UploadOutValues = {
            "id": upload.id,
            "state": upload.state,
            "filename": upload.filename,
            "name": str(upload.form["name"]),
            "length": upload.length,
            "offset": upload.size(),
            "created_at": datetime.fromisoformat(upload.created_at),
            "expires_at": upload.expires(),
            "dataset_id": upload.dataset_id,
            "problem": upload.problem,
            "retriable": upload.retriable(),
        }
        if upload.purpose == PREDICTION:
            view |= {"purpose": upload.purpose, "prediction_id": upload.prediction_id}
        return view


def single_line(filename: str) -> str:
    """A file's name on one line, without characters that would break a header or a log."""
    return UNFIT_IN_NAME.sub("_", filename)
