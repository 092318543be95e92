"""Runs blocking calls in threads of their own under eventlet, where they would stop every client."""

from collections.abc import Callable
from typing import Any, TypeVar

from app.extensions import socketio

T = TypeVar("T")


def run_blocking(call: Callable[..., T], *args: Any) -> T:
    """What `call(*args)` returns or raises; others are served meanwhile, in both server modes.

    `call` runs in a real thread under eventlet: no database session and no greenlet's lock may be used in it.
    """
    if socketio.async_mode != "eventlet":
        return call(*args)  # this is a thread already
    from eventlet import tpool

    return tpool.execute(call, *args)
