"""Indexing over HTTP: folders, directories, a run, and the events that tell of it."""

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import sigseek
from sigseek.web.events import Events
from sigseek.web.index_run import IndexRun
from tests.photos import save
from tests.served import CHANGE, listening, served

API = "/api/v1"
Told = tuple[str, dict[str, Any]]
"""An event's name and its fields."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(3):
        save(tmp_path / "disk" / "photos" / f"{number}.png", seed=number)
    (tmp_path / "disk" / "photos" / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    return tmp_path / "disk" / "photos"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[sigseek.Library]:
    with sigseek.open(tmp_path / "library", model="mini", precision="fp32") as library:
        library.create()
        yield library


def events_until(client: httpx.Client, last: str, began: threading.Event) -> list[Told]:
    """Listen until the event of this name, which is the last of those returned."""
    heard = []
    with client.stream("GET", "events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in response.iter_lines():
            began.set()
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                heard.append((name, json.loads(line.removeprefix("data: "))))
                if name == last:
                    break
    return heard


def wait_for_end(client: httpx.Client) -> dict[str, Any]:
    until = time.monotonic() + 120
    while True:
        state: dict[str, Any] = client.get("index").json()
        if not state["running"]:
            return state
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_folder_is_added_indexed_and_found(library: sigseek.Library, photos: Path) -> None:
    with listening(library, browse=(photos.parent,)) as client:
        assert client.get("index").json() == {
            "running": False, "folders": [], "progress": None, "added": [], "last": None,
        }  # fmt: skip
        assert client.post("folders", json={"path": str(photos)}).json() == {"path": str(photos)}
        heard: list[Told] = []
        began = threading.Event()
        listener = threading.Thread(
            target=lambda: heard.extend(events_until(client, "finished", began))
        )
        listener.start()
        assert began.wait(30)
        assert client.post("index", json={"folders": [str(photos)]}).status_code == 202
        listener.join(120)
        names = [name for name, _ in heard]
        assert names[-1] == "finished"
        phases = [fields["phase"] for name, fields in heard if name == "progress"]
        assert "scanning" in phases
        assert "embedding" in phases
        (problem,) = [fields for name, fields in heard if name == "problem"]
        assert problem["path"] == str(photos / "cut.jpg")
        report = heard[-1][1]
        assert (report["added"], report["failed"], report["error"]) == (3, 1, None)
        assert report["headline"] == "Indexed"
        assert client.get("search").json()["photos"] == 3
        (failure,) = client.get("failures").json()["failures"]
        assert failure["path"] == str(photos / "cut.jpg")
        state = client.get("index").json()
        assert (state["running"], state["last"]["added"]) == (False, 3)
        (folder,) = client.get("folders").json()["folders"]
        assert (folder["path"], folder["files"]) == (str(photos), 3)


def test_a_run_without_names_takes_folders_that_were_added(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    save(tmp_path / "disk" / "more" / "9.png", seed=9)
    library.index(photos)
    with listening(library, browse=(photos.parent,)) as client:
        client.post("folders", json={"path": str(tmp_path / "disk" / "more")})
        client.post("index", json={})
        assert wait_for_end(client)["last"]["added"] == 1
        assert len(client.get("folders").json()["folders"]) == 2


def test_a_folder_that_was_added_waits_for_the_next_run_after_a_stop(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    save(tmp_path / "disk" / "more" / "9.png", seed=9)
    library.index(photos)
    run: IndexRun

    class Stopping(Events):
        """Stops the run as soon as it tells anything, before it comes to the second folder."""

        def tell(self, name: str, fields: dict[str, Any]) -> None:
            run.stop()

    run = IndexRun(library, Stopping(lambda: ""), str)
    run.add(tmp_path / "disk" / "more")
    run.start([])
    while run.is_running:
        time.sleep(0.05)
    assert run.state()["last"]["stopped"]
    assert run.state()["added"] == [str(tmp_path / "disk" / "more")]
    assert library.folders() == [str(photos)]


def test_a_folder_that_was_added_waits_for_the_next_run_after_one_without_a_checkpoint(
    photos: Path, tmp_path: Path
) -> None:
    with sigseek.open(tmp_path / "new", model=str(tmp_path / "gone")) as library:
        library.create()
        run = IndexRun(library, Events(lambda: ""), str)
        run.add(photos)
        run.start([])
        while run.is_running:
            time.sleep(0.05)
        assert "gone" in run.state()["last"]["error"]
        assert run.state()["added"] == [str(photos)]
        # A folder that cannot be indexed would fail each run.
        run.add(tmp_path / "away")
        run.start([tmp_path / "away"])
        while run.is_running:
            time.sleep(0.05)
        assert "away" in run.state()["last"]["error"]
        assert run.state()["added"] == [str(photos)]


def test_one_run_at_a_time_which_a_stop_ends(library: sigseek.Library, photos: Path) -> None:
    for number in range(200):
        save(photos / f"many/{number:03}.png", seed=100 + number)
    with listening(library, browse=(photos.parent,)) as client:
        assert client.post("index", json={"folders": [str(photos)]}).status_code == 202
        busy = client.post("index", json={"folders": [str(photos)]})
        assert (busy.status_code, busy.json()["kind"]) == (409, "busy")
        assert busy.headers["retry-after"] == "5"
        # Otherwise these would wait for the end of the run, which may take hours.
        tagging = client.post("tags", json={"name": "mine", "ids": [1]})
        assert (tagging.status_code, tagging.json()["kind"]) == (409, "busy")
        apart = client.post("decisions", json={"not_duplicates": [1, 2]})
        assert (apart.status_code, apart.json()["kind"]) == (409, "busy")
        assert client.request("DELETE", "index").status_code == 200
        report = wait_for_end(client)["last"]
        assert report["stopped"] is True
        assert report["headline"] == "Indexing was stopped; what was done is kept"
        client.post("index", json={"folders": [str(photos)]})
        wait_for_end(client)
        assert client.get("status").json()["photos"] == 203


def test_the_end_of_the_server_keeps_what_a_run_has_done(
    library: sigseek.Library, photos: Path
) -> None:
    for number in range(100):
        save(photos / f"many/{number:03}.png", seed=100 + number)
    with listening(library, browse=(photos.parent,)) as client:
        client.post("index", json={"folders": [str(photos)]})
        while not client.get("status").json()["photos"]:
            time.sleep(0.02)
    assert library.verify().problems == ()
    assert library.index(photos).failed == 1
    assert library.status().photos == 103


def test_whoever_else_is_changing_the_library_is_named(
    library: sigseek.Library, photos: Path
) -> None:
    with (
        sigseek.open(library.directory, model="mini", precision="fp32") as other,
        other._directory.writing(),
        served(library.directory, browse=(photos.parent,)) as client,
    ):
        folders = {"folders": [str(photos)]}
        answer = client.post(f"{API}/index", json=folders, headers=CHANGE)
    assert answer.status_code == 409
    assert answer.json()["kind"] == "busy"
    assert f"process {os.getpid()} on" in answer.json()["detail"]


def test_changes_of_the_library_by_others_are_told(
    library: sigseek.Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sigseek.web.events._LOOK", 0.05)
    heard: list[Told] = []
    began = threading.Event()
    with listening(library) as client:
        listener = threading.Thread(
            target=lambda: heard.extend(events_until(client, "changed", began))
        )
        listener.start()
        assert began.wait(30)
        time.sleep(0.3)  # the first look is behind us
        with sigseek.open(library.directory, model="mini", precision="fp32") as other:
            other.index(photos)
        listener.join(30)
    assert heard == [("changed", {"generation": 1})]


def test_only_directories_below_the_allowed_ones_are_listed_or_added(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    disk = photos.parent
    (disk / ".hidden").mkdir()
    (tmp_path / "outside").mkdir()
    (disk / "away").symlink_to(tmp_path / "outside")
    (disk / "link").symlink_to(photos)
    (disk / "nowhere").symlink_to(tmp_path / "none")
    with served(library.directory, browse=(disk,)) as client:
        tops = client.get(f"{API}/directories").json()
        assert tops == {
            "path": None,
            "parent": None,
            "directories": [{"name": str(disk), "path": str(disk)}],
        }
        listed = client.get(f"{API}/directories", params={"path": str(disk)}).json()
        assert [one["name"] for one in listed["directories"]] == ["link", "photos"]
        assert (listed["path"], listed["parent"]) == (str(disk), "")
        below = client.get(f"{API}/directories", params={"path": str(photos)}).json()
        assert (below["parent"], below["directories"]) == (str(disk), [])
        for path in (
            "/", "/etc", str(tmp_path), f"{disk}/..", f"{disk}/../outside", f"{disk}/away",
            f"{disk}/./photos/../../outside", "relative", f"{disk}-more", "/etc\0", "~", "//",
            f"{disk}/%2e%2e",
        ):  # fmt: skip
            found = client.get(f"{API}/directories", params={"path": path})
            assert found.status_code in (403, 404), path
            added = client.post(f"{API}/folders", json={"path": path}, headers=CHANGE)
            assert added.status_code in (403, 404), path
            begun = client.post(f"{API}/index", json={"folders": [path]}, headers=CHANGE)
            assert begun.status_code in (403, 404), path
        assert library.folders() == []


def test_nothing_is_chosen_without_leave(library: sigseek.Library, photos: Path) -> None:
    path = {"path": str(photos)}
    with served(library.directory) as client:
        for answer in (
            client.get(f"{API}/directories"),
            client.post(f"{API}/folders", json=path, headers=CHANGE),
            client.post(f"{API}/index", json={"folders": [str(photos)]}, headers=CHANGE),
        ):
            assert answer.status_code == 403
            assert answer.json()["remedy"]["text"].startswith("start the server with --browse DIR")
    away = ("192.0.2.7", 50_000)
    with served(library.directory, browse=(photos.parent,), client=away) as client:
        assert client.get(f"{API}/directories").status_code == 403
        assert client.get(f"{API}/status").json()["browse"] == [], (
            "the page offers it to nobody else"
        )


def test_a_folder_is_forgotten_once_that_is_confirmed(
    library: sigseek.Library, photos: Path
) -> None:
    library.index(photos)
    with served(library.directory) as client:
        asked = {"path": str(photos)}
        unsure = client.delete(f"{API}/folders", params=asked, headers=CHANGE)
        assert (unsure.status_code, unsure.json()["detail"]) == (
            409, "3 files would leave the library",
        )  # fmt: skip
        client.delete(f"{API}/folders", params=asked | {"confirm": "true"}, headers=CHANGE)
        assert client.get(f"{API}/status").json()["folders"] == []
        unknown = client.delete(f"{API}/folders", params=asked, headers=CHANGE)
        assert unknown.status_code == 404


def test_a_server_that_changes_nothing(library: sigseek.Library, photos: Path) -> None:
    library.index(photos)
    path = {"path": str(photos)}
    with served(library.directory, read_only=True, browse=(photos.parent,)) as client:
        for answer in (
            client.get(f"{API}/directories"),
            client.post(f"{API}/folders", json=path, headers=CHANGE),
            client.delete(f"{API}/folders", params=path | {"confirm": "true"}, headers=CHANGE),
            client.post(f"{API}/index", json={}, headers=CHANGE),
            client.delete(f"{API}/index", headers=CHANGE),
        ):
            assert answer.status_code == 403
            assert answer.json()["detail"] == "this server changes nothing"
        assert client.get(f"{API}/index").json()["running"] is False
    assert library.folders() == [str(photos)]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_a_slow_listener_gets_the_last_progress_and_bounded_events(
    anyio_backend: str,
) -> None:
    events = Events(lambda: "the same")
    stream = events.stream()
    assert await anext(stream) == ("", "")
    for number in range(1000):
        events.tell("progress", {"done": number})
        events.tell("problem", {"path": str(number)})
    waiting = [await anext(stream) for _ in range(201)]
    assert waiting[:-1] == [("problem", json.dumps({"path": str(n)})) for n in range(800, 1000)]
    assert waiting[-1] == ("progress", '{"done": 999}')
    events.close()
    assert [event async for event in stream] == []
