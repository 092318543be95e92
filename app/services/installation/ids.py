"""Ids that never repeat within a data folder: a new row gets one above every row and folder that there ever was."""

from typing import Any

from flask import current_app, has_app_context
from sqlalchemy import event, func, select, update
from sqlalchemy.orm import Session

from app.extensions import db
from app.models import Installation
from app.services.installation.contents import MODELS

GIVEN = "ids_given"  # in a session's info: the highest ones of the present transaction, by kind

KINDS_OF = {model: kind for kind, model in MODELS.items()}


def watch() -> None:
    """Give ids from now on, in every application of this process; done twice, it is the same."""
    for model in KINDS_OF:
        if not event.contains(model, "before_insert", give):
            event.listen(model, "before_insert", give)
    if not event.contains(db.session, "after_commit", committed):
        event.listen(db.session, "after_commit", committed)
        event.listen(db.session, "after_rollback", forget)


def service() -> Any:
    """The present application's InstallationService; None outside of one."""
    return current_app.extensions.get("installation") if has_app_context() else None


def give(mapper: Any, connection: Any, row: Any) -> None:
    """Before a row is inserted: its id, and the database's note of the highest one, in one transaction."""
    kind = KINDS_OF[mapper.class_]
    noted = Installation.__table__.c[f"last_{kind}"]
    here = connection.execute(select(noted).with_for_update()).first()
    session = Session.object_session(row)
    given = session.info.setdefault(GIVEN, {}) if session else {}
    if row.id is None:
        newest = connection.scalar(select(func.max(mapper.local_table.c.id))) or 0
        held = service()
        row.id = max(newest, here[0] if here else 0, given.get(kind, 0), held.floor(kind) if held else 0) + 1
    if here and here[0] < row.id:
        connection.execute(update(Installation).values({noted.key: row.id}))
    given[kind] = max(given.get(kind, 0), row.id)


def committed(session: Any) -> None:
    """The folder's note follows the commit: what it holds, the database had."""
    given = session.info.pop(GIVEN, None)
    held = service()
    if given and held:
        held.note(given)


def forget(session: Any) -> None:
    session.info.pop(GIVEN, None)
