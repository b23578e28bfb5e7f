"""Clients that are slow, or that go away."""

import asyncio
import gc
import os
import resource
import socket
import threading
import time
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

import sigseek
from sigseek.web import security, server
from sigseek.web.app import make_app
from sigseek.web.events import MOST_LISTENERS
from sigseek.web.settings import Settings
from tests.photos import save
from tests.served import listening


@pytest.fixture
def web(mini_library: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A client of a server that waits for the head of a request for half a second."""
    monkeypatch.setattr(server, "_HEAD_SECONDS", 0.5)
    with (
        sigseek.open(mini_library, model="mini", precision="fp32", device="cpu") as library,
        listening(library) as client,
    ):
        yield client


def connected(web: httpx.Client) -> socket.socket:
    assert web.base_url.port
    return socket.create_connection((web.base_url.host, web.base_url.port), timeout=30)


@pytest.mark.parametrize(
    "sent", [b"", b"GET /api/v1/health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "]
)
def test_a_head_that_never_ends_is_not_waited_for(web: httpx.Client, sent: bytes) -> None:
    with connected(web) as slow:
        slow.sendall(sent)
        assert slow.recv(1000) == b""  # the server has closed the connection
    assert web.get("health/live").json() == {"live": True}


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
def test_a_body_that_never_ends_is_not_waited_for(
    web: httpx.Client, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(security, "SECONDS", 0.5)
    monkeypatch.setattr(security, "FORM_SECONDS", 0.5)
    for path in ("tags", "zip", "classify", "uploads"):
        with connected(web) as slow:
            head = (
                f"POST /api/v1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Sigseek: 1\r\n"
                f"Content-Type: {kind}\r\nContent-Length: 100\r\n\r\n-"
            )
            slow.sendall(head.encode())
            if path == "uploads" and kind == "application/json":
                # It needs no body to be refused, and its connection is kept for a while.
                assert slow.recv(1000).startswith(b"HTTP/1.1 415")
            else:
                answer = b"".join(iter(lambda: slow.recv(1000), b""))
                assert answer.startswith(b"HTTP/1.1 408")
                assert b'"kind": "unavailable"' in answer
    assert web.get("health/live").json() == {"live": True}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_whoever_reads_slowly_keeps_no_turn(
    mini_library: Path, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    monkeypatch.setattr("sigseek.web.app.MOST_SEARCHING", 1)
    with sigseek.open(mini_library, model="mini", precision="fp32", device="cpu") as library:
        app = make_app(library, Settings())
        reads_on = asyncio.Event()

        async def ask(waits: asyncio.Event | None) -> list[int]:
            """Ask the app for all photos, and take nothing of the answer before `waits`."""
            statuses: list[int] = []

            async def receive() -> dict[str, object]:
                await asyncio.Event().wait()  # it never goes away
                return {"type": "http.disconnect"}

            async def send(message: MutableMapping[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])
                elif waits:
                    await waits.wait()

            await app(LAYOUT | {"app": app}, receive, send)
            return statuses

        slow = asyncio.create_task(ask(reads_on))
        await asyncio.sleep(0.5)
        assert await asyncio.wait_for(ask(None), 30) == [200]
        assert not slow.done()
        reads_on.set()
        assert await slow == [200]


def test_thumbnails_that_take_long_keep_no_search_waiting(
    mini_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    thumbnail = sigseek.Library.thumbnail

    def slow(library: sigseek.Library, photo: int, size: int) -> Any:
        assert go_on.wait(60)
        return thumbnail(library, photo, size)

    monkeypatch.setattr(sigseek.Library, "thumbnail", slow)
    with (
        sigseek.open(mini_library, model="mini", precision="fp32", device="cpu") as library,
        listening(library) as client,
        ThreadPoolExecutor(60) as pool,
    ):
        asked = [pool.submit(client.get, f"photos/{n % 40 + 1}/thumbnail") for n in range(60)]
        time.sleep(1)
        assert client.get("search", params={"q": "a house"}, timeout=20).json()["matches"] == 4
        go_on.set()
        assert {future.result().status_code for future in asked} == {200}


LAYOUT = {
    "type": "http",
    "method": "GET",
    "path": "/api/v1/search/layout",
    "query_string": b"",
    "headers": [(b"host", b"127.0.0.1")],
    "client": ("127.0.0.1", 50_000),
    "scheme": "http",
    "http_version": "1.1",
}
"""What the server tells the app of a request for all photos."""


def test_a_head_that_is_too_large_is_refused(web: httpx.Client) -> None:
    refused = web.get("health/live", headers={"X-Large": "x" * 40_000})
    assert (refused.status_code, refused.json()["kind"]) == (431, "too large")
    refused = web.get("search", params={"q": "x" * 40_000})
    assert refused.status_code == 431
    assert web.get("health/live").status_code == 200


@pytest.mark.parametrize("connections", [1_500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_connections_that_are_dropped_harm_nobody(web: httpx.Client, connections: int) -> None:
    for number in range(connections):
        with connected(web) as dropped:
            if number % 100 == 0:
                dropped.sendall(b"GET /api/v1/search?q=a+house HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert web.get("search", params={"q": "a house"}).json()["matches"] == 4


@pytest.fixture
def many_files(mini_library: Path) -> Iterator[httpx.Client]:
    """A client of a server, and leave to open as many connections as `sigseek serve` may."""
    server._allow_files()
    with (
        sigseek.open(mini_library, model="mini", precision="fp32", device="cpu") as library,
        listening(library) as client,
    ):
        yield client


def test_two_thousand_connections_are_held_open(many_files: httpx.Client) -> None:
    with ExitStack() as held:
        for _ in range(1_990):
            held.enter_context(connected(many_files))
        assert many_files.get("search", params={"q": "a house"}).json()["matches"] == 4
        for _ in range(20):
            held.enter_context(connected(many_files))
        assert httpx.get(f"{many_files.base_url}health/live", timeout=30).status_code == 503
    assert many_files.get("health/live").json() == {"live": True}


def test_listeners_to_events_are_limited(many_files: httpx.Client) -> None:
    ask = b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with ExitStack() as held:
        for _ in range(MOST_LISTENERS):
            listening_one = held.enter_context(connected(many_files))
            listening_one.sendall(ask)
            assert listening_one.recv(100).startswith(b"HTTP/1.1 200")
        refused = many_files.get("events")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.json()["detail"] == "too many listeners are waiting"
        assert many_files.get("health/live").json() == {"live": True}


def test_whoever_takes_a_file_slowly_keeps_nobody_waiting(tmp_path: Path) -> None:
    """The file is longer than what the system takes in for a connection, so no answer ends."""
    server._allow_files()
    ask = b"GET /api/v1/photos/1/original HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    save(tmp_path / "photos" / "a.png")
    os.truncate(tmp_path / "photos" / "a.png", 16 << 20)
    with (
        sigseek.open(tmp_path / "library", model="mini", precision="fp32", device="cpu") as library,
        ExitStack() as held,
    ):
        assert library.index(tmp_path / "photos").added == 1
        client = held.enter_context(listening(library))
        slow = [held.enter_context(socket.socket()) for _ in range(150)]
        for one in slow:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            one.settimeout(30)
            one.connect((client.base_url.host, client.base_url.port))
            one.sendall(ask)
            assert one.recv(100).startswith(b"HTTP/1.1 200")
        assert client.get("search", params={"q": "a house"}).json()["photos"] == 1


def test_a_client_that_goes_away_does_not_stop_the_others(web: httpx.Client) -> None:
    path = "/api/v1/zip"
    body = b'{"query": ""}'
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Sigseek: 1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    for _ in range(20):
        with connected(web) as gone:
            gone.sendall(head + body)
            assert gone.recv(100).startswith(b"HTTP/1.1 200")
    assert web.get("health/ready").json()["ready"] is True


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux tells open files so")
def test_an_archive_that_nobody_takes_holds_no_photo_open(tmp_path: Path) -> None:
    """Its drive could not be unmounted. The program collects garbage rarely, and here never."""
    photo = tmp_path / "photos" / "a.png"
    save(photo)
    os.truncate(photo, 16 << 20)  # longer than what the system takes in for a connection
    body = b'{"query": ""}'
    head = (
        "POST /api/v1/zip HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Sigseek: 1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()

    def opened() -> int:
        return [os.readlink(f) for f in Path("/proc/self/fd").iterdir() if f.is_symlink()].count(
            str(photo)
        )

    gc.disable()
    try:
        with (
            sigseek.open(tmp_path / "library", model="mini", device="cpu") as library,
            listening(library) as client,
        ):
            library.index(photo.parent)
            for _ in range(5):
                with connected(client) as gone:
                    gone.sendall(head + body)
                    assert gone.recv(100).startswith(b"HTTP/1.1 200")
            until = time.monotonic() + 10
            while opened() and time.monotonic() < until:
                time.sleep(0.1)
            assert opened() == 0
    finally:
        gc.enable()


def test_the_server_ends_while_requests_are_under_way(mini_library: Path) -> None:
    with sigseek.open(mini_library, model="mini", precision="fp32", device="cpu") as library:
        with listening(library) as client:
            ended = threading.Event()

            def ask() -> None:
                try:
                    while True:
                        client.get("duplicates")
                except httpx.HTTPError:
                    ended.set()

            asking = threading.Thread(target=ask)
            asking.start()
            time.sleep(0.5)
        assert ended.wait(30)
        asking.join()


def test_a_limit_to_files_that_the_system_refuses_stops_no_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """macOS says that there is no limit, and refuses to set the limit to that."""
    taken = []

    def set_limit(which: int, limits: tuple[int, int]) -> None:
        if limits[0] > 10_240:
            raise ValueError("current limit exceeds maximum limit")
        taken.append(limits)

    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 2**63 - 1))
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    server._allow_files()
    assert taken == [(10_240, 2**63 - 1)]
