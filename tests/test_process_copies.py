"""What serves copies of a process outlives those who ask for them."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process_copies import Asked, copied_process, serve, start_copy


def serve_nothing(address: str) -> None:
    """Serve copies that end at once."""
    serve(address, [], _end)


def _end(asked: Asked, streams: list[int]) -> None:
    os._exit(asked["status"])


@pytest.fixture(scope="module")
def address() -> Iterator[Path]:
    with copied_process("tests.test_process_copies:serve_nothing") as found:
        yield found


ASKED = json.dumps({"status": 3}).encode() + b"\n"


@pytest.mark.parametrize("said", [b"", b"\0", b"\0" + ASKED[:5], b"\0" + ASKED])
def test_whoever_asks_may_be_killed_in_the_middle(address: Path, said: bytes) -> None:
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as killed:
            killed.connect(str(address))
            if said:
                socket.send_fds(killed, [said[:1]], [0, 1])
                killed.sendall(said[1:])
    assert start_copy(address, {"status": 4}, [0, 1]).wait(60) == 4
