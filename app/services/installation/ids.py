"""Assigns ids that are never reused within a data folder: above every previous row and folder."""

from typing import Any

from flask import current_app, has_app_context
from sqlalchemy import event, func, select, update
from sqlalchemy.orm import Session

from app.extensions import db
from app.models import Installation
from app.services.installation.contents import MODELS
from app.services.installation.pairing import Pairing

ASSIGNED = "ids_given"  # key of a session's info: the highest ids of the present transaction, by kind

KINDS_OF = {model: kind for kind, model in MODELS.items()}


def watch() -> None:
    """Assign ids on insert, in every application of this process; idempotent."""
    for model in KINDS_OF:
        if not event.contains(model, "before_insert", assign_id):
            event.listen(model, "before_insert", assign_id)
    if not event.contains(db.session, "after_commit", committed):
        event.listen(db.session, "after_commit", committed)
        event.listen(db.session, "after_rollback", forget)


def current_pairing() -> Pairing | None:
    """The pairing of the current application; None outside of one."""
    installation = current_app.extensions.get("installation") if has_app_context() else None
    return installation.pairing if installation else None


def assign_id(mapper: Any, connection: Any, row: Any) -> None:
    """Before a row is inserted: set its id, and record the highest one, in the same transaction."""
    row.id = assign(connection, Session.object_session(row), KINDS_OF[mapper.class_], row.id)


def reserve(session: Any, kind: str) -> int:
    """Reserve an id, once this transaction is committed: for a folder that is created before its row."""
    return assign(session.connection(), session, kind)


def assign(connection: Any, session: Any, kind: str, number: int | None = None) -> int:
    """Assign an id, the next one by default, and record it in the database and, after the commit, in the folder."""
    note = Installation.__table__.c[f"last_{kind}"]
    here = connection.execute(select(note).with_for_update()).first()
    assigned = session.info.setdefault(ASSIGNED, {}) if session else {}
    if number is None:
        newest = connection.scalar(select(func.max(MODELS[kind].__table__.c.id))) or 0
        pairing = current_pairing()
        number = max(newest, here[0] if here else 0, assigned.get(kind, 0), pairing.floor(kind) if pairing else 0) + 1
    if here and here[0] < number:
        connection.execute(update(Installation).values({note.key: number}))
    assigned[kind] = max(assigned.get(kind, 0), number)
    return number


def committed(session: Any) -> None:
    """Record the ids in the folder after the commit, so that it is never ahead of the database."""
    assigned = session.info.pop(ASSIGNED, None)
    pairing = current_pairing()
    if assigned and pairing:
        pairing.note(assigned)


def forget(session: Any) -> None:
    session.info.pop(ASSIGNED, None)
