"""Several web servers over one library in a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL
from starlette.testclient import TestClient

import sigseek
from sigseek.web.app import make_app
from sigseek.web.settings import Settings
from tests.photos import save
from tests.postgresql import Server, address, programs, running_standby
from tests.served import CHANGE, HOST

SEARCH, READY = "/api/v1/search", "/api/v1/health/ready"


@contextmanager
def serving(url: URL, cache: Path, **settings: Any) -> Iterator[TestClient]:
    """Give a client of a server of the database, with index files of its own in `cache`."""
    library = sigseek.open(address(url), model="mini", precision="fp32", device="cpu")
    with library, pytest.MonkeyPatch.context() as patch:
        with patch.context() as elsewhere:
            elsewhere.setenv("SIGSEEK_CACHE", str(cache))
            assert cache in library.directory.parents
        app = make_app(library, Settings(**settings))
        with TestClient(app, base_url=HOST, headers=CHANGE) as client:
            yield client


@pytest.fixture(scope="module")
def shared(
    postgresql_server: Server,
    mini_database: tuple[Path, URL],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[URL]:
    """A copy of the database of the drawn photos, which all tests here use."""
    url = postgresql_server.copy_of(mini_database[1])
    yield url
    postgresql_server.drop(url)


@pytest.fixture(scope="module")
def servers(
    shared: URL, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[TestClient, TestClient]]:
    """Two servers of the library, as on two machines."""
    caches = tmp_path_factory.mktemp("caches")
    with serving(shared, caches / "one") as one, serving(shared, caches / "two") as other:
        yield one, other


def ids(answer: Any) -> list[int]:
    """Return the numbers of an answer's hits."""
    return [hit["id"] for hit in answer["hits"]]


@pytest.mark.parametrize("query", ["", "a house"])
def test_pages_of_two_servers_are_one_list_while_the_library_is_indexed(
    shared: URL, servers: tuple[TestClient, TestClient], tmp_path: Path, query: str
) -> None:
    asked = {"q": query, "limit": "15", "all": "true"}
    first = servers[0].get(SEARCH, params=asked).json()
    whole = ids(servers[1].get(SEARCH, params=asked | {"limit": "1000"}).json())
    found, token, turn = ids(first), first["next"], 1
    for number in range(3):
        save(tmp_path / f"{number}.jpg", seed=100 + 10 * len(query) + number)
    with sigseek.open(address(shared), model="mini", precision="fp32") as changing:
        while token:
            # Each page is asked of the other server, after photos have come or gone.
            change = changing.index if turn % 2 else changing.forget
            change(tmp_path)
            answer = servers[turn % 2].get(SEARCH, params=asked | {"page": token}).json()
            found, token, turn = found + ids(answer), answer["next"], turn + 1
        if turn % 2 == 0:
            changing.forget(tmp_path)
    assert turn > 2
    assert len(found) == len(set(found))
    assert [id_ for id_ in found if id_ in whole] == whole


def test_what_is_indexed_and_forgotten_is_seen_by_all_servers(
    shared: URL, servers: tuple[TestClient, TestClient], tmp_path: Path
) -> None:
    for server in servers:
        assert server.get(SEARCH, params={"q": "a house"}).json()["photos"] == 40
    save(tmp_path / "new.jpg", seed=77)
    asked = {"q": "a house", "limit": "100", "all": "true"}
    with sigseek.open(address(shared), model="mini", precision="fp32") as indexing:
        indexing.index(tmp_path)
        for server in servers:
            hits = server.get(SEARCH, params=asked).json()["hits"]
            assert len(hits) == 41
            assert "new.jpg" in [hit["name"] for hit in hits]
        indexing.forget(tmp_path)
    for server in servers:
        assert len(server.get(SEARCH, params=asked).json()["hits"]) == 40
    tagged = servers[0].post(
        "/api/v1/tags", json={"name": "mine", "query": "a house", "give": True}
    )
    assert tagged.status_code == 200
    assert servers[1].get(SEARCH, params={"q": "tag:mine"}).json()["matches"] == 4


def test_a_server_whose_database_is_away_says_so_and_comes_back(
    postgresql_server: Server, shared: URL, servers: tuple[TestClient, TestClient]
) -> None:
    _, server = servers
    assert server.get(READY).json()["photos"] == 40
    postgresql_server.refuse_connections(shared, refuse=True)
    try:
        for path in (READY, SEARCH, f"{SEARCH}?q=a+house"):
            away = server.get(path)
            assert (away.status_code, away.json()["kind"]) == (503, "unavailable"), path
            assert away.headers["content-type"] == "application/problem+json"
        assert server.get("/api/v1/health/live").status_code == 200
    finally:
        postgresql_server.refuse_connections(shared, refuse=False)
    assert server.get(READY).json()["photos"] == 40
    assert server.get(SEARCH, params={"q": "a house"}).json()["matches"] == 4


READS = (
    "/", "/api/v1/search", "/api/v1/search?q=a+house", "/api/v1/search?q=a+house+AND+NOT+night",
    "/api/v1/search?q=a+house&closer=2", "/api/v1/search/layout?q=a+house", "/api/v1/facets",
    "/api/v1/completion?q=in:&at=3", "/api/v1/duplicates", "/api/v1/photos/1", "/api/v1/status",
    "/api/v1/photos/1/thumbnail", "/api/v1/photos/1/original", "/api/v1/failures", "/api/v1/tags",
    "/api/v1/skipped", "/api/v1/folders", "/api/v1/index", READY,
)  # fmt: skip
"""Requests that a server answers which may change nothing."""


def assert_answers(server: TestClient) -> None:
    """Assert that a read-only server answers all that it has to, and refuses changes."""
    for path in READS:
        answer = server.get(path)
        assert answer.status_code == 200, (path, answer.text)
    assert len(server.post("/api/v1/similar", json={"id": 1, "limit": 3}).json()["hits"]) == 3
    assert server.post("/api/v1/embed", json={"texts": ["a cat"]}).json()["model"] == "mini"
    labels = {"ids": [1], "labels": ["a house", "a boat"]}
    assert len(server.post("/api/v1/classify", json=labels).json()["photos"]) == 1
    refused = server.post("/api/v1/tags", json={"name": "no", "ids": [1]})
    assert (refused.status_code, refused.json()["kind"]) == (403, "forbidden")


def test_a_read_only_server_writes_nothing(
    postgresql_server: Server, shared: URL, tmp_path: Path
) -> None:
    user = postgresql_server.reader(shared, "only_reads")
    options = {"options": "-cdefault_transaction_read_only=on"}
    with serving(user.update_query_dict(options), tmp_path, read_only=True) as server:
        assert_answers(server)


def test_a_server_reads_from_a_standby(
    postgresql_server: Server,
    shared: URL,
    tmp_path: Path,
    pytestconfig: pytest.Config,
) -> None:
    if not pytestconfig.getoption("postgresql"):
        pytest.skip("a second PostgreSQL server takes long; --postgresql starts one")
    directory = programs()
    assert directory
    with running_standby(postgresql_server, directory) as sockets:
        url = shared.update_query_dict({"host": str(sockets)})
        with serving(url, tmp_path / "cache", read_only=True) as server:
            assert_answers(server)
            save(tmp_path / "photos" / "new.jpg", seed=78)
            with sigseek.open(address(shared), model="mini", precision="fp32") as indexing:
                indexing.index(tmp_path / "photos")
                while server.get(SEARCH).json()["photos"] < 41:  # the standby lags behind
                    pass
                asked = {"q": "a house", "limit": "100", "all": "true"}
                assert len(server.get(SEARCH, params=asked).json()["hits"]) == 41
                indexing.forget(tmp_path / "photos")
