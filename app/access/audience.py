"""Chooses the rooms of a dashboard message: with PRIVATE_DATA, only those of people who may see its subject.

Admins are in the dashboard's own room. Others are in a room of their account, and in one for shared objects.
"""

import time
from typing import Any

from flask import current_app
from sqlalchemy import select

from app.access.principal import Principal
from app.access.private import is_limited
from app.config import settings
from app.extensions import db
from app.models import Dataset, Training

FRESH_S = 5.0  # lifetime of a cached answer: a training sends several messages per second
MOST = 10_000


def account_room(room: str, account_id: int | None) -> str:
    return f"{room}:of:{account_id or 'owner'}"


def shared_room(room: str) -> str:
    return f"{room}:shared"


def rooms_for(room: str, principal: Principal | None) -> list[str]:
    """The rooms in which a principal receives the visible part of a room's messages."""
    if principal is None or not is_limited(principal):
        return [room]
    return [account_room(room, principal.account_id), shared_room(room)]


def audience(room: str, training_id: int | None = None, dataset_id: int | None = None) -> list[str]:
    """The rooms that receive a message about a training or a dataset."""
    if not settings().PRIVATE_DATA:
        return [room]
    cache: dict[Any, tuple[float, list[str]]] = current_app.extensions.setdefault("audiences", {})
    key = (room, training_id, dataset_id)
    until, account_ids = cache.get(key, (0.0, []))
    if time.monotonic() > until:
        account_ids = read(room, training_id, dataset_id)
        if len(cache) >= MOST:
            cache.clear()
        cache[key] = (time.monotonic() + FRESH_S, account_ids)
    return account_ids


def forget() -> None:
    """Clear the cache, after something was shared or made private."""
    current_app.extensions.pop("audiences", None)
    current_app.extensions["cluster"].bus.publish("sharing", None)  # also in other processes


def read(room: str, training_id: int | None, dataset_id: int | None) -> list[str]:
    """Uses its own connection: the caller's session has no open transaction, and must not get one."""
    data, run = Dataset.__table__, Training.__table__
    rooms = [room]
    with db.engine.connect() as connection:
        if training_id is not None:
            query = select(run.c.created_by, run.c.shared, run.c.dataset_id).where(run.c.id == training_id)
            match = connection.execute(query).first()
            if match is None:
                return rooms
            rooms.append(account_room(room, match.created_by))
            if not match.shared:
                return rooms
            dataset_id = match.dataset_id
        if dataset_id is not None:
            row = connection.execute(select(data.c.created_by, data.c.shared).where(data.c.id == dataset_id)).first()
            if row is not None:
                rooms += [account_room(room, row.created_by), *([shared_room(room)] if row.shared else [])]
            if row is not None and training_id is None:
                users = select(run.c.created_by).where(run.c.dataset_id == dataset_id).distinct()
                rooms += [account_room(room, account) for account in connection.scalars(users)]
    return list(dict.fromkeys(rooms))
