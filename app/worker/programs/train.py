"""Trains a model.

spec.json: see `TrainSpec`. The file `stop` says `cancel` or `pause`.

Its terminal events are its own: Completed, Cancelled, Paused or Failed.
"""

from app.events import Event
from app.worker import report, train
from app.worker.channel import Channel


def run(channel: Channel) -> None:
    train.train(channel)


def ending(error: BaseException, channel: Channel) -> Event:
    """The terminal event of a training that an exception ended."""
    return report.ending(error, channel)
