"""The exports of a model on the page of its run: results, accuracy, and why something is not available."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import create_engine, delete
from sqlalchemy.orm import Session

from app.config import database_uri
from app.models import ModelExport, now
from scripts.local_server import Server
from tests.browser.conftest import Open, shoot

pytestmark = pytest.mark.browser
TRAINING = 39
REFERENCE = {"precision": 0.9, "recall": 0.8, "map50": 0.9, "map95": 0.712, "latency_ms": {"p50": 40.0, "p95": 44.0}}


def verification(map95: float, busy: bool = False) -> dict[str, Any]:
    threshold = {"confidence": 0.31, "precision": 0.9, "recall": 0.8, "f1": 0.85, "moved": True}
    figures = {"images": 40, "precision": 0.9, "recall": 0.8, "map50": 0.9, "map95": map95, "reference": REFERENCE}
    more = {"at_threshold": threshold | {"reference": threshold}, "confidence_shift": -0.1, "agreement": 0.9}
    measurement = {
        "latency_ms": {"p50": 12.5, "p95": 14.0},
        "device": "cpu",
        "loss": 0.712 - map95,
        "allowed_loss": 0.01,
        "busy": busy,
    }
    return figures | more | measurement


@pytest.fixture
def exports(site: Server) -> Iterator[None]:
    """An available one and one that lost too much accuracy."""
    common = {"training_id": TRAINING, "key": "k", "format": "openvino", "weights_sha256": "0" * 64, "ended_at": now()}
    good = {"status": "completed", "verification": verification(0.706), "size_bytes": 3_400_000}
    bad = {
        "status": "failed",
        "verification": verification(0.31, busy=True),
        "error": {"code": "accuracy_lost", "message": ""},
    }
    weights = Path(site.settings["DATA_ROOT"]) / "models" / str(TRAINING) / "run" / "weights" / "best.pt"
    weights.parent.mkdir(parents=True, exist_ok=True)
    weights.write_bytes(b"weights")
    engine = create_engine(database_uri(site.settings["DATABASE_URL"]))
    with Session(engine) as session:
        session.add(ModelExport(**common, **good, arguments={"img_size": 640, "int8": True}))
        session.add(ModelExport(**common, **bad, arguments={"img_size": 640}))
        session.commit()
        yield
        session.execute(delete(ModelExport))
        session.commit()
    engine.dispose()


def test_exports_are_listed_beside_the_weights(open_page: Open, site: Server, forty: None, exports: None) -> None:
    page = open_page(f"/trainings/{TRAINING}", locale="en")
    offered, refused = page.locator("[data-export-status=completed]"), page.locator("[data-export-status=failed]")
    expect(offered).to_contain_text("INT8 · 640 px")
    expect(offered).to_contain_text("0.706.pt 0.712")
    expect(offered).to_contain_text("12.5 ms.pt 40.0 ms")
    expect(offered.locator("a")).to_have_attribute("href", "/api/exports/1/download")
    expect(offered).not_to_contain_text("busy server")
    expect(refused).to_contain_text("0.310")
    expect(refused).to_contain_text("busy server")
    expect(page.locator("[data-exports]")).to_contain_text("these latencies are too high")
    expect(refused.locator("a")).to_have_count(0)
    expect(page.locator("[data-exports]")).to_contain_text("less accurate than the .pt")
    expect(page.locator("[data-exports]")).to_contain_text("its own confidence threshold")
    expect(page.locator("[data-exports]")).to_contain_text("Here each image is measured alone")
    page.locator(".export-missing summary").click()
    expect(page.locator(".export-missing")).to_contain_text("This server has none.")
    shoot(page, "exports")


def test_they_fit_on_a_phone(open_page: Open, site: Server, forty: None, exports: None) -> None:
    page = open_page(f"/trainings/{TRAINING}", locale="pt-BR", width=360)
    expect(page.locator("[data-exports]")).to_contain_text("métricas piores que as do .pt")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    wrap = page.locator("[data-export-list] .table-wrap")
    assert wrap.evaluate("node => node.scrollWidth - node.clientWidth") <= 0, "nothing is cut off"
