"""How a route hands an Idempotency-Key to its service."""

from typing import Any

from flask import request

from app.services.idempotency import Asked, digest


def asked(header: dict[str, Any], scope: str) -> Asked | None:
    """The key of this request; None where it has none.

    Args:
        header: as KeyHeader loads it.
        scope: the action and what it is about.
    """
    key = header.get("key")
    return None if key is None else Asked(key, scope, digest(request.get_json(silent=True)))
