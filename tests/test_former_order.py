"""Pages while what photos are put in order by changes: each photo stands where the first page found
it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import sigseek
from sigseek.demo.photos import draw_photos
from sigseek.operations import layout
from sigseek.search.results import Order
from sigseek.storage import Catalog, PhotoMetadata, ReadFile
from sigseek.storage.catalog.changes import former_order
from sigseek.storage.catalog.transaction import Transaction
from tests.catalogs import execute
from tests.conftest import Run
from tests.databases import Databases
from tests.photos import xmp

pytestmark = pytest.mark.both_databases(always=True, milvus=True)

TEXT, FACTS, ALL = "a house", "width:1", ""
"""A query for all photos by a text, one by a fact, and the list of all photos."""
Change = Callable[[Transaction, Catalog, int, bool], None]
"""Changes a photo so that it would come first in an order, or else last."""


@pytest.fixture
def library(mini_library: Path, tmp_path: Path, databases: Databases) -> Iterator[sigseek.Library]:
    """The drawn photos, with years and stars."""
    directory = databases.copy(mini_library, tmp_path / "library")
    for (id_,) in execute(directory, "SELECT id FROM photo"):
        execute(
            directory,
            "UPDATE photo SET taken_at = :date, rating = :stars WHERE id = :id",
            date=f"20{10 + id_ % 7}",
            stars=1 + id_ % 4,
            id=id_,
        )
    with sigseek.open(directory) as opened:
        yield opened


def catalog_of(library: sigseek.Library) -> Catalog:
    found = library._directory.catalog()
    assert isinstance(found, Catalog)
    return found


def ask(
    library: sigseek.Library, query: str, order: Order, limit: int, page: str | None = None
) -> sigseek.SearchResults:
    if not query:
        return library.list_photos(limit, sort=order, page=page)
    return library.search(query, limit, include_all=query == TEXT, sort=order, page=page)


def ids_of_pages(
    library: sigseek.Library,
    query: str,
    order: Order,
    between: Callable[[list[int]], None],
    limit: int = 7,
) -> list[int]:
    """Return the ids on all pages. `between` is called with the ids so far before each page but the
    first.
    """
    found = ask(library, query, order, limit)
    ids = [hit.id for hit in found]
    while found.next_page:
        between(ids)
        found = ask(library, query, order, limit, found.next_page)
        ids += [hit.id for hit in found]
    return ids


def date(transaction: Transaction, catalog: Catalog, photo: int, first: bool) -> None:
    transaction.put_metadata({photo: PhotoMetadata(taken_at="1990" if first else "2030")})


def later_date(transaction: Transaction, catalog: Catalog, photo: int, first: bool) -> None:
    date(transaction, catalog, photo, not first)


def no_date(transaction: Transaction, catalog: Catalog, photo: int, first: bool) -> None:
    transaction.put_metadata({photo: PhotoMetadata()})


def rating(transaction: Transaction, catalog: Catalog, photo: int, first: bool) -> None:
    transaction.put_metadata({photo: PhotoMetadata(rating=5 if first else -1)})


def put(transaction: Transaction, folder: int, path: str, photo: int) -> None:
    transaction.put_files(folder, [ReadFile(path, photo, 1, 1)])


def move(transaction: Transaction, catalog: Catalog, photo: int, first: bool) -> None:
    ((folder, _, path),) = catalog.photo_paths(photo)
    transaction.remove_files(folder, [path])
    put(transaction, folder, f"{'!' if first else '~'}/{path}", photo)


def copy_and_remove(transaction: Transaction, catalog: Catalog, photo: int, first: bool) -> None:
    """Add a copy that would be first, or have a copy be all that is left."""
    folder, _, path = catalog.photo_paths(photo)[0]
    put(transaction, folder, f"{'!' if first else '~'}/{path}", photo)
    if not first:
        transaction.remove_files(folder, [path])


def miss(transaction: Transaction, catalog: Catalog, photo: int, first: bool) -> None:
    """Add a copy that would be first, or have a copy stand for a missing file."""
    folder, _, path = catalog.photo_paths(photo)[0]
    put(transaction, folder, f"{'!' if first else '~'}/{path}", photo)
    if not first:
        transaction.mark_missing(folder, [path])


def move_folder(transaction: Transaction, catalog: Catalog, photo: int, first: bool) -> None:
    """Put the photo into a directory which then is another place."""
    folder, root, path = catalog.photo_paths(photo)[0]
    transaction.remove_files(folder, [path])
    put(transaction, folder, f"{photo}/{path}", photo)
    transaction.relocate(Path(root, str(photo)), Path("/!" if first else "/~", str(photo)))


KEYS: list[tuple[Order, tuple[Change, ...]]] = [
    ("date", (date, no_date)),
    ("-date", (later_date, no_date)),
    ("rating", (rating,)),
    ("path", (move,)),
    ("path", (copy_and_remove, miss)),
    ("path", (move_folder, move)),
]


QUERIES = {"text": TEXT, "facts": FACTS, "all": ALL}


# Each kind of change has one of the queries; the other combinations are slow.
@pytest.mark.parametrize(
    ("query", "order", "changes"),
    [
        pytest.param(
            query,
            *key,
            id=f"{name}-{key[0]}-{number}",
            marks=() if number % len(QUERIES) == turn else pytest.mark.slow,
        )
        for turn, (name, query) in enumerate(QUERIES.items())
        for number, key in enumerate(KEYS)
    ],
)
def test_photos_that_change_are_on_one_page(
    library: sigseek.Library,
    monkeypatch: pytest.MonkeyPatch,
    order: Order,
    changes: tuple[Change, ...],
    query: str,
) -> None:
    """Before each page a photo that was on a page would come last, and one that was on none
    first.
    """
    catalog = catalog_of(library)
    whole = [hit.id for hit in ask(library, query, order, 40)]
    assert len(whole) == 40
    if query == ALL:
        monkeypatch.setattr(layout, "_MANY", 1)

    def between(ids: list[int]) -> None:
        for number, change in enumerate(changes):
            with catalog.transaction() as transaction:
                change(transaction, catalog, ids[-2 - number], False)
            with catalog.transaction() as transaction:
                change(transaction, catalog, whole[-(len(ids) // 7) - 5 * number], True)

    assert ids_of_pages(library, query, order, between) == whole
    assert [hit.id for hit in ask(library, query, order, 40)] != whole


@pytest.mark.parametrize(
    ("query", "many"),
    [
        pytest.param("(a house OR width:1) in:sub", layout._MANY, id="text-few"),
        pytest.param("(a house OR width:1) in:sub", 1, id="text-many", marks=pytest.mark.slow),
        pytest.param("in:sub", layout._MANY, id="facts-few", marks=pytest.mark.slow),
        pytest.param("in:sub", 1, id="facts-many"),
    ],
)
def test_photos_in_a_directory_are_in_the_order_of_their_paths_there(
    library: sigseek.Library, monkeypatch: pytest.MonkeyPatch, query: str, many: int
) -> None:
    monkeypatch.setattr(layout, "_MANY", many)
    catalog = catalog_of(library)
    folder, root, _ = catalog.photo_paths(1)[0]
    with catalog.transaction() as transaction:
        for photo in range(1, 13):
            put(transaction, folder, f"sub/{50 - photo}.jpg", photo)
    whole = list(range(12, 0, -1))
    paths = [hit.path for hit in ask(library, query, "path", 12)]
    assert paths == [f"{root}/sub/{50 - photo}.jpg" for photo in whole]
    assert library.layout(query, sort="path").ids.tolist() == whole

    def between(ids: list[int]) -> None:
        with catalog.transaction() as transaction:
            transaction.relocate(Path(catalog.photo_paths(1)[0][1]), Path(f"/there/{len(ids)}"))
            put(transaction, folder, f"sub/{len(ids)}.jpg", ids[0])

    assert ids_of_pages(library, query, "path", between, 5) == whole


def test_the_order_of_an_old_list_is_forgotten(
    library: sigseek.Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = catalog_of(library)

    def later(photo: int) -> str:
        """Change a date, have an index run end, and return a page of the list as it is then."""
        with catalog.transaction() as transaction:
            date(transaction, catalog, photo, True)
        with catalog.transaction() as transaction:
            transaction.remove_former_order()
        page = ask(library, FACTS, "date", 5).next_page
        assert page is not None
        return page

    first = later(40)
    assert later(39) != first
    assert len(ask(library, FACTS, "date", 5, first)) == 5
    monkeypatch.setattr(former_order, "_KEPT", timedelta(0))
    second = later(38)
    assert len(ask(library, FACTS, "date", 5, first)) == 5, "it may still be needed"
    third = later(37)
    with pytest.raises(sigseek.QueryError, match="the page is of a list whose order is no longer"):
        ask(library, FACTS, "date", 5, first)
    assert [len(ask(library, FACTS, "date", 5, page)) for page in (second, third)] == [5, 5]
    assert execute(catalog, "SELECT count(*) FROM former_photo") == [(1,)]


@pytest.mark.parametrize("query", [("a house", "--all"), ("width:1",)], ids=["text", "facts"])
def test_an_index_run_between_two_pages(tmp_path: Path, run: Run, query: tuple[str, ...]) -> None:
    folder = tmp_path / "photos"
    draw_photos(folder, 10, seed=5)
    photos = sorted(folder.glob("*.jpg"))

    def index(year: Callable[[int], int]) -> None:
        for number, photo in enumerate(photos):
            said = xmp("", f'exif:DateTimeOriginal="{year(number)}-05-06T07:08:09"')
            photo.with_suffix(".xmp").write_bytes(said)
        run("index", folder, "--library", tmp_path / "library", "--model", "mini")

    def search(*options: object) -> tuple[list[str], str | None]:
        done = run(
            "search",
            *query,
            "--library",
            tmp_path / "library",
            "--sort",
            "-date",
            "--json",
            *options,
        )
        found = re.search(r"--page (\S+)$", done.stderr, re.MULTILINE)
        return [json.loads(line)["path"] for line in done.stdout.splitlines()], found and found[1]

    index(lambda number: 2000 + number)
    whole, _ = search("-n", 20)
    found, token = search("-n", 3)
    index(lambda number: 2020 - number)
    while token:
        more, token = search("-n", 3, "--page", token)
        found += more
    assert found == whole
    assert sorted(found) == list(map(str, photos))
    assert search("-n", 20)[0] != whole
