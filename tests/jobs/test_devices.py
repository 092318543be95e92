"""Which job gets which device, and which job has to release it."""

import pytest

from app.jobs.devices import CPU, Holding, Placement, Plan, Pool, Request, Use, displaced

WARM, SPARE, MEASURE, WORK = Use
TWO = Pool(("4", "7"))


def holding(use: Use, *devices: str, job_id: int = 90) -> Holding:
    return Holding(job_id, use, devices)


@pytest.mark.parametrize(
    ("pool", "request_", "use", "holdings", "devices"),
    [
        (Pool(), "auto", WORK, [], (CPU,)),
        (Pool(), "0", WORK, [], ()),
        (Pool(), ("0",), MEASURE, [], ()),
        (TWO, "auto", WORK, [], ("4",)),
        (TWO, "auto", WORK, [holding(WORK, "4")], ("7",)),
        (TWO, "auto", WORK, [holding(WARM, "4")], ("7",)),
        (TWO, "auto", WORK, [holding(WORK, "4"), holding(WORK, "7")], ("4",)),
        (TWO, "auto", WORK, [holding(WORK, "4"), holding(SPARE, "7")], ("7",)),
        (TWO, "auto", WORK, [holding(SPARE, "4")], ("7",)),
        (TWO, "auto", SPARE, [holding(WORK, "4"), holding(WARM, "7")], ("7",)),
        (TWO, "1,0", WORK, [], ("7", "4")),
        (TWO, "0,2", WORK, [], ()),
        (TWO, "cpu", WORK, [], (CPU,)),
        (TWO, ("7",), MEASURE, [], ("7",)),
        (TWO, "auto", WARM, [holding(WORK, "4")], ("7",)),
        (TWO, "auto", WARM, [holding(WORK, "4"), holding(MEASURE, "7")], (CPU,)),
        (TWO, "auto", WARM, [holding(WORK, "4"), holding(SPARE, "7")], (CPU,)),
    ],
)
def test_resolve(pool: Pool, request_: Request, use: Use, holdings: list[Holding], devices: tuple[str, ...]) -> None:
    assert pool.resolve(request_, use, holdings) == devices
    assert pool.has(request_) == bool(devices)


@pytest.mark.parametrize(
    ("slots", "use", "device", "holders", "waits"),
    [
        (1, WORK, "4", [], False),
        (1, WORK, "4", [WORK], True),
        (2, WORK, "4", [WORK], False),
        (2, WORK, "4", [WORK, WORK], True),
        (2, WORK, CPU, [WORK], True),
        (1, WORK, "4", [WARM, MEASURE], False),
        (2, MEASURE, "4", [WORK], True),
        (2, MEASURE, "4", [MEASURE], True),
        (1, MEASURE, "4", [WARM], False),
        (1, WORK, CPU, [SPARE], False),
        (1, MEASURE, CPU, [SPARE], False),
        (2, SPARE, "4", [WORK], True),
        (2, SPARE, "4", [MEASURE], True),
        (2, SPARE, "4", [SPARE], True),
        (1, SPARE, "4", [WARM], False),
        (1, SPARE, CPU, [WARM], False),
        (1, WARM, "4", [SPARE], True),
        (2, WARM, "4", [WORK], True),
        (2, WARM, "4", [WARM], True),
        (1, WARM, CPU, [WORK, MEASURE, SPARE, WARM], False),
    ],
)
def test_who_waits_for_whom(slots: int, use: Use, device: str, holders: list[Use], waits: bool) -> None:
    holdings = [holding(kind, device, job_id=number) for number, kind in enumerate(holders)]
    assert (Pool(("4",), slots).blocker(use, [device], holdings) is not None) == waits


def test_who_leaves() -> None:
    warm, measured, works = holding(WARM, "4"), holding(MEASURE, "4"), holding(WORK, "4")
    elsewhere = [holding(WARM, "7"), holding(MEASURE, "7")]
    everyone = [warm, measured, works, *elsewhere]
    assert displaced(WORK, ["4"], everyone) == [warm, measured]
    assert displaced(MEASURE, ["4"], everyone) == [warm]
    assert displaced(WARM, ["4"], everyone) == []
    assert displaced(WORK, ["7", "4"], everyone) == [warm, measured, *elsewhere]
    here = [holding(WARM, CPU), holding(MEASURE, CPU)]
    assert displaced(WORK, [CPU], here) == here[1:], "the processor has memory for what is warm"


@pytest.mark.parametrize("use", [WORK, MEASURE])
def test_what_is_spare_leaves_to_everybody(use: Use) -> None:
    warm, spare, elsewhere = holding(WARM, "4"), holding(SPARE, "4"), holding(SPARE, "7")
    assert displaced(use, ["4"], [warm, spare, elsewhere]) == [warm, spare]
    assert displaced(use, [CPU], [holding(WARM, CPU), holding(SPARE, CPU)]) == [holding(SPARE, CPU)]
    assert displaced(SPARE, ["4"], [warm, spare]) == [warm], "of its own kind it displaces none"
    assert displaced(SPARE, [CPU], [holding(WARM, CPU)]) == []


def test_a_queue() -> None:
    running = Holding(1, WORK, ("4",), ("training", 5))
    plan = Plan(TWO, [running])
    assert plan.assign(2, WORK, "3") == Placement((), "missing_device")
    assert plan.assign(3, WORK, "0") == Placement(("4",), "device", running)
    assert plan.assign(4, WORK, "0,1") == Placement(("4", "7"), "turn", ahead=1)
    assert plan.assign(5, WORK, "1").waits_for == "turn", "what the one before waits for is kept for it"
    assert plan.assign(6, WORK, "cpu") == Placement((CPU,))
    assert plan.assign(7, WORK, "cpu").holder == Holding(6, WORK, (CPU,))
    assert plan.assign(8, MEASURE, ("4",)).waits_for == "turn"


def test_what_is_spare_waits_behind_who_waits_for_its_device() -> None:
    plan = Plan(Pool(), [])
    assert plan.assign(1, WORK, "auto", blocked=True).waits_for == "other"
    assert plan.assign(2, SPARE, "auto").waits_for == "turn", "it would only have to leave again"
    plan = Plan(Pool(), [holding(SPARE, CPU)])
    assert plan.assign(1, WORK, "auto") == Placement((CPU,))
    assert plan.assign(2, SPARE, "auto").waits_for == "device"


def test_waiting_for_another_resource_preserves_the_turn() -> None:
    plan = Plan(Pool(), [])
    assert plan.assign(1, WORK, "auto", blocked=True) == Placement((CPU,), "other")
    assert plan.assign(2, WORK, "auto") == Placement((CPU,), "turn", ahead=1)
