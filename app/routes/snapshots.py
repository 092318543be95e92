"""Snapshots for joining Socket.IO rooms: read and encoded once for all that request the same one at the same time."""

from collections.abc import Callable, Hashable, Mapping

from flask import current_app
from sqlalchemy import select

from app.access.principal import current
from app.access.private import is_limited
from app.extensions import db
from app.i18n import select_locale
from app.inputs import Encoded
from app.models import Dataset, DatasetStatus
from app.schemas import DatasetOut
from app.services import services
from app.services.trainer.present import as_json

Answer = Mapping[str, object]


def shared(key: Hashable, work: Callable[[], Answer]) -> Answer:
    """The result of `work`, in this connection's language, encoded; one call for all concurrent requests with the same
    rights.
    """
    principal = current()
    limited = principal is not None and is_limited(principal)
    viewer = (principal.account_id,) if limited and principal else ()
    reads = current_app.extensions["waiting"].snapshots
    encoded: Encoded = reads.read((key, viewer, str(select_locale())), lambda: Encoded(work()))
    return encoded


def dashboard() -> Answer:
    """The dashboard's snapshot: active trainings, and datasets that are not ready."""
    unready = select(Dataset).where(Dataset.status.in_([DatasetStatus.PENDING, DatasetStatus.VALIDATING]))
    return {
        "trainings": [as_json(training) for training in services().trainer.list_active_trainings()],
        "datasets": [
            DatasetOut().dump(services().datasets.views.view(dataset))
            for dataset in db.session.scalars(unready.order_by(Dataset.id))
        ],
    }
