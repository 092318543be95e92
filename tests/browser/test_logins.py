"""Logins in the browser: a stranger, an invited user, a viewer, and a session that ends while its page is open."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from app.access.secrets import read_secret
from scripts.local_server import Server
from tests.access.test_oidc import Provider, login, me, member, new_browser, settings_with
from tests.browser.conftest import Watched, joined, shoot
from tests.data import yolo_zip

PASSWORD = "correct horse"
REFUSED = r"status of (401|403|422)"  # the browser logs it for each such response


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    provider_server = Provider(tmp_path_factory.mktemp("provider")).start()
    yield provider_server
    provider_server.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, compiled: None, provider: Provider) -> Iterator[Server]:
    settings = settings_with(provider) | {"PRIVATE_DATA": "True"}
    with Server(tmp_path_factory.mktemp("site"), "threading", **settings) as running:
        yield running


@pytest.fixture
def newcomer(browser: Browser, site: Server) -> Iterator[Watched]:
    """A browser without cookies or stored data."""
    context = browser.new_context(locale="en", viewport={"width": 1280, "height": 900})
    yield (watched := Watched(context.new_page(), site.url, REFUSED))
    context.close()
    assert watched.wrong == []


@pytest.fixture
def owner(site: Server) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {read_secret(Path(site.settings['INSTANCE_PATH'], 'owner_token'))}"
    return session


def log_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.locator("#name").fill(name)
    page.locator("#password").fill(password)
    page.get_by_role("button", name="Log in", exact=True).click()


def test_the_printed_link_works_once_and_an_invitation_makes_an_account(
    newcomer: Watched, site: Server, browser: Browser
) -> None:
    page = newcomer.page
    answer = page.goto(site.url + "/datasets?q=x")
    assert answer
    request = answer.request.redirected_from
    assert request
    redirect = request.response()
    assert redirect
    assert (redirect.status, request.url) == (302, site.url + "/datasets?q=x")
    expect(page).to_have_url(re.compile(r"/login\?next=/datasets"))
    link = re.search(r"/login#link=\S+", site.log())
    assert link
    page.goto(site.url + link[0])  # in the open page only the part after the # changes
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    assert "link" not in page.url
    page.goto(site.url + "/account")
    page.get_by_label("Role").first.select_option("trainer")
    page.get_by_role("button", name="Invite by link").click()
    invitation = page.locator("[data-invitation] code").inner_text()

    guest = Watched(browser.new_context(locale="en").new_page(), site.url, REFUSED)
    guest.page.goto(site.url + link[0])
    expect(guest.page.get_by_text("This link was used already")).to_be_visible()
    expect(guest.page.get_by_text("Login required")).to_have_count(0)  # this page is the login
    expect(guest.page.locator("[data-link]").get_by_text("The owner gets a link with “make link”")).to_be_visible()
    guest.page.goto(invitation)
    expect(guest.page.get_by_role("heading", name="You are invited")).to_be_visible()
    assert "invitation" not in guest.page.url
    guest.page.get_by_role("button", name="PT").click()
    expect(guest.page.locator("html")).to_have_attribute("lang", "pt-BR")
    guest.page.locator("#new-name").fill("Tereza")
    guest.page.locator("#new-password").fill(PASSWORD)
    guest.page.locator("[data-invitation] [type=submit]").click()
    expect(guest.page.get_by_role("link", name="Tereza")).to_be_visible()
    expect(guest.page.get_by_role("button", name="Usar o dataset de exemplo")).to_be_visible()

    late = browser.new_context(locale="en").new_page()
    late.goto(invitation)
    expect(late.get_by_text("This invitation was used already")).to_be_visible()
    expect(late.locator("#new-name")).to_be_hidden()
    expect(late.get_by_role("button", name="Use name and password instead")).to_be_visible()
    shoot(late, "invitation-used")
    late.context.close()
    guest.page.context.close()
    assert guest.wrong == []


def test_a_viewer_sees_no_button_that_would_be_refused(
    newcomer: Watched, site: Server, owner: requests.Session
) -> None:
    person = {"name": "Vera", "role": "viewer", "password": PASSWORD}
    assert owner.post(site.url + "/api/users", json=person).status_code == 201
    page = newcomer.page
    page.goto(site.url + "/datasets")
    log_in(page, "Vera", "wrong " + PASSWORD)
    expect(page.get_by_text("Name or password is wrong.")).to_be_visible()
    log_in(page, "Vera")
    expect(page).to_have_url(site.url + "/datasets")
    expect(page.get_by_role("link", name="Vera")).to_be_visible()
    expect(page.get_by_role("button", name="Upload ZIP")).to_be_hidden()
    page.goto(site.url + "/account")
    expect(page.get_by_role("heading", name="Access tokens")).to_be_visible()
    expect(page.get_by_role("heading", name="Users")).to_have_count(0)
    shoot(page, "account-viewer")


def test_a_session_that_ends_sends_its_open_page_to_the_login(
    newcomer: Watched, site: Server, owner: requests.Session
) -> None:
    person = {"name": "Tim", "role": "trainer", "password": PASSWORD}
    response = owner.post(site.url + "/api/users", json=person)
    page = newcomer.page
    page.goto(site.url + "/login?next=/system")
    log_in(page, "Tim")
    expect(page).to_have_url(site.url + "/system")
    joined(page)
    assert owner.patch(f"{site.url}/api/users/{response.json()['id']}", json={"active": False}).ok
    expect(page).to_have_url(re.compile(r"/login\?next=%2Fsystem"))


def test_an_admin_reads_who_did_what(newcomer: Watched, site: Server, owner: requests.Session) -> None:
    person = {"name": "Ada", "role": "admin", "password": PASSWORD}
    assert owner.post(site.url + "/api/users", json=person).status_code == 201
    for number in range(101):
        owner.post(f"{site.url}/api/trainings/{10**6 + number}/stop")
    page = newcomer.page
    page.goto(site.url + "/login?next=/account")
    log_in(page, "Ada")
    page.get_by_role("link", name="Audit log").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(100)
    expect(rows.first).to_contain_text(re.compile("Ada.*POST /api/login.*127.0.0.1.*Completed"))
    page.get_by_role("button", name="Show older entries").click()
    expect(rows.filter(has_text="/api/trainings/1000000/stop")).to_have_count(1)
    page.get_by_label("User").fill("Ada")
    page.get_by_role("button", name="Filter").click()
    expect(rows).to_have_count(1)
    shoot(page, "audit")
    page.get_by_label("User").fill("Nobody")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No entries.")).to_be_visible()


def test_a_person_comes_by_the_provider_and_reads_why_not(
    newcomer: Watched, site: Server, provider: Provider, browser: Browser
) -> None:
    page = newcomer.page
    provider.configure(person=member(name="Outro", email="outro@evil.example"))
    page.goto(site.url + "/datasets?q=x")
    page.get_by_role("button", name="Log in with Example").click()
    expect(page.get_by_text("You have no account here yet")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/login\?next="))
    shoot(page, "login-refused")
    provider.configure(person=member(name="Olga"))
    page.get_by_role("button", name="Log in with Example").click()
    expect(page).to_have_url(site.url + "/datasets?q=x")
    expect(page.get_by_role("link", name="Olga")).to_be_visible()
    page.goto(site.url + "/account")
    expect(page.get_by_text("Your account is linked with your login there.")).to_be_visible()
    newcomer.wrong[:] = [item for item in newcomer.wrong if provider.url not in item]


def test_an_admin_ends_the_link_of_a_person(
    newcomer: Watched, site: Server, provider: Provider, owner: requests.Session
) -> None:
    provider.configure(person=member(name="Rita"))
    browser = new_browser()
    assert login(site, browser).status_code == 303
    assert owner.post(site.url + "/api/users", json={"name": "Ada 2", "role": "admin", "password": PASSWORD}).ok
    page = newcomer.page
    page.goto(site.url + "/login?next=/account")
    log_in(page, "Ada 2")
    row = page.get_by_role("row", name="Rita")
    expect(row).to_contain_text(f"Login with {provider.url.removeprefix('http://')}")
    shoot(page, "account-links")
    row.get_by_role("button", name="Remove the link").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove the link").click()
    expect(row.get_by_role("button", name="Remove the link")).to_have_count(0)
    assert me(site, browser) is None


def test_own_password_and_a_dataset_that_is_shared(
    newcomer: Watched, site: Server, owner: requests.Session, browser: Browser
) -> None:
    for name in ("Paula", "Quim"):
        form = {"name": name, "role": "trainer", "password": PASSWORD}
        assert owner.post(site.url + "/api/users", json=form).status_code == 201
    page = newcomer.page
    page.goto(site.url + "/login?next=/account")
    log_in(page, "Paula")
    page.get_by_label("Present password").first.fill("wrong horse")
    page.get_by_label("New password").fill("battery staple")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("This isn't your present password.")).to_be_visible()
    page.get_by_label("Present password").first.fill(PASSWORD)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("Password changed.")).to_be_visible()

    reader = requests.Session()
    assert reader.post(site.url + "/api/login", json={"name": "Quim", "password": PASSWORD}).ok
    session = requests.Session()
    assert not session.post(site.url + "/api/login", json={"name": "Paula", "password": PASSWORD}).ok
    assert session.post(site.url + "/api/login", json={"name": "Paula", "password": "battery staple"}).ok
    ours = {"Sec-Fetch-Site": "same-origin"}
    files = {"file": ("cars.zip", yolo_zip(), "application/zip")}
    response = session.post(site.url + "/api/datasets", data={"name": "Cars"}, files=files, headers=ours)
    assert response.status_code == 201, response.text
    path = f"/datasets/{response.json()['dataset_id']}"
    page.goto(site.url + path)
    assert reader.get(f"{site.url}/api{path}").status_code == 404
    page.get_by_role("button", name="Share with everyone").click()
    expect(page.get_by_role("button", name="Stop sharing")).to_be_visible()
    assert reader.get(f"{site.url}/api{path}").status_code == 200
    page.goto(site.url + "/datasets")
    page.get_by_label("Created by").select_option("me")
    expect(page.get_by_text("Cars")).to_be_visible()
    page.goto(site.url + "/tests")
    for kind, selector in (("tests", "[data-whose-test]"), ("predictions", "[data-whose-job]")):
        with page.expect_request(re.compile(f"/api/{kind}[?].*created_by=me")):
            page.locator(selector).select_option("me", force=True)
