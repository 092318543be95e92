"""An interpretation chosen by the import: drawn both ways, changed by a click, confirmed; and the side effects of a
fix.
"""

import random

import pytest
from playwright.sync_api import expect

from scripts.local_server import Server
from tests.browser.conftest import Open, shoot
from tests.browser.test_dataset_changes import SLOW_MS, upload
from tests.browser.test_datasets import revision, settled
from tests.data import image_bytes

pytestmark = pytest.mark.browser


def corners(count: int = 8) -> dict[str, bytes | str]:
    """Red rectangles whose rows are two corners."""
    files: dict[str, bytes | str] = {"data.yaml": "names: [thing]\n"}
    for number in range(count):
        rng = random.Random(number)
        left, top = rng.randrange(4, 40), rng.randrange(4, 28)
        files[f"images/{number}.jpg"] = image_bytes((64, 48), (left, top, left + 18, top + 14))
        files[f"labels/{number}.txt"] = f"0 {left / 64} {top / 48} {(left + 19) / 64} {(top + 15) / 48}\n"
    return files


def test_both_ways_and_one_click(open_page: Open, site: Server) -> None:
    page = settled(open_page(f"/datasets/{upload(site, corners())}", locale="en"))
    panel = page.locator("[data-readings]")
    expect(panel).to_contain_text("two corners")
    expect(page.locator("[data-status]")).to_contain_text("Check the labels")
    ways = panel.locator("[data-way]")
    expect(ways).to_have_count(3)  # and corners whose y comes first
    for way in ("corners", "centre"):
        expect(panel.locator(f"[data-way={way}] figure")).to_have_count(3)
        expect(panel.locator(f"[data-way={way}] figure .mark")).to_have_count(3)
    shoot(page, "readings")
    panel.locator("[data-way=centre]").get_by_role("button", name="Use this reading").click()
    expect(revision(page)).to_have_text("2", timeout=SLOW_MS)
    expect(panel).to_be_hidden()  # a user has chosen
    expect(page.locator("[data-status]")).not_to_contain_text("Check the labels")
    page.locator("[data-decisions]").get_by_role("button", name="Change reading").click()
    expect(panel.locator(".is-taken")).to_have_attribute("data-way", "centre")
    panel.locator("[data-way=corners]").get_by_role("button").click()
    expect(revision(page)).to_have_text("3", timeout=SLOW_MS)


def test_a_hint_until_the_reading_is_confirmed(open_page: Open, site: Server) -> None:
    dataset_id = upload(site, corners())
    page = settled(open_page(f"/trainings/new?dataset_id={dataset_id}", width=360, theme="dark"))
    hint = page.locator("[data-needs-review]")
    expect(hint).to_contain_text("Confira como as anotações foram lidas")
    shoot(page, "readings-hint-dark-360")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    hint.get_by_role("link").click()
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name="Sim, está certo").click()
    expect(page.locator("[data-readings]")).to_be_hidden()
    assert not site.get(f"/api/datasets/{dataset_id}").json()["needs_review"]
    page = settled(open_page(f"/trainings/new?dataset_id={dataset_id}"))
    expect(page.locator("[data-chosen]")).to_contain_text("thing")
    expect(page.locator("[data-needs-review]")).to_have_count(0)


def test_a_fix_lists_its_costs(open_page: Open, site: Server) -> None:
    files: dict[str, bytes | str] = {"data.yaml": "names: [thing]\n"}
    for number in range(8):
        files[f"images/{number}.jpg"] = image_bytes((64, 48), (number, 4, 30 + number, 40))
        lost = "tree 0.5 0.5 0.2 0.2\n" if number in {1, 2} else ""
        files[f"labels/{number}.txt"] = lost if number == 1 else f"0 0.5 0.5 0.4 0.4\n{lost}"
    page = settled(open_page(f"/datasets/{upload(site, files)}?tab=findings", locale="en"))
    page.locator("[data-finding-summary]").get_by_role("button", name="Fix 2 issues").click()
    cost = page.locator("dialog.dialog .fix-cost")
    expect(cost).to_contain_text("2 label rows are removed, with their objects.")
    expect(cost).to_contain_text("1 image has no row left and is left out")
    shoot(page, "fix-cost")
    page.get_by_role("button", name="Fix and create version").click()
    expect(page.locator("[data-fixed]")).to_contain_text("Version 2", timeout=SLOW_MS)
    page.goto(page.url.partition("?")[0])
    expect(page.locator("[data-summary]")).to_contain_text("7 of 7")
