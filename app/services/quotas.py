"""Quotas per person: unfinished uploads, datasets, models. Each is a setting, off by default."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import Select, func, select

from app.config import settings
from app.errors import Conflict, TooLarge
from app.extensions import db
from app.i18n import ngettext
from app.models import Checkpoint, Dataset, ModelExport, Training
from app.services.uploads.state import UploadStore
from app.texts import size
from app.threads import run_blocking


class Quotas:
    """Limits what a person may upload and store.

    Args:
        store: of unfinished uploads.
    """

    def __init__(self, store: UploadStore) -> None:
        self.store = store
        self.lock = threading.Lock()

    @contextmanager
    def for_upload(self, account_id: int | None, length: int) -> Iterator[None]:
        """Check the quota for one more upload and add it, under a lock against concurrent requests.

        Args:
            account_id: of the uploader; None: the owner, or everyone without logins.
            length: of the entire file, in bytes.

        Raises:
            Conflict: the person has QUOTA_UPLOADS unfinished uploads.
            TooLarge: their total would exceed QUOTA_UPLOAD_SIZE.
        """
        most, most_bytes = settings().QUOTA_UPLOADS, settings().QUOTA_UPLOAD_SIZE
        if not (most or most_bytes):
            yield
            return
        with self.lock:
            lengths = run_blocking(self.unfinished, account_id)
            if most and len(lengths) >= most:
                raise Conflict(
                    ngettext(
                        "You have %(num)s unfinished upload, the most that is allowed (QUOTA_UPLOADS). Finish or "
                        "delete it, then upload the file again.",
                        "You have %(num)s unfinished uploads, the most that are allowed (QUOTA_UPLOADS). Finish or "
                        "delete one, then upload the file again.",
                        len(lengths),
                    )
                )
            refuse_above(most_bytes, "QUOTA_UPLOAD_SIZE", sum(lengths), length)
            yield

    def unfinished(self, account_id: int | None) -> list[int]:
        """The lengths of this person's unfinished uploads."""
        open_ones = set(self.store.newest_first(unfinished=True))
        return [
            upload.length for upload in self.store.all() if upload.id in open_ones and upload.created_by == account_id
        ]

    def check_datasets(self, account_id: int | None, more: int) -> None:
        """Check that a new dataset fits the person's quota.

        Args:
            more: bytes being uploaded.

        Raises:
            TooLarge: the person's datasets would exceed QUOTA_DATASETS.
        """
        if quota := settings().QUOTA_DATASETS:
            refuse_above(quota, "QUOTA_DATASETS", total(sum_of(Dataset.size_bytes, Dataset, account_id)), max(more, 1))

    def check_models(self, account_id: int | None, more: int) -> None:
        """Check that new weights or exports fit the person's quota.

        Raises:
            TooLarge: the person's weights and exports would exceed QUOTA_MODELS.
        """
        if quota := settings().QUOTA_MODELS:
            weights = sum_of(Checkpoint.size_bytes, Training, account_id)
            weights = weights.join(Checkpoint, Checkpoint.training_id == Training.id)
            exports = sum_of(ModelExport.size_bytes, ModelExport, account_id)  # also of another person's run
            refuse_above(quota, "QUOTA_MODELS", total(weights) + total(exports), max(more, 1))


def sum_of(column: Any, owned: type[Dataset | Training | ModelExport], account_id: int | None) -> Select[Any]:
    return select(func.coalesce(func.sum(column), 0)).select_from(owned).where(owned.created_by == account_id)


def total(statement: Select[Any]) -> int:
    return int(db.session.scalar(statement) or 0)


def refuse_above(quota: int, setting: str, used: int, more: int) -> None:
    """Check that the used and the added bytes stay within a quota.

    Raises:
        TooLarge: their sum exceeds it; a quota of 0 is none.
    """
    if quota and used + more > quota:
        raise TooLarge(
            _(
                "You use %(used_size)s of %(quota_size)s (%(setting)s), and this needs %(needed_size)s. Delete what "
                "you no longer need, then try again.",
                used_size=size(used),
                quota_size=size(quota),
                needed_size=size(more),
                setting=setting,
            )
        )
