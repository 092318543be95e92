"""Measures the database's size and the time of its queries."""

import statistics
import time
from collections import deque
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import event, text

from app.extensions import db
from app.services.system.read_models import DatabaseFigures, QueryFigures

MAX_TIMES = 1000  # stored query times
BEGAN = "query_began"


class QueryTimes:
    """Times of the newest queries, in ms."""

    def __init__(self) -> None:
        self.times: deque[float] = deque(maxlen=MAX_TIMES)
        self.count = 0

    def add(self, milliseconds: float) -> None:
        self.times.append(milliseconds)
        self.count += 1

    def figures(self) -> QueryFigures:
        """Median, 95th percentile and maximum of the latest MAX_TIMES, in ms; None before the first."""
        sorted_times = sorted(self.times)
        if not sorted_times:
            return {"queries": 0, "median": None, "p95": None, "longest": None}
        return {
            "queries": self.count,
            "median": round(statistics.median(sorted_times), 3),
            "p95": round(sorted_times[max(0, -(-len(sorted_times) * 95 // 100) - 1)], 3),
            "longest": round(sorted_times[-1], 3),
        }


def watch(app: Flask) -> QueryTimes:
    """Time every query of the application, at a cost of about a microsecond each."""
    times = QueryTimes()
    with app.app_context():
        engine = db.engine

    @event.listens_for(engine, "before_cursor_execute")
    def before(connection: Any, *_: Any) -> None:
        connection.info[BEGAN] = time.perf_counter()

    @event.listens_for(engine, "after_cursor_execute")
    def after(connection: Any, *_: Any) -> None:
        began = connection.info.pop(BEGAN, None)
        if began is not None:
            times.add(1000 * (time.perf_counter() - began))

    return times


def figures(times: QueryTimes) -> DatabaseFigures:
    """Kind, size in bytes and query times."""
    address = db.engine.url
    return {"kind": address.get_backend_name(), "size": size(address.database or ""), **times.figures()}


def size(name: str) -> int | None:
    """Size of the database in bytes; of SQLite, with its log."""
    if db.engine.dialect.name == "sqlite":
        files = [Path(name + ending) for ending in ("", "-wal")]
        return sum(path.stat().st_size for path in files if path.exists())
    if db.engine.dialect.name == "postgresql":
        return db.session.scalar(text("SELECT pg_database_size(current_database())"))
    return None
