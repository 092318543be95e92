"""What is known before a click is shown before it: datasets in use, the existing sample, another name."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from app.config import database_uri
from app.models import Dataset, DatasetRevision, Training, now
from scripts.local_server import Server
from tests.browser.conftest import Open

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def datasets(site: Server) -> dict[str, int]:
    """One that a run uses, one that only a run in the trash uses, the sample; none has files."""
    engine = create_engine(database_uri(site.settings["DATABASE_URL"]))
    with Session(engine) as session:
        rows = {name: Dataset(name=name, status="valid", classes=["thing"]) for name in ("used", "trashed", "Sample")}
        session.add_all(rows.values())
        session.flush()
        session.add(Training(name="run", dataset_id=rows["used"].id, model_version="n", status="completed"))
        trashed = Training(name="gone", dataset_id=rows["trashed"].id, model_version="n", status="failed")
        trashed.deleted_at = now()
        session.add(trashed)
        origin = {"kind": "upload", "base": "source", "sample": True}
        session.add(DatasetRevision(dataset_id=rows["Sample"].id, number=1, origin=origin, status="failed"))
        session.commit()
        ids = {name: row.id for name, row in rows.items()}
    engine.dispose()
    return ids


def test_a_dataset_in_use_is_not_offered_for_deletion(open_page: Open, datasets: dict[str, int]) -> None:
    for name, text, button, address in (
        ("used", "1 training run uses it", "Open the training runs", f"/datasets/{datasets['used']}?tab=trainings"),
        ("trashed", "1 training run in the trash uses it", "Open the trash", "/trainings?trash=true"),
    ):
        page = open_page("/datasets", locale="en")
        page.get_by_role("button", name=f"Delete {name}").click()
        dialog = page.locator("dialog")
        expect(dialog).to_contain_text(text)
        expect(dialog.locator("input")).to_have_count(0)
        dialog.get_by_role("button", name=button).click()
        page.wait_for_url(f"**{address}*")


def test_a_dataset_gets_another_name(open_page: Open, datasets: dict[str, int]) -> None:
    page = open_page(f"/datasets/{datasets['used']}", locale="en", width=360)
    page.get_by_role("button", name="Rename").click()
    page.locator("#dataset-name").fill("  ")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("dialog .field-error").first).to_be_visible()
    page.locator("#dataset-name").fill("used again")
    page.locator("#dataset-about").fill("What it shows")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("h1 [data-name]")).to_have_text("used again")
    expect(page.locator("[data-sub]")).to_contain_text("What it shows")
    expect(page).to_have_title("used again · YOLO Training Platform")


def test_the_sample_that_is_there_is_offered(open_page: Open, site: Server, datasets: dict[str, int]) -> None:
    page = open_page("/datasets", locale="en")
    page.locator("[data-sample]").click()
    dialog = page.locator("dialog")
    expect(dialog).to_contain_text("The sample dataset is already there")
    dialog.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"**/datasets/{datasets['Sample']}")
    assert site.get("/api/datasets").json()["total"] == 3
