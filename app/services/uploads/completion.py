"""Creates datasets and predictions from complete uploads, in the background."""

import logging
from collections.abc import Mapping

from flask import Flask, current_app

from app.access.principal import on_behalf_of
from app.database import DATABASE_UNAVAILABLE, retry_until_writable
from app.extensions import db, socketio
from app.models import IdempotencyKey
from app.services.idempotency import RequestKey
from app.services.uploads.purposes import Purpose
from app.services.uploads.receive import Writers
from app.services.uploads.state import CHECKING, COMPLETED, FAILED, RECEIVING, Upload, UploadStore
from app.threads import run_blocking

logger = logging.getLogger("yolo.uploads")

ATTEMPTS, AGAIN_S = 4, 3.0  # retries after a busy database


class Completion:
    """Converts each complete upload to one dataset or prediction, or one problem.

    Args:
        purposes: by name.
        writers: lock an upload against other processes.
    """

    def __init__(self, purposes: Mapping[str, Purpose], store: UploadStore, writers: Writers) -> None:
        self.purposes, self.store, self.writers = purposes, store, writers

    def begin(self, upload: Upload) -> None:
        """Record that all bytes are on the disk, and continue in the background."""
        upload.state, upload.problem = CHECKING, None
        run_blocking(upload.save)
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        socketio.start_background_task(self.finish, app, upload)

    def finish(self, app: Flask, upload: Upload) -> None:
        """Complete an upload: one result or one problem, however often it is started. The body of a background task.

        It runs as a request of the client, so that a refusal is the same as for a plain POST.
        """
        language = {"Accept-Language": upload.locale.replace("_", "-")}
        context = app.test_request_context(f"/api/uploads/{upload.id}", headers=language)
        with self.writers.alone(upload.id), context, on_behalf_of(upload.created_by):
            self.attempt(app, upload)
            retry_until_writable(lambda: save_if_there(upload))
            if not upload.retriable():
                run_blocking(upload.bin.unlink, True)  # the result has its own hard link
        logger.info("upload %s: %s", upload.id, upload.dataset_id or upload.prediction_id or upload.problem)

    def attempt(self, app: Flask, upload: Upload) -> None:
        """Set the id of the result, or `problem`. A busy database is retried for a few seconds."""
        purpose = self.purposes[upload.purpose]
        for remaining in range(ATTEMPTS - 1, -1, -1):
            try:
                result_id = existing_result(upload, purpose) or purpose.create(upload, key_of(upload))
                setattr(upload, purpose.result, result_id)
                upload.state = COMPLETED
                return
            except Exception as error:
                db.session.rollback()
                problem = app.make_response(app.handle_user_exception(error)).get_json()
                busy = isinstance(error, DATABASE_UNAVAILABLE)
            if not busy or not remaining:
                break
            socketio.sleep(AGAIN_S)
        upload.state, upload.problem = FAILED, problem

    def reconcile(self) -> None:
        """At start: continue complete uploads without a result, unless another process does."""
        for upload in self.store.all():
            try:
                if not self.writers.busy(upload.id):
                    self.pick_up(upload)
            except Exception:  # a damaged upload must not stop the start
                logger.exception("upload %s cannot be continued", upload.id)

    def pick_up(self, upload: Upload) -> None:
        mark = upload.unverified() is not None
        if upload.state == CHECKING or (upload.state == RECEIVING and not mark and upload.size() == upload.length):
            upload.received()
            self.begin(upload)


def existing_result(upload: Upload, purpose: Purpose) -> int | None:
    """The result of an earlier attempt whose server was killed: its key was committed with the row."""
    request_key = key_of(upload)
    mark = db.session.get(IdempotencyKey, (request_key.key, request_key.scope))
    number = mark.answer[purpose.result] if mark else None
    return number if isinstance(number, int) else None


def key_of(upload: Upload) -> RequestKey:
    return RequestKey(upload.id, "upload", "")


def save_if_there(upload: Upload) -> None:
    """Save the outcome of an upload, unless it was removed meanwhile."""
    try:
        run_blocking(upload.save)
    except FileNotFoundError:
        logger.info("upload %s was removed", upload.id)
