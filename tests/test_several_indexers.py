"""Processes that index and forget folders of one library at the same time."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from benchmarks.writers import find_wrong, run_writers
from tests.postgresql import Server


@pytest.fixture
def url(postgresql_server: Server) -> Iterator[URL]:
    made = postgresql_server.database()
    yield made
    postgresql_server.drop(made)


def test_processes_that_index_and_forget_folders_lose_nothing(url: URL, tmp_path: Path) -> None:
    done = run_writers(url, tmp_path, processes=3, photos=12, rounds=4, seed=1)
    assert find_wrong(url, tmp_path) == ""
    # the seed has each of them happen
    assert {"indexed together", "indexed alone", "forgot the folder"} <= done.keys()
