"""The System page, and the frame of every page: connection indicator and keys."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import SOCKET, Open, joined, wait_until

pytestmark = pytest.mark.browser

JOBS = SOCKET.replace("lib/socket", "ui/jobs")
QUEUE = """[["evaluate", "running", "cpu"], ["export_model", "pending", "cpu"], ["predict", "running", "cpu"],
  ["export_model", "running", "0"], ["import_dataset", "running", null], ["training", "running", "cpu"]
].map(([kind, status, device]) => ({ kind, status, device, subject: { type: "training", id: 7 }, subject_name: "" }))"""
NO_SERVER = "[Ss]ocket|Failed to load resource"  # Chromium's messages while the socket uses a wrong path


def test_the_system_page_is_live_and_survives_a_failure(open_page: Open, forty: None) -> None:
    page = open_page("/system", locale="en", expected=NO_SERVER)
    expect(page.locator("[data-processes] tbody tr").first).to_contain_text("Server")
    expect(page.locator("[data-database]")).to_contain_text("SQLite")
    expect(page.locator("[data-devices]")).to_contain_text("CPU")
    expect(page.locator(".log-entry").first).to_be_visible()
    assert page.evaluate(
        f"import({JOBS}).then(({{jobsOn}}) => jobsOn('cpu', {QUEUE}).map((item) => item.textContent))"
    ) == ["Evaluation Run 7"], "not free, whatever else than a run uses it"
    gauges = SOCKET.replace("lib/socket", "charts/gauges")
    assert "60 GB free of 100 GB" in page.evaluate(f"""import({gauges}).then(async ({{ Gauges }}) => {{
      const system = await (await fetch("/api/system")).json();
      Object.assign(system.disk, {{ total: 250 * 2 ** 30, used: 40 * 2 ** 30, free: 60 * 2 ** 30, percent: 40 }});
      const container = document.createElement("div");
      new Gauges(container).show(system);
      return container.textContent.replaceAll("\\u00a0", " ");
    }})"""), "40% of what programs can use; 150 GB are the system's own"
    page.locator("[data-log-level], [data-level]").select_option("DEBUG")
    page.locator(".log-panel [data-search]").fill("nothing like this at all")
    expect(page.locator("[data-log]")).to_contain_text("match this search.")
    joined(page)  # until then it sends requests
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    since = page.locator("[data-sub]")
    for _ in range(2):
        expect(since).not_to_have_text(since.inner_text())
    assert not [url for url in requests if url.endswith("/api/system")], "they come by the socket"

    def fail(route: Route) -> None:
        body = '{"title": "Temporarily unavailable", "detail": "The database is busy.", "errors": []}'
        route.fulfill(status=503, content_type="application/problem+json", body=body)

    page.route(re.compile(r"/api/system$"), fail)
    change_path(page, "/nowhere")  # no socket, so it sends requests
    expect(page.locator("[data-failure]")).to_contain_text("The database is busy.")
    expect(page.locator("[data-processes] tbody tr").first).to_be_visible()  # the last known state
    page.unroute(re.compile(r"/api/system$"))
    previous = since.inner_text()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("[data-failure]")).to_be_empty()
    expect(since).not_to_have_text(previous)
    change_path(page, "/socket.io")
    expect(page.locator("[data-light]")).to_have_attribute("data-light", "live")
    page.evaluate("window.sent = []")
    subscribe = "live.socket.on('system_update', (data) => window.sent.push(data.uptime))"
    page.evaluate(f"import({SOCKET}).then(({{live}}) => {{ {subscribe} }})")
    wait_until(page, "window.sent.length > 1")  # back in the room


def change_path(page: Page, path: str) -> None:
    """Change the socket's path to the server, and close the open connection."""
    lost = f"live.socket.io.opts.path = '{path}'; live.socket.io.engine.close();"
    page.evaluate(f"import({SOCKET}).then(({{live}}) => {{ {lost} }})")


def test_a_hidden_system_page_rests(open_page: Open, forty: None) -> None:
    page = open_page("/system", locale="en")
    expect(page.locator("[data-light]")).to_have_attribute("data-light", "live")  # it has joined, so it can leave
    page.evaluate("window.said = []")
    listen = "live.socket.onAnyOutgoing((name) => window.said.push(name));"
    page.evaluate(f"import({SOCKET}).then(({{live}}) => {{ {listen} }})")
    hide(page, "true")
    wait_until(page, "window.said.at(-1) === 'leave_system'")  # a busy server may have caused a rejoin before
    previous = page.locator("[data-sub]").inner_text()
    hide(page, "false")
    expect(page.locator("[data-sub]")).not_to_have_text(previous)


def hide(page: Page, hidden: str) -> None:
    """As if another tab were in front, which a Chromium without a window does not have."""
    page.evaluate(f"Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_keys_lead_everywhere(open_page: Open, forty: None) -> None:
    page = open_page("/", locale="en")
    for key, path in {"d": "/datasets", "t": "/trainings", "c": "/compare", "s": "/system"}.items():
        # the second key counts only for a moment, which a busy machine may exceed
        page.evaluate("Date.now = () => 1e12")
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(re.compile(f"{path}$"))
    expect(page.locator("[data-search]")).to_be_visible()
    page.keyboard.press("/")
    expect(page.locator("[data-search]")).to_be_focused()
    page.keyboard.type("g d")  # typed into a search, not navigation
    assert page.url.endswith("/system")
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.locator("dialog dt").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)


def test_the_status_light_is_offline_after_fifteen_seconds(open_page: Open, forty: None) -> None:
    page = open_page("/system", locale="en", expected=NO_SERVER)
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
