"""Dagster's pages behind the sign-in: who reaches its webserver, and what of a request and an answer gets through."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as open_websocket
from websockets.typing import Origin, Subprotocol

from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.serving.accounts import sessions, users
from gamestats_assets_tests.serving.served import served

MUTATION = 'mutation{deleteRun(runId:"a"){__typename}}'


@dataclass
class Webserver:
    """What stands in for Dagster's webserver: does what it is asked by anybody, and remembers it."""

    place: Path
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)

    async def answer(self, request: Request) -> Response:
        """Answer anything, in two parts where the path says so."""
        target = request.scope["raw_path"].decode() + "?" + request.scope["query_string"].decode()
        self.asked.append((request.method, target, dict(request.headers), await request.body()))

        async def parts() -> Any:
            yield b"first"
            await asyncio.to_thread(self.go_on.wait, 20)
            yield b"second"

        if request.url.path.endswith("slow"):
            return StreamingResponse(parts(), headers={"Content-Type": "text/plain"})
        given = {"Set-Cookie": "theirs=1", "Content-Security-Policy": "script-src 'nonce-1'", "X-Theirs": "kept"}
        return Response(b"page", 201, {**given, "Connection": "X-Hop", "X-Hop": "1"})

    async def talk(self, socket: WebSocket) -> None:
        """Say everything again, and end when told to."""
        await socket.accept("graphql-ws")
        self.asked.append(("WEBSOCKET", socket.url.path, dict(socket.headers), b""))
        try:
            while (said := await socket.receive_text()) != "end":
                await socket.send_text(f"again: {said}")
            await socket.send_bytes(b"\x00\xff")
        except WebSocketDisconnect:
            self.asked.append(("GONE", "", {}, b""))


@pytest.fixture
def webserver() -> Iterator[Webserver]:
    with tempfile.TemporaryDirectory(prefix="gs-") as folder:
        found = Webserver(Path(folder, "socket"))
        methods = ["GET", "POST", "PUT", "DELETE"]
        routes = [Route("/{p:path}", found.answer, methods=methods), WebSocketRoute("/{p:path}", found.talk)]
        server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), uds=str(found.place), log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield found
        found.go_on.set()
        server.should_exit = True
        thread.join()


@contextmanager
def asked_by(url: str, place: Path | None, role: str | None = "admin") -> Iterator[httpx.Client]:
    """A client with the cookie of a new user in a role; of nobody without one."""
    with served(url, dagster_socket=place) as client:
        client.headers["Origin"] = str(client.base_url).rstrip("/")
        if role is not None:
            with connect(url) as conn:
                row = users.add_user(conn, "test", f"a {role}")
                if role != "user":
                    users.give_role(conn, "test", row, role)
                client.cookies.set("gamestats_session", sessions.begin_session(conn, row["user_id"], "a test"))
        yield client


def websocket(client: httpx.Client, **headers: str) -> Any:
    """A WebSocket with the cookie of a client, as one of its pages opens it, unless other headers are given."""
    given = {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items()), **headers}
    origin = given.pop("Origin", client.headers["Origin"])
    address = str(client.base_url.copy_with(scheme="ws", path="/dagster/graphql"))
    return open_websocket(
        address,
        origin=Origin(origin) if origin else None,
        additional_headers={name: value for name, value in given.items() if value},
        subprotocols=[Subprotocol("graphql-ws")],
        open_timeout=10,
        max_size=None,
    )


@pytest.mark.parametrize(("role", "status"), [(None, 401), ("user", 403), ("tournament_admin", 403)])
def test_only_admins_reach_dagster(ops_database: str, webserver: Webserver, role: str | None, status: int) -> None:
    with asked_by(ops_database, webserver.place, role) as client:
        for method, path in (("GET", ""), ("GET", "server_info"), ("POST", "graphql"), ("GET", "js/main.js")):
            assert client.request(method, f"/dagster/{path}").status_code == status
        with pytest.raises(InvalidStatus):
            websocket(client)
    assert webserver.asked == []


def test_headers_of_ours_do_not_pass_in_either_direction(ops_database: str, webserver: Webserver) -> None:
    with asked_by(ops_database, webserver.place) as client:
        ours = {"X-Request-Id": "abcdefgh-1", "X-Forwarded-For": "1.2.3.4", "Connection": "keep-alive, X-Drop"}
        answer = client.post("/dagster/a%2Fb%20c?q=%26&r", content=b"body", headers={**ours, "X-Drop": "1"})
        ((method, target, headers, body),) = webserver.asked
        assert (method, target, body) == ("POST", "/dagster/a%2Fb%20c?q=%26&r", b"body")
        assert headers["x-request-id"] == "abcdefgh-1"
        assert headers["host"] == client.base_url.netloc.decode()
        assert not {"cookie", "x-forwarded-for", "x-drop"} & {*headers}
        assert (answer.status_code, answer.content, answer.headers["x-theirs"]) == (201, b"page", "kept")
        assert answer.headers["x-request-id"] == "abcdefgh-1"
        assert answer.headers["content-security-policy"] == "script-src 'nonce-1'; frame-ancestors 'none'"
        assert answer.headers["x-frame-options"] == "DENY"
        assert not {"set-cookie", "x-hop"} & {*answer.headers}
        assert len(answer.headers.get_list("date")) == 1

        with client.stream("GET", "/dagster/slow") as streamed:
            parts = streamed.iter_raw()
            assert next(parts) == b"first"
            webserver.go_on.set()
            assert b"".join(parts) == b"second"


def test_live_updates_get_through_both_ways(ops_database: str, webserver: Webserver) -> None:
    with asked_by(ops_database, webserver.place) as client:
        with websocket(client) as socket:
            assert socket.subprotocol == "graphql-ws"
            for said in ("one", "x" * 2_000_000):
                socket.send(said)
                assert socket.recv(10) == f"again: {said}"
            socket.send("end")
            assert socket.recv(10) == b"\x00\xff"
            with pytest.raises(ConnectionClosed):
                socket.recv(10)
        ((_, path, headers, _),) = webserver.asked
        assert path == "/dagster/graphql"
        assert "cookie" not in headers
        websocket(client).close()
        deadline = time.monotonic() + 10
        while webserver.asked[-1][0] != "GONE":
            assert time.monotonic() < deadline


def test_no_other_page_makes_an_admin_s_browser_change_anything(ops_database: str, webserver: Webserver) -> None:
    with asked_by(ops_database, webserver.place) as client:
        port = client.base_url.port
        plain = {"Content-Type": "text/plain"}
        others = ("https://evil.example.com", f"http://evil.example.com:{port}", "null", f"http://127.0.0.1:{port}0")
        for origin in others:
            refused = client.post("/dagster/graphql", content=MUTATION, headers={**plain, "Origin": origin})
            assert refused.status_code == 403, origin
            with pytest.raises(InvalidStatus):
                websocket(client, Origin=origin)
        del client.headers["Origin"]
        assert client.post("/dagster/graphql", content=MUTATION, headers=plain).status_code == 403
        client.headers["Origin"] = f"http://evil.example.com:{port}"
        # A page whose name was bound anew asks by that name, and is of that origin.
        rebound = {"Host": f"evil.example.com:{port}"}
        for method in ("GET", "POST"):
            assert client.request(method, "/dagster/graphql", headers=rebound).status_code == 421
        with pytest.raises(InvalidStatus):
            websocket(client, Host=rebound["Host"])
        # An address or a picture asks by GET, from anywhere.
        for path in ("graphql", "graphql/", "%67raphql", "/graphql", "./graphql"):
            answer = client.get(f"/dagster/{path}", params={"query": MUTATION})
            assert answer.status_code in (404, 405), path
    assert webserver.asked == []


def test_without_dagster_it_is_said_that_it_does_not_run(ops_database: str, tmp_path: Path) -> None:
    for place in (None, tmp_path / "none"):
        with asked_by(ops_database, place, "admin") as client:
            answer = client.get("/dagster/")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert "gamestats up" in answer.json()["detail"]
            with pytest.raises(InvalidStatus):
                websocket(client)
        with connect(ops_database) as conn:
            users.remove_user(conn, "test", users.find_user(conn, "a admin"), even_the_last=True)
