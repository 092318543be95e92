"""The wiki against the code: addresses, responses, commands, kinds of jobs, settings, limits and links."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask
from babel.messages.catalog import Catalog
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect

from app.config import SETTINGS
from app.core.readings import QUESTIONS
from app.limits import JOINS_RATE, OF_MODE
from app.routes.live import HANDLERS
from app.schemas import JobOut
from app.schemas.jobs import STATUSES
from app.sockets import EVENTS, EVENTS_RATE, MOST_ROOMS, PAGE_JOINS, PAGE_JOINS_RATE
from scripts.client.yolo_client.cli import arguments
from scripts.i18n import ROOT, present
from tests.routes.test_training_actions import TABLE

PAGES = sorted((ROOT / "wiki").glob("*.md"))
DOCUMENTS = [*PAGES, ROOT / "README.md", ROOT / "scripts" / "client" / "README.md"]
METHODS = "GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS"


def text_of(name: str) -> str:
    return (ROOT / "wiki" / f"{name}.md").read_text(encoding="utf-8")


def one_line(path: Path) -> str:
    """Without line breaks, and with continued command lines joined."""
    return " ".join(path.read_text(encoding="utf-8").replace("\\\n", " ").split())


def requests_of(path: Path) -> Iterator[tuple[str, str]]:
    """(method, address) of each request in the text: `POST /api/x` and curl's command lines."""
    text = one_line(path)
    for methods, address in re.findall(rf"\b((?:{METHODS})(?:, (?:{METHODS}))*) (/[a-z][^\s`|)?,;\"…]*)", text):
        yield from ((method, address.rstrip(".:")) for method in methods.split(", "))
    for command in re.findall(r"\$ (curl .*?)(?= \$ | ```| \{\"|$)", text):
        match = re.search(r"\$URL(/[^\s?\"']*)", command)
        method = re.search(rf"-X ({METHODS})", command)
        if match:
            posts = re.search(r" -(?:d|F) ", command)
            yield method[1] if method else "POST" if posts else "GET", match[1]


def concrete(address: str) -> str:
    """An address that a client could request: `{id}` and `<id>` become numbers, `…` ends an example upload id."""
    return re.sub(r"\{\w+\}|<\w+>", "1", address.replace("…", ""))


def test_every_address_is_a_route(idle_app: APIFlask) -> None:
    routes, wrong = idle_app.url_map.bind("localhost"), []
    for page, method, address in ((path.name, *item) for path in DOCUMENTS for item in requests_of(path)):
        try:
            routes.match(concrete(address), method)
        except RequestRedirect:
            pass
        except (NotFound, MethodNotAllowed) as error:
            wrong.append(f"{page}: {method} {address}: {error.name}")
    assert wrong == []


def test_the_pattern_matches_addresses() -> None:
    """Otherwise the test above would pass for any text."""
    addresses = set(requests_of(ROOT / "wiki" / "API-de-Treinamentos.md"))
    assert {
        ("POST", "/api/trainings/2/pause"),
        ("GET", "/api/trainings/{id}/verdict"),
        ("PUT", "/api/trainings/queue"),
    } <= addresses
    assert len(addresses) > 30


def pattern(text: str) -> str:
    """A regular expression for a text of the catalogue with its placeholders filled."""
    return ".+?".join(map(re.escape, re.split(r"%\(\w+\)s", text.replace("%%", "%"))))


@pytest.fixture(scope="module")
def messages() -> re.Pattern[str]:
    """A pattern of all the server's messages in Portuguese."""
    catalogue: Catalog = present()
    texts = [
        text
        for message in catalogue
        if message.id
        for text in (message.string if message.pluralizable else (message.string,))
    ]
    return re.compile("|".join(f"(?:{pattern(text)})" for text in sorted(texts, key=len, reverse=True)))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_quoted_responses_match_the_server(messages: re.Pattern[str], path: Path) -> None:
    answers = re.findall(r'"(?:message|title|detail)":"((?:[^"\\]|\\.)+)"', one_line(path))
    assert [answer for answer in answers if answer != "…" and not messages.fullmatch(answer)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_client_accepts_its_documented_commands(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = re.findall(r"^(?:\$ )?(?:\.venv/bin/python -m scripts\.client|yolo-client) (.+)$", path.read_text(), re.M)
    for line in lines:
        monkeypatch.setattr("sys.argv", ["yolo-client", *shlex.split(line, comments=True)])
        if "--help" not in line:
            arguments()


def test_the_page_of_jobs_has_every_kind_state_and_field(idle_app: APIFlask) -> None:
    page, services = text_of("API-de-Jobs"), idle_app.extensions["services"]
    kinds = re.findall(r"^\| `(\w+)` \|", page, re.M)[1:]  # without the table's head
    assert sorted(kinds) == services.jobs.kinds.names()
    described = str(JobOut().fields["kind"].metadata["description"])
    assert sorted(described.split(", ")) == services.jobs.kinds.names()
    states = re.search(r"^`status`: (.+?)\.$", page, re.M)
    assert states
    assert tuple(re.findall(r"`(\w+)`", states[1])) == STATUSES
    fields = re.search(r"um trabalho: `([^`]+)`", page)
    assert fields
    assert re.findall(r"(\w+)(?: \{[^}]*\})?(?:, |$)", fields[1]) == list(JobOut().fields)


def test_the_table_of_actions_is_that_of_the_code() -> None:
    """The states in which an action is refused."""
    rows = re.findall(
        r"^\| (`(?:stop|pause|resume|retry|extend|clone|DELETE)`.*?) \|$", text_of("API-de-Treinamentos"), re.M
    )
    assert len(rows) == 7
    for row in rows:
        name, *cells = row.split(" | ")
        action = re.findall(r"`(\w+)`", name)[0].lower()
        assert [cell == "–" for cell in cells] == [status == 409 for status in TABLE[action][:6]], action


def test_the_settings_that_are_named_exist() -> None:
    settings = {setting.name for setting in SETTINGS} | EXTERNAL_SETTINGS
    named = {
        (path.name, name) for path in DOCUMENTS for name in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)\b", path.read_text())
    }
    assert {(page, name) for page, name in named if name not in settings} == set()


EXTERNAL_SETTINGS = {
    "AWS_REQUEST_CHECKSUM_CALCULATION",
    "POSTGRES_PASSWORD",
    "HF_HOME",
    "HF_TOKEN",
    "OMP_NUM_THREADS",
    "YOLO_TOKEN",
    "YOLO_URL",
}


def test_socket_events_that_are_named_exist() -> None:
    named = {event for path in DOCUMENTS for event in re.findall(r"\b((?:join|leave)_[a-z]+)\b", path.read_text())}
    assert named <= set(HANDLERS), named - set(HANDLERS)


def test_the_limits_of_waiting_are_those_of_the_code() -> None:
    page = text_of("Implantacao")
    for kind, row in {
        "websockets": r"no máximo {} \(`eventlet`: {}\), depois 503; um que não responde",
        "socket_polls": r"Socket\.IO por \*polling\* \| no máximo {} \(`eventlet`: {}\)",
        "long_polls": r"espera por eventos.*no máximo {} ao mesmo tempo \(`eventlet`: {}\)",
        "downloads": r"no máximo {} grandes ao mesmo tempo \(`eventlet`: {}\)",
    }.items():
        assert re.search(row.format(OF_MODE["threading"][kind], OF_MODE["eventlet"][kind]), page), kind
    assert (
        f"{EVENTS} seguidas, depois {EVENTS_RATE:.0f} por segundo (`status` 429); no máximo {MOST_ROOMS} salas" in page
    )
    each, shared = (
        f"{PAGE_JOINS} seguidas, depois uma a cada {1 / PAGE_JOINS_RATE:.0f} s",
        f"{JOINS_RATE:.0f} por segundo",
    )
    assert f"{each}, e o que passa disso divide {shared} com todas as conexões" in page


def test_the_page_of_formats_has_every_reading() -> None:
    page = text_of("Formatos-de-Dataset")
    table = page[page.index("| Pergunta | Leituras |") :].split("\n\n")[0]
    rows = [re.findall(r"`(\w+)`", row.rsplit("|", 2)[1]) for row in table.splitlines()[2:]]
    assert [tuple(row) for row in rows] == list(QUESTIONS.values())


@pytest.mark.parametrize("path", [*PAGES, ROOT / "README.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert [target for target in local if not (path.parent / target).exists()] == []


def test_the_first_page_links_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w-]+)\.md", text_of("Home")))
    assert {path.stem for path in PAGES} - linked == {"Home"}
