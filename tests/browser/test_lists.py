"""Lists, the comparison, the form of a new training, the system page, and the frame of every page."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from app.config import database_uri
from app.models import Dataset, Training, TrainingStatus
from scripts.bench.pages import fill
from scripts.local_server import Server
from tests.browser.conftest import SOCKET, Open, shoot, wait_until

pytestmark = pytest.mark.browser

LONG = "A very long name of a training that does not end " * 2


@pytest.fixture(scope="module")
def full(site: Server) -> Iterator[None]:
    """Forty trainings with curves, one of them with a long name."""
    uri = database_uri(site.settings["DATABASE_URL"])
    fill(uri, 40, 20, datasets=3)
    engine = create_engine(uri)
    with Session(engine) as session:
        session.get_one(Training, 40).name = LONG[:100]
        session.commit()
    yield
    engine.dispose()


def rows(page: Page) -> list[str]:
    return page.locator("tbody .name-link:not(.under)").all_inner_texts()


def test_filters_sorting_and_the_way_back(open_page: Open, full: None) -> None:
    page = open_page("/trainings", locale="en")
    expect(page.locator("tbody tr")).to_have_count(25)
    expect(page.locator("tbody .sparkline-line")).to_have_count(25)
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
    expect(page.locator("[data-sub]")).to_have_text("13 trainings")


def test_an_address_with_mistakes_shows_the_list(open_page: Open, full: None) -> None:
    page = open_page("/trainings?sort=foo&status=bar&page=99", locale="en")
    expect(page.locator("tbody tr")).to_have_count(15)  # the second and last page
    expect(page.locator("[name=sort]")).to_have_value("-created_at")
    assert page.url.endswith("/trainings?page=2")
    page.goto(page.url.replace("trainings?page=2", "datasets?page=99&search=Dataset"))
    expect(page.locator("[data-list] [data-dataset]")).to_have_count(3)
    page.locator("[name=search]").fill("no such dataset")
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("[data-list] [data-dataset]")).to_have_count(3)


def test_many_are_deleted_at_once_and_come_back(open_page: Open, full: None) -> None:
    page = open_page("/trainings?sort=name", locale="en")
    expect(page.locator("tbody tr")).to_have_count(25)
    names = rows(page)[1:4]
    for name in names:
        page.get_by_role("checkbox", name=f"Choose {name}").check()
    bar = page.locator("[data-bulk]")
    expect(bar).to_contain_text("3 chosen")
    page.get_by_role("button", name="Next page").click()
    expect(page.locator("tbody tr")).to_have_count(15)
    expect(bar).to_contain_text("3 chosen")  # they stay chosen
    bar.get_by_role("button", name="Delete").click()
    expect(page.locator("[data-toasts]")).to_contain_text("3 trainings are in the trash.")
    expect(page.locator("[data-sub]")).to_have_text("37 trainings")
    page.locator("[data-toasts]").get_by_role("button", name="Undo").click()
    expect(page.locator("[data-toasts]")).to_contain_text("3 trainings are back.")
    expect(page.locator("[data-sub]")).to_have_text("40 trainings")
    expect(bar).to_be_hidden()


def test_from_the_list_to_a_comparison_that_can_be_shared(open_page: Open, full: None) -> None:
    page = open_page("/trainings?sort=name", locale="en")
    page.locator("[data-pick]").nth(1).check()
    compare = page.locator("[data-bulk]").get_by_role("button", name="Compare")
    expect(compare).to_be_disabled()
    page.locator("[data-pick]").nth(2).check()
    compare.click()
    page.wait_for_url(re.compile(r"/compare\?ids=\d+,\d+$"))
    expect(page.locator("[data-charts] canvas")).to_have_count(4)
    chart = "Chart.getChart(document.querySelector('[data-charts] canvas')).data.datasets"
    wait_until(page, f"{chart}.length === 2 && {chart}[0].data.length === 20")
    expect(page.locator("[data-values] .is-best").first).to_be_visible()
    page.get_by_role("button", name="By time").click()
    wait_until(page, f"{chart}[0].data.at(-1).x > 200")
    page.get_by_role("checkbox", name="Recall").check()
    expect(page.locator("[data-charts] canvas")).to_have_count(5)
    page.locator("[data-smooth]").fill("0.5")
    page.locator("[data-all]").check()
    settings = page.locator("[data-settings] tbody tr").count()
    page.get_by_role("button", name="Add trainings").click()
    page.locator("dialog [type=search]").fill("Run 0007")
    page.locator("dialog .picker-row").first.click()
    page.locator("dialog").get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("[data-runs] li")).to_have_count(3)
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


def test_the_crosshair_of_a_comparison_draws_no_curve_again(open_page: Open, full: None) -> None:
    page = open_page("/compare?ids=1,2,3", locale="en")
    chart = page.locator(".chart canvas").first
    line = page.locator(".chart-guide:not(.is-best)")
    expect(page.locator(".chart .key-value").first).not_to_be_empty()
    last = page.locator(".chart").first.locator(".key-value").all_inner_texts()
    charts = "[...document.querySelectorAll('.chart canvas')].map((canvas) => window.Chart.getChart(canvas))"
    wait_until(page, f"{charts}.every((chart) => chart && !chart.overlay.stale)")
    count = "chart.drawn = 0; const draw = chart.draw.bind(chart); chart.draw = () => { chart.drawn += 1; draw(); };"
    page.evaluate(f"{charts}.forEach((chart) => {{ {count} }})")
    box = chart.bounding_box()
    assert box
    for share in (0.3, 0.5):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        wait_until(page, f"{charts}[0].overlay.pointer > {20 * (share - 0.15)}")
    expect(line.first).to_be_visible()
    expect(line.nth(1)).to_be_visible()  # on every chart
    assert page.locator(".chart").first.locator(".key-value").all_inner_texts() != last
    page.mouse.move(5, 5)
    expect(line.first).to_be_hidden()

    chart.focus()
    chart.press("End")
    said = page.locator(".chart").first.locator("[aria-live]")
    expect(said).to_contain_text("epoch 20.")
    chart.press("ArrowLeft")
    expect(said).to_contain_text("epoch 19.")
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
    expect(said).to_contain_text("Run 0000: ")


def test_a_comparison_without_its_trainings_says_so(open_page: Open, full: None) -> None:
    page = open_page("/compare?ids=1,999", locale="en")
    expect(page.locator("[data-runs] li")).to_have_count(1)
    expect(page.locator("[data-toasts]")).to_contain_text("1 of them is not there any more.")
    assert page.url.endswith("ids=1")
    gone = open_page("/compare?ids=998,999", locale="en", expected="404")
    expect(gone.get_by_role("alert")).to_contain_text("There is none of these trainings any more.")


def test_a_dataset_beyond_the_first_hundred_is_found_by_its_name(open_page: Open, site: Server, full: None) -> None:
    engine = create_engine(database_uri(site.settings["DATABASE_URL"]))
    with Session(engine) as session:
        more = [Dataset(name=f"Another {n}", classes=["a"], train_images=9, status="valid") for n in range(101)]
        session.add_all(more)
        session.commit()
        page = open_page("/trainings/new", locale="en")
        choice, search = page.locator("[name=dataset_id]"), page.locator("[data-narrow=dataset]")
        expect(choice.locator("option")).to_have_count(100)
        search.fill("Dataset 1")
        expect(choice.locator("option:checked")).to_have_text("Dataset 1")
        expect(page.locator("[data-summary] dd").first).to_have_text("Dataset 1")
        search.fill("no such dataset")
        expect(page.get_by_text("No dataset has this name.")).to_be_visible()
        expect(choice).to_have_value("1")
        for item in more:
            session.delete(item)
        session.commit()
    engine.dispose()


def test_presets_fill_the_form_and_leave_what_was_set(open_page: Open, full: None) -> None:
    page = open_page("/trainings/new?dataset_id=1", locale="en")
    page.locator("[name=epochs]").fill("7")
    expect(page.locator(".preset")).to_have_count(3)
    expect(page.locator("[name=img_size]")).to_have_value("640")
    expect(page.locator("[name=epochs]")).to_have_value("7")
    expect(page.locator("[data-why=epochs]")).to_contain_text("Proposed: 100")
    page.locator(".preset", has_text="Quick look").click()
    expect(page.locator("[name=epochs]")).to_have_value("5")
    expect(page.locator("[name=img_size]")).to_have_value("320")
    expect(page.locator("[data-why=epochs]")).to_contain_text("steps in all")


def test_what_is_unusual_is_told_beside_its_field(open_page: Open, full: None) -> None:
    page = open_page("/trainings/new?dataset_id=1", locale="en")
    expect(page.locator(".preset")).to_have_count(3)
    page.locator("[name=batch_size]").fill("2000")
    why = page.locator("[data-why=batch_size] .unusual")
    expect(why.filter(has_text="larger than the dataset")).to_be_visible()
    expect(page.locator("[data-unusual-count]")).to_be_visible()
    why.filter(has_text="larger than the dataset").get_by_role("button", name="Use 200").click()
    expect(page.locator("[name=batch_size]")).to_have_value("200")
    page.locator("[name=img_size]").fill("650")
    page.locator("[data-why=img_size] .unusual").get_by_role("button", name="Use 672").click()
    expect(page.locator("[name=img_size]")).to_have_value("672")
    page.locator("[name=model_version][value=x]").check()
    page.locator("[data-why=model_version] .unusual").get_by_role("button", name="Use YOLOv8n").click()
    expect(page.locator("[name=model_version][value=n]")).to_be_checked()


@pytest.mark.parametrize(
    ("locale", "low", "whole"),
    [
        ("pt-BR", "O menor valor é 1.", "Escreva um número inteiro."),
        ("en", "The smallest value is 1.", "Write a whole number."),
    ],
)
def test_a_wrong_value_is_told_in_the_page_s_language(
    open_page: Open, full: None, locale: str, low: str, whole: str
) -> None:
    page = open_page("/trainings/new?dataset_id=1", locale=locale)
    expect(page.locator(".preset")).to_have_count(3)
    page.locator("[name=epochs]").fill("-1")
    page.locator("[name=batch_size]").fill("2.5")
    page.locator("[name=batch_size]").blur()
    expect(page.locator("[data-error=epochs]")).to_have_text(low)
    expect(page.locator("[data-error=batch_size]")).to_have_text(whole)
    expect(page.locator("[data-summary] dd").last).to_have_text("–")
    page.locator("[data-submit]").click()
    expect(page.locator("[name=epochs]")).to_be_focused()
    page.locator("[name=epochs]").fill("3")
    page.locator("[name=epochs]").blur()
    expect(page.locator("[data-error=epochs]")).to_be_hidden()


def test_the_system_page_is_live_and_survives_a_failure(open_page: Open, full: None) -> None:
    page = open_page("/system", locale="en", expected="Failed to load resource")
    expect(page.locator("[data-processes] tbody tr").first).to_contain_text("Server")
    expect(page.locator("[data-database]")).to_contain_text("SQLite")
    expect(page.locator("[data-devices]")).to_contain_text("Processor (CPU)")
    expect(page.locator(".log-entry").first).to_be_visible()
    page.locator("[data-log-level], [data-level]").select_option("DEBUG")
    page.locator(".log-panel [data-search]").fill("nothing like this at all")
    expect(page.locator("[data-log]")).to_contain_text("nothing like this.")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    since = page.locator("[data-sub]")
    for _ in range(2):
        expect(since).not_to_have_text(since.inner_text(), timeout=20_000)
    assert not [url for url in asked if url.endswith("/api/system")], "they come by the socket"

    def fail(route: Route) -> None:
        body = '{"title": "Temporarily unavailable", "detail": "The database is busy.", "errors": []}'
        route.fulfill(status=503, content_type="application/problem+json", body=body)

    page.route(re.compile(r"/api/system$"), fail)
    change_path(page, "/nowhere")  # no socket, so it asks
    expect(page.locator("[data-failure]")).to_contain_text("The database is busy.", timeout=20_000)
    expect(page.locator("[data-processes] tbody tr").first).to_be_visible()  # what was known last
    page.unroute(re.compile(r"/api/system$"))
    known = since.inner_text()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("[data-failure]")).to_be_empty()
    expect(since).not_to_have_text(known, timeout=20_000)
    change_path(page, "/socket.io")
    expect(page.locator("[data-light]")).to_have_attribute("data-light", "live", timeout=20_000)
    page.evaluate("window.sent = []")
    hear = "live.socket.on('system_update', (data) => window.sent.push(data.uptime))"
    page.evaluate(f"import({SOCKET}).then(({{live}}) => {{ {hear} }})")
    wait_until(page, "window.sent.length > 1")  # back in the room


def change_path(page: Page, path: str) -> None:
    """Where the socket looks for the server from now on; what is open is closed."""
    lost = f"live.socket.io.opts.path = '{path}'; live.socket.io.engine.close();"
    page.evaluate(f"import({SOCKET}).then(({{live}}) => {{ {lost} }})")


def test_a_hidden_system_page_rests(open_page: Open, full: None) -> None:
    page = open_page("/system", locale="en")
    expect(page.locator("[data-processes] tbody tr").first).to_be_visible()
    page.evaluate("window.said = []")
    listen = "live.socket.onAnyOutgoing((name) => window.said.push(name));"
    page.evaluate(f"import({SOCKET}).then(({{live}}) => {{ {listen} }})")
    hide(page, "true")
    wait_until(page, "String(window.said) === 'leave_system'")
    known = page.locator("[data-sub]").inner_text()
    hide(page, "false")
    expect(page.locator("[data-sub]")).not_to_have_text(known, timeout=20_000)


def hide(page: Page, hidden: str) -> None:
    """As another tab in front does; chromium without a window has none."""
    page.evaluate(f"Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_keys_lead_everywhere(open_page: Open, full: None) -> None:
    page = open_page("/", locale="en")
    for key, path in {"d": "/datasets", "t": "/trainings", "c": "/compare", "s": "/system"}.items():
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(re.compile(f"{path}$"))
    expect(page.locator("[data-search]")).to_be_visible()
    page.keyboard.press("/")
    expect(page.locator("[data-search]")).to_be_focused()
    page.keyboard.type("g d")  # a search, not a way to go
    assert page.url.endswith("/system")
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.locator("dialog dt").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)


def test_after_fifteen_seconds_the_light_says_offline(open_page: Open, full: None) -> None:
    page = open_page("/system", locale="en", expected="socket.io")
    light = page.locator("[data-light]")
    expect(light).to_have_attribute("data-light", "live")
    page.evaluate("""() => {
      window.late = [];
      const real = window.setTimeout;
      window.setTimeout = (act, wait, ...rest) => (wait === 15000 ? window.late.push(act) : real(act, wait, ...rest));
    }""")
    change_path(page, "/nowhere")
    expect(light).to_have_attribute("data-light", "reconnecting")
    assert page.evaluate("window.late.length") == 1
    page.evaluate("window.late[0]()")
    expect(light).to_have_attribute("data-light", "offline")
    expect(light).to_contain_text("offline")
    page.evaluate(f"import({SOCKET}).then(({{live}}) => {{ live.socket.io.opts.path = '/socket.io'; }})")
    expect(light).to_have_attribute("data-light", "live")


@pytest.mark.parametrize("path", ["/", "/trainings", "/compare?ids=38,39,40&all=1", "/system", "/trainings/new"])
def test_long_names_fit_on_a_phone(open_page: Open, full: None, path: str) -> None:
    page = open_page(path, width=360, theme="dark")
    expect(page.locator("[data-light]")).to_have_attribute("data-light", "live")
    expect(page.locator("main .skeleton:visible")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    shoot(page, f"phone-{path.strip('/') or 'dashboard'}")


def test_a_long_queue_shows_its_first_rows(open_page: Open, site: Server, full: None) -> None:
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
    expect(page.locator("[data-queue-more]")).to_have_text("Show fewer")
    with Session(engine) as session:
        session.query(Training).where(Training.name.startswith("Later")).delete()
        session.commit()
    engine.dispose()


def test_a_failure_offers_the_step_that_helps(open_page: Open, site: Server, full: None) -> None:
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
    expect(notice.get_by_role("link", name="Copy and change")).to_have_attribute(
        "href", f"/trainings/new?clone={number}"
    )
