"""What goes wrong with a library in a PostgreSQL database, and what others do to it meanwhile."""

import datetime as dates
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, event

import sigseek
from sigseek.errors import ErrorKind
from sigseek.operations import forgetting
from sigseek.storage import LibraryError
from sigseek.storage.catalog.changes import files
from sigseek.storage.catalog.postgresql import PostgreSqlDialect
from tests.photos import save
from tests.postgresql import Server, address


@pytest.fixture
def copy(postgresql_server: Server, mini_database: tuple[Path, URL]) -> Iterator[URL]:
    """A copy of the library of the drawn photos."""
    url = postgresql_server.copy_of(mini_database[1])
    yield url
    postgresql_server.drop(url)


def test_a_connection_that_is_lost_in_the_middle_of_a_search_is_told_in_a_line(
    postgresql_server: Server, copy: URL
) -> None:
    lost: list[str] = []

    def lose(connection: object, cursor: object, statement: str, *more: object) -> None:
        if "photo_keyword" in statement and not lost:
            lost.append(statement)
            postgresql_server.end_connections(copy)

    with sigseek.open(address(copy)) as library:
        library.search("a boat")  # the index is there
        event.listen(Engine, "before_cursor_execute", lose)
        try:
            with pytest.raises(LibraryError, match="cannot be reached") as caught:
                library.search("a house")
        finally:
            event.remove(Engine, "before_cursor_execute", lose)
        assert (len(lost), caught.value.kind) == (1, ErrorKind.UNAVAILABLE)
        assert len(str(caught.value).splitlines()) == 1
        assert len(library.search("a house")) == 4


def test_an_open_library_sees_what_others_change(copy: URL, tmp_path: Path) -> None:
    with (
        sigseek.open(address(copy)) as library,
        sigseek.open(address(copy), model="mini", precision="fp32") as other,
    ):
        before = library.state()
        assert library.search("format:jpeg", 1).matches == 40
        save(tmp_path / "photos" / "a.jpg", seed=1)
        other.index(tmp_path / "photos")
        indexed = library.state()
        assert library.search("format:jpeg", 1).matches == 41
        assert library.facets(by="format").photos == 41
        assert len(library.search("a house", 50, include_all=True)) == 41
        other.add_tag("seen", [tmp_path / "photos" / "a.jpg"])
        assert len({before, indexed, library.state()}) == 3
        assert [hit.path for hit in library.search("tag:seen")] == [
            str(tmp_path / "photos" / "a.jpg")
        ]


def test_the_clock_that_counts_is_the_servers(
    postgresql_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine whose clock is years behind must not make files seem gone for years."""

    class Behind(dates.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Behind":
            return cls(2001, 1, 1, tzinfo=tz)

    url = postgresql_server.empty_database()
    for number in range(3):
        save(tmp_path / "photos" / f"{number}.png", seed=number)
    with sigseek.open(address(url), model="mini") as library:
        library.index(tmp_path / "photos")
        (tmp_path / "photos" / "0.png").unlink()
        monkeypatch.setattr(files, "datetime", Behind)
        assert library.index().missing == 1
        assert library.prune(dates.timedelta(days=30)).files == 0
        monkeypatch.setattr(forgetting, "datetime", Behind)
        assert library.prune(dates.timedelta(0)).files == 1
    postgresql_server.drop(url)


def test_a_new_database_of_the_same_name_has_other_index_files(postgresql_server: Server) -> None:
    """So has the same database of another cluster that is reached under the same address."""
    url = postgresql_server.empty_database()
    identities = set()
    for _ in range(2):
        dialect = PostgreSqlDialect(url)
        identities.add(dialect.identity())
        dialect.close()
        postgresql_server.make_anew(url)
    postgresql_server.drop(url)
    assert len(identities) == 2


@pytest.fixture
def small_disk(postgresql_server: Server) -> Iterator[Path]:
    """A directory of the server's, on a disk of its own with 32 MB."""
    directory = postgresql_server.directory("small")
    options = f"size=32m,uid={directory.stat().st_uid},gid={directory.stat().st_gid},mode=700"
    mounting = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", directory]
    if not shutil.which("mount") or subprocess.run(mounting, check=False).returncode:
        pytest.skip("only who may mount can fill a disk of its own")
    yield directory
    subprocess.run(["umount", directory], check=True)


def test_a_full_disk_under_the_server_is_told_and_the_next_run_goes_on(
    postgresql_server: Server, small_disk: Path, drawn: Path
) -> None:
    url = postgresql_server.database_in(small_disk)
    try:
        with sigseek.open(address(url), model="mini", precision="fp32") as library:
            library.create()
            # The server writes a file for the first session after tables were made.
            with sigseek.open(address(url), model="mini") as other:
                other.status()
            filler = small_disk / "filler"
            filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - 64 * 1024))
            with pytest.raises(LibraryError, match="No space left on device") as caught:
                library.index(drawn)
            assert str(caught.value).endswith("check the server's space and limits")
            assert caught.value.kind == ErrorKind.UNAVAILABLE
            assert len(str(caught.value).splitlines()) == 1
            filler.unlink()
            report = library.index(drawn)
            assert report.added + report.unchanged == 40
            assert library.verify().sound
            assert len(library.search("a house")) == 4
    finally:
        postgresql_server.drop_with_tablespace(url, small_disk)
