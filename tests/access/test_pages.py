"""Pages by role: no button for an action that would be refused."""

import re
from collections.abc import Callable

from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import writing
from app.models import Dataset, Training
from tests.access.conftest import Headers

NEEDS = re.compile(r'data-needs="(\w+)"')
ROOT = re.compile(r'<html[^>]* data-role="(\w+)" data-account="(\d*)"')


def test_each_page_knows_its_reader(app: APIFlask, headers: Headers, log_in: Callable[[str], FlaskClient]) -> None:
    client = app.test_client()
    me = {name: client.get("/api/me", headers=headers[name]).json["id"] for name in ("trainer", "another")}
    with app.app_context(), writing() as session:
        dataset = Dataset(name="d", path="p", created_by=me["trainer"])
        session.add(dataset)
        session.flush()
        training = Training(name="t", dataset_id=dataset.id, model_version="n", created_by=me["another"])
        session.add(training)
        session.flush()
        paths = [f"/datasets/{dataset.id}", f"/trainings/{training.id}"]

    def owned(name: str) -> list[str]:
        pages = [client.get(path, headers=headers[name] | {"Accept": "text/html"}).text for path in paths]
        return [re.search(r'data-owned="(\w+)"', page)[1] for page in pages]

    assert owned("trainer") == ["trainer", "admin"]
    assert owned("another") == ["admin", "trainer"]
    assert owned("viewer") == ["admin", "admin"]
    page = client.get(paths[0], headers=headers["viewer"]).text
    assert ROOT.search(page)[1] == "viewer"
    for name in ("data-rename", "data-delete"):
        assert re.search(rf'{name} data-needs="admin"', page)
    browser = log_in("trainer")
    assert ROOT.search(browser.get("/datasets").text).groups() == ("trainer", str(me["trainer"]))
    assert ROOT.search(client.get("/datasets", headers=headers["owner"]).text).groups() == ("admin", "")


def test_what_starts_work_is_marked_on_each_page(app: APIFlask, headers: Headers) -> None:
    client, sent = app.test_client(), headers["viewer"]
    for path in ("/", "/datasets", "/trainings", "/trainings/new", "/tests"):
        page = client.get(path, headers=sent)
        assert page.status_code == 200
        assert "trainer" in NEEDS.findall(page.text), path


def test_a_refusal_names_roles_as_the_pages_do(app: APIFlask, headers: Headers) -> None:
    client = app.test_client()
    refused = client.get("/api/audit", headers=headers["trainer"] | {"Accept-Language": "pt-BR"})
    assert refused.json["detail"] == "Isto exige o perfil de acesso “Administrador”. O seu é “Treinador”."
