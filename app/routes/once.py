"""Passes a route's Idempotency-Key to its service."""

from collections.abc import Mapping
from typing import Any

from flask import request

from app.access.principal import current_account_id
from app.schemas.training_actions import KeyHeaderValues
from app.services.idempotency import RequestKey, digest
from app.services.predictions.inputs import PredictionInput


def request_key(header: KeyHeaderValues, scope: str) -> RequestKey | None:
    """The key of this request; None without the header.

    Args:
        header: as KeyHeader loads it.
        scope: the action and its object.
    """
    key = header.get("key")
    return None if key is None else RequestKey(key, scope_of(scope), digest(request.get_json(silent=True)))


def fields_of(form: Mapping[str, object]) -> dict[str, Any]:
    """The fields of a form besides its files."""
    return {name: value for name, value in form.items() if name not in ("file", "files")}


def scope_of(scope: str) -> str:
    """The scope with the account: another person's request with the same key is another request."""
    account_id = current_account_id()
    return scope if account_id is None else f"{scope}/by/{account_id}"


def form_key(
    header: KeyHeaderValues, scope: str, form: Mapping[str, object], sent: PredictionInput
) -> RequestKey | None:
    """The key of a form with files: their contents are hashed, not the multipart encoding.

    Args:
        form: its fields, and those of the query.
    """
    if (key := header.get("key")) is None:
        return None
    return RequestKey(
        key, scope_of(scope), digest([fields_of(form), [[file.filename, file.sha256()] for file in sent.files]])
    )
