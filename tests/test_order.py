"""The order of hits, and pages of them."""

import base64
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete

import sigseek
from sigseek.demo.photos import draw_photos
from sigseek.operations import layout
from sigseek.search.counts import Others
from sigseek.search.errors import QueryError
from sigseek.search.hits import shown_where_asked
from sigseek.search.listing import list_selected
from sigseek.search.order import score_all_from
from sigseek.search.page import Page, read_page
from sigseek.search.parse import parse
from sigseek.search.query import Text
from sigseek.search.results import ORDERS, Hit, Order
from sigseek.search.scorer import Scored
from sigseek.search.verdicts import VERDICTS
from sigseek.siglip import Scoring
from sigseek.storage import Catalog
from sigseek.storage.catalog.reading import order as reading_order
from sigseek.storage.catalog.tables import PHOTO
from tests.catalogs import add_checkpoint, add_photos, execute, random_unit, writing
from tests.conftest import Run
from tests.databases import Databases

pytestmark = pytest.mark.both_databases(milvus=True)

QUERY = "at night OR a house"
DATES = (None, "2024", "2024-05", "2023-12-31T23:50:00", "2024-05-02T08:00:00", "1978", None)
STARS = (None, 5, 3, -1, 1, 5, None, 4)


@pytest.fixture
def library(mini_library: Path, tmp_path: Path, databases: Databases) -> Path:
    """The drawn photos with dates and stars of many kinds."""
    directory = databases.copy(mini_library, tmp_path / "library")
    for (id_,) in execute(directory, "SELECT id FROM photo"):
        execute(
            directory,
            "UPDATE photo SET taken_at = :date, utc_offset = NULL, rating = :stars WHERE id = :id",
            date=DATES[id_ % len(DATES)],
            stars=STARS[id_ % len(STARS)],
            id=id_,
        )
    return directory


KEYS: dict[Order, Callable[[Hit], object]] = {
    "match": lambda hit: (-hit.probability, hit.id),
    "date": lambda hit: (hit.taken_at is None, hit.taken_at or "", hit.id),
    "path": lambda hit: hit.path,
    "rating": lambda hit: (-(hit.rating or 0), hit.id),
    "added": lambda hit: -hit.id,
}


def in_order(hits: list[Hit], order: Order) -> list[int]:
    """Return the ids in order by verdict and then by what the order says, sorted a second way."""
    if order == "-date":
        known = sorted({hit.taken_at or "" for hit in hits}, reverse=True)
        hits = sorted(
            hits,
            key=lambda hit: (hit.taken_at is None, known.index(hit.taken_at or ""), hit.id),
        )
    else:
        hits = sorted(hits, key=KEYS[order])  # type: ignore[arg-type]
    level = VERDICTS[::-1]
    return [hit.id for hit in sorted(hits, key=lambda hit: level.index(hit.verdict or "match"))]


def one_of_two(*values: object) -> list[Any]:
    """Return each order with each of the two values. Each order has one of them unless slow tests
    are asked for.
    """
    return [
        pytest.param(order, value, marks=() if number % 2 == turn else pytest.mark.slow)
        for turn, value in enumerate(values)
        for number, order in enumerate(ORDERS)
    ]


@pytest.mark.parametrize(("order", "include_all"), one_of_two(False, True))
def test_pages_in_every_order_have_every_photo_once(
    library: Path, order: Order, include_all: bool
) -> None:
    with sigseek.open(library) as opened:
        whole = opened.search(QUERY, 40, include_all=include_all)
        pages = [
            opened.search(QUERY, 7, include_all=include_all, sort=order, offset=offset)
            for offset in range(0, len(whole), 7)
        ]
        after = opened.search(QUERY, 7, include_all=include_all, sort=order, offset=len(whole))
    hits = [hit for page in pages for hit in page]
    assert len(whole) > 0
    assert (len(whole) == 40) is include_all
    assert [hit.id for hit in hits] == in_order(list(whole), order)
    assert [hit.rank for hit in hits] == list(range(1, len(whole) + 1))
    assert {hit.id: hit.probability for hit in hits} == {hit.id: hit.probability for hit in whole}
    assert len(after) == 0
    for page in (*pages, after):
        assert page.order == order
        assert (page.matches, page.maybes, page.best) == (whole.matches, whole.maybes, whole.best)


QUERIES = [(QUERY, False), ("at night", True), ("a house NOT at night", True)]


# Each order has one of the queries; the other combinations are slow.
@pytest.mark.parametrize(
    ("query", "include_all", "order"),
    [
        pytest.param(*query, order, marks=() if number % 3 == turn else pytest.mark.slow)
        for turn, query in enumerate(QUERIES)
        for number, order in enumerate(ORDERS)
    ],
)
def test_no_photo_is_on_two_pages_or_left_out_while_the_library_changes(
    library: Path, tmp_path: Path, query: str, include_all: bool, order: Order
) -> None:
    """Between any two pages photos come, and some of those that no page has shown go."""
    asked: dict[str, object] = {"include_all": include_all, "sort": order}
    with sigseek.open(library) as opened, sigseek.open(library) as other:
        whole = opened.search(query, 40, **asked)  # type: ignore[arg-type]
        gone: set[int] = set()
        hits: list[Hit] = []
        page = None
        while True:
            found = opened.search(query, 4, page=page, **asked)  # type: ignore[arg-type]
            assert found.offset == len(hits)
            hits += found
            page = found.next_page
            if page is None:
                break
            if len(gone) < 2:
                draw_photos(tmp_path / f"new{len(hits)}", 6, seed=len(hits))
                other.index(tmp_path / f"new{len(hits)}")
                last = next(hit.id for hit in whole[::-1] if hit.id not in gone)
                if last not in {hit.id for hit in hits}:
                    remove_photo(library, last)
                    gone.add(last)
    assert [hit.id for hit in hits] == [hit.id for hit in whole if hit.id not in gone]
    before = {hit.id: hit.probability for hit in whole}
    assert [hit.probability for hit in hits] == [before[hit.id] for hit in hits]


@pytest.mark.parametrize(("order", "query"), one_of_two("", "NOT rating:5"))
def test_pages_of_a_list_whose_order_is_kept(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str, order: Order
) -> None:
    """The last photo of each page goes before the next page is asked for, and others come."""
    with sigseek.open(library) as opened:
        whole = [hit.id for hit in opened.search(query or "width:1", 40, sort=order)]
        monkeypatch.setattr(layout, "_MANY", 1)

        def ask(limit: int, **part: Any) -> sigseek.SearchResults:
            if query:
                return opened.search(query, limit, sort=order, **part)
            return opened.list_photos(limit, sort=order, **part)

        later = ask(7, offset=9)
        assert [(hit.id, hit.rank) for hit in later] == [(whole[n], n + 1) for n in range(9, 16)]
        assert (later.matches, later.photos) == (len(whole), len(whole))
        assert len(ask(7, offset=len(whole))) == 0
        found = ask(9)
        hits = list(found)
        if order == "-date":
            draw_photos(tmp_path / "new", 6, seed=1)
            opened.index(tmp_path / "new")
        while found.next_page:
            remove_photo(library, hits[-1].id)
            found = ask(9, page=found.next_page)
            hits += found
    assert [hit.id for hit in hits] == whole
    assert [hit.rank for hit in hits] == list(range(1, len(whole) + 1))


def remove_photo(library: Path, id_: int) -> None:
    catalog = Catalog(library)
    with writing(catalog) as connection:
        connection.execute(delete(PHOTO).where(PHOTO.c.id == id_))
        connection.exec_driver_sql("UPDATE checkpoint SET generation = generation + 1")
    catalog.close()


def test_pages_of_other_searches_are_refused(library: Path) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"query": "a house"}, "the page belongs to another search"),
        ({"sort": "date"}, "the page belongs to another search"),
        ({"min_probability": 0.6}, "the page belongs to another search"),
        ({"offset": 3}, "a page has its place already; leave out offset or page"),
        ({"page": "nonsense"}, "the page cannot be read"),
        ({"page": "W10"}, "the page cannot be read"),  # an empty list
        ({"page": "é"}, "the page cannot be read"),
    ]
    with sigseek.open(library) as opened:
        page = opened.search("at night", 2).next_page
        assert page is not None
        for change, said in refused:
            with pytest.raises(sigseek.QueryError, match=said):
                opened.search(**{"query": "at night", "page": page} | change)


def test_the_last_page_names_no_other(library: Path, run: Run) -> None:
    where = ("search", "at night", "--library", library, "--json")
    first = run(*where, "-n", 6)
    (token,) = re.findall(r"^for the next hits: --page (\S+)$", first.stderr, re.MULTILINE)
    second = run(*where, "-n", 6, "--page", token)
    assert "--page" not in second.stderr
    assert first.stdout + second.stdout == run(*where, "-n", 12).stdout


@pytest.mark.parametrize("order", ORDERS)
def test_tagged_photos_in_order(library: Path, order: Order) -> None:
    with sigseek.open(library) as opened:
        photos = [hit.path for hit in opened.search("a house", 40, include_all=True)][:15]
        opened.add_tag("some", photos)
        whole = opened.search("tag:some", 40)
        first = opened.search("tag:some", 10, sort=order)
        rest = opened.search("tag:some", 10, sort=order, offset=10)
    assert [hit.id for hit in (*first, *rest)] == in_order(list(whole), order)
    assert len(whole) == 15


def test_a_photo_without_a_file_is_in_no_part_of_a_selection(library: Path) -> None:
    execute(library, "DELETE FROM file WHERE photo_id = (SELECT min(id) FROM photo)")
    with sigseek.open(library) as opened:
        whole = opened.search("width:1", 100)
        parts = [opened.search("width:1", 7, offset=offset) for offset in range(0, len(whole), 7)]
    assert len(whole) > 7
    assert [hit.id for part in parts for hit in part] == [hit.id for hit in whole]


@pytest.mark.parametrize("order", ORDERS)
def test_few_of_many_are_put_in_order_alone_as_by_the_order_of_all(
    library: Path, monkeypatch: pytest.MonkeyPatch, order: Order
) -> None:
    execute(library, "DELETE FROM file WHERE photo_id = (SELECT max(id) FROM photo)")
    monkeypatch.setattr(layout, "_MANY", 1)
    lists = []
    for share, is_order_of_all_known in ((0, False), (2, False), (2, True)):
        monkeypatch.setattr(layout, "_SHARE_ALONE", share)
        with sigseek.open(library) as opened:
            if is_order_of_all_known:
                opened.list_photos(1, sort=order)
            parts = [opened.search("NOT rating:5", 9, sort=order, offset=9 * n) for n in range(5)]
        lists.append([hit.id for part in parts for hit in part])
    assert lists[0] == lists[1] == lists[2] != []


def scored(probabilities: list[float], limit: int) -> Scored:
    """Return the scores of the best 2 x limit of the photos with these probabilities."""
    ids = np.sort(np.argsort(-np.array(probabilities), kind="stable")[: 2 * limit])
    found = np.array(probabilities)[ids]
    others = Others(len(probabilities) - len(ids), np.zeros(0), float(found.min(initial=1)))
    return Scored(ids, {}, {}, {}, found, found, found, None, others)


@pytest.mark.parametrize(
    ("matching", "photos", "limits"),
    [
        (5, 100_000, [1000]),
        (999, 100_000, [1000]),
        (1000, 100_000, [1000, 20_000]),
        (50_000, 100_000, [1000, 20_000, 100_000]),
        (700, 700, [700]),
        (0, 0, [1]),
    ],
)
def test_all_that_match_are_scored_and_no_more_than_needed(
    matching: int, photos: int, limits: list[int]
) -> None:
    asked: list[int] = []
    probabilities = [0.9] * matching + [0.2] * (photos - matching)

    def score(limit: int) -> Scored:
        asked.append(limit)
        return scored(probabilities, limit)

    found = score_all_from(0.5, score, 10, photos)
    assert asked == limits
    assert int((found.probabilities >= 0.5).sum()) == matching


def test_everything_is_scored_where_everything_is_listed() -> None:
    asked: list[int] = []

    def score(limit: int) -> Scored:
        asked.append(limit)
        return scored([0.1] * 5000, limit)

    assert len(score_all_from(0.0, score, 10, 5000).ids) == 5000
    assert asked == [5000]


def test_what_the_catalog_says_for_an_order(
    open_catalog: Callable[[], Catalog], tmp_path: Path
) -> None:
    catalog = open_catalog()
    checkpoint = add_checkpoint(catalog, 4)
    ids = add_photos(catalog, checkpoint, random_unit(3, 4), tmp_path, ["b.jpg", "a.jpg", "c.jpg"])
    assert catalog.dates(ids[:2]) == dict.fromkeys(ids[:2])
    assert catalog.ratings(ids) == dict.fromkeys(ids)
    assert catalog.first_paths(ids) == {
        id_: str(tmp_path / name)
        for id_, name in zip(ids, ("b.jpg", "a.jpg", "c.jpg"), strict=True)
    }
    assert catalog.dates([]) == {}


@pytest.mark.parametrize("share", [0, 10**6], ids=["of many", "of few"])
def test_the_first_path_may_be_anything_but_utf_8(
    open_catalog: Callable[[], Catalog],
    tmp_path: Path,
    share: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    catalog = open_catalog()
    names = ["b.jpg", os.fsdecode(b"caf\xe9.jpg")]
    ids = add_photos(catalog, add_checkpoint(catalog, 4), random_unit(2, 4), tmp_path, names)
    monkeypatch.setattr(reading_order, "_SHARE_OF_MANY", share)
    paths = [str(tmp_path / name) for name in names]
    assert catalog.first_paths(ids) == dict(zip(ids, paths, strict=True))


def test_the_next_page_of_a_query_may_be_typed_otherwise(library: Path) -> None:
    with sigseek.open(library, model="mini") as opened:
        first = opened.search("at night OR is:undated", limit=3, include_all=True)
        again = opened.search(
            '"at night"  OR   is:undated', limit=3, include_all=True, page=first.next_page
        )
        assert again.offset == 3


def written(*fields: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        base64.urlsafe_b64encode(b"[" * 3000).decode(),
        written("asked", "x", 1, 1, True, 1, [0, 0.5, 1], []),
        written("asked", 1, 1, 1, True, 1, [0, [], 1], []),
        written("asked", 1, 1, 1, True, 1e999, [0, 0.5, 1], []),
        written("asked", 1, 1, 1, True, 1, [0, 0.5, 1], 3),
    ],
)
def test_a_page_that_nobody_wrote_is_refused(token: str) -> None:
    with pytest.raises(QueryError, match="the page cannot be read"):
        read_page(token, "asked")


@pytest.mark.parametrize("model", [["text"], ["other", 1, 2, 3], 3, [], ["text", 1, "none", 5]])
def test_a_page_with_models_that_nobody_wrote_is_refused(model: object) -> None:
    page = Page("asked", 1, 1, 1, True, 1, (0, 0.5, 1), (model,))
    with pytest.raises(QueryError, match="the page cannot be read"):
        page.term_models(Text("a"), Scoring(4.7, -12.9))


def test_a_directory_may_be_forgotten_while_hits_are_shown(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    add_photos(catalog, add_checkpoint(catalog, 4), random_unit(1, 4), tmp_path, ["a.jpg"])
    asked = parse(f"in:{tmp_path}")
    found = list_selected(asked, catalog, 5)
    with catalog.transaction() as transaction:
        transaction.remove_folder(catalog.folders()[0].id)
    assert shown_where_asked(found, asked, catalog) == found
    catalog.close()


def test_the_command_says_which_part_is_shown(library: Path, run: Run) -> None:
    where = ("search", "at night", "--library", library)
    whole = [json.loads(line) for line in run(*where, "--json", "-n", 40).stdout.splitlines()]
    assert len(whole) == 12

    def headline(*options: object) -> str:
        return run(*where, *options).stdout.splitlines()[0]

    assert headline("-n", 5) == "12 photos match, the best 5 shown (-n 50 for more)"
    assert headline("-n", 5, "--offset", 5) == (
        "12 photos match, 6 to 10 shown (--offset 10 for more)"
    )
    assert headline("-n", 5, "--offset", 10) == "12 photos match, 11 to 12 shown"
    assert headline("--offset", 30) == "12 photos match, none after the first 30"
    assert headline("-n", 5, "--sort", "-date") == (
        "12 photos match, the first 5 shown, newest first (-n 50 for more)"
    )
    assert headline("--sort", "path", "-n", 40) == "12 photos match"
    table = run(*where, "-n", 5, "--offset", 5, "--sort", "path").stdout.splitlines()
    assert table[1].split()[0] == "6"
    assert table[1].split()[-1] == sorted(row["path"] for row in whole)[5]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sort": "size"}, "hits cannot be in order by 'size'; use one of match, date, -date, "),
        ({"offset": -1}, "-1 hits cannot come before; offset must be at least 0"),
    ],
)
def test_what_is_refused(library: Path, options: dict[str, object], said: str) -> None:
    with (
        sigseek.open(library) as opened,
        pytest.raises(sigseek.QueryError, match=said),
    ):
        opened.search("a house", **options)  # type: ignore[arg-type]
