"""The page of one training, on recorded data: the reader's choices, hovering and browsing."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app import create_app
from app.database import writing
from app.models import Dataset, Training, TrainingEvent, TrainingMetric
from scripts.local_server import Server
from tests.browser.conftest import SOCKET, Open, joined, shoot, wait_until
from tests.data import image_bytes

pytestmark = pytest.mark.browser

EPOCHS = 12
NAMES = ["<b>round", "square"]
CHARTS = "Array.from(document.querySelectorAll('[data-charts] canvas'), (canvas) => window.Chart.getChart(canvas))"


def metric(training_id: int, epoch: int) -> TrainingMetric:
    value = min(0.9, 0.08 * epoch + (0.1 if epoch % 2 else 0))
    parts = {
        "train/box_loss": 3 / epoch,
        "train/cls_loss": 2 / epoch,
        "val/box_loss": 4 / epoch,
        "val/cls_loss": 3 / epoch,
    }
    measures = {
        "precision": value,
        "recall": value,
        "map50": value,
        "map95": value / 2,
        "loss": 5 / epoch,
        "val_loss": 7 / epoch,
    }
    classes = [
        {"class": kind, "ap50": value, "ap95": value / 2, "precision": value, "recall": value, "instances": 7}
        for kind in (0, 1)
    ]
    time = datetime.now(UTC) - timedelta(seconds=60 - epoch)
    return TrainingMetric(
        training_id=training_id,
        epoch=epoch,
        timestamp=time,
        parts=parts,
        classes=classes,
        learning_rate=0.01 / epoch,
        **measures,
    )


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def write_files(folder: Path) -> None:
    """Previews, evaluation and plots, as the worker writes them."""
    truth = {"class": 0, "box": [0.2, 0.2, 0.6, 0.7]}
    image = {"file": "a.jpg", "width": 64, "height": 48, "truth": [truth]}
    write(folder / "previews" / "index.json", {"task": "detect", "names": NAMES, "images": [image, image]})
    for number in (0, 1):
        write(folder / "previews" / f"image-{number}.jpg", image_bytes())
        write(folder / "evaluation" / f"image-{number}.jpg", image_bytes())
    for epoch in range(1, EPOCHS + 1):
        write(
            folder / "previews" / f"epoch-{epoch}.json",
            {"epoch": epoch, "images": [[truth | {"conf": 0.1 + epoch / 20}], []]},
        )
    x = [index / 100 for index in range(101)]
    curves = {"x": x, "precision": x, "recall": x[::-1], "f1": [2 * a * (1 - a) for a in x], "pr": x[::-1]}
    of_class = {name: curves[name] for name in ("precision", "recall", "f1", "pr")}
    picture = {
        "file": "b.jpg",
        "width": 64,
        "height": 48,
        "found": [truth | {"class": 1, "conf": 0.9}],
        "truth": [truth],
        "pairs": [[0, 0]],
        "errors": 1,
    }
    write(
        folder / "evaluation" / "evaluation.json",
        {
            "task": "detect",
            "names": NAMES,
            "images": 2,
            "objects": 2,
            "confidence": 0.5,
            "iou": 0.45,
            "best": {"confidence": 0.5, "precision": 0.5, "recall": 0.5, "f1": 0.5},
            "accuracy": None,
            "curves": curves | {"classes": [{"class": kind, **of_class} for kind in (0, 1)]},
            "matrix": [[1, 0, 1], [0, 0, 3]],
            "cells": {"1,0": [0, 1], "0,0": []},
            "pictures": [{"number": number, **picture} for number in (0, 1)],
            "worst": [0, 1],
        },
    )
    for name in ("results.png", "BoxPR_curve.png", "val_batch0_pred.jpg"):
        write(folder / "run" / name, image_bytes())


@pytest.fixture(scope="module")
def training(site: Server) -> int:
    """A completed training of two classes with everything that a page can show."""
    app = create_app("cli", site.settings)
    with app.app_context(), writing() as session:
        dataset = Dataset(name="Two", status="valid", classes=NAMES)
        row = Training(
            name="Seen", dataset=dataset, model_version="n", status="completed", epochs=EPOCHS, current_epoch=EPOCHS
        )
        row.params, row.end_time, row.seq = {"mosaic": 0.5, "optimizer": "auto"}, datetime.now(UTC), 1
        session.add(row)
        session.flush()
        session.add_all(metric(row.id, epoch) for epoch in range(1, EPOCHS + 1))
        advice = {"code": "plateau", "data": {"epochs": 5}, "level": "info", "epoch": 6}
        session.add(TrainingEvent(training_id=row.id, seq=1, event="training_advice", payload=advice))
        number = row.id
    write_files(Path(app.config["MODELS_DIR"]) / str(number))
    return number


def drawn(page: Page, expression: str) -> None:
    wait_until(page, f"(() => {{ const charts = {CHARTS}; return {expression}; }})()")


def test_what_is_chosen_stays(open_page: Open, training: int) -> None:
    page = open_page(f"/trainings/{training}", locale="en")
    expect(page.locator("[data-metric=map50] .metric-verdict")).to_contain_text("good")
    expect(page.locator("[data-metric=map50] .metric-doubt")).to_contain_text("Based on 14 objects")
    page.locator("#smoothing").fill("0.6")
    drawn(page, "charts[0].data.datasets.length === 4 && charts[0].data.datasets[2].data.length === 12")
    raw, smooth = (page.evaluate(f"{CHARTS}[0].data.datasets[{index}].data.map(({{y}}) => y)") for index in (2, 0))
    weight = [0.4 * 0.6 ** (11 - index) for index in range(12)]
    expected = sum(w * y for w, y in zip(weight, raw, strict=True)) / sum(weight)
    assert smooth[-1] == pytest.approx(expected), "a moving average without the pull of its start"
    page.get_by_role("button", name="log (Logarithmic scale: Loss)", exact=True).click()
    page.locator("[data-charts] .key", has_text="mAP50-95").first.click()
    drawn(page, "charts[1].scales.y.type === 'logarithmic' && !charts[0].isDatasetVisible(1)")
    page.reload()
    expect(page.locator("#smoothing")).to_have_value("0.6")
    drawn(page, "charts[1].scales.y.type === 'logarithmic' && !charts[0].isDatasetVisible(1)")
    expect(page.get_by_role("button", name="log (Logarithmic scale: Loss)", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )


def test_charts_by_keyboard_with_the_events_on_their_axis(open_page: Open, training: int) -> None:
    page = open_page(f"/trainings/{training}", locale="en")
    drawn(page, "charts.length >= 5 && charts[0].data.datasets[0].data.length === 12")
    canvas = page.locator("[data-charts] canvas").first
    canvas.focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".chart-note").first).to_contain_text("Plateau: no improvement for 5 epochs.")
    expect(page.locator("[data-charts] article [aria-live]").first).to_contain_text("epoch 6. mAP50: 0.48")
    page.keyboard.press("+")
    drawn(page, "charts[0].scales.x.max - charts[0].scales.x.min < 11")
    page.keyboard.press("0")
    drawn(page, "charts[0].scales.x.max - charts[0].scales.x.min >= 11")


def test_watching_it_learn(open_page: Open, training: int) -> None:
    page = open_page(f"/trainings/{training}", locale="en")
    panel = page.locator("[data-previews]")
    expect(panel.locator(".preview-epoch")).to_have_text("epoch 12 · mAP50 0.900")
    expect(panel.locator("figcaption")).to_have_text(["1 detected, 1 annotated", "0 detected, 1 annotated"])
    slider = panel.get_by_role("slider", name="Epoch")
    slider.focus()
    page.keyboard.press("Home")
    expect(panel.locator(".preview-epoch")).to_contain_text("epoch 1 ")
    expect(panel.locator("figcaption").first).to_have_text("0 detected, 1 annotated")
    panel.get_by_role("button", name="Play").click()
    expect(panel.locator(".preview-epoch")).to_contain_text("epoch 12")
    expect(panel.get_by_role("button", name="Play")).to_be_visible()


def test_the_images_behind_a_cell_and_the_plots(open_page: Open, training: int) -> None:
    page = open_page(f"/trainings/{training}")
    expect(page.locator("[data-threshold]")).to_contain_text("Use um threshold de confiança de 0,50.")
    rows = page.locator("[data-threshold] tbody tr")
    expect(rows).to_have_text(
        [
            re.compile("^Equilibrad.*0,500,500,50$"),
            re.compile("^Poucos falsos positivos.*95.*0,950,950,05$"),
            re.compile("^Poucos falsos negativos.*95.*0,050,050,95$"),
        ]
    )
    page.get_by_role("button", name="1 × real: <b>round, predito: square").click()
    dialog = page.locator("dialog")
    expect(dialog.locator("h2")).to_have_text("b.jpg")
    expect(dialog).to_contain_text("1 de 2")
    page.keyboard.press("ArrowRight")
    expect(dialog).to_contain_text("2 de 2")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.locator("[data-file='BoxPR_curve.png']").click()
    expect(dialog.locator("h2")).to_have_text("Curva precisão-recall · caixas")
    page.keyboard.press("Escape")
    shoot(page, "training-evaluation")


def test_parameters_mark_the_differences(open_page: Open, training: int) -> None:
    page = open_page(f"/trainings/{training}", locale="en")
    changed = page.locator("[data-parameters] .is-changed")
    expect(changed).to_contain_text("mosaic")
    expect(changed).to_contain_text("default: 1")
    expect(changed).not_to_contain_text("optimizer")
    changed.locator(".explained").focus()
    expect(changed.locator(".explanation")).to_be_visible()


def test_what_was_missed_is_added_visibly(open_page: Open, site: Server, training: int) -> None:
    page = open_page(f"/trainings/{training}", locale="en")
    drawn(page, "charts.length >= 5 && charts[0].data.datasets[0].data.length === 12")
    joined(page)  # what arrives with the first response is not reported as missed
    app = create_app("cli", site.settings)
    with app.app_context(), writing() as session:
        session.add_all(metric(training, epoch) for epoch in (13, 14))
    page.evaluate(f"import({SOCKET}).then(({{live}}) => {{ live.rooms.forEach((room) => room.rejoin()); }})")
    expect(page.locator("[data-caught-up]")).to_have_text("2 missed epochs were added.")
    drawn(page, "charts[0].data.datasets[0].data.length === 14")


def test_curves_wait_for_no_socket(open_page: Open, training: int) -> None:
    """They use the responses requested by the page's head; a chart is created when it enters the screen, and grows
    there.
    """
    page = open_page("/tests", locale="en", expected="ERR_FAILED")
    page.route("**/socket.io/**", lambda route: route.abort())
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url.partition("/api")[2]))
    page.goto(page.url.replace("tests", f"trainings/{training}"))
    drawn(page, "charts.length >= 5 && charts[0]?.data.datasets[0].data.length >= 12")
    assert requests.count(f"/trainings/{training}/metrics?classes=newest") == 1, "its head asked"
    rate = page.locator(".chart", has_text="Learning rate")
    wait_until(page, f"{CHARTS}.some((chart) => !chart)")
    rate.scroll_into_view_if_needed()
    wait_until(page, f"{CHARTS}.some((chart) => chart?.plot.spec.key === 'learning-rate' && chart.scales.x.max >= 12)")


def test_a_chart_off_the_screen_is_right_when_it_comes_there(open_page: Open, training: int) -> None:
    """Its legend and its name get a new value within a second, the best epoch and the crosshair once it is there."""
    page = open_page(f"/trainings/{training}", locale="en")
    chart = page.locator("[data-chart=learning-rate]")
    plot = "window.Chart.getChart(document.querySelector('[data-chart=learning-rate] canvas'))?.plot"
    scrolled = "document.querySelector('[data-chart=learning-rate]').scrollIntoView()"  # content loaded late moves it
    wait_until(page, f"({scrolled}, {plot}?.metrics.length >= 12 && !{plot}.stale)")
    joined(page)  # the first response sets all curves once more
    wait_until(page, f"({scrolled}, !{plot}.stale)")
    page.set_viewport_size({"width": 1280, "height": 400})
    page.evaluate("window.scrollTo(0, 0)")
    wait_until(page, f"!{plot}.onScreen && !{plot}.stale")
    best, marked = chart.locator(".chart-guide.is-best"), f"{plot}.guides.best.style.transform"
    before = page.evaluate(marked)
    now = page.evaluate(f"""() => {{
      const last = {plot}.metrics.at(-1);
      {plot}.best(last.epoch + 1);
      {plot}.push({{ ...last, epoch: last.epoch + 1, learning_rate: 0.0042 }});
      return {marked};
    }}""")
    assert now == before, "nothing is moved that nobody sees"
    expect(chart.locator(".chart-legend")).to_contain_text("0.0042")
    expect(chart.locator("canvas")).to_have_attribute("aria-label", re.compile("0.0042"))
    page.evaluate(f"{plot}.pointTo(5)")
    chart.scroll_into_view_if_needed()
    expect(chart.locator(".chart-legend")).to_contain_text("0.002")
    guide = chart.locator(".chart-guide:not(.is-best)")
    expect(guide).to_be_visible()
    x = page.evaluate(f"Math.round({plot}.chart.scales.x.getPixelForValue(5))")
    expect(guide).to_have_attribute("style", re.compile(rf"translateX\({x}px\)"))
    last = page.evaluate(f"Math.round({plot}.chart.scales.x.getPixelForValue({plot}.bestEpoch))")
    expect(best).to_have_attribute("style", re.compile(rf"translateX\({last}px\)"))


def test_axes_stay_while_points_fit(open_page: Open, training: int) -> None:
    page = open_page(f"/trainings/{training}", locale="en")
    page.locator("[data-charts] canvas").first.scroll_into_view_if_needed()
    drawn(page, "charts[0]?.data.datasets[0].data.length >= 12")
    first, beyond, above = page.evaluate(f"""async () => {{
      const {{ chart, plot }} = {{ chart: {CHARTS}[0], plot: {CHARTS}[0].plot }};
      const frame = () => new Promise((done) => {{ requestAnimationFrame(done); }});
      const drawn = async () => {{ while (plot.stale) await frame(); }};
      const made = [];
      const update = chart.update.bind(chart);
      chart.update = (...how) => {{ made.push(plot.metrics.length); update(...how); }};
      const push = async (epoch, map50) => {{
        plot.push({{ ...plot.metrics.at(-1), epoch, map50 }});
        await drawn();
        return [made.length, chart.scales.x.max >= epoch, chart.scales.y.max >= map50];
      }};
      const last = plot.metrics.at(-1).epoch;
      plot.set([...plot.metrics, {{ ...plot.metrics.at(-1), epoch: last + 2 }}]);
      await drawn();
      made.length = 0;
      const room = chart.scales.x.max;
      const results = [];
      if (room > last + 2) results.push(await push(room, 0.5)); else results.push([0, true, true]);
      results.push(await push(room + 1, 0.5));
      results.push(await push(room + 2, 1.7));
      return results;
    }}""")
    assert first == [0, True, True], "drawn on the axes as they are"
    assert beyond == [1, True, True]
    assert above == [2, True, True]


def test_a_curve_that_grew_is_the_one_drawn_anew(open_page: Open, training: int) -> None:
    """A point within the axes draws only its own segment of each curve; the best epoch's line moves without a
    drawing.
    """
    page = open_page(f"/trainings/{training}", locale="en")
    page.locator("[data-charts] canvas").first.scroll_into_view_if_needed()
    drawn(page, "charts[0]?.data.datasets[0].data.length >= 12")
    joined(page)  # the first response sets all curves once more
    result = page.evaluate(f"""async () => {{
      const chart = {CHARTS}[0], {{ plot }} = chart;
      const frame = () => new Promise((done) => {{ requestAnimationFrame(done); }});
      const drawn = async () => {{ while (plot.stale) await frame(); }};
      const last = plot.metrics.at(-1);
      plot.set([...plot.metrics, {{ ...last, epoch: last.epoch + 40, map50: null, map95: null }}]);
      await drawn();
      plot.metrics.pop();
      for (const {{ data }} of chart.data.datasets) data.pop();
      plot.drawn = plot.metrics.length;
      const pixels = () => {{
        const {{ width, height }} = plot.canvas;
        const copy = new OffscreenCanvas(width, height).getContext("2d", {{ willReadFrequently: true }});
        copy.drawImage(plot.canvas, 0, 0);
        return copy.getImageData(0, 0, width, height).data;
      }};
      const apart = (one, other) => one.reduce((sum, value, place) => sum + (Math.abs(value - other[place]) > 60), 0);
      const before = pixels();
      const draw = chart.draw.bind(chart);
      let anew = 0;
      chart.draw = () => {{ anew += 1; draw(); }};
      for (let step = 1; step <= 30; step += 1) {{
        plot.best(last.epoch + step);
        plot.push({{ ...last, epoch: last.epoch + step, map50: 0.2 + (step % 5) / 10, map95: 0.1 }});
        await drawn();
      }}
      const grown = pixels();
      const line = plot.guides.best.getBoundingClientRect().left - plot.canvas.getBoundingClientRect().left;
      const place = chart.scales.x.getPixelForValue(last.epoch + 30);
      draw();
      return {{ anew, new: apart(before, grown), wrong: apart(grown, pixels()), line: line - place,
               name: plot.guides.name.textContent, last: last.epoch }};
    }}""")
    assert (result["anew"], result["new"] > 500) == (0, True), "the curves go on"
    assert result["wrong"] < result["new"] / 20, "where two pieces meet, a pixel may be paler"
    assert abs(result["line"]) <= 1
    assert result["name"] == f"best: {result['last'] + 30}"
