"""The web server over a library, asked without a network."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.testclient import TestClient

import sigseek
from sigseek.library import Library
from sigseek.web import server
from sigseek.web.app import make_app
from sigseek.web.settings import Settings

CHANGE = {"X-Sigseek": "1"}
"""The header of requests that change something."""
HOST = "http://127.0.0.1:7333"


@contextmanager
def served(
    directory: Path, *, client: tuple[str, int] = ("127.0.0.1", 50_000), **settings: Any
) -> Iterator[TestClient]:
    """Give a client of a server of the library. `client` is the address it seems to ask from."""
    with sigseek.open(directory, model="mini", precision="fp32", device="cpu") as library:
        app = make_app(library, Settings(**settings))
        with TestClient(app, base_url=HOST, client=client, follow_redirects=False) as asking:
            yield asking


@contextmanager
def listening(library: Library, **settings: Any) -> Iterator[httpx.Client]:
    """Give a client of a server that listens on a port of this machine, as `sigseek serve` does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        app = make_app(library, Settings(port=port, **settings))
        running = server._Server(server._config(app, settings.get("proxies", ())), app)
        thread = threading.Thread(target=running.run, args=([listener],))
        thread.start()
        try:
            address = f"http://127.0.0.1:{port}/api/v1/"
            with httpx.Client(base_url=address, headers=CHANGE, timeout=60) as client:
                yield client
        finally:
            running.should_exit = running.force_exit = True
            thread.join()
