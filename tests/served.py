"""The web server over a library, asked without a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

import sigseek
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
