"""The owner's login from another machine, and what AUTH=off refuses."""

import os
import re
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from apiflask import APIFlask
from sqlalchemy import select, update

from app.access.secrets import OWNER_FILE, digest
from app.config import ROOT, SettingError, load_settings, settings
from app.database import writing
from app.extensions import db
from app.models import Invitation
from app.models.base import now
from app.services import services
from tests.access.conftest import Headers

LINK = re.compile(r"http://(\S+)/login#link=(ytp_\S+)")
AT = {"REMOTE_ADDR": "10.4.0.1"}


def use(app: APIFlask, secret: str) -> int:
    return app.test_client().post("/api/login", json={"link": secret}, environ_base=AT).status_code


def test_make_link_prints_a_link_that_works_once(app: APIFlask) -> None:
    """In another process than the server's, on its folders."""
    config = settings(app)
    environment = os.environ | {
        "INSTANCE_PATH": str(config.INSTANCE_PATH),
        "DATABASE_URL": config.DATABASE_URL,
        "DATA_ROOT": str(config.DATA_ROOT),
        "LOG_DIR": str(config.LOG_DIR),
    }
    completed = subprocess.run(
        [sys.executable, "-m", "app.link"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280
    )
    assert completed.returncode == 0, completed.stderr
    link = LINK.fullmatch(completed.stdout.strip())
    assert link, completed.stdout
    hint = f"  Through a proxy or a tunnel: its address in place of http://{link[1]}.\n"
    assert completed.stderr == hint, "and no warning of a library"
    browser = app.test_client()
    answer = browser.post("/api/login", json={"link": link[2]}, environ_base=AT)
    assert (answer.status_code, answer.json["role"], answer.json["name"]) == (200, "admin", None)
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert browser.get("/api/me").json["via"] == "session"
    assert use(app, link[2]) == 401, "it worked once"
    logs = "".join(path.read_text() for path in config.LOG_DIR.glob("*.log*"))
    assert link[2] not in logs


def test_make_link_is_that_command() -> None:
    printed = subprocess.run(["make", "--dry-run", "link"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "python -m app.link" in printed.stdout


def test_a_link_expires_after_15_minutes(app: APIFlask) -> None:
    with app.app_context():
        secret = services().accounts.invitations.for_owner()
        mine = Invitation.digest == digest(secret)
        remaining = db.session.scalar(select(Invitation.expires_at).where(mine)) - now()
        assert timedelta(minutes=10) < remaining <= timedelta(minutes=15)
        with writing() as session:
            session.execute(update(Invitation).where(mine).values(expires_at=now() - timedelta(seconds=1)))
    assert use(app, secret) == 401


def test_an_invitation_is_no_owner_login_for_the_owner(app: APIFlask) -> None:
    with app.app_context():
        _row, secret = services().accounts.invitations.invite("viewer")
        owners = services().accounts.invitations.for_owner()
    assert use(app, secret) == 401
    form = {"invitation": owners, "name": "Somebody", "password": "long enough"}
    assert app.test_client().post("/api/login", json=form, environ_base=AT).status_code == 401
    assert use(app, owners) == 200, "and both are still open"


@pytest.mark.parametrize("end", [{"role": "viewer"}, {"active": False}, None], ids=str)
def test_invitations_end_with_an_admin(app: APIFlask, headers: Headers, end: dict[str, object] | None) -> None:
    """An admin could otherwise return through an invitation created before the removal."""
    client, owner = app.test_client(), headers["owner"]
    form = {"name": f"Boss {end}", "role": "admin", "password": "long enough"}
    path = f"/api/users/{client.post('/api/users', json=form, headers=owner).json['id']}"
    with app.app_context():
        _row, secret = services().accounts.invitations.invite("admin")
    ended = client.patch(path, json=end, headers=owner) if end else client.delete(path, headers=owner)
    assert ended.status_code == 200, ended.text
    form = {"invitation": secret, "name": "Boss again", "password": "long enough"}
    assert app.test_client().post("/api/login", json=form, environ_base=AT).status_code == 401


def test_a_new_secret_of_the_owner_ends_the_sessions_of_the_old_one(app: APIFlask) -> None:
    path = settings(app).INSTANCE_PATH / OWNER_FILE
    old, browser = path.read_text(), app.test_client()
    assert browser.post("/api/login", json={"token": old.strip()}, environ_base=AT).status_code == 200
    owner_login, config = services_of(app).accounts.owner_login, replace(settings(app), AUTH="required")
    with app.app_context():
        owner_login.announce(config)
        assert browser.get("/api/me").status_code == 200
        path.unlink()
        owner_login.announce(config)
        path.write_text(old)
    assert browser.get("/api/me").status_code == 401


def test_a_start_prints_a_link_where_one_is_needed(app: APIFlask, capsys: pytest.CaptureFixture[str]) -> None:
    owner_login = services_of(app).accounts.owner_login
    config = replace(settings(app), AUTH="auto", HOST="127.0.0.1")
    printed = {}
    with app.app_context():
        for name, changed in {
            "own machine": config,
            "network": replace(config, HOST="0.0.0.0"),
            "required": replace(config, AUTH="required"),
            "off": replace(config, AUTH="off"),
        }.items():
            owner_login.announce(changed)
            printed[name] = bool(LINK.search(capsys.readouterr().err))
    assert printed == {"own machine": False, "network": True, "required": True, "off": False}


def test_the_link_explains_access_from_another_machine(app: APIFlask) -> None:
    """A GPU machine has no browser, and localhost is another machine there."""
    owner_login = services_of(app).accounts.owner_login
    config = replace(settings(app), AUTH="auto")
    with app.app_context():
        assert "in place of localhost" in owner_login.announcement(replace(config, HOST="0.0.0.0"))
        assert "in place of" not in owner_login.announcement(replace(config, HOST="192.168.1.5"))
        behind_proxy = owner_login.announcement(replace(config, AUTH="required", HOST="127.0.0.1", PORT=5001))
        assert "its address in place of http://127.0.0.1:5001." in behind_proxy


def services_of(app: APIFlask):
    return app.extensions["services"]


def test_the_owner_secret_is_private(app: APIFlask) -> None:
    path = settings(app).INSTANCE_PATH / OWNER_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with app.app_context():
        tables = "".join(str(list(db.session.execute(select(table)))) for table in db.metadata.sorted_tables)
    assert path.read_text().strip() not in tables


OPEN = {"AUTH": "off"}
ACKNOWLEDGED = {"AUTH_OFF_FOR_EVERYBODY_ON_THE_NETWORK": "True"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "10.0.0.1"])
def test_auth_off_requires_loopback_or_an_acknowledgement(host: str) -> None:
    with pytest.raises(SettingError, match="AUTH_OFF_FOR_EVERYBODY_ON_THE_NETWORK=True"):
        load_settings(OPEN | {"HOST": host})
    assert load_settings(OPEN | ACKNOWLEDGED | {"HOST": host}).AUTH == "off"
    assert host == load_settings({"AUTH": "auto", "HOST": host}).HOST


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_auth_off_is_allowed_on_loopback(host: str) -> None:
    assert load_settings(OPEN | {"HOST": host}).AUTH == "off"


def test_a_server_with_auth_off_in_a_network_does_not_start() -> None:
    completed = subprocess.run(
        [sys.executable, "run.py"],
        cwd=ROOT,
        env=os.environ | OPEN | {"HOST": "0.0.0.0"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert completed.returncode != 0
    assert "AUTH_OFF_FOR_EVERYBODY_ON_THE_NETWORK=True" in completed.stderr
    assert "Traceback" not in completed.stderr
