"""Chromium on the real server. A page that writes to the console, throws, or requests another host fails its test."""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which
from typing import Literal

import pytest
import requests
from babel.messages.mofile import write_mo
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)
from playwright.sync_api import Error as PlaywrightError
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from app.config import database_uri
from app.i18n import TRANSLATIONS
from app.models import Training
from scripts.bench.pages import fill
from scripts.i18n import present
from scripts.local_server import Server

# The first is Chromium without the window that a headless one also draws: half the CPU time for the same test.
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(which, PROGRAMS)), None)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a camera that shows a moving test image
    "--use-fake-ui-for-media-stream",  # allowed without a prompt
]
SOCKET = "document.querySelector('script[src*=shell]').src.replace('ui/shell', 'lib/socket')"
SCREENSHOTS = Path(__file__).resolve().parents[2] / "screenshots"
Open = Callable[..., Page]

expect.set_options(timeout=60_000)  # on a busy machine, expected changes come late


ABORTED_SOCKET = (
    "WebSocket is closed before the connection is established"  # the page was left while it was still connecting
)


class Watched:
    """A browser page and everything that it should not have done; console texts that match `expected` are allowed."""

    def __init__(self, page: Page, url: str, expected: str) -> None:
        self.page = page
        self.expected = expected
        self.wrong: list[str] = []
        page.set_default_timeout(60_000)
        page.on("console", self.on_console)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("request", lambda request: self.check(request.url, url))

    def on_console(self, message: ConsoleMessage) -> None:
        if ABORTED_SOCKET not in message.text and not (self.expected and re.search(self.expected, message.text)):
            self.wrong.append(f"console: {message.type}: {message.text}")

    def check(self, address: str, url: str) -> None:
        origins = (url, url.replace("http", "ws"), "blob:", "data:")
        if not address.startswith(origins):
            self.wrong.append(f"foreign request: {address}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def compiled() -> None:
    """Compile the catalogue as the set-up does. Renamed atomically, since servers of other test processes are reading
    it.
    """
    target = TRANSLATIONS / "pt_BR" / "LC_MESSAGES" / "messages.mo"
    draft = target.with_name(f"messages.{os.getpid()}.tmp")
    with open(draft, "wb") as file:
        write_mo(file, present())
    os.replace(draft, target)


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, compiled: None) -> Iterator[Server]:
    """One server for the tests of a file, in the file's MODE, which requires a login; `import` in its folder is its
    IMPORT_ROOT.
    """
    folder = tmp_path_factory.mktemp("site")
    (folder / "import").mkdir()
    mode = getattr(request.module, "MODE", "threading")
    settings = {"IMPORT_ROOT": str(folder / "import"), "AUTH": "required", "RATELIMIT_ENABLED": "False"}
    with Server(folder, mode, **settings) as running:
        running.authorize()
        yield running


Profile = tuple[str, int, str]  # locale, width in pixels, theme


class Profiles:
    """Browser profiles for the pages of a site, one page in each at a time. A page in a reused profile finds the cached
    scripts of earlier pages and the cookie of a login, but nothing stored.

    Args:
        login: name and value of its cookie.
    """

    def __init__(self, browser: Browser, origin: str, login: tuple[str, str]) -> None:
        self.browser, self.origin, self.login = browser, origin, login
        self.free: dict[Profile, list[BrowserContext]] = {}
        self.in_use: list[tuple[Profile, BrowserContext]] = []

    def page(self, profile: Profile) -> Page:
        """An empty page with this profile."""
        free = self.free.setdefault(profile, [])
        context = free[-1] if free else self.new(profile)
        page = context.new_page()
        if free:
            session = context.new_cdp_session(page)
            session.send("Storage.clearDataForOrigin", {"origin": self.origin, "storageTypes": "all"})
            session.detach()
            free.pop()
        name, value = self.login
        context.add_cookies([{"name": name, "value": value, "url": self.origin}])
        self.in_use.append((profile, context))
        return page

    def new(self, profile: Profile) -> BrowserContext:
        locale, width, theme = profile
        scheme: Literal["dark", "light"] = "dark" if theme == "dark" else "light"
        viewport: ViewportSize = {"width": width, "height": 900}
        return self.browser.new_context(
            locale=locale, viewport=viewport, color_scheme=scheme, reduced_motion="reduce"
        )  # drawing animations would take most of a test's CPU time

    def release(self) -> None:
        """Close the pages in use and make their contexts available again."""
        for profile, context in self.in_use:
            for page in context.pages:
                page.close()
            context.clear_cookies()
            self.free[profile].append(context)
        self.in_use.clear()

    def close(self) -> None:
        for contexts in self.free.values():
            for context in contexts:
                context.close()


@pytest.fixture(scope="module")
def profiles(browser: Browser, site: Server) -> Iterator[Profiles]:
    pool = Profiles(browser, site.url, login_of(site))
    yield pool
    pool.close()


def login_of(site: Server) -> tuple[str, str]:
    """The cookie of the owner's login."""
    token = site.headers["Authorization"].removeprefix("Bearer ")
    answer = requests.post(site.url + "/api/login", json={"token": token}, timeout=60)
    (cookie,) = answer.cookies.items()
    return cookie


@pytest.fixture
def open_page(profiles: Profiles, site: Server) -> Iterator[Open]:
    """`open_page("/datasets", locale="en", width=390, theme="dark")`; checked at the end of the test."""
    opened: list[Watched] = []

    def open_it(path: str, locale: str = "pt-BR", width: int = 1280, theme: str = "light", expected: str = "") -> Page:
        watched = Watched(profiles.page((locale, width, theme)), site.url, expected)
        opened.append(watched)
        watched.page.goto(site.url + path)
        return watched.page

    yield open_it
    wrong = [item for watched in opened for item in watched.wrong]
    profiles.release()
    assert wrong == []


def shoot(page: Page, name: str) -> None:
    """A screenshot for review, if SCREENSHOTS is set, since all of them take minutes. Git ignores the folder."""
    if not os.environ.get("SCREENSHOTS"):
        return
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{re.sub('[^a-z0-9-]', '-', name)}.png", full_page=True)


def wait_until(page: Page, condition: str, seconds: float = 180) -> None:
    """Wait for a JavaScript expression; playwright's own function uses eval, which our pages forbid."""
    end, problem = time.monotonic() + seconds, ""
    while True:
        try:
            if page.evaluate(condition):
                return
        except PlaywrightError as error:  # the element is not drawn yet
            problem = str(error)[:300]
        assert time.monotonic() < end, f"still not: {condition} {problem}"
        page.wait_for_timeout(100)


def joined(page: Page) -> None:
    """Wait until the page's rooms have answered: before that it shows the data requested by its head. Called only after
    the page's own scripts have run, since modules fail permanently if they are imported before a library that they
    need.
    """
    rooms = f"import({SOCKET}).then(({{live}}) => live.rooms.size && [...live.rooms].every((room) => room.ready))"
    wait_until(page, f"document.readyState === 'complete' && {rooms}")


@pytest.fixture(scope="module")
def forty(site: Server) -> Iterator[None]:
    """Forty trainings with curves, one of them with a long name."""
    uri = database_uri(site.settings["DATABASE_URL"])
    fill(uri, 40, 20, datasets=3)
    engine = create_engine(uri)
    with Session(engine) as session:
        session.get_one(Training, 40).name = ("A very long name of a training that does not end " * 2)[:100]
        session.commit()
    yield
    engine.dispose()
