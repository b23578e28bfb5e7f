"""What a server says of itself: alive, and ready to answer."""

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

import sigseek
from sigseek.cli.remedies import spell
from sigseek.errors import ErrorKind
from sigseek.library import Library
from sigseek.operations import status
from sigseek.storage import LibraryError
from sigseek.web import readiness
from sigseek.web.problems import RequestError
from tests.served import listening, served

LIVE, READY = "/api/v1/health/live", "/api/v1/health/ready"


def test_ready_once_a_search_is_answered(mini_library: Path) -> None:
    with served(mini_library) as client:
        assert client.get(LIVE).json() == {"live": True}
        assert client.get(READY).json() == {"ready": True, "photos": 40, "model": "mini"}


def test_callers_without_the_token_are_told_whether_the_server_is_ready_and_no_more(
    tmp_path: Path, mini_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "_LASTS", 3600.0)
    shutil.copytree(mini_library, tmp_path / "library")
    with served(tmp_path / "library", token="secret") as client:
        searches = client.app.state.readiness._counter  # type: ignore[attr-defined]
        for _ in range(20):
            ready = client.get(READY)
            assert ready.json() == {"ready": True, "photos": None, "model": None}
        assert next(searches) == 1, "one search answers all"
        bearer = {"Authorization": "Bearer secret"}
        assert client.get(READY, headers=bearer).json()["photos"] == 40
        (tmp_path / "library" / "catalog.sqlite").write_bytes(b"damaged" * 1000)
        monkeypatch.setattr(readiness, "_LASTS", 0.0)
        ready = client.get(READY)
        assert (ready.status_code, ready.json()["kind"]) == (503, "unavailable")
        assert ready.json()["detail"] == "the library cannot be searched now"
        problem = client.get(READY, headers=bearer).json()
        assert "catalog.sqlite" in problem["detail"]
        assert problem["kind"] == "damaged"
        assert problem["remedy"]["text"].startswith("put a backup in its place, or")


def test_probes_from_other_machines_ask_the_catalog_for_nothing_but_the_search(
    mini_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths are shortened for other machines, and a catalog that does not answer would hold up the
    whole server.
    """

    def folders(library: Library) -> list[str]:
        raise AssertionError("the catalog is asked")

    monkeypatch.setattr(Library, "folders", folders)
    with served(mini_library, client=("192.0.2.7", 50_000), token="secret") as client:
        assert client.get(LIVE).json() == {"live": True}
        assert client.get(READY).json()["ready"] is True
        monkeypatch.setattr(readiness, "_LASTS", 0.0)
        monkeypatch.setattr(Library, "search", server_away)
        assert client.get(READY).status_code == 503


def server_away(library: Library, *_: object, **__: object) -> None:
    raise LibraryError("the server is away", None, ErrorKind.UNAVAILABLE)


def test_callers_without_the_token_do_not_wait_for_each_other(
    mini_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise they could keep all threads waiting while a search hangs."""
    begun, go_on = threading.Event(), threading.Event()
    search = Library.search

    def hang(library: Library, *arguments: Any, **options: Any) -> Any:
        begun.set()
        assert go_on.wait(60)
        return search(library, *arguments, **options)

    with sigseek.open(mini_library, model="mini", precision="fp32", device="cpu") as library:
        asked = readiness.Readiness(library, spell)
        asked.check_for_stranger()
        monkeypatch.setattr(readiness, "_LASTS", 0.0)
        monkeypatch.setattr(Library, "search", hang)
        waiting = threading.Thread(target=asked.check_for_stranger)
        waiting.start()
        try:
            assert begun.wait(60)
            asked.check_for_stranger()  # it was ready a moment ago
            monkeypatch.setattr(readiness, "_PATIENCE", 0.0)
            with pytest.raises(RequestError, match="cannot be searched now"):
                asked.check_for_stranger()
        finally:
            go_on.set()
            waiting.join()
        asked.check_for_stranger()


def test_the_disks_with_the_photos_are_not_asked(
    mini_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does not answer would keep the server from being ready for a minute."""

    def ask(*_: object) -> bool:
        raise AssertionError("a disk is asked")

    monkeypatch.setattr(status, "is_online", ask)
    monkeypatch.setattr(status, "is_directory", ask)
    with served(mini_library) as client:
        assert client.get(READY).json() == {"ready": True, "photos": 40, "model": "mini"}


def test_a_library_without_photos_needs_no_model(tmp_path: Path) -> None:
    with sigseek.open(tmp_path / "library", model="no such model") as library:
        library.create()
        with listening(library, preload=True) as client:
            while (answer := client.get("health/ready")).status_code == 503:
                assert answer.json()["detail"] == "the model is being loaded"
            assert answer.json() == {"ready": True, "photos": 0, "model": None}


def test_not_ready_while_the_model_is_loaded(
    mini_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    search = Library.search

    def slow(library: Library, *arguments: Any, **options: Any) -> Any:
        assert go_on.wait(60)
        return search(library, *arguments, **options)

    monkeypatch.setattr(Library, "search", slow)
    with (
        sigseek.open(mini_library, model="mini", precision="fp32") as library,
        listening(library, preload=True) as client,
    ):
        assert client.get("health/live").status_code == 200
        answer = client.get("health/ready")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["detail"] == "the model is being loaded"
        go_on.set()
        while (answer := client.get("health/ready")).status_code == 503:
            pass
        assert answer.json()["model"] == "mini"


def test_not_ready_after_the_library_is_gone_and_ready_when_it_is_back(
    mini_library: Path, tmp_path: Path
) -> None:
    shutil.copytree(mini_library, tmp_path / "library")
    with served(tmp_path / "library") as client:
        assert client.get(READY).json()["ready"] is True
        catalog = tmp_path / "library" / "catalog.sqlite"
        whole = catalog.read_bytes()
        catalog.write_bytes(b"damaged" * 1000)
        answer = client.get(READY)
        assert answer.status_code == 503
        assert answer.json()["kind"] in ("damaged", "unavailable")
        assert client.get(LIVE).status_code == 200
        catalog.write_bytes(whole)
        assert client.get(READY).json()["ready"] is True
