"""Runs blocking calls in threads under eventlet, where they would block every client, and tasks in the background."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app

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


def run_in_background(call: Callable[..., object], *args: Any) -> None:
    """Have `call(*args)` run in the background, in a context of the present application."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    socketio.start_background_task(run_in_context, app, call, *args)


def run_in_context(app: Flask, call: Callable[..., object], *args: Any) -> None:
    with app.app_context():
        call(*args)
