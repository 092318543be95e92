"""The head of a training's page in states of a recorded run."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import case, create_engine, update
from sqlalchemy.orm import Session

from app.config import database_uri
from app.models import Training, TrainingMetric, TrainingStatus
from scripts.local_server import Server
from tests.browser.conftest import SOCKET, Open, joined, shoot

pytestmark = pytest.mark.browser


@contextmanager
def temporary_state(site: Server, training_id: int, **values: Any) -> Iterator[None]:
    """A training that is temporarily in another state; its latest five epochs took 60 s each, the others 1,000 s."""
    engine = create_engine(database_uri(site.settings["DATABASE_URL"]))
    with Session(engine) as session:
        row = session.get_one(Training, training_id)
        before = {name: getattr(row, name) for name in values}
        mine = TrainingMetric.training_id == training_id
        seconds = case((TrainingMetric.epoch > row.current_epoch - 5, 60.0), else_=1000.0)
        session.execute(update(TrainingMetric).where(mine).values(seconds=seconds))
        set_all(row, values)
        session.commit()
        try:
            yield
        finally:
            set_all(row, before)
            session.commit()
            engine.dispose()


def set_all(row: Training, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)


def test_remaining_time_of_a_paused_training(open_page: Open, site: Server, forty: None) -> None:
    """At the pace of the last five epochs; nothing is shown if nothing is left."""
    texts = {"en": "about 30 min left", "pt-BR": "faltam cerca de 30 min"}
    with temporary_state(site, 39, status="paused", total_epochs=50):
        for locale, text in texts.items():
            page = open_page("/trainings/39", locale=locale)
            expect(page.locator("[data-advance]")).to_contain_text(text)
            expect(page.locator("[data-advance] strong")).to_have_text(re.compile(r"^40\s?%$"))
    with temporary_state(site, 39, status="paused", total_epochs=20):
        page = open_page("/trainings/39", locale="en")
        expect(page.locator("[data-advance]")).to_contain_text("Paused after epoch 20 of 20")
        expect(page.locator("[data-advance]")).not_to_contain_text(" left")


@pytest.mark.parametrize(
    ("eta", "text"),
    [
        (None, "estimating the time left"),
        (0.4, "almost done"),
        (59.2, "about 1 min left"),
        (95.0, "about 1 min 40 s left"),
        (1234.0, "about 21 min left"),
        (7300.0, "about 2 h 2 min left"),
    ],
)
def test_remaining_time_of_a_running_training(
    open_page: Open, site: Server, forty: None, eta: float | None, text: str
) -> None:
    """From the run, in steps that do not flicker."""
    with temporary_state(site, 39, status="running", total_epochs=50, eta=eta):
        page = open_page("/trainings/39", locale="en")
        expect(page.locator("[data-advance] strong")).to_have_text(f"40% · {text}")


def test_the_dashboard_names_the_epoch_of_its_values(open_page: Open, site: Server, forty: None) -> None:
    """A card has the latest ones and the list below it those of the best epoch: both are called mAP50."""
    with temporary_state(site, 39, status="running", total_epochs=50, eta=60.0):
        page = open_page("/", locale="en")
        expect(page.locator(".live-card")).to_contain_text("epoch 20")
        expect(page.get_by_role("columnheader", name="mAP50")).to_have_attribute("title", "best epoch")


def test_a_failure_offers_the_step_that_helps(open_page: Open, site: Server, forty: None) -> None:
    engine = create_engine(database_uri(site.settings["DATABASE_URL"]))
    with Session(engine) as session:
        failed = session.query(Training).where(Training.status == TrainingStatus.FAILED).first()
        assert failed is not None
        failed.error_kind = "out_of_memory"
        session.commit()
        number = failed.id
    engine.dispose()
    page = open_page(f"/trainings/{number}", locale="en")
    notice = page.locator("[data-failure]")
    expect(notice).to_contain_text("Use a smaller image size or model")
    expect(notice.get_by_role("link", name="Clone and edit")).to_have_attribute(
        "href", f"/trainings/new?clone={number}"
    )


DELIVER = f"""(said) => import({SOCKET}).then(({{live}}) => {{
  const room = [...live.rooms].find(({{name}}) => name === "training");
  for (const [name, data] of said) room.emit(name, {{training_id: 39, ...data}});
}})"""


def progress(epoch: int, batch: int, **more: Any) -> tuple[str, dict[str, Any]]:
    """A message about a batch, as the server sends it."""
    position = {
        "epoch": epoch,
        "batch": batch,
        "batches": 4,
        "loss": 3.0 / batch,
        "fraction": (epoch - 1 + batch / 4) / 50,
    }
    return "training_progress", {
        "status": "running",
        "eta": 60.0,
        "current_epoch": epoch - 1,
        "total_epochs": 50,
        "progress": position | more,
    }


def test_a_page_opened_before_the_first_batch_draws_it(open_page: Open, site: Server, forty: None) -> None:
    with temporary_state(site, 39, status="running", total_epochs=50, current_epoch=0, progress={}):
        page = open_page("/trainings/39", locale="en")
        chart = page.locator("[data-chart=batches]")
        expect(chart.locator(".chart-wait")).to_be_visible()
        joined(page)
        page.evaluate(DELIVER, [progress(1, 1), progress(1, 2)])
        expect(chart.locator(".chart-wait")).to_be_hidden()
        shoot(page, "first-batches")


def test_validation_is_no_step_back_on_the_page(open_page: Open, site: Server, forty: None) -> None:
    """Earlier, it showed "epoch 21 of 50", then "epoch 20 of 50 · measuring", and the bar moved back."""
    with temporary_state(site, 39, status="running", total_epochs=50, current_epoch=20, eta=60.0):
        page = open_page("/trainings/39", locale="en")
        joined(page)
        head, bar = page.locator("[data-advance]"), page.locator("[data-advance] [role=progressbar]")
        page.evaluate(DELIVER, [progress(21, 4)])
        expect(head).to_contain_text("Epoch 21 of 50")
        expect(bar).to_have_attribute("aria-valuenow", "42")
        page.evaluate(DELIVER, [progress(21, 4, stage="validating", loss=None)])
        expect(head).to_contain_text("Epoch 21 of 50")
        expect(head).not_to_contain_text("batch 4 of 4")
        expect(bar).to_have_attribute("aria-valuenow", "42")


def test_the_stop_dialog_lists_the_weights_at_that_time(open_page: Open, site: Server, forty: None) -> None:
    """Earlier, the dialog of a page opened before the first epoch ended showed "No weights yet." five epochs later."""
    with temporary_state(site, 39, status="running", total_epochs=50, current_epoch=0, progress={}):
        page = open_page("/trainings/39", locale="en")
        joined(page)
        training = page.evaluate("fetch('/api/trainings/39').then((answer) => answer.json())")
        page.evaluate(DELIVER, [("training_status", {"training": training | {"current_epoch": 5}})])
        page.locator("[data-actions] [data-action=stop]").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("The weights of the best epoch so far are kept.")
        dialog.get_by_role("button", name="Cancel").click()


def without_epochs(site: Server, status: str) -> int:
    """A run of dataset 1 that was paused or ended before its first epoch was completed."""
    engine = create_engine(database_uri(site.settings["DATABASE_URL"]))
    with Session(engine) as session:
        row = Training(name="Early", dataset_id=1, model_version="n", epochs=3, total_epochs=3, status=status)
        row.start_time = row.end_time = session.get_one(Training, 39).start_time
        session.add(row)
        session.commit()
        number = row.id
    engine.dispose()
    return number


def test_a_run_without_an_epoch_promises_nothing(open_page: Open, site: Server, forty: None) -> None:
    """No checkpoint to resume from if none was saved; no value announced once the run has ended."""
    page = open_page(f"/trainings/{without_epochs(site, 'paused')}", locale="en")
    expect(page.get_by_text("No epoch was completed yet, so the run starts over when resumed.")).to_be_visible()
    expect(page.locator("[data-charts] .chart-wait").first).to_have_text(
        "The first value appears after the first epoch."
    )
    page = open_page(f"/trainings/{without_epochs(site, 'cancelled')}", locale="en")
    expect(page.locator("[data-charts] .chart-wait").first).to_have_text(re.compile("^No values: the run ended"))
    expect(page.locator("[data-checkpoints]")).to_contain_text("No checkpoints: the run ended")


def test_uploaded_weights_name_no_training(open_page: Open, site: Server, forty: None) -> None:
    start = {"kind": "uploaded", "file": "mine.pt", "sha256": "0", "classes": ["cat"]}
    with temporary_state(site, 39, start=start, params={}):
        page = open_page("/trainings/39", locale="en")
        expect(page.locator("[data-advance]")).to_contain_text("Model trained elsewhere")
        parameters = page.locator("[data-parameters]")
        expect(parameters).to_contain_text("trained elsewhere · mine.pt")
        expect(parameters).not_to_contain_text("Epochs")
        expect(parameters).not_to_contain_text("default value")
        expect(page.locator("[data-events]")).not_to_contain_text("The run completed.")
        expect(page.locator("[data-events]")).not_to_contain_text("Checkpoint saved")
