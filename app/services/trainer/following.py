"""What those who follow a training get: the snapshot, the messages by number, the coach's advice."""

import time
from typing import Any

from app.extensions import db, socketio
from app.schemas import MetricsOut
from app.services.trainer import history, present
from app.services.trainer.base import TrainingBase
from app.services.trainer.files import LOG_TAIL
from app.services.trainer.output import read_piece

LOOK_S = 0.2


class TrainingFollowing(TrainingBase):
    """Reads for the pages, for scripts that poll, and for who joins a room."""

    def metrics(self, training_id: int, *, all_classes: bool = True) -> dict[str, Any]:
        """Every epoch so far, as MetricsOut takes them; without `all_classes` as a snapshot has them."""
        db.session.rollback()  # one view of the database from here on
        seq = self._row(training_id).seq
        epochs = present.metrics(training_id) if all_classes else history.metrics(training_id, seq)
        return {"version": history.version(training_id, seq), "epochs": epochs}

    def advice(self, training_id: int) -> list[dict[str, Any]]:
        """What the coach said so far."""
        return history.timeline(training_id, "training_advice", self._row(training_id).seq, self.models)

    def events(self, training_id: int, after: int, limit: int, wait: float = 0) -> dict[str, Any]:
        """The room's messages above a number; see history.page. With `wait`, up to so many seconds for the first."""
        row = self._row(training_id)
        if wait and row.seq <= after:
            self._wait_for(training_id, after, wait)
            row = self._row(training_id)
        return history.page(training_id, row.seq, after, limit, self.models)

    def _wait_for(self, training_id: int, after: int, seconds: float) -> None:
        """Look into memory only: messages that are committed are told at once. No database connection is held."""
        db.session.remove()
        until = time.monotonic() + seconds
        while self.told.get(training_id, 0) <= after and time.monotonic() < until:
            socketio.sleep(LOOK_S)

    def snapshot(self, training_id: int, known: str | None = None) -> dict[str, Any]:
        """Everything that a page needs to go on from live messages: those with a number up to `seq` are in it.

        Args:
            known: the version of the metrics that the page has; if they are still the same, `metrics` is None.
        """
        db.session.rollback()  # one view of the database from here on
        row = self._row(training_id)
        seq, attempt = row.seq, row.attempt
        training = present.one(training_id, self.models)
        assert training is not None
        version = history.version(training_id, seq)
        same = version == known
        return {
            "seq": seq,
            "training": present.as_json(training),
            "metrics": None if same else as_sent(version, history.metrics(training_id, seq)),
            "notes": history.timeline(training_id, "training_note", seq, self.models),
            "advice": history.timeline(training_id, "training_advice", seq, self.models),
            "losses": history.losses(training_id, seq),
            "figures": history.figures(training_id, seq),
            "log": self._log_until(training_id, attempt, seq),
        }

    def _log_until(self, training_id: int, attempt: int, seq: int) -> dict[str, Any]:
        """The end of the present attempt's log, up to where the messages of the room go on."""
        directory, place = self.attempt_dir(training_id, attempt), history.log_place(training_id, seq)
        if place is None or place["attempt"] != attempt:
            return {"text": "", "offset": 0, "attempt": attempt}
        end = place["offset"]
        text = read_piece(directory, max(0, end - LOG_TAIL), end)
        return {"text": text.partition("\n")[2] if end > LOG_TAIL else text, "offset": end, "attempt": attempt}


def as_sent(version: str, epochs: list[dict[str, Any]]) -> dict[str, Any]:
    return MetricsOut().dump({"version": version, "epochs": epochs})
