"""Flask extensions, unbound; the factory binds them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from flask_babel import Babel
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase


@contextmanager
def absent(*names: str) -> Iterator[None]:
    """Imports inside find these optional packages missing."""
    hidden = {name: sys.modules[name] for name in names if name in sys.modules}
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]  # None: not importable
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
        sys.modules.update(hidden)


# The server imports engineio's client too, and with it an HTTP stack that only a client uses (10 MB, 0.2 s).
with absent("requests", "websocket", "aiohttp"):
    from flask_socketio import SocketIO


class Base(DeclarativeBase):
    """Constraints have names, so that migrations can change them on SQLite."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base)
socketio = SocketIO()
babel = Babel()
