"""The figures of the machine reach the members of the room, in both async modes: they are measured in a real thread."""

from scripts.local_server import Server
from tests.live import Listener


def test_the_system_room(server: Server) -> None:
    with Listener(server.url) as viewer, Listener(server.url) as other:
        assert viewer.ask("join_system", {})["ok"]
        first = viewer.wait("system_update")
        assert first["network"]["connections"] == 2
        assert first["processes"][0]["program"] == "web"
        assert other.received == []
    with Listener(server.url) as returned:
        answer = returned.ask("join_system", {})
        assert answer["uptime"] >= first["uptime"]
        assert returned.wait("system_update")["uptime"] > answer["uptime"]
