"""The form of a new training: its choices, presets, advice and errors."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from app.config import database_uri
from app.models import Dataset
from scripts.local_server import Server
from tests.browser.conftest import Open, shoot

pytestmark = pytest.mark.browser


def test_search_by_name_reaches_datasets_beyond_the_first_hundred(open_page: Open, site: Server, forty: None) -> None:
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
        expect(page.get_by_text("No dataset matches this name.")).to_be_visible()
        expect(choice).to_have_value("1")
        for item in more:
            session.delete(item)
        session.commit()
    engine.dispose()


def test_presets_fill_the_form_and_leave_what_was_set(open_page: Open, forty: None) -> None:
    page = open_page("/trainings/new?dataset_id=1", locale="en")
    page.locator("[name=epochs]").fill("7")
    expect(page.locator(".preset")).to_have_count(3)
    expect(page.locator("[name=img_size]")).to_have_value("640")
    expect(page.locator("[name=epochs]")).to_have_value("7")
    expect(page.locator("[data-why=epochs]")).to_contain_text("Suggested: 300")  # from scratch
    expect(page.locator("[data-weights]")).to_contain_text("The run trains from scratch and needs more epochs.")
    expect(page.locator(".preset").first).to_contain_text("from scratch")
    expect(page.locator("[name=start][value=official]")).to_be_disabled()
    shoot(page, "new-training-scratch")
    page.locator(".preset", has_text="Quick test").click()
    expect(page.locator("[name=epochs]")).to_have_value("20")
    expect(page.locator("[name=img_size]")).to_have_value("320")
    expect(page.locator("[data-why=epochs]")).to_contain_text("20 × 50. From scratch")


def test_the_form_asks_only_for_what_it_shows(open_page: Open, forty: None) -> None:
    """Earlier, it asked for the weights of the server's default model, too, and for all figures of the machine."""
    page = open_page("/datasets", locale="en")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/api/")[2]))
    page.goto(page.url.replace("/datasets", "/trainings/new"))
    expect(page.locator(".other-models")).to_be_visible()
    expect(page.locator("[data-weights]")).to_contain_text("yolov8n.pt")
    weights = [path for path in asked if path.startswith("weights")]
    assert (weights, "system" in asked) == (["weights?model=yolov8n"], False)
    page.locator("[name=model_version][value=s]").check()
    expect(page.locator("[data-weights]")).to_contain_text("yolov8s.pt")
    with page.expect_request("**/api/system"):
        page.locator("[data-when] summary").click()


def test_the_form_works_without_presets(open_page: Open, forty: None) -> None:
    page = open_page("/datasets", locale="en", expected="503")
    page.route("**/training-defaults?*", lambda route: route.fulfill(status=503))
    page.goto(page.url.replace("/datasets", "/trainings/new"))
    expect(page.locator("[data-presets]").get_by_role("alert")).to_be_visible()
    expect(page.locator("[data-weights]")).to_contain_text("yolov8m.pt")
    expect(page.locator(".other-models")).to_be_visible()
    page.unroute("**/training-defaults?*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".preset")).to_have_count(3)
    expect(page.locator("[data-weights]")).to_contain_text("yolov8n.pt")


def test_unusual_values_are_warned_about_beside_their_field(open_page: Open, forty: None) -> None:
    page = open_page("/trainings/new?dataset_id=1", locale="en")
    expect(page.locator(".preset")).to_have_count(3)
    page.locator("[name=batch_size]").fill("2000")
    why = page.locator("[data-why=batch_size] .unusual")
    expect(why.filter(has_text="larger than the training set")).to_be_visible()
    expect(page.locator("[data-unusual-count]")).to_be_visible()
    why.filter(has_text="larger than the training set").get_by_role("button", name="Use 200").click()
    expect(page.locator("[name=batch_size]")).to_have_value("200")
    page.locator("[name=img_size]").fill("650")
    page.locator("[data-why=img_size] .unusual").get_by_role("button", name="Use 672").click()
    expect(page.locator("[name=img_size]")).to_have_value("672")
    page.locator("[name=model_version][value=x]").check()
    page.locator("[data-why=model_version] .unusual").get_by_role("button", name="Use YOLOv8n").click()
    expect(page.locator("[name=model_version][value=n]")).to_be_checked()


def test_a_warning_of_earlier_values_disappears(open_page: Open, forty: None) -> None:
    """Even before the server has answered, which may take a while on a busy machine."""
    page = open_page("/trainings/new?dataset_id=1", locale="en")
    expect(page.locator(".preset")).to_have_count(3)
    page.locator("[name=batch_size]").fill("2000")
    expect(page.locator("[data-why=batch_size] .unusual").first).to_be_visible()
    page.route("**/api/trainings/check", lambda _route: None)  # never answered
    page.locator("[name=batch_size]").fill("16")
    expect(page.locator(".unusual")).to_have_count(0)
    expect(page.locator("[data-unusual-count]")).to_be_hidden()


@pytest.mark.parametrize(
    ("locale", "low", "integer"),
    [
        ("pt-BR", "Deve ser no mínimo 1.", "Digite um número inteiro."),
        ("en", "Must be 1 or more.", "Enter a whole number."),
    ],
)
def test_a_wrong_value_is_reported_in_the_page_s_language(
    open_page: Open, forty: None, locale: str, low: str, integer: str
) -> None:
    page = open_page("/trainings/new?dataset_id=1", locale=locale)
    expect(page.locator(".preset")).to_have_count(3)
    facts = page.locator("[data-summary] dd")
    expect(facts.first).not_to_have_text("–")  # the list of datasets may come after the presets
    page.locator("[name=batch_size]").fill("16")
    images, iterations = (int("".join(filter(str.isdigit, facts.nth(index).inner_text()))) for index in (1, 5))
    assert iterations == -(-images // 16)
    page.locator("[data-advanced] > summary").click()
    fraction = page.locator("[data-parameter=fraction] input")
    expect(fraction).to_be_attached()
    fraction.evaluate("""(control) => {
      control.value = "0.25";
      control.dispatchEvent(new Event("input", { bubbles: true }));
    }""")
    quarter = round(images * 0.25)
    expect(facts.nth(1)).to_have_text(re.compile(rf"^{quarter} "))
    expect(facts.nth(5)).to_have_text(str(-(-quarter // 16)))
    page.locator("[name=epochs]").fill("-1")
    page.locator("[name=batch_size]").fill("2.5")
    page.locator("[name=batch_size]").blur()
    expect(page.locator("[data-error=epochs]")).to_have_text(low)
    expect(page.locator("[data-error=batch_size]")).to_have_text(integer)
    expect(page.locator("[data-summary] dd").last).to_have_text("–")
    page.locator("[data-submit]").click()
    expect(page.locator("[name=epochs]")).to_be_focused()
    page.locator("[name=epochs]").fill("3")
    page.locator("[name=epochs]").blur()
    expect(page.locator("[data-error=epochs]")).to_be_hidden()


def test_the_form_reports_missing_weights_on_a_phone(open_page: Open, forty: None) -> None:
    page = open_page("/trainings/new?dataset_id=1", width=360, theme="dark")
    expect(page.locator("[data-weights]")).to_contain_text("começa do zero")
    expect(page.locator(".preset").first).to_contain_text("do zero")
    shoot(page, "new-training-scratch-360-dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
