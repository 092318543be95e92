"""Sends committed changes of trainings to browsers."""

from functools import partial
from typing import cast

from app import notify
from app.cluster import Bus
from app.config import settings
from app.core.room_messages import MessagePayload
from app.core.train import WaitingReason
from app.services.trainer import history
from app.services.trainer.messages import RoomMessage
from app.services.trainer.read_models import WaitingView
from app.services.trainer.store import TrainingStore
from app.services.trainer.stored_messages import StoredMessages
from app.services.trainer.waiting import reason


class TrainingFeed:
    """Sends messages to the rooms of trainings and to the dashboard.

    Args:
        stored: fills in the parts of a message in the reader's language.
        bus: notifies other processes of sent messages.

    Attributes:
        newest: the highest message number per training that any process has sent since the start of the server.
    """

    def __init__(self, store: TrainingStore, stored: StoredMessages, bus: Bus) -> None:
        self.store, self.stored, self.bus = store, stored, bus
        self.newest: dict[int, int] = {}
        self.bus.on("messages", self.receive)

    def receive(self, message: list[int]) -> None:
        """Record a message that another process has sent."""
        training_id, seq = message
        self.newest[training_id] = max(seq, self.newest.get(training_id, 0))

    def send(self, messages: list[RoomMessage]) -> None:
        """Send messages to browsers, after the commit. Nearly free without readers."""
        for item in messages:
            if "training_id" not in item.payload:
                notify.to_dashboard(item.event, item.payload)
                continue
            training_id, event, seq = item.payload["training_id"], item.event, item.payload["seq"]
            self.receive([training_id, seq])
            self.bus.publish("messages", [training_id, seq])
            if event in history.LOCALIZED:
                create_payload = partial(self.for_all, event, item.payload)
                notify.to_readers(event, training_id, create_payload, dashboard=item.dashboard)
            else:
                notify.to_training(event, training_id, item.payload, dashboard=event not in history.FINE)

    def send_status(self, training_id: int) -> None:
        """Send the present state, whose number was committed before."""
        seq = self.store.row(training_id).seq
        self.send([RoomMessage("training_status", {"training_id": training_id, "seq": seq})])

    def for_all(self, event: str, payload: MessagePayload) -> MessagePayload:
        """A message's payload for all readers of its rooms. With PRIVATE_DATA, it does not name the run that holds
        the device, which not all of them may see.
        """
        filled = self.stored.fill(event, payload)
        training = filled.get("training", {})
        waits = training.get("waiting_for") if settings().PRIVATE_DATA else None
        if not isinstance(waits, dict) or "training_id" not in waits:
            return filled
        public = {key: value for key, value in waits.items() if key not in {"training_id", "name", "message"}}
        view: WaitingView = {**cast(WaitingReason, public), "message": reason(cast(WaitingReason, public))}
        return {**filled, "training": {**training, "waiting_for": view}}
