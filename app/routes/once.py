"""Hands a route's Idempotency-Key to its service."""

from typing import Any

from flask import request

from app.access.principal import current_account_id
from app.services.idempotency import RequestKey, digest
from app.services.predictions.sent import Sent


def request_key(header: dict[str, Any], scope: str) -> RequestKey | None:
    """The key of this request; None where it has none.

    Args:
        header: as KeyHeader loads it.
        scope: the action and what it is about.
    """
    key = header.get("key")
    return None if key is None else RequestKey(key, own(scope), digest(request.get_json(silent=True)))


def own(scope: str) -> str:
    """The same key of another person is another request: its answer is theirs alone."""
    account_id = current_account_id()
    return scope if account_id is None else f"{scope}/by/{account_id}"


def form_key(header: dict[str, Any], scope: str, values: dict[str, Any], sent: Sent) -> RequestKey | None:
    """The same for a form with files: their content counts, not how the body was put together."""
    if (key := header.get("key")) is None:
        return None
    return RequestKey(key, own(scope), digest([values, [[file.filename, file.sha256()] for file in sent.files]]))
