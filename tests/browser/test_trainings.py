"""A user's actions on trainings: pause, resume, extend, copy, delete, order the queue, change parameters."""

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from scripts.local_server import Server
from tests.browser.conftest import SOCKET, Open, joined, shoot, wait_until
from tests.data import yolo_zip

pytestmark = pytest.mark.browser

LATER = "2099-01-01T00:00:00Z"  # stays pending, so that nothing is trained
CHART = "window.Chart.getChart(document.querySelector('[data-charts] canvas')).data.datasets[0].data"


@pytest.fixture(scope="module")
def dataset(site: Server) -> int:
    """A tiny dataset that is ready."""
    files = {"file": ("tiny.zip", yolo_zip(), "application/zip")}
    dataset_id = site.post("/api/datasets", files=files, data={"name": "Tiny"}).json()["dataset_id"]
    end = time.monotonic() + 180
    while site.get(f"/api/datasets/{dataset_id}").json()["status"] != "valid":
        assert time.monotonic() < end, "the dataset does not become valid"
        time.sleep(0.1)
    return dataset_id


def create(site: Server, dataset: int, **values: Any) -> int:
    body = {"dataset_id": dataset, "model_version": "n", "epochs": 2, "img_size": 32, "batch_size": 4} | values
    answer = site.post("/api/trainings", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["training_id"]


def queued(site: Server) -> list[int]:
    return [item["id"] for item in site.get("/api/trainings/queue").json()["queue"]]


def act(page: Page, name: str) -> None:
    page.locator(f"[data-actions] [data-action={name}]").click()


def choose(page: Page, name: str) -> None:
    page.get_by_role("button", name="More actions").click()
    page.locator(f"[data-menu] [data-action={name}]").click()


def cut(page: Page) -> None:
    """Break the connection; the page reconnects by itself."""
    page.evaluate(f"import({SOCKET}).then((module) => module.live.socket.io.engine.close())")
    expect(page.locator("[data-toasts]")).to_contain_text("Reconnected")


@pytest.mark.training
def test_a_training_is_paused_goes_on_and_gets_more_epochs(open_page: Open, site: Server, dataset: int) -> None:
    training = create(site, dataset, name="Life")
    page = open_page(f"/trainings/{training}", locale="en")
    state = page.locator("[data-status]")
    expect(state).to_contain_text("Running")
    act(page, "pause")
    expect(state).to_contain_text("Paused")
    expect(page.locator("[data-failure]")).to_contain_text("Paused by you")
    act(page, "resume")
    expect(state).to_contain_text("Running")
    cut(page)
    expect(state).to_contain_text("Completed", timeout=240_000)
    expect(page.locator("[data-advance]")).to_contain_text("2 epochs completed")
    wait_until(page, f"String({CHART}.map((point) => point.x)) === '1,2'")  # every epoch once
    keys = page.locator("[data-events] [data-key]").evaluate_all("(rows) => rows.map((row) => row.dataset.key)")
    assert len(keys) == len(set(keys)) > 2
    expect(page.locator("[data-checkpoint]").first).to_be_visible()
    expect(page.locator("[data-class]")).to_contain_text("thing")

    act(page, "extend")
    dialog = page.locator("dialog")
    dialog.locator("[name=epochs]").fill("0")
    dialog.get_by_role("button", name="Add epochs").click()
    expect(dialog.locator(".field-error")).to_be_visible()
    dialog.locator("[name=epochs]").fill("1")
    expect(dialog).to_contain_text("Completed epochs: 2 of 3")
    dialog.get_by_role("button", name="Add epochs").click()
    expect(page.locator("[data-advance]")).to_contain_text("3 epochs completed", timeout=240_000)
    wait_until(page, f"String({CHART}.map((point) => point.x)) === '1,2,3'")
    shoot(page, "training-extended")

    choose(page, "delete")
    expect(page.locator("[data-failure]")).to_contain_text("In the trash")
    assert training in [item["id"] for item in site.get("/api/trainings?trash=true").json()["trainings"]]
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-failure]")).not_to_contain_text("In the trash")
    assert training in [item["id"] for item in site.get("/api/trainings").json()["trainings"]]


def test_a_copy_is_prefilled_and_can_be_deleted_for_good(open_page: Open, site: Server, dataset: int) -> None:
    original = create(site, dataset, name="Original", epochs=7, params={"mixup": 0.25}, start_not_before=LATER)
    page = open_page(f"/trainings/{original}", locale="en")
    expect(page.locator("[data-advance]")).to_contain_text("Scheduled to start at")
    choose(page, "clone")
    page.wait_for_url(re.compile(rf"clone={original}$"))
    expect(page.locator("[data-copied]")).to_contain_text("Original")
    expect(page.locator("[name=epochs]")).to_have_value("7")
    expect(page.locator("[data-param=mixup]")).to_have_value("0.25")
    page.locator("[name=epochs]").fill("9")
    page.locator("[data-when] summary").click()
    page.locator("[name=start_not_before]").fill("2099-01-01T00:00")
    page.locator("[data-submit]").click()
    page.wait_for_url(re.compile(r"/trainings/\d+$"))
    copy = site.get(f"/api/trainings/{page.url.rsplit('/', 1)[-1]}").json()
    assert (copy["cloned_from"], copy["epochs"], copy["params"]["mixup"]) == (original, 9, 0.25)

    site.delete(f"/api/trainings/{copy['id']}")
    page.goto(f"{site.url}/trainings?trash=true")
    row = page.locator(f"[data-training='{copy['id']}']")
    row.get_by_role("button", name="Delete permanently").click()
    page.locator("dialog").get_by_role("button", name="Delete permanently").click()
    expect(row).to_have_count(0)
    assert site.get(f"/api/trainings/{copy['id']}").status_code == 404
    site.delete(f"/api/trainings/{original}")


def test_the_queue_is_ordered_by_keyboard_and_pointer(open_page: Open, site: Server, dataset: int) -> None:
    first, second, third = (create(site, dataset, name=f"Waits {n}", start_not_before=LATER) for n in range(3))
    page = open_page("/trainings", locale="en")
    row = page.locator("[data-queue] [data-training]")
    expect(row).to_have_count(3)
    grip = page.get_by_role("button", name="Move Waits 0: arrow keys")
    grip.press("ArrowDown")
    expect(page.locator("[data-queue-said]")).to_contain_text("position: 2 of 3")
    assert queued(site) == [second, first, third]
    expect(grip).to_be_focused()
    page.get_by_role("button", name="Down: Waits 0").click()
    expect(page.locator("[data-queue-said]")).to_contain_text("position: 3 of 3")
    assert queued(site) == [second, third, first]

    below = page.get_by_role("button", name="Move Waits 0: arrow keys").bounding_box()
    above = row.first.bounding_box()
    assert below is not None
    assert above is not None
    page.mouse.move(below["x"] + 5, below["y"] + 5)
    page.mouse.down()
    page.mouse.move(below["x"] + 5, above["y"] + 2, steps=12)
    page.mouse.up()
    expect(page.locator("[data-queue-said]")).to_contain_text("position: 1 of 3")
    assert queued(site) == [first, second, third]

    page.get_by_role("button", name="Priority: Waits 2").click()
    page.locator("dialog input").fill("5")
    page.get_by_role("button", name="Save").click()
    expect(row.first).to_contain_text("Waits 2")
    shoot(page, "trainings-queue")
    for training in (first, second, third):
        site.delete(f"/api/trainings/{training}")
    expect(page.locator("[data-queue-panel]")).to_be_hidden()


def test_only_changed_parameters_are_sent(open_page: Open, site: Server, dataset: int) -> None:
    page = open_page(f"/trainings/new?dataset_id={dataset}", locale="en")
    page.locator("[data-advanced] > summary").click()
    page.locator("[data-parameter-search]").fill("blending two")
    expect(page.locator(".parameter:visible")).to_have_count(1)
    page.locator("[data-param=mixup]").fill("0.2")
    page.locator("[data-parameter-search]").fill("")
    page.locator("[data-param=cos_lr]").select_option("true")
    page.locator("[data-param=mosaic]").fill("1")  # its default
    page.locator("[data-param=patience]").fill("-1")
    page.locator("[data-submit]").click()
    expect(page.locator("[data-error='params.patience']")).to_be_visible()
    page.get_by_role("button", name="Reset to default: patience").click()
    expect(page.locator("[data-parameter-count]")).to_have_text("2 changed")
    page.locator("[name=start][value=scratch]").check()
    page.locator("[data-when] summary").click()
    page.locator("[name=start_not_before]").fill("2099-01-01T00:00")
    with page.expect_request(
        lambda request: request.method == "POST" and request.url.endswith("/api/trainings")
    ) as sent:
        page.locator("[data-submit]").click()
    body = sent.value.post_data_json
    assert body["params"] == {"mixup": 0.2, "cos_lr": True}
    assert body["start"] == "scratch"
    assert body["start_not_before"].startswith("2098-12-31") or body["start_not_before"].startswith("2099-01-01")
    page.wait_for_url(re.compile(r"/trainings/\d+$"))
    expect(page.locator("[data-parameters]")).to_contain_text("mixup")
    site.delete(f"/api/trainings/{page.url.rsplit('/', 1)[-1]}")


def test_a_missed_message_is_noticed_by_its_number(open_page: Open, site: Server, dataset: int) -> None:
    training = create(site, dataset, name="Gap", start_not_before=LATER)
    page = open_page(f"/trainings/{training}", locale="en")
    expect(page.locator("[data-advance]")).to_contain_text("In the queue")
    joined(page)
    page.evaluate(f"""import({SOCKET}).then(({{live}}) => {{
        const room = [...live.rooms].find(({{name}}) => name === "training");
        const seq = room.seqs.get({training});
        window.told = []; window.snapshots = 0;
        room.on("snapshot", () => {{ window.snapshots += 1; }}).on("probe", (data) => window.told.push(data.seq));
        for (const step of [1, 1, 2, 0, 4]) room.receive("probe", {{training_id: {training}, seq: seq + step}});
        window.told = window.told.map((number) => number - seq);
    }})""")
    assert page.evaluate("window.told") == [1, 2], "each once; the one behind a gap not"
    wait_until(page, "window.snapshots === 1")
    site.delete(f"/api/trainings/{training}")
