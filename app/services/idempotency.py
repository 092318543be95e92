"""Runs a POST with an `Idempotency-Key` once, and replays its answer to whoever repeats it.

The key is written in the transaction of the effect: both are there, or neither. A request that failed leaves no key, so
it may be repeated as well.
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

Answer = Mapping[str, Any]
AnswerT = TypeVar("AnswerT", bound=Answer)  # the answer of one action


@dataclass(frozen=True)
class RequestKey:
    """The idempotency key of a request.

    Args:
        key: as the client sent it.
        scope: the action and what it is about, "extend/5": other actions may have the same key.
        digest: of the body.
    """

    key: str
    scope: str
    digest: str


def digest(body: Any) -> str:
    """SHA-256 of a JSON body; the order of its keys and its spaces do not matter."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def run_idempotent(request: RequestKey | None, work: Callable[[], AnswerT]) -> AnswerT:
    """Run the work once, or replay its stored answer.

    Args:
        work: opens a write transaction in which it calls `reserve` or `store_answer`.

    Raises:
        Unprocessable: the key came with another body before. And what `work` raises.
    """
    if (answer := earlier(request)) is not None:
        return cast(AnswerT, answer)  # of the same action, since the scope is the same
    try:
        return work()
    except IntegrityError:
        if (answer := earlier(request)) is None:
            raise
        return cast(AnswerT, answer)  # another request with this key was faster


def earlier(request: RequestKey | None) -> Answer | None:
    """The answer that this key had in the last 24 hours."""
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
    """Insert the key first in this transaction; its answer is filled in at the end.

    Raises:
        IntegrityError: it is taken; see `once`. A transaction that is taking it now is waited for.
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
    """`reserve`, with an answer that is complete already.

    Raises:
        IntegrityError: the key is taken; see `once`.
    """
    mark = reserve(session, request)
    if mark is not None:
        mark.answer = dict(answer)


def purge() -> int:
    """Forget the keys of more than 24 hours ago; how many there were. For the janitor."""
    with writing() as session:
        return session.query(IdempotencyKey).filter(IdempotencyKey.created_at < now() - RETENTION).delete()
