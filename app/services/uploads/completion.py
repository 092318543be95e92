"""Makes datasets of complete uploads, beside the requests."""

import logging

from flask import Flask, current_app

from app.access.principal import on_behalf_of
from app.database import DATABASE_AWAY, retry_until_writable
from app.extensions import db, socketio
from app.models import IdempotencyKey
from app.services.datasets.importing import DatasetCreation
from app.services.idempotency import RequestKey
from app.services.uploads.receive import Writers
from app.services.uploads.state import CHECKING, DONE, FAILED, RECEIVING, Shelf, Upload
from app.threads import run_blocking

logger = logging.getLogger("yolo.uploads")

ATTEMPTS, AGAIN_S = 4, 3.0  # of a creation that met a busy database


class Completion:
    """Makes one dataset, or one problem, of each upload whose last byte has come.

    Args:
        creation: makes datasets of whole files.
        writers: keep other processes from it meanwhile.
    """

    def __init__(self, creation: DatasetCreation, shelf: Shelf, writers: Writers) -> None:
        self.creation, self.shelf, self.writers = creation, shelf, writers

    def begin(self, upload: Upload) -> None:
        """All bytes are on the disk: write that down, and create the dataset beside the requests."""
        upload.state, upload.problem = CHECKING, None
        run_blocking(upload.save)
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        socketio.start_background_task(self.create_dataset, app, upload)

    def create_dataset(self, app: Flask, upload: Upload) -> None:
        """The background task of a complete upload: one dataset or one problem, however often it is begun.

        It runs as a request of the client's, so that a refusal is what a plain POST would have been answered.
        """
        language = {"Accept-Language": upload.locale.replace("_", "-")}
        context = app.test_request_context(f"/api/uploads/{upload.id}", headers=language)
        with self.writers.alone(upload.id), context, on_behalf_of(upload.created_by):
            self.attempt(app, upload)
            retry_until_writable(lambda: save_if_there(upload))
            if not upload.retriable():
                run_blocking(upload.bin.unlink, True)  # a dataset that keeps the original has a link of its own
        logger.info("upload %s: %s", upload.id, upload.dataset_id or upload.problem)

    def attempt(self, app: Flask, upload: Upload) -> None:
        """Set `dataset_id` or `problem`. A busy database is given a few seconds."""
        for left in range(ATTEMPTS - 1, -1, -1):
            try:
                upload.dataset_id = self.dataset_of(upload) or self.import_file(upload)
                upload.state = DONE
                return
            except Exception as error:
                db.session.rollback()
                problem = app.make_response(app.handle_user_exception(error)).get_json()
                busy = isinstance(error, DATABASE_AWAY)
            if not busy or not left:
                break
            socketio.sleep(AGAIN_S)
        upload.state, upload.problem = FAILED, problem

    def import_file(self, upload: Upload) -> int:
        """The id of the new dataset, made from the file where it lies: nothing is copied."""
        with open(upload.bin, "rb") as file:
            return self.creation.create(file, upload.filename, **upload.form, asked=key_of(upload)).id

    def dataset_of(self, upload: Upload) -> int | None:
        """The dataset that this upload became before the server was killed: its key was committed with the row."""
        asked = key_of(upload)
        found = db.session.get(IdempotencyKey, (asked.key, asked.scope))
        return found.answer["dataset_id"] if found else None

    def reconcile(self) -> None:
        """At start: whole files whose dataset is not known yet are gone on with, unless another process does so."""
        for upload in self.shelf.all():
            try:
                if not self.writers.busy(upload.id):
                    self.pick_up(upload)
            except Exception:  # one whose files are damaged stops no start
                logger.exception("upload %s cannot be gone on with", upload.id)

    def pick_up(self, upload: Upload) -> None:
        mark = upload.unverified() is not None
        if upload.state == CHECKING or (upload.state == RECEIVING and not mark and upload.size() == upload.length):
            upload.received()
            self.begin(upload)


def key_of(upload: Upload) -> RequestKey:
    return RequestKey(upload.id, "upload", "")


def save_if_there(upload: Upload) -> None:
    """Write down what became of an upload, unless it was removed meanwhile."""
    try:
        run_blocking(upload.save)
    except FileNotFoundError:
        logger.info("upload %s was removed", upload.id)
