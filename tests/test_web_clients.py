"""Clients that are slow, or that go away."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import sigseek
from sigseek.web import server
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


def test_a_head_that_is_too_large_is_refused(web: httpx.Client) -> None:
    refused = web.get("health/live", headers={"X-Large": "x" * 40_000})
    assert (refused.status_code, refused.json()["kind"]) == (431, "too large")
    refused = web.get("search", params={"q": "x" * 40_000})
    assert refused.status_code == 431
    assert web.get("health/live").status_code == 200


def test_ten_thousand_connections_that_are_dropped_harm_nobody(web: httpx.Client) -> None:
    for number in range(10_000):
        with connected(web) as dropped:
            if number % 100 == 0:
                dropped.sendall(b"GET /api/v1/search?q=a+house HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert web.get("search", params={"q": "a house"}).json()["matches"] == 4


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
