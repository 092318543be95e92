"""Changing one's password, and revoking invitations."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import writing
from app.models import Invitation
from app.models.base import now
from tests.access.conftest import OURS, PASSWORD, Headers
from tests.data import change_settings

LogIn = Callable[[str], FlaskClient]
NEW_PASSWORD = "battery staple"


def login(app: APIFlask, password: str, name: str = "viewer") -> int:
    return app.test_client().post("/api/login", json={"name": name, "password": password}).status_code


def test_a_new_password_ends_the_other_sessions(app: APIFlask, headers: Headers, log_in: LogIn) -> None:
    mine, second_session = log_in("viewer"), log_in("viewer")
    path, form = "/api/me/password", {"current": PASSWORD, "password": NEW_PASSWORD}
    assert mine.put(path, json=form | {"current": "wrong"}, headers=OURS).json["errors"][0]["field"] == "current"
    assert mine.put(path, json={"password": NEW_PASSWORD}, headers=OURS).status_code == 422
    assert mine.put(path, json=form).status_code == 403  # not a page of ours
    assert mine.put(path, json=form, headers=OURS).status_code == 200
    assert [browser.get("/api/me").status_code for browser in (mine, second_session)] == [200, 401]
    assert app.test_client().get("/api/me", headers=headers["viewer"]).status_code == 200  # a token remains valid
    assert [login(app, PASSWORD), login(app, NEW_PASSWORD)] == [401, 200]
    back = {"current": NEW_PASSWORD, "password": PASSWORD}
    assert app.test_client().put(path, json=back, headers=headers["viewer"]).status_code == 200
    assert app.test_client().put(path, json=back, headers=headers["owner"]).status_code == 404


def test_guesses_of_the_current_password_are_limited(app: APIFlask, log_in: LogIn) -> None:
    browser, before = log_in("another"), app.extensions["settings"]
    change_settings(app, RATELIMIT_PASSWORDS="2 per hour")
    try:
        form = {"current": "wrong", "password": NEW_PASSWORD}
        answers = [browser.put("/api/me/password", json=form, headers=OURS).status_code for _ in range(3)]
        assert answers == [422, 422, 429]
    finally:
        app.extensions["settings"] = before


def test_a_link_login_sets_the_first_password_and_a_token_does_not(app: APIFlask, headers: Headers) -> None:
    path, admin = "/api/me/password", headers["admin"]
    invitation = app.test_client().post("/api/invitations", json={"role": "viewer"}, headers=admin).json
    browser = app.test_client()
    form = {"invitation": invitation["path"].partition("=")[2], "name": "Lin"}
    assert browser.post("/api/login", json=form).status_code == 200
    token = browser.post("/api/tokens", json={"name": "x", "role": "viewer"}, headers=OURS).json["token"]
    by_token = app.test_client().put(
        path, json={"password": NEW_PASSWORD}, headers={"Authorization": f"Bearer {token}"}
    )
    assert by_token.status_code == 403
    assert "data-password" in browser.get("/account").text
    assert browser.put(path, json={"password": NEW_PASSWORD}, headers=OURS).status_code == 200
    assert login(app, NEW_PASSWORD, "Lin") == 200


def test_invitations_are_listed_and_revoked(app: APIFlask, headers: Headers) -> None:
    client, admin = app.test_client(), headers["admin"]
    invitations = [
        client.post("/api/invitations", json={"role": role}, headers=admin).json for role in ("viewer", "trainer")
    ]

    def listed() -> list[tuple[int, str]]:
        answer = client.get("/api/invitations", headers=admin)
        assert not [item for item in invitations if item["path"].partition("=")[2] in answer.text]
        return [(item["invitation_id"], item["role"]) for item in answer.json["invitations"]]

    assert listed()[:2] == [(invitations[1]["invitation_id"], "trainer"), (invitations[0]["invitation_id"], "viewer")]
    path = f"/api/invitations/{invitations[0]['invitation_id']}"
    assert [client.delete(path, headers=admin).status_code for _ in range(2)] == [200, 404]
    assert invitations[0]["invitation_id"] not in dict(listed())
    form = {"name": "Kim", "password": NEW_PASSWORD}
    used = [
        app.test_client().post("/api/login", json=form | {"invitation": item["path"].partition("=")[2]}).status_code
        for item in invitations
    ]
    assert used == [401, 200]
    assert invitations[1]["invitation_id"] not in dict(listed())  # used


def test_an_invitation_says_before_its_form_why_it_cannot_be_used(app: APIFlask, headers: Headers) -> None:
    """Earlier, the form was shown first, and refused once it was filled in."""
    client = app.test_client()

    def check(secret: str) -> tuple[int, str]:
        answer = app.test_client().post(
            "/api/invitations/check", json={"invitation": secret}, headers={"Accept-Language": "en"}
        )
        return answer.status_code, answer.json.get("detail") or answer.json["role"]

    rows = [client.post("/api/invitations", json={"role": "trainer"}, headers=headers["admin"]).json for _ in range(3)]
    used, expired, revoked = (row["path"].partition("=")[2] for row in rows)
    assert check(used) == (200, "trainer")
    assert check(used) == (200, "trainer"), "a look does not use it"
    form = {"invitation": used, "name": "Noa", "password": NEW_PASSWORD}
    assert app.test_client().post("/api/login", json=form).status_code == 200
    with app.app_context(), writing() as session:
        session.get_one(Invitation, rows[1]["invitation_id"]).expires_at = now() - timedelta(seconds=1)
    client.delete(f"/api/invitations/{rows[2]['invitation_id']}", headers=headers["admin"])
    answers = [check(secret) for secret in (used, expired, revoked)]
    assert [status for status, _detail in answers] == [401, 401, 401]
    assert "was used already" in answers[0][1]
    assert answers[1][1] == "This invitation has expired. Ask an admin for a new one."
    assert "was revoked" in answers[2][1]
    english = {"Accept-Language": "en"}
    refused = app.test_client().post("/api/login", json=form | {"name": "Nova"}, headers=english)
    assert refused.json["detail"] == answers[0][1], "the same as on sending"


@pytest.mark.parametrize("name", ["viewer", "trainer"])
def test_only_admins_manage_invitations(app: APIFlask, headers: Headers, name: str) -> None:
    client = app.test_client()
    assert client.get("/api/invitations", headers=headers[name]).status_code == 403
    assert client.delete("/api/invitations/1", headers=headers[name]).status_code == 403
