"""Who trains next, and what the others wait for."""

from datetime import UTC, datetime, timedelta

from apiflask import APIFlask

from app.database import writing
from app.models import Training
from app.services.dispatch import Claim, Dispatcher, Room, plan
from app.services.trainer.messages import Message
from tests.services.runs import make, row_of

PLENTY = Room(10**12, 10**9)
FULL = Room(2**29 + 10**6, 10**9)


def queue(app: APIFlask, dispatcher: Dispatcher) -> list[Claim]:
    claims = []
    with app.app_context():
        while (claim := dispatcher.claim()) is not None:
            claims.append(claim)
    return claims


def test_queue_by_priority_then_age(idle_app: APIFlask) -> None:
    first, second, urgent = (make(idle_app, "pending", priority=number) for number in (0, 0, 5))
    dispatcher = Dispatcher([], lambda claim: None)
    order = []
    while claims := queue(idle_app, dispatcher):
        assert len(claims) == 1, "one training on the CPU"
        order.append(claims[0].training_id)
        dispatcher.release(claims[0].training_id)
    assert order == [urgent, first, second]
    row = row_of(idle_app, urgent)
    assert (row.status, row.attempt) == ("running", 1)


def test_queue_with_two_gpus(idle_app: APIFlask) -> None:
    one = make(idle_app, "pending", params={"device": "auto"})
    both = make(idle_app, "pending", params={"device": "0,1"})
    later = make(idle_app, "pending", params={"device": "1"})
    processor = make(idle_app, "pending", params={"device": "cpu"})
    dispatcher = Dispatcher(["4", "7"], lambda claim: None)
    claims = {claim.training_id: claim.devices for claim in queue(idle_app, dispatcher)}
    assert claims == {one: ("4",), processor: ("cpu",)}, "what `both` waits for is not taken by later ones"
    dispatcher.release(one)
    assert [claim.training_id for claim in queue(idle_app, dispatcher)] == [both]
    dispatcher.release(both)
    assert [claim.training_id for claim in queue(idle_app, dispatcher)] == [later]


def waiting(number: int, **values: object) -> Training:
    return Training(id=number, params={"device": values.pop("device", "auto")}, **values)


def test_what_each_waits_for() -> None:
    time = datetime.now(UTC)
    queue = [
        waiting(1, start_not_before=time + timedelta(hours=1)),
        waiting(2, device="1"),
        waiting(3, device="0"),
        waiting(4, device="0"),
        waiting(5, device="2"),
        waiting(6, device="cpu"),
        waiting(7, device="1"),
    ]
    chosen, reasons = plan(queue, {9: ("0",)}, ["4", "0"], PLENTY, time)
    assert chosen is not None
    assert (chosen[0].id, chosen[1]) == (3, ("4",))
    assert reasons[1]["code"] == "schedule"
    assert reasons[2] == {"code": "device", "training_id": 9}
    assert reasons[4] == {"code": "device", "training_id": 3}
    assert reasons[5] == {"code": "missing_device", "device": "2"}
    assert reasons[7] == {"code": "turn", "ahead": 1}
    assert 6 not in reasons, "it starts in the next round"


def test_slots_of_a_gpu_are_shared(idle_app: APIFlask) -> None:
    first, second, third, fourth, fifth = (make(idle_app, "pending", params={"device": "auto"}) for _ in range(5))
    processor, waits = (make(idle_app, "pending", params={"device": "cpu"}) for _ in range(2))
    dispatcher = Dispatcher(["4", "7"], lambda claim: None, slots=2)
    claims = {claim.training_id: claim.devices for claim in queue(idle_app, dispatcher)}
    assert claims == {first: ("4",), second: ("7",), third: ("4",), fourth: ("7",), processor: ("cpu",)}
    assert row_of(idle_app, fifth).waiting_for == {"code": "device", "training_id": first}
    assert row_of(idle_app, waits).waiting_for == {"code": "device", "training_id": processor}, "one on the CPU"
    dispatcher.release(fourth)
    assert [(claim.training_id, claim.devices) for claim in queue(idle_app, dispatcher)] == [(fifth, ("7",))]


def test_no_room_no_start(idle_app: APIFlask) -> None:
    training_id = make(idle_app, "pending")
    told: list[Message] = []
    dispatcher = Dispatcher([], lambda claim: None, tell=told.extend)
    with idle_app.app_context():
        assert dispatcher.claim(FULL) is None
        assert dispatcher.claim(Room(FULL.free - 9_000, FULL.needed)) is None
    row = row_of(idle_app, training_id)
    assert row.waiting_for == {"code": "disk", "free": 2**29, "needed": FULL.needed}
    assert [item.event for item in told] == ["training_status"], "told once"
    with idle_app.app_context():
        assert dispatcher.claim(PLENTY) is not None
    assert row_of(idle_app, training_id).waiting_for is None


def test_moving_up_is_told_once_for_the_whole_queue(idle_app: APIFlask) -> None:
    first, *others = [make(idle_app, "pending") for _ in range(4)]
    told: list[Message] = []
    dispatcher = Dispatcher([], lambda claim: None, tell=told.extend)
    dispatcher.hold(77, ("cpu",))
    with idle_app.app_context():
        dispatcher.claim(PLENTY)
        assert [(item.event, item.dashboard) for item in told] == [("training_status", True)] * 4
        told.clear()
        with writing() as session:
            session.get_one(Training, first).status = "cancelled"
        dispatcher.claim(PLENTY)
    *statuses, queue = told
    assert [(item.payload["training_id"], item.dashboard) for item in statuses] == [
        (others[0], True), (others[1], False), (others[2], False),
    ]  # fmt: skip
    assert queue.event == "training_queue"
    assert queue.payload["order"] == others
    assert [place["ahead"] for place in queue.payload["queue"]] == [None, 1, 2]


def test_nothing_starts_after_the_end_of_the_server(idle_app: APIFlask) -> None:
    make(idle_app, "pending")
    claims: list[object] = []
    dispatcher = Dispatcher([], claims.append)
    dispatcher.close()
    with idle_app.app_context():
        dispatcher.round(PLENTY)
    assert claims == []


def test_what_is_in_the_trash_does_not_start(idle_app: APIFlask) -> None:
    make(idle_app, "pending", deleted_at=datetime.now(UTC))
    with idle_app.app_context():
        assert Dispatcher([], lambda claim: None).claim(PLENTY) is None
