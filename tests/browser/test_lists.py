"""Lists and the comparison, with many rows."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from app.config import database_uri
from app.models import Training
from scripts.local_server import Server
from tests.browser.conftest import Open, shoot, wait_until

pytestmark = pytest.mark.browser


def rows(page: Page) -> list[str]:
    return page.locator("tbody .name-link:not(.under)").all_inner_texts()


def test_filters_sorting_and_the_way_back(open_page: Open, forty: None) -> None:
    page = open_page("/trainings", locale="en")
    expect(page.locator("tbody tr")).to_have_count(25)
    expect(page.locator("tbody .small-curve-line")).to_have_count(25)
    page.locator("[name=model]").select_option("yolov8m")
    expect(page.locator("tbody tr")).to_have_count(8)
    assert "model=yolov8m" in page.url
    page.get_by_role("button", name="mAP50", exact=True).click()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("mAP50")
    assert "sort=-map50" in page.url
    page.locator("[name=status]").select_option("failed")
    expect(page.locator("tbody tr")).not_to_have_count(8)
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(8)
    expect(page.locator("[name=status]")).to_have_value("")
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(8)
    expect(page.locator("[name=model]")).to_have_value("yolov8m")
    page.locator("[name=search]").fill("no such training")
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("tbody tr")).to_have_count(25)
    page.locator("[name=search]").fill("Dataset 2")
    expect(page.locator("[data-sub]")).to_have_text("13 runs")


def test_an_address_with_mistakes_shows_the_list(open_page: Open, forty: None) -> None:
    page = open_page("/trainings?sort=foo&status=bar&page=99", locale="en")
    expect(page.locator("tbody tr")).to_have_count(15)  # the second and last page
    expect(page.locator("[name=sort]")).to_have_value("-created_at")
    assert page.url.endswith("/trainings?page=2")
    page.goto(page.url.replace("?page=2", "?trash=true&search=no+such+training"))
    page.get_by_role("button", name="Show all").click()
    expect(page.get_by_text("The trash is empty")).to_be_visible()
    assert page.url.endswith("/trainings?trash=true"), "still in the trash"
    page.goto(page.url.replace("trainings?trash=true", "datasets?page=99&search=Dataset"))
    expect(page.locator("[data-list] [data-dataset]")).to_have_count(3)
    page.locator("[name=search]").fill("no such dataset")
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("[data-list] [data-dataset]")).to_have_count(3)


def test_many_are_deleted_at_once_and_come_back(open_page: Open, forty: None) -> None:
    page = open_page("/trainings?sort=name", locale="en")
    expect(page.locator("tbody tr")).to_have_count(25)
    names = rows(page)[1:4]
    for name in names:
        page.get_by_role("checkbox", name=f"Select {name}").check()
    bar = page.locator("[data-bulk]")
    expect(bar).to_contain_text("3 selected")
    page.get_by_role("button", name="Next page").click()
    expect(page.locator("tbody tr")).to_have_count(15)
    expect(bar).to_contain_text("3 selected")  # they stay selected
    bar.get_by_role("button", name="Delete").click()
    expect(page.locator("[data-toasts]")).to_contain_text("3 runs moved to the trash.")
    expect(page.locator("[data-sub]")).to_have_text("37 runs")
    page.locator("[data-toasts]").get_by_role("button", name="Undo").click()
    expect(page.locator("[data-toasts]")).to_contain_text("3 runs restored.")
    expect(page.locator("[data-sub]")).to_have_text("40 runs")
    expect(bar).to_be_hidden()


def test_from_the_list_to_a_comparison_that_can_be_shared(open_page: Open, forty: None) -> None:
    page = open_page("/trainings?sort=name", locale="en")
    page.locator("[data-pick]").nth(1).check()  # of the dataset that every third one uses
    compare = page.locator("[data-bulk]").get_by_role("button", name="Compare")
    expect(compare).to_be_disabled()
    page.locator("[data-pick]").nth(4).check()
    compare.click()
    page.wait_for_url(re.compile(r"/compare\?ids=\d+,\d+$"))
    expect(page.locator("[data-charts] canvas")).to_have_count(4)
    chart = "Chart.getChart(document.querySelector('[data-charts] canvas')).data.datasets"
    wait_until(page, f"{chart}.length === 2 && {chart}[0].data.length === 20")
    expect(page.locator("[data-values] .is-best").first).to_be_visible()
    expect(page.locator("[data-doubt]")).to_be_empty()
    page.get_by_role("button", name="By time").click()
    wait_until(page, f"{chart}[0].data.at(-1).x > 200")
    page.get_by_role("checkbox", name="Recall").check()
    expect(page.locator("[data-charts] canvas")).to_have_count(5)
    page.locator("[data-smooth]").fill("0.5")
    page.locator("[data-all]").check()
    settings = page.locator("[data-settings] tbody tr").count()
    page.get_by_role("button", name="Add runs").click()
    page.locator("dialog [type=search]").fill("Run 0008")
    page.locator("dialog .picker-row", has_text="Run 0008").click()  # the list follows the typed text a moment later
    page.locator("dialog").get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("[data-runs] li")).to_have_count(3)
    expect(page.locator("[data-doubt]")).to_contain_text("different datasets")
    expect(page.locator("[data-values] .is-best")).to_have_count(0)
    other = open_page("/" + page.url.split("/", 3)[3], locale="en")
    expect(other.locator("[data-runs] li")).to_have_count(3)
    expect(other.locator("[data-charts] canvas")).to_have_count(5)
    expect(other.locator("[data-axis=time]")).to_have_attribute("aria-pressed", "true")
    expect(other.locator("[data-smooth]")).to_have_value("0.5")
    expect(other.locator("[data-settings] tbody tr")).to_have_count(settings)
    shoot(other, "compare")
    other.locator("[data-runs] .icon-button").first.click()
    expect(other.locator("[data-runs] li")).to_have_count(2)
    other.go_back()
    expect(other.locator("[data-runs] li")).to_have_count(3)


def test_the_crosshair_of_a_comparison_draws_no_curve_again(open_page: Open, forty: None) -> None:
    page = open_page("/compare?ids=1,2,3", locale="en")
    chart = page.locator(".chart canvas").first
    line = page.locator(".chart-guide:not(.is-best)")
    expect(page.locator(".chart .key-value").first).not_to_be_empty()
    last = page.locator(".chart").first.locator(".key-value").all_inner_texts()
    charts = "[...document.querySelectorAll('.chart canvas')].map((canvas) => window.Chart.getChart(canvas))"
    wait_until(page, f"{charts}.every((chart) => chart && !chart.plot.stale)")
    expect(page.locator("[data-light]")).to_have_attribute("data-light", "live")  # nothing is drawn later
    count = "chart.drawn = 0; const draw = chart.draw.bind(chart); chart.draw = () => { chart.drawn += 1; draw(); };"
    page.evaluate(f"{charts}.forEach((chart) => {{ {count} }})")
    box = chart.bounding_box()
    assert box
    for share in (0.3, 0.5):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        wait_until(page, f"{charts}[0].plot.pointer > {20 * (share - 0.15)}")
    expect(line.first).to_be_visible()
    expect(line.nth(1)).to_be_visible()  # on every chart
    assert page.locator(".chart").first.locator(".key-value").all_inner_texts() != last
    page.mouse.move(5, 5)
    expect(line.first).to_be_hidden()

    chart.focus()
    chart.press("End")
    announcement = page.locator(".chart").first.locator("[aria-live]")
    expect(announcement).to_contain_text("epoch 20.")
    chart.press("ArrowLeft")
    expect(announcement).to_contain_text("epoch 19.")
    expect(line.first).to_be_visible()
    assert page.evaluate(f"String({charts}.map((chart) => chart.drawn))") == "0,0,0,0", "lines above the canvas"
    chart.press("+")
    wait_until(page, f"{charts}[0].drawn > 0")
    expect(page.get_by_role("button", name="Reset zoom: mAP50", exact=True)).to_be_visible()
    chart.press("0")
    chart.press("Tab")  # away from the chart
    expect(line.first).to_be_hidden()
    page.locator("[data-axis=time]").click()
    chart.press("ArrowRight")
    expect(line.first).to_be_visible()
    expect(announcement).to_contain_text("Run 0000: ")


def test_a_comparison_without_its_trainings_shows_a_message(open_page: Open, forty: None) -> None:
    page = open_page("/compare?ids=1,999", locale="en")
    expect(page.locator("[data-runs] li")).to_have_count(1)
    expect(page.locator("[data-toasts]")).to_contain_text("1 run no longer exists.")
    assert page.url.endswith("ids=1")
    missing = open_page("/compare?ids=998,999", locale="en", expected="404")
    expect(missing.get_by_role("alert")).to_contain_text("These runs no longer exist.")
    expect(missing.get_by_role("button", name="Try again")).to_have_count(0)
    expect(missing.get_by_role("button", name="Choose runs")).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/trainings", "/compare?ids=38,39,40&all=1", "/system", "/trainings/new"])
def test_long_names_fit_on_a_phone(open_page: Open, forty: None, path: str) -> None:
    page = open_page(path, width=360, theme="dark")
    expect(page.locator("[data-light]")).to_have_attribute("data-light", "live")
    expect(page.locator("main .skeleton:visible")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    names = "[...document.querySelectorAll('.run-head-name')]"
    cut = f"{names}.filter((name) => name.scrollWidth > name.clientWidth && name.clientHeight < 50)"
    assert page.evaluate(f"{cut}.map((name) => name.textContent)") == [], "long names have three lines"
    shoot(page, f"phone-{path.strip('/') or 'dashboard'}")


def test_a_long_queue_shows_its_first_rows(open_page: Open, site: Server, forty: None) -> None:
    engine = create_engine(database_uri(site.settings["DATABASE_URL"]))
    later = datetime.now(UTC) + timedelta(days=1)
    rows = [Training(name=f"Later {n}", dataset_id=1, model_version="n", start_not_before=later) for n in range(10)]
    with Session(engine) as session:
        session.add_all(rows)
        session.commit()
    page = open_page("/trainings", locale="en")
    expect(page.locator("[data-queue] [data-training]")).to_have_count(8)
    page.locator("[data-queue-more]").click()
    expect(page.locator("[data-queue] [data-training]")).to_have_count(10)
    expect(page.locator("[data-queue-more]")).to_have_text("Show less")
    with Session(engine) as session:
        session.query(Training).where(Training.name.startswith("Later")).delete()
        session.commit()
    engine.dispose()
