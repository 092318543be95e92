"""Login by an OpenID Connect provider, over HTTP: a real provider, a real server, and every possible fault."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
import requests
from apiflask import APIFlask
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import TimestampSigner
from sqlalchemy import select

from app.access import provider_session
from app.access.claims import Person, fault_of, with_id_token
from app.access.identify import of_session
from app.access.secrets import read_secret
from app.config import load_settings
from app.core.roles import Role
from app.core.setting_values import SettingError
from app.database import writing
from app.errors import Conflict, NotAllowed
from app.extensions import db
from app.models import AccessToken, Account, LoginSession
from app.models.base import now
from app.services.accounts.identities import unused_name
from app.services.accounts.people import add_account, key_of
from app.services.accounts.present import account_view
from scripts.local_server import ROOT, Server, free_port
from tests.data import change_settings

CLIENT, SECRET = "yolo", "the provider's secret"
KEY = "a key of these tests"
OURS = {"Sec-Fetch-Site": "same-origin"}
PASSWORD = "correct horse"
numbers = count(1)


class Provider:
    """Runs tests/access/oidc_provider.py in its own process."""

    def __init__(self, folder: Path) -> None:
        assert find_spec("authlib"), "it is in requirements.lock: make setup"
        self.port, self.folder = free_port(), folder
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Provider":
        with open(self.folder / "provider.log", "ab") as log:
            command = [sys.executable, "-m", "tests.access.oidc_provider", str(self.port)]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        until = time.monotonic() + 60
        while True:
            try:
                requests.get(self.url + "/jwks", timeout=5)
                return self
            except requests.ConnectionError:
                assert time.monotonic() < until, self.folder
                assert self.process.poll() is None, self.folder
                time.sleep(0.05)

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def configure(self, sub: str | None = None, **changes: Any) -> str:
        """Sets the next person to log in, a new one by default, and deviations of the provider; returns the subject."""
        person = {"sub": sub or f"new-{next(numbers)}"} | changes.pop("person", {})
        answer = requests.post(self.url + "/control", json={"person": person} | changes, timeout=30)
        assert answer.ok, answer.text
        return str(person["sub"])


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    provider = Provider(tmp_path_factory.mktemp("provider")).start()
    yield provider
    provider.stop()


def settings_with(provider: Provider) -> dict[str, str]:
    return {
        "AUTH": "required",
        "LOG_LEVEL": "DEBUG",
        "SECRET_KEY": KEY,
        "RATELIMIT_LOGIN": "",
        "OIDC_ISSUER": provider.url,
        "OIDC_CLIENT_ID": CLIENT,
        "OIDC_CLIENT_SECRET": SECRET,
        "OIDC_NAME": "Example",
        "OIDC_ALLOWED": "@example.org, eva@other.example",
        "OIDC_ROLE_CLAIM": "realm.groups",
        "OIDC_ROLES": "admins=admin, lab=trainer",
    }


@pytest.fixture(scope="module")
def server(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("site"), "threading", **settings_with(provider)) as running:
        yield running


@pytest.fixture(scope="module")
def owner(server: Server) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {read_secret(Path(server.settings['INSTANCE_PATH'], 'owner_token'))}"
    return session


def new_browser() -> requests.Session:
    browser = requests.Session()
    browser.headers["Accept-Language"] = "en"
    return browser


def member(**more: Any) -> dict[str, Any]:
    return {"name": "Ana", "email": "ana@example.org", "email_verified": True, "realm": {"groups": ["lab"]}} | more


def begin_login(server: Server, browser: requests.Session, next: str = "/") -> str:
    """The address to which the provider redirects the browser."""
    answer = browser.post(server.url + "/api/login/oidc", json={"next": next}, headers=OURS, timeout=60)
    assert answer.status_code == 200, answer.text
    there = browser.get(answer.json()["url"], allow_redirects=False, timeout=60)
    assert there.status_code == 302, there.text
    return str(there.headers["Location"])


def back(browser: requests.Session, address: str, **options: Any) -> requests.Response:
    return browser.get(address, allow_redirects=False, timeout=60, headers={"Accept": "text/html"}, **options)


def login(server: Server, browser: requests.Session, next: str = "/") -> requests.Response:
    return back(browser, begin_login(server, browser, next))


def me(server: Server, browser: requests.Session) -> dict[str, Any] | None:
    answer = browser.get(server.url + "/api/me", timeout=60)
    return answer.json() if answer.ok else None


def users(server: Server, owner: requests.Session) -> list[str]:
    return [user["name"] for user in owner.get(server.url + "/api/users").json()["users"]]


def newest_entry(server: Server, owner: requests.Session) -> dict[str, Any]:
    return owner.get(server.url + "/api/audit", params={"limit": 1}).json()["entries"][0]


def test_a_first_login_makes_an_account_and_the_next_one_finds_it(
    server: Server, provider: Provider, owner: requests.Session
) -> None:
    sub, browser = provider.configure(person=member(name="Bia")), new_browser()
    answer = login(server, browser, "/datasets?q=x")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/datasets?q=x")
    cookie = next(cookie for cookie in browser.cookies if cookie.name.startswith("ytp_session"))
    assert cookie.expires is not None
    assert cookie.expires - time.time() < 12 * 3600 + 60
    assert "HttpOnly" in cookie._rest
    assert cookie._rest["SameSite"] == "Lax"
    first = me(server, browser)
    assert first is not None
    assert (first["name"], first["role"], first["via"]) == ("Bia", "trainer", "session")
    entry = newest_entry(server, owner)
    assert (entry["name"], entry["path"], entry["status"], entry["result"]) == ("Bia", "/login/oidc", 303, "done")
    # Another address and another name, as after a marriage: still the same user.
    provider.configure(sub, person=member(name="Beatriz", email="beatriz@example.org"))
    second_browser = new_browser()
    assert login(server, second_browser).status_code == 303
    assert me(server, second_browser) == first
    assert browser.post(server.url + "/api/logout", headers=OURS).ok
    assert (me(server, browser), me(server, second_browser)) == (None, first)


@pytest.mark.parametrize(
    ("person", "in_portuguese"),
    [
        ({"email_verified": False}, False),
        ({"email_verified": None}, False),
        ({"email": "ana@example.org.evil.example"}, True),
        ({"email": "ana@evil.example"}, True),
        ({"email": "a@example.org@evil.example"}, True),
        ({"email": ["ana@example.org"]}, False),
        ({"email": "@evil.example, x@example.org "}, False),
    ],
)
def test_who_is_not_allowed_gets_no_account(
    server: Server, provider: Provider, owner: requests.Session, person: dict[str, Any], in_portuguese: bool
) -> None:
    provider.configure(person=member(**person))
    before, browser = users(server, owner), new_browser()
    browser.headers["Accept-Language"] = "pt-BR" if in_portuguese else "en"
    answer = login(server, browser)
    assert answer.status_code == 403
    assert ("Você ainda não tem conta aqui" if in_portuguese else "You have no account here yet") in answer.text
    assert (me(server, browser), users(server, owner)) == (None, before)
    entry = newest_entry(server, owner)
    assert (entry["result"], entry["reason"]) == ("refused", "no_account")


WRONG: dict[str, dict[str, Any]] = {
    "issuer": {"claims": {"iss": "https://evil.example"}},
    "no issuer": {"claims": {"iss": None}},
    "nonce": {"claims": {"nonce": "another"}},
    "no nonce": {"claims": {"nonce": None}},
    "audience": {"claims": {"aud": ["another"]}},
    "audience, but asked for by us": {"claims": {"aud": ["another"], "azp": CLIENT}},
    "two audiences, asked for by another": {"claims": {"aud": ["another", CLIENT], "azp": "another"}},
    "expired": {"claims": {"exp": 1_700_000_000}},
    "no end": {"claims": {"exp": None}},
    "not yet": {"claims": {"nbf": 4_000_000_000}},
    "no subject": {"claims": {"sub": None}},
    "empty subject": {"claims": {"sub": ""}},
    "long subject": {"claims": {"sub": "x" * 256}},
    "number for a subject": {"claims": {"sub": 7}},
    "another access token": {"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}},
    "signed by another": {"sign": "other"},
    "signed with the public key": {"sign": "hs256"},
    "not signed": {"sign": "none"},
    "no ID token": {"sign": "absent"},
    "another person's details": {"fail": "userinfo", "claims": {"email": None}},
    "denied": {"fail": "deny"},
}


@pytest.mark.parametrize("name", WRONG)
def test_invalid_provider_responses_are_rejected(
    server: Server, provider: Provider, owner: requests.Session, name: str
) -> None:
    provider.configure(person=member(name="Wrong"), **WRONG[name])
    browser = new_browser()
    answer = login(server, browser, "/system")
    assert answer.status_code == 401, answer.text
    logged = re.search(r"Logging in with Example failed \(([a-z_]+)\)", answer.text)
    assert logged
    assert 'data-next="/system"' in answer.text
    assert (me(server, browser), [name for name in users(server, owner) if "Wrong" in name]) == (None, [])
    entry = newest_entry(server, owner)
    assert (entry["result"], entry["reason"]) == ("refused", logged[1])


def test_a_login_works_once_and_in_its_browser_alone(server: Server, provider: Provider) -> None:
    provider.configure(person=member())
    browser, thief, copier = new_browser(), new_browser(), new_browser()
    address = begin_login(server, browser)
    copier.cookies.update(browser.cookies)
    lost = "This login took too long, or was begun in another tab"
    for stranger in (back(thief, address), back(thief, server.url + "/login/oidc?state=x&code=y")):
        assert (stranger.status_code, lost in stranger.text) == (401, True)
    assert back(browser, address).status_code == 303
    assert me(server, browser) is not None
    again = [back(browser, address), back(copier, address), back(copier, re.sub("code=[^&]*", "code=new", address))]
    assert [(answer.status_code, lost in answer.text) for answer in again] == [(401, True)] * 3
    assert me(server, copier) is None


def test_of_two_tabs_the_last_one_counts(server: Server, provider: Provider) -> None:
    provider.configure(person=member())
    browser = new_browser()
    first, second = begin_login(server, browser), begin_login(server, browser)
    assert back(browser, second).status_code == 303
    assert back(browser, first).status_code == 401


def test_the_code_of_another_login_is_refused(server: Server, provider: Provider) -> None:
    """The attacker's code in the victim's login: the verifier (PKCE) differs, and so does the nonce."""
    provider.configure(person=member())
    attacker, victim = new_browser(), new_browser()
    code = parse_qs(urlsplit(begin_login(server, attacker)).query)["code"][0]
    address = re.sub("code=[^&]*", f"code={code}", begin_login(server, victim))
    assert back(victim, address).status_code == 401
    assert me(server, victim) is None
    assert back(victim, f"{begin_login(server, victim)}&iss=https://evil.example").status_code == 401


def cookie_of(data: dict[str, Any], key: str, age: float, monkeypatch: pytest.MonkeyPatch) -> str:
    """A login's cookie, as signed by Flask, of the given age in seconds."""
    app = Flask("x")
    app.secret_key = key
    with monkeypatch.context() as patched:
        now = int(time.time() - age)
        patched.setattr(TimestampSigner, "get_timestamp", lambda _self: now)
        return str(SecureCookieSessionInterface().get_signing_serializer(app).dumps(data))


@pytest.mark.parametrize(("key", "age", "status"), [(KEY, 0, 303), (KEY, 660, 401), ("another key", 0, 401)])
def test_a_forged_login_and_an_old_one(
    server: Server, provider: Provider, monkeypatch: pytest.MonkeyPatch, key: str, age: float, status: int
) -> None:
    provider.configure(person=member())
    browser = new_browser()
    address = begin_login(server, browser)
    sent = next(cookie for cookie in browser.cookies if cookie.name.startswith("ytp_oidc"))
    app = Flask("x")
    app.secret_key = KEY
    data = SecureCookieSessionInterface().get_signing_serializer(app).loads(sent.value)
    sent.value = cookie_of(data, key, age, monkeypatch)
    assert back(browser, address).status_code == status


@pytest.mark.parametrize(
    "next", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "x"]
)
def test_the_way_back_is_on_this_server(server: Server, provider: Provider, next: str) -> None:
    provider.configure(person=member())
    assert login(server, new_browser(), next).headers["Location"] == "/"


@pytest.mark.parametrize("kid", ["one", "two"])
def test_rotated_provider_keys_are_accepted_at_once(server: Server, provider: Provider, kid: str) -> None:
    provider.configure(person=member())
    assert login(server, new_browser()).status_code == 303
    provider.configure(person=member(), keys=5, kid=kid)
    assert login(server, new_browser()).status_code == 303


@pytest.mark.parametrize("fail", ["token", "jwks", "endless token", "endless jwks", "endless userinfo"])
def test_provider_failures_are_reported(server: Server, provider: Provider, fail: str) -> None:
    extra = {"claims": {"email": None}} if "userinfo" in fail else {}  # requested for what the token lacks
    provider.configure(person=member(), fail=fail, keys=next(numbers) + 100, kid=f"fresh {fail}", **extra)
    answer = login(server, new_browser())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "Example can&#39;t be reached at the moment" in answer.text


def test_provider_responses_are_limited_in_size_and_time(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bytes, compressed or not, and in time."""
    monkeypatch.setattr(provider_session, "LONGEST_S", 0.5)
    with provider_session.ProviderSession("x", default_timeout=5) as session:
        for path in ("packed", "slow"):
            with pytest.raises(provider_session.AnswerTooLarge):
                session.request("GET", f"{provider.url}/{path}", withhold_token=True)
        untruncated = session.request("GET", f"{provider.url}/jwks", withhold_token=True)
        assert untruncated.json()["keys"]


def test_an_address_links_nobody(server: Server, provider: Provider, owner: requests.Session) -> None:
    """Neither an existing name nor an existing e-mail address links a login to an account."""
    person = {"name": "carla", "role": "admin", "password": PASSWORD}
    assert owner.post(server.url + "/api/users", json=person).status_code == 201
    provider.configure(person=member(name="Carla", preferred_username="carla", email="carla@example.org"))
    first, second = new_browser(), new_browser()
    assert login(server, first).status_code == 303
    provider.configure(person=member(name="CARLA", email="carla@example.org"))
    assert login(server, second).status_code == 303
    accounts = [me(server, browser) for browser in (first, second)]
    assert [who and (who["name"], who["role"]) for who in accounts] == [("Carla 2", "trainer"), ("CARLA 3", "trainer")]


def test_the_role_is_updated_at_each_login(server: Server, provider: Provider, owner: requests.Session) -> None:
    browser = new_browser()
    sub = provider.configure(person=member(name="Rui", realm={"groups": ["x", "lab", "admins"]}))
    assert login(server, browser).status_code == 303
    assert me(server, browser)["role"] == "admin"
    assert browser.post(server.url + "/api/invitations", json={"role": "admin"}, headers=OURS).status_code == 201
    for groups, role in ((["other"], "viewer"), ("lab", "trainer"), ({"lab": True}, "viewer")):
        provider.configure(sub, person=member(realm={"groups": groups}))
        assert login(server, new_browser()).status_code == 303
        assert me(server, browser)["role"] == role, "in the session that was there before, too"
        assert owner.get(server.url + "/api/invitations").json()["invitations"] == []
    # Claims that only /userinfo sends count as well.
    userinfo = member(realm={"groups": ["lab"]})
    provider.configure(sub, userinfo={"realm": userinfo["realm"], "email": userinfo["email"]})
    assert login(server, browser).status_code == 303
    assert me(server, browser)["role"] == "trainer"


def test_blocked_and_deleted_accounts_lose_access(server: Server, provider: Provider, owner: requests.Session) -> None:
    sub, browser = provider.configure(person=member(name="Davi")), new_browser()
    assert login(server, browser).status_code == 303
    path = f"{server.url}/api/users/{me(server, browser)['id']}"
    assert owner.patch(path, json={"active": False}).ok
    assert me(server, browser) is None
    answer = login(server, browser)
    assert (answer.status_code, "Your account is blocked" in answer.text) == (403, True)
    assert newest_entry(server, owner)["reason"] == "blocked"
    assert owner.delete(path).ok
    provider.configure(sub, person=member(name="Davi", email="davi@evil.example"))
    assert login(server, browser).status_code == 403, "nothing is left of the link"


def test_an_account_is_linked_by_its_logged_in_user(
    server: Server, provider: Provider, owner: requests.Session
) -> None:
    form = {"name": "Edu", "role": "viewer", "password": PASSWORD}
    assert owner.post(server.url + "/api/users", json=form).status_code == 201
    browser, stranger, path = new_browser(), new_browser(), server.url + "/api/me/identity"
    sub = provider.configure(person=member(email="edu@evil.example", realm={"groups": []}))
    assert browser.post(server.url + "/api/login", json={"name": "Edu", "password": PASSWORD}).ok
    assert browser.post(path, json={"current": "wrong horse"}, headers=OURS).status_code == 422
    assert browser.post(path, json={"current": PASSWORD}).status_code == 403, "no page of ours asks"
    token = browser.post(server.url + "/api/tokens", json={"name": "x", "role": "viewer"}, headers=OURS).json()["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert requests.post(path, json={"current": PASSWORD}, headers=bearer).status_code == 403
    assert owner.post(path, json={}).status_code == 404

    def begin_link() -> str:
        url = browser.post(path, json={"current": PASSWORD}, headers=OURS).json()["url"]
        return str(browser.get(url, allow_redirects=False).headers["Location"])

    address = begin_link()
    stranger.cookies.update({name: value for name, value in browser.cookies.items() if name.startswith("ytp_oidc")})
    answer = back(stranger, address)
    assert answer.status_code == 401, "the login of a stranger is linked to no account"
    assert login(server, stranger).status_code == 403
    answer = back(browser, begin_link())
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")
    assert login(server, stranger).status_code == 303
    assert me(server, stranger)["name"] == "Edu"
    assert back(browser, begin_link()).status_code == 409
    assert requests.delete(path, headers=bearer).status_code == 403, "a viewer's token removes no link"
    assert me(server, stranger) is not None
    assert browser.delete(path, headers=OURS).ok
    assert me(server, stranger) is None, "other sessions end"
    assert me(server, browser)["name"] == "Edu"
    assert browser.delete(path, headers=OURS).status_code == 404
    provider.configure(sub, person=member(email="edu@evil.example"))
    assert login(server, stranger).status_code == 403


def test_an_admin_sees_and_ends_links(server: Server, provider: Provider, owner: requests.Session) -> None:
    browser, sub = new_browser(), provider.configure(person=member(name="Gil"))
    assert login(server, browser).status_code == 303
    mine = me(server, browser)
    assert mine

    def user() -> dict[str, Any]:
        return next(user for user in owner.get(server.url + "/api/users").json()["users"] if user["id"] == mine["id"])

    (link,) = user()["identities"]
    assert (link["issuer"], link["subject"], link["current"]) == (provider.url, sub, True)
    path = f"{server.url}/api/users/{mine['id']}/identities/{link['id']}"
    assert browser.delete(path, headers=OURS).status_code == 403
    assert owner.delete(f"{server.url}/api/users/{mine['id'] + 10**6}/identities/{link['id']}").status_code == 404
    assert owner.delete(path).json()["identity_id"] == link["id"]
    assert (user()["identities"], me(server, browser)) == ([], None)
    assert newest_entry(server, owner)["action"] == "oidc.remove_link"
    assert owner.delete(path).status_code == 404
    provider.configure(sub, person=member(name="Gil", email="gil@evil.example"))
    assert login(server, browser).status_code == 403, "nothing is left of it"


@pytest.mark.usefixtures("stored_settings")
def test_a_link_of_an_earlier_provider_is_not_a_way_in(app: APIFlask) -> None:
    """Admins see it as unusable, and a link to the current provider can replace it."""
    change_settings(app, OIDC_ALLOWED=("*",), OIDC_ISSUER="https://old.example/")
    identities = app.extensions["services"].accounts.identities
    with app.app_context():
        mine, _secret = identities.log_in(Person("https://old.example", "1", {"name": "Ada"}))
        assert identities.of(mine.account_id) is not None, "with a slash or without"
        change_settings(app, OIDC_ISSUER="https://new.example")
        assert identities.of(mine.account_id) is None
        identities.link(mine.account_id, Person("https://new.example", "7", {}))
        account = db.session.get_one(Account, mine.account_id)
        view = account_view(account, identities.of_all([mine.account_id]))
        assert [(link["issuer"], link["current"]) for link in view["identities"]] == [
            ("https://old.example", False),
            ("https://new.example", True),
        ]
        with pytest.raises(Conflict):
            identities.link(mine.account_id, Person("https://new.example", "8", {}))


EVENT = {"http://schemas.openid.net/event/backchannel-logout": {}}


def logout_token(provider: Provider, **claims: Any) -> str:
    """A logout token of the provider, with a new id unless the claims have one."""
    right = {"iss": provider.url, "aud": CLIENT, "iat": int(time.time()), "jti": uuid4().hex, "events": EVENT}
    answer = requests.post(provider.url + "/logout_token", json=right | claims, timeout=60)
    return str(answer.json()["token"])


def log_out_by(server: Server, token: str) -> requests.Response:
    """Sends a logout token to the server, as the provider does."""
    return requests.post(server.url + "/login/oidc/logout", data={"logout_token": token}, timeout=60)


def log_out_there(server: Server, provider: Provider, **claims: Any) -> requests.Response:
    return log_out_by(server, logout_token(provider, **claims))


def test_a_logout_at_the_provider_ends_the_sessions_that_it_began(
    server: Server, provider: Provider, owner: requests.Session
) -> None:
    browsers = [new_browser() for _ in range(3)]
    sub = provider.configure(person=member(name="Nina"), claims={"sid": "one"})
    assert login(server, browsers[0]).status_code == 303
    provider.configure(sub, person=member(name="Nina"), claims={"sid": "two"})
    assert login(server, browsers[1]).status_code == 303
    provider.configure(person=member(name="Noel"), claims={"sid": "three"})
    assert login(server, browsers[2]).status_code == 303
    answer = log_out_there(server, provider, sub=sub, sid="one")
    assert (answer.status_code, answer.content, answer.headers["Cache-Control"]) == (200, b"", "no-store")
    assert [me(server, browser) is None for browser in browsers] == [True, False, False]
    entry = newest_entry(server, owner)
    assert (entry["action"], entry["name"], entry["result"]) == ("oidc.end_by_provider", "Nina", "done")
    assert log_out_there(server, provider, sid="unknown").status_code == 200, "it is over already"
    assert log_out_there(server, provider, sub=sub).status_code == 200
    assert [me(server, browser) is None for browser in browsers] == [True, True, False]
    assert log_out_there(server, provider, sid="three").status_code == 200
    assert me(server, browsers[2]) is None


NO_LOGOUT: dict[str, dict[str, Any]] = {
    "iss": {"iss": "https://evil.example"},
    "aud": {"aud": ["another"]},
    "iat": {"iat": 1_700_000_000},
    "exp": {"exp": 1_700_000_000},
    "events": {"events": {"https://other.example/event": {}}},
    "nonce": {"nonce": "of an ID token"},
    "sub": {"sub": None},
    "sid": {"sid": 7},
    "jti": {"jti": None},
}


@pytest.mark.parametrize("reason", NO_LOGOUT)
def test_invalid_logout_tokens_end_nothing(server: Server, provider: Provider, reason: str) -> None:
    browser, sub = new_browser(), provider.configure(person=member(name="Nora"))
    assert login(server, browser).status_code == 303
    answer = log_out_there(server, provider, **({"sub": sub} | NO_LOGOUT[reason]))
    assert (answer.status_code, f"({reason})" in answer.text) == (400, True), answer.text
    assert me(server, browser) is not None


def test_a_logout_token_works_once(server: Server, provider: Provider) -> None:
    """OpenID Connect Back-Channel Logout 1.0, section 2.6: a replay does not end a session that began since."""
    browser, sub = new_browser(), provider.configure(person=member(name="Nele"))
    assert login(server, browser).status_code == 303
    token = logout_token(provider, sub=sub, jti="a")
    refused = log_out_there(server, provider, sub=sub, jti="a", nonce="not a logout")
    assert (refused.status_code, me(server, browser) is not None) == (400, True)
    assert log_out_by(server, token).status_code == 200, "what is refused spends no id"
    assert me(server, browser) is None
    assert login(server, browser).status_code == 303
    for again in (token, logout_token(provider, sub=sub, jti="a")):
        answer = log_out_by(server, again)
        assert (answer.status_code, "(jti)" in answer.text) == (400, True), answer.text
        assert "no-store" in answer.headers["Cache-Control"]
    assert me(server, browser) is not None
    assert log_out_there(server, provider, sub=sub, jti="b").status_code == 200
    assert me(server, browser) is None


def test_nobody_else_logs_anybody_out(server: Server, provider: Provider) -> None:
    browser, sub = new_browser(), provider.configure(person=member(name="Nico"))
    assert login(server, browser).status_code == 303
    provider.configure(sub, person=member(name="Nico"), sign="other")
    assert log_out_there(server, provider, sub=sub).status_code == 400
    for token in ("", "x", "a.b.c", "x" * 9000):
        answer = requests.post(server.url + "/login/oidc/logout", data={"logout_token": token}, timeout=60)
        assert answer.status_code == 400, answer.text
    assert me(server, browser) is not None


def test_the_last_login_method_is_not_removed(server: Server, provider: Provider) -> None:
    provider.configure(person=member(name="Fabi"))
    browser = new_browser()
    assert login(server, browser).status_code == 303
    answer = browser.delete(server.url + "/api/me/identity", headers=OURS)
    assert (answer.status_code, "Choose a password first" in answer.json()["detail"]) == (409, True)


def test_cross_site_pages_begin_no_login(server: Server, provider: Provider) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = requests.post(server.url + "/api/login/oidc", json={}, headers=headers, timeout=60)
        assert answer.status_code == 403
    assert requests.get(server.url + "/api/login/oidc", timeout=60).status_code == 405


def test_secrets_of_a_login_are_not_in_the_logs(server: Server, provider: Provider) -> None:
    """With LOG_LEVEL=DEBUG."""
    provider.configure(person=member())
    browser = new_browser()
    address = begin_login(server, browser)
    login_cookie = next(cookie.value for cookie in browser.cookies if cookie.name.startswith("ytp_oidc"))
    app = Flask("x")
    app.secret_key = KEY
    state = SecureCookieSessionInterface().get_signing_serializer(app).loads(login_cookie)
    data = next(iter(state.values()))["data"]
    assert back(browser, address).status_code == 303
    session = next(cookie.value for cookie in browser.cookies if cookie.name.startswith("ytp_session"))
    secrets = [data["code_verifier"], data["nonce"], session, SECRET, parse_qs(urlsplit(address).query)["code"][0]]
    written = server.read_log() + "".join(
        path.read_text(errors="replace") for path in Path(server.settings["LOG_DIR"]).glob("*")
    )
    assert len(written) > 1000
    assert [secret for secret in secrets if secret in written] == []
    assert "Traceback" not in written


def test_a_provider_outage_affects_its_logins_alone(
    server: Server, provider: Provider, owner: requests.Session, tmp_path: Path
) -> None:
    """In eventlet mode, too: one login succeeds, then the provider hangs."""
    with Server(tmp_path, "eventlet", **settings_with(provider)) as second_server:
        provider.configure(person=member(name="Gil"))
        browser = new_browser()
        assert login(second_server, browser).status_code == 303
        assert me(second_server, browser)["name"] == "Gil"
        address = begin_login(second_server, browser)
        form = {"name": "Hugo", "role": "viewer", "password": PASSWORD}
        assert owner.post(server.url + "/api/users", json=form).status_code == 201
        provider.stop()
        try:
            answer = back(browser, address)
            assert (answer.status_code, "can&#39;t be reached" in answer.text) == (503, True)
            assert second_server.get("/login").status_code == 200
            assert me(second_server, browser)["name"] == "Gil", "who is in stays in"
            assert server.post("/api/login", json={"name": "Hugo", "password": PASSWORD}).ok
        finally:
            provider.start()
    provider.stop()
    try:
        with Server(tmp_path, "threading", **settings_with(provider)) as second_server:
            answer = second_server.post("/api/login/oidc", json={}, headers={"Accept-Language": "pt-BR"})
            assert (answer.status_code, answer.json()["title"]) == (503, "Temporariamente indisponível")
            assert "Example não responde no momento" in answer.json()["detail"]
            assert second_server.get("/login").status_code == 200
            provider.start()
            provider.configure(described={"issuer": "https://evil.example"})
            assert second_server.post("/api/login/oidc", json={}).status_code == 503
            provider.configure(fail="describe")
            assert second_server.post("/api/login/oidc", json={}).status_code == 503
            provider.configure(person=member())
            assert login(second_server, new_browser()).status_code == 303
    finally:
        provider.stop()
        provider.start()


def test_without_a_provider_nothing_is_offered(server_without: Server) -> None:
    assert server_without.post("/api/login/oidc", json={}).status_code == 404
    assert server_without.get("/login/oidc?state=x").status_code == 404
    assert "data-provider" not in server_without.get("/login").text


@pytest.fixture
def server_without(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path, "threading", AUTH="required") as running:
        yield running


def test_a_description_names_its_issuer_and_safe_addresses() -> None:
    right = {
        "issuer": "https://login.example/realm/",
        "authorization_endpoint": "https://login.example/a",
        "token_endpoint": "https://login.example/t",
        "jwks_uri": "https://keys.example/",
    }
    issuer = "https://login.example/realm"
    assert fault_of(right, issuer) is None
    wrong = [
        {"issuer": "https://login.example/"},
        {"issuer": None},
        {"token_endpoint": "http://login.example/t"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": "http://login.example/u"},
        {"id_token_signing_alg_values_supported": ["HS256", "none"]},
    ]
    assert [bool(fault_of(right | change, issuer)) for change in wrong] == [True] * len(wrong)


@pytest.mark.parametrize(
    "values",
    [
        {"OIDC_ISSUER": "https://login.example"},
        {"OIDC_ISSUER": "http://login.example", "OIDC_CLIENT_ID": "x"},
        {"OIDC_ISSUER": "https://user@login.example", "OIDC_CLIENT_ID": "x"},
        {"OIDC_ISSUER": "https://login.example/?a", "OIDC_CLIENT_ID": "x"},
        {"OIDC_ISSUER": "https://login.example", "OIDC_CLIENT_ID": "x", "OIDC_SCOPES": "profile"},
        {"OIDC_ALLOWED": "example.org"},
        {"OIDC_ROLES": "lab=owner"},
        {"OIDC_ROLES": "lab"},
        {"OIDC_ROLE": "admin"},
    ],
)
def test_invalid_settings_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(SettingError, match="OIDC_"):
        load_settings(values)


@pytest.mark.parametrize(
    ("claims", "userinfo", "expected"),
    [
        ({"email": "a@x"}, {"email": "a@x", "email_verified": True}, ("a@x", True)),
        ({"email": "a@x"}, {"email": "b@x", "email_verified": True}, ("a@x", None)),
        ({"email": "a@x"}, {"email_verified": True}, ("a@x", None)),
        ({"email_verified": True}, {"email": "b@x"}, ("b@x", None)),
        ({}, {"email": "b@x", "email_verified": True}, ("b@x", True)),
        ({"email": "a@x", "email_verified": True}, {"email": "b@x", "email_verified": False}, ("a@x", True)),
    ],
)
def test_verification_applies_to_the_address_it_came_with(
    claims: dict[str, Any], userinfo: dict[str, Any], expected: tuple[str, bool | None]
) -> None:
    both = with_id_token({"sub": "1"} | claims, {"sub": "1", "groups": ["lab"]} | userinfo)
    assert (both["email"], both.get("email_verified"), both["groups"]) == (*expected, ["lab"])


def test_an_expanding_name_leaves_space_for_a_number(app: APIFlask) -> None:
    """A character that normalizes to 18 letters, 60 times: a truncated number would make the search endless."""
    name = "\ufdfa" * 60
    with app.app_context(), writing() as session:
        keys = {add_account(session, unused_name(session, {"name": name}), "viewer", None).key for _ in range(3)}
    assert len(keys) == 3
    assert key_of(name) in keys


@pytest.fixture
def stored_settings(app: APIFlask) -> Iterator[None]:
    before = app.extensions["settings"]
    yield
    app.extensions["settings"] = before


@pytest.mark.usefixtures("stored_settings")
def test_losing_every_provider_role_ends_access(app: APIFlask) -> None:
    settings = {"OIDC_ALLOWED": ("*",), "OIDC_ROLE": "none", "OIDC_ROLE_CLAIM": "groups"}
    change_settings(app, **settings, OIDC_ROLES=(("admins", Role.ADMIN),))
    identities = app.extensions["services"].accounts.identities
    with app.app_context():
        admin, _secret = identities.log_in(Person("https://login.example", "1", {"name": "Ada", "groups": ["admins"]}))
        account_id = admin.account_id
        app.extensions["services"].accounts.tokens.create(admin, "script", "admin", None)
        with pytest.raises(NotAllowed):
            identities.log_in(Person("https://login.example", "1", {"name": "Ada", "groups": []}))
        assert db.session.get_one(Account, account_id, populate_existing=True).role == "viewer"
        for kind in (LoginSession, AccessToken):
            assert db.session.scalars(select(kind).where(kind.account_id == account_id)).all() == []
        again, _secret = identities.log_in(Person("https://login.example", "1", {"groups": ["admins"]}))
        assert (again.account_id, again.role) == (account_id, "admin")


@pytest.mark.usefixtures("stored_settings")
def test_an_old_provider_session_sets_no_password(app: APIFlask) -> None:
    """An unattended browser could otherwise create a login that outlives the provider's permission."""
    change_settings(app, OIDC_ALLOWED=("*",))
    accounts = app.extensions["services"].accounts
    with app.app_context():
        mine, secret = accounts.identities.log_in(Person("https://login.example", "2", {"name": "Ada"}))
        principal = of_session(secret)
        assert principal is not None
        (row,) = db.session.scalars(select(LoginSession).where(LoginSession.account_id == mine.account_id))
        with writing() as session:
            session.get_one(LoginSession, row.id).created_at = now() - timedelta(minutes=16)
        with pytest.raises(NotAllowed):
            accounts.people.choose_password(principal, None, PASSWORD)
        with writing() as session:
            session.get_one(LoginSession, row.id).created_at = now() - timedelta(minutes=14)
        accounts.people.choose_password(principal, None, PASSWORD)
