"""Runs blocking calls in threads under eventlet, where they would block every client."""

from collections.abc import Callable
from typing import Any, TypeVar

from app.extensions import socketio

T = TypeVar("T")


def run_blocking(call: Callable[..., T], *args: Any) -> T:
    """The result of `call(*args)`; others are served meanwhile, in both server modes.

    Under eventlet, `call` runs in a real thread: it must use no database session and no lock of greenlets.
    """
    if socketio.async_mode != "eventlet":
        return call(*args)  # this is already a thread
    from eventlet import tpool

    return tpool.execute(call, *args)
