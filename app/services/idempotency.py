"""Runs a POST with an `Idempotency-Key` once, and replays its response when it is repeated.

The key is written in the transaction of the effect: both exist, or neither. A failed request leaves no key, so that it
can be repeated.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

from flask_babel import gettext as _
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from app.database import writing
from app.errors import Unprocessable
from app.extensions import db
from app.models import IdempotencyKey, now

RETENTION = timedelta(hours=24)

Answer = Mapping[str, object]
AnswerT = TypeVar("AnswerT", bound=Answer)  # the response type of an action


@dataclass(frozen=True)
class RequestKey:
    """The idempotency key of a request.

    Args:
        key: as sent by the client.
        scope: the action and its object, "extend/5": other actions may use the same key.
        digest: of the body.
    """

    key: str
    scope: str
    digest: str


def digest(body: Any) -> str:
    """SHA-256 of a JSON body, independent of key order and whitespace."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def run_idempotent(request: RequestKey | None, work: Callable[[], AnswerT]) -> AnswerT:
    """Run the work once, or replay its stored response.

    Args:
        work: opens a write transaction in which it calls `reserve` or `store_answer`.

    Raises:
        Unprocessable: the key was used with another body. Also what `work` raises.
    """
    if (answer := earlier(request)) is not None:
        return cast(AnswerT, answer)  # of the same action, since the scope is the same
    try:
        return work()
    except IntegrityError:
        if (answer := earlier(request)) is None:
            raise
        return cast(AnswerT, answer)  # a concurrent request with this key was first


def earlier(request: RequestKey | None) -> Answer | None:
    """The response to this key in the last 24 hours."""
    if request is None:
        return None
    mark = db.session.get(IdempotencyKey, (request.key, request.scope), populate_existing=True)
    if mark is None or mark.created_at < now() - RETENTION:
        return None
    if mark.digest != request.digest:
        problem = _("This Idempotency-Key was already used with another body. Use a new key for a new request.")
        raise Unprocessable(problem, [{"field": "Idempotency-Key", "message": problem}])
    return mark.answer


def reserve(session: Any, request: RequestKey | None) -> IdempotencyKey | None:
    """Insert the key first in this transaction; its response is filled in at the end.

    Raises:
        IntegrityError: it exists; see `run_idempotent`. Waits for a transaction that is inserting it.
    """
    if request is None:
        return None
    mine = (IdempotencyKey.key == request.key) & (IdempotencyKey.scope == request.scope)
    session.execute(delete(IdempotencyKey).where(mine, IdempotencyKey.created_at < now() - RETENTION))
    mark = IdempotencyKey(key=request.key, scope=request.scope, digest=request.digest, answer={})
    session.add(mark)
    session.flush()
    return mark


def store_answer(session: Any, request: RequestKey | None, answer: Answer) -> None:
    """Insert the key with a response that is already complete.

    Raises:
        IntegrityError: the key exists; see `run_idempotent`.
    """
    mark = reserve(session, request)
    if mark is not None:
        mark.answer = dict(answer)


def purge() -> int:
    """Delete keys older than 24 hours; returns how many. For the janitor."""
    with writing() as session:
        return session.query(IdempotencyKey).filter(IdempotencyKey.created_at < now() - RETENTION).delete()
