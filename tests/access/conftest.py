"""An application that requires a login, and users of each role."""

from collections.abc import Callable, Iterator

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app import create_app
from app.access.secrets import owner_secret
from app.config import settings
from app.core.roles import Role
from app.database import upgrade_if_old
from scripts.local_server import settings_for
from tests.conftest import close_database

PEOPLE = {"viewer": Role.VIEWER, "trainer": Role.TRAINER, "another": Role.TRAINER, "admin": Role.ADMIN}
PASSWORD = "correct horse"
OURS = {"Sec-Fetch-Site": "same-origin"}  # the browser's headers for a request of our own page


@pytest.fixture(scope="package")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[APIFlask]:
    """An application that requires a login; nothing in its queue is started."""
    folder = tmp_path_factory.mktemp("walk")
    unlimited = {"RATELIMIT_ENABLED": "False", "RATELIMIT_LOGIN": "", "RATELIMIT_PASSWORDS": ""}
    app = create_app("cli", settings_for(folder, SOCKETIO_ASYNC_MODE="threading", AUTH="required", **unlimited))
    upgrade_if_old(app)
    yield app
    close_database(app)


@pytest.fixture(scope="package")
def headers(app: APIFlask) -> dict[str, dict[str, str]]:
    return create_accounts(app)


def create_accounts(app: APIFlask) -> dict[str, dict[str, str]]:
    """Creates an account for each user; returns request headers by name. "owner" is the one of the secret file."""
    owner = {"Authorization": f"Bearer {owner_secret(settings(app).INSTANCE_PATH)}"}
    headers = {"nobody": {}, "owner": owner}
    client = app.test_client()
    for name, role in PEOPLE.items():
        form = {"name": name, "role": role, "password": PASSWORD}
        assert client.post("/api/users", json=form, headers=owner).status_code == 201
        browser = app.test_client()
        login = browser.post("/api/login", json={"name": name, "password": PASSWORD}, environ_base=at(name))
        assert login.status_code == 200, login.text
        token = browser.post("/api/tokens", json={"name": "walk", "role": role}, headers=OURS)
        headers[name] = {"Authorization": f"Bearer {token.json['token']}"}
    return headers


def at(name: str) -> dict[str, str]:
    """Each user has an address of their own, since login attempts are counted by address."""
    return {"REMOTE_ADDR": f"10.0.0.{len(name)}"}


Headers = dict[str, dict[str, str]]


@pytest.fixture
def log_in(app: APIFlask, headers: Headers) -> Callable[[str], FlaskClient]:
    """Logs a user in; returns the browser."""
    count = iter(range(1, 250))

    def begin(name: str) -> FlaskClient:
        browser = app.test_client()
        form = {"name": name, "password": PASSWORD}
        answer = browser.post("/api/login", json=form, environ_base={"REMOTE_ADDR": f"10.1.0.{next(count)}"})
        assert answer.status_code == 200, answer.text
        return browser

    return begin
