"""Counts of photos by year, camera, place and so on, against a plain Python count."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

import sigseek
from sigseek.operations.facet_terms import term_of
from sigseek.operations.facets import Facet
from sigseek.search.parse import parse
from sigseek.search.scope import selected
from sigseek.storage import Catalog, PhotoFacts, ReadFile
from sigseek.storage.catalog import CatalogReader
from sigseek.storage.catalog.facet_block import PHOTOS, SHIFT
from sigseek.storage.catalog.reading import directory_counts as directories
from sigseek.storage.catalog.reading import facets as reading
from sigseek.storage.catalog.tables import PHOTO
from sigseek.storage.facets import FACET_KINDS, FacetKind, FacetValue, place_in_words
from tests.catalogs import make_blocks, skip_ids, writing
from tests.conftest import Run
from tests.photos import exif, save
from tests.test_selections import Known, fill, photo

PLACES = (
    ("Lisbon", "Lisbon", "Portugal"), ("Lisbon", "Ohio", "USA"), ("Lisbon", None, None),
    ("Oslo", None, "Norway"), ("Rome", "Lazio\nand more", "Italy"), ("Rome\n", "Lazio", "Italy"),
    (None, "Ohio", "USA"), (None, "Ohio", None), (None, None, "USA"), (None, None, None),
    ("", "Ohio", ""), (None, "", "Fiji"), ("", "", ""),
)  # fmt: skip
"""Names of cities, regions and countries: cities in several of them, and names that are lacking."""
ENDS = ("0001", "0001-01-01T00:00:00", "9999", "9999-12-31T23:59:59")
"""The first dates and the last."""
FOLDERS = ("/photos", "/more photos")


def values_of(one: Known, kind: FacetKind) -> Iterable[FacetValue]:
    """Return all values of a kind that a photo has, from its facts, paths and tags."""
    said = one.facts
    match kind:
        case "year":
            return {said.taken_at and said.taken_at[:4]}
        case "month":
            return {said.taken_at and said.taken_at[:7]}
        case "camera" | "format" | "rating":
            return {getattr(said, kind)}
        case "place":
            names = [name for name in (said.city, said.region, said.country) if name]
            return {", ".join(dict.fromkeys(names)) or None}
        case "folder":
            inside = {root for root in FOLDERS for path in one.paths if path.startswith(f"{root}/")}
            return inside or {None}
        case "tag":
            return set(one.tags) or {None}


def counted(photos: Iterable[Known], kind: FacetKind) -> dict[FacetValue, int]:
    """Return how many photos have each value."""
    return dict(Counter(value for one in photos for value in values_of(one, kind)))


def counts_among(
    catalog: Catalog, among: Sequence[int], *kinds: FacetKind
) -> dict[FacetKind, dict[FacetValue, int]]:
    """Return the catalog's own counts of photos."""
    return catalog.count_photos_by(kinds, np.array(among, np.int64))


def counts_of_all(catalog: CatalogReader, kind: FacetKind) -> dict[FacetValue, int]:
    return catalog.count_photos_by([kind])[kind]


@pytest.fixture
def library(open_catalog: Callable[[], Catalog]) -> tuple[Catalog, list[Known], list[int]]:
    """A catalog of random photos. Some are in a second folder too, and some have no file."""
    rng = np.random.default_rng(8)
    photos = [photo(rng, number) for number in range(300)]
    for number in range(0, 300, 10):
        one = photos[number]
        also = (f"{FOLDERS[1]}/{number}.jpg", f"{FOLDERS[1]}/again/{number}.jpg")
        paths = () if number % 50 == 0 else one.paths + also
        photos[number] = Known(one.facts, paths, tags=one.tags)
    catalog = open_catalog()
    inside = [Known(one.facts, _below(one.paths, FOLDERS[0]), tags=one.tags) for one in photos]
    with catalog.transaction() as transaction:
        transaction.add_photos([one.facts for one in inside[:120]])
    skip_ids(catalog, 3 * PHOTOS - 40)  # so that the photos are of three blocks
    ids = fill(catalog, inside)
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path(FOLDERS[1]))
        for one, id_ in zip(photos, ids, strict=True):
            names = [path.removeprefix(f"{FOLDERS[1]}/") for path in _below(one.paths, FOLDERS[1])]
            transaction.put_files(folder.id, [ReadFile(name, id_, 1, 1) for name in names])
    return catalog, photos, ids


def _below(paths: Sequence[str], folder: str) -> tuple[str, ...]:
    return tuple(path for path in paths if path.startswith(f"{folder}/"))


@pytest.mark.parametrize("blocks", ["none", "one", "all"])
@pytest.mark.parametrize("few", [0, 70, 1_000])
def test_every_kind_is_counted(
    library: tuple[Catalog, list[Known], list[int]],
    blocks: str,
    few: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From blocks, from the rows of photos whose blocks are not there or that are few, or both."""
    catalog, photos, ids = library
    assert {id_ >> SHIFT for id_ in ids} == {0, 2, 3}
    if blocks != "none":
        make_blocks(catalog)
        assert catalog.lacking_facet_blocks() == []
    if blocks == "one":
        with catalog.transaction() as transaction:
            for number in (0, 3):
                transaction.remove_facet_blocks(number)
    monkeypatch.setattr(reading, "_FEW", few)
    monkeypatch.setattr(reading, "_TOGETHER", 70)  # so that there are several questions
    by_id = dict(zip(ids, photos, strict=True))
    rng = np.random.default_rng(9)
    expected: dict[FacetKind, dict[FacetValue, int]]
    for size in (0, 1, 30, 151, 299, 300):
        among = sorted(rng.choice(ids, size, replace=False).tolist())
        chosen = [by_id[id_] for id_ in among]
        expected = {kind: counted(chosen, kind) for kind in FACET_KINDS}
        assert counts_among(catalog, among, *FACET_KINDS) == expected, size
        assert counts_among(catalog, [*among, ids[-1] + 5 * PHOTOS], "tag") == {
            "tag": expected["tag"]
        }
    with catalog.snapshot() as moment:  # which keeps no answers
        assert moment.count_photos_by(FACET_KINDS) == expected
        for kind in FACET_KINDS:
            assert None in expected[kind] or kind == "format"
            assert counts_of_all(moment, kind) == expected[kind]


def test_the_term_of_a_value_selects_exactly_the_photos_that_are_counted(
    library: tuple[Catalog, list[Known], list[int]],
) -> None:
    """`place:Lisbon` and `camera:"EOS 7D"` would find others as well."""
    catalog, _, _ = library
    terms: dict[FacetKind, int] = {}
    for kind in FACET_KINDS:
        for value, photos in counts_of_all(catalog, kind).items():
            term = term_of(Facet(kind, value, photos))
            if term is not None:
                terms[kind] = terms.get(kind, 0) + 1
                assert len(selected(parse(term), catalog)) == photos, term
    # A month that is only a year, no camera, no place, no rating and no folder have no term.
    assert {kind: len(counts_of_all(catalog, kind)) - terms[kind] for kind in FACET_KINDS} == {
        "year": 0, "month": 3, "camera": 1, "place": 1, "folder": 1, "format": 0, "rating": 1,
        "tag": 0,
    }  # fmt: skip


def test_photos_that_are_gone_or_came_later_are_not_counted(
    library: tuple[Catalog, list[Known], list[int]],
) -> None:
    catalog, photos, ids = library
    ordered = sorted(ids)
    with writing(catalog) as connection:
        connection.exec_driver_sql(f"DELETE FROM photo WHERE id > {ordered[-3]}")
        connection.exec_driver_sql(f"DELETE FROM photo WHERE id = {ordered[5]}")
    by_id = dict(zip(ids, photos, strict=True))
    for among in (ordered, ordered[:10], ordered[-10:]):
        left = [by_id[id_] for id_ in among if id_ <= ordered[-3] and id_ != ordered[5]]
        found = counts_among(catalog, among, *FACET_KINDS)
        assert found == {kind: counted(left, kind) for kind in FACET_KINDS}


def test_places_are_counted_by_their_whole_names(open_catalog: Callable[[], Catalog]) -> None:
    catalog = open_catalog()
    facts = [PhotoFacts(bytes([number]) * 32, 4, 3, "JPEG") for number in range(60)]
    with catalog.transaction() as transaction:
        ids = list(transaction.add_photos(facts).values())
    for usual in PLACES:
        places = [*PLACES * 2, *[usual] * (len(ids) - 2 * len(PLACES))]
        with writing(catalog) as connection:
            for id_, (city, region, country) in zip(ids, places, strict=True):
                named = {"city": city, "region": region, "country": country}
                connection.execute(update(PHOTO).where(PHOTO.c.id == id_).values(named))
        expected = Counter(map(place_in_words, places))
        assert counts_of_all(catalog, "place") == expected, usual
        make_blocks(catalog)
        assert counts_of_all(catalog, "place") == expected, usual


def test_an_empty_catalog_has_no_values(open_catalog: Callable[[], Catalog]) -> None:
    catalog = open_catalog()
    for kind in FACET_KINDS:
        assert counts_of_all(catalog, kind) == {}
        assert counts_among(catalog, [], kind) == {kind: {}}


def test_years_and_months_are_those_of_the_camera(open_catalog: Callable[[], Catalog]) -> None:
    """One moment is in two years, by the clocks of twelve time zones."""
    moment = datetime(2023, 12, 31, 11, 30, tzinfo=UTC)
    hours = (-12, -9.5, -5, -3, 0, 1, 3.5, 5.75, 8, 9.5, 12.75, 14)
    clocks = [moment.astimezone(timezone(timedelta(hours=hour))) for hour in hours]
    catalog = open_catalog()
    with catalog.transaction() as transaction:
        for number, clock in enumerate(clocks):
            digest = bytes([number]) * 32
            taken = PhotoFacts(digest, 4, 3, "JPEG", taken_at=clock.isoformat())
            transaction.add_photos([taken])
        for number, date in enumerate(("2023", "2024-02-29", "2024-02", *ENDS), 100):
            transaction.add_photos([PhotoFacts(bytes([number]) * 32, 4, 3, "JPEG", taken_at=date)])
    later = sum(clock.year == 2024 for clock in clocks)
    assert later == 2
    assert counts_of_all(catalog, "year") == {
        "0001": 2,
        "2023": 11,
        "2024": 4,
        "9999": 2,
    }
    assert counts_of_all(catalog, "month") == {
        "0001": 1,
        "0001-01": 1,
        "2023": 1,
        "2023-12": 10,
        "2024-01": 2,
        "2024-02": 2,
        "9999": 1,
        "9999-12": 1,
    }


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of seven real files, most of them with a date and a camera."""
    folder = tmp_path_factory.mktemp("photos")
    for number, (date, camera, stars) in enumerate(
        [
            ("2019:04:01 10:00:00", "Canon EOS 7D", 4),
            ("2019:04:02 23:59:59", "Canon EOS 7D", 4),
            ("2019:12:31 23:50:00", "Canon EOS 7D", 5),
            ("2020:02:29 12:00:00", "Canon EOS R", None),
            ("2021:02:01 12:00:00", None, None),
            (None, "Canon EOS R", None),
            (None, None, None),
        ]
    ):
        tags: dict[str, object] = {"DateTimeOriginal": date} if date else {}
        tags |= {"Make": "Canon", "Model": camera} if camera else {}
        tags |= {"Rating": stars} if stars else {}
        save(folder / f"{number}.jpg", seed=number, exif=exif(**tags), quality=90)
    directory = tmp_path_factory.mktemp("facets") / "library"
    with sigseek.open(directory, model="mini") as library:
        library.index(folder)
        library.add_tag("red", [folder / "0.jpg", folder / "1.jpg"])
        library.add_tag("blue", [folder / "1.jpg"])
    return directory


def by_directory(
    photos: Sequence[Known], roots: Sequence[str], directory: str = ""
) -> dict[FacetValue, int]:
    """Return how many photos the directories of each root have that lie one level below what all
    files of the root below `directory` have in common.
    """
    counts: Counter[FacetValue] = Counter()
    for root in roots:
        start = f"{root}/{directory}".rstrip("/")
        files = [
            (number, Path(path).parent.parts)
            for number, one in enumerate(photos)
            for path in one.paths
            if path.startswith(f"{start}/")
        ]
        if not files:
            continue
        common = os.path.commonpath([str(Path(*parts)) for _, parts in files])
        depth = len(Path(common).parts) + 1
        counts.update(str(Path(*parts[:depth])) for _, parts in {(n, p[:depth]) for n, p in files})
    return dict(counts)


def test_photos_by_directory(library: tuple[Catalog, list[Known], list[int]]) -> None:
    catalog, photos, ids = library
    without = sum(not one.paths for one in photos)
    assert without
    found = catalog.count_photos_by_directory()
    assert found == by_directory(photos, FOLDERS) | {None: without}
    assert {"/photos", "/photos/2019", "/photos/2020", "/photos/sub"} <= set(found)
    every = {
        (number, str(directory))
        for number, one in enumerate(photos)
        for path in one.paths
        for directory in Path(path).parents
        if any(directory.is_relative_to(root) for root in FOLDERS)
    }
    in_all = Counter(directory for _, directory in every)
    assert catalog.count_photos_in_all_directories() == in_all
    chosen = [
        place
        for place, one in enumerate(photos)
        if any("/2019/Rome/" in path for path in one.paths)
    ]
    among = np.array(sorted(ids[place] for place in chosen), np.int64)
    some = [photos[place] for place in chosen]
    assert catalog.count_photos_by_directory(among) == by_directory(some, FOLDERS)
    known = catalog.directory(Path("/photos/2019"))
    assert known is not None
    below = catalog.count_photos_by_directory(None, known.places)
    assert below == by_directory(photos, FOLDERS[:1], "2019")
    assert set(below) == {"/photos/2019/Rome", "/photos/2019/rome x"}


def test_directories_whose_names_begin_alike_or_end_where_others_begin(
    open_catalog: Callable[[], Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index on paths has "a-b/x" before "a/x", and "a0" right behind all below "a"."""
    names = ("a", "a-b", "a0", "a.jpg", "ä", "\U0001f4f7", "\x01", "a a", "A")
    rng = np.random.default_rng(3)
    catalog = open_catalog()
    facts = [
        PhotoFacts(digest=bytes([number]) * 32, width=4, height=3, format="JPEG")
        for number in range(120)
    ]
    with catalog.transaction() as transaction:
        known = list(transaction.add_photos(facts).values())
    for root, above in (("/one", ""), ("/two", "a/a0/"), ("/three", "a"), ("/none", None)):
        paths = {
            f"{above}{'/'.join(rng.choice(names, rng.integers(1, 4)))}" + (".jpg" * (number % 2))
            for number in range(100 if above is not None else 0)
        }
        with catalog.transaction() as transaction:
            folder, _ = transaction.add_folder(Path(root))
            files = [ReadFile(path, int(rng.choice(known)), 1, 1) for path in sorted(paths)]
            transaction.put_files(folder.id, files)
    with catalog.snapshot() as moment:
        by_ranges = moment.count_photos_by_directory()
        monkeypatch.setattr(directories, "_MOST_RANGES", 3)
        assert moment.count_photos_by_directory() == by_ranges
        everything = np.array(known, np.int64)
        assert moment.count_photos_by_directory(everything) == by_ranges
    assert by_ranges[None] > 0
    assert {"/one/a", "/one/a-b", "/one", "/two/a/a0/ä", "/three/aa0"} <= set(by_ranges)


def test_counts_that_are_kept_are_forgotten_with_a_change(
    library: tuple[Catalog, list[Known], list[int]],
) -> None:
    catalog, photos, ids = library
    before = catalog.count_photos_by_directory()
    assert catalog.count_photos_by_directory() == before
    with writing(catalog) as connection:
        connection.exec_driver_sql(f"DELETE FROM photo WHERE id IN {tuple(ids[:100])}")
    left = [one for one, id_ in zip(photos, ids, strict=True) if id_ not in ids[:100]]
    without = sum(not one.paths for one in left)
    assert catalog.count_photos_by_directory() == by_directory(left, FOLDERS) | {None: without}


def test_paths_that_are_not_utf8_are_counted(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    digests = [bytes([number]) * 32 for number in range(3)]
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/photos"))
        facts = [PhotoFacts(digest=digest, width=4, height=3, format="JPEG") for digest in digests]
        known = transaction.add_photos(facts)
        files = ("2019/a.jpg", "2019/\udce9.jpg", "\udce9/a.jpg")
        transaction.put_files(
            folder.id,
            [
                ReadFile(file, known[digest], 1, 1)
                for file, digest in zip(files, digests, strict=True)
            ],
        )
    expected = {"/photos/2019": 2, "/photos/\udce9": 1}
    assert catalog.count_photos_by_directory() == expected
    catalog.close()


def test_directories_within_the_one_that_a_query_names(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "photos"
    for number, name in enumerate(
        ["2019/Rome/a", "2019/Rome/b", "2019/c", "2020/Oslo/d", "2020/e"]
    ):
        save(folder / f"{name}.jpg", seed=number, quality=90)
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(folder)
        assert told(library.facets(by="folder")) == [(f"{folder}/2019", 3), (f"{folder}/2020", 2)]
        assert told(library.facets("in:2019", by="folder")) == [
            (f"{folder}/2019/Rome", 2), (f"{folder}/2019", 1),
        ]  # fmt: skip
        assert told(library.facets("in:2019/Rome", by="folder")) == [(f"{folder}/2019/Rome", 2)]
        within = library.facets("in:2019", by="folder", limit=1)
        terms = [
            term_of(facet, within.directly) for facet in library.facets("in:2019", by="folder")
        ]
        assert terms == [f'in:"{folder}/2019/Rome"', None], "in: would find those of Rome, too"
        whole = [facet for facet in library.facets() if facet.by == "folder"]
        assert [(facet.value, facet.photos) for facet in whole] == [(str(folder), 5)]
        completed = [(one.label, one.photos) for one in library.complete("in:").suggestions]
        assert completed == [
            (str(folder), 5), (f"{folder}/2019", 3), (f"{folder}/2019/Rome", 2),
            (f"{folder}/2020", 2), (f"{folder}/2020/Oslo", 1),
        ]  # fmt: skip
        for typed, directory in (
            ("2020", "2020"), ("ro", "2019/Rome"), ("2019/r", "2019/Rome"),
            (f"{folder}/2020/", "2020/Oslo"), ("2020/", "2020/Oslo"), ("osl", "2020/Oslo"),
        ):  # fmt: skip
            first, *_ = library.complete(f"in:{typed}").suggestions
            assert first.text == f'in:"{folder}/{directory}"'
    lines = run("facets", "--by", "folder", "--library", tmp_path / "library", "--json").stdout
    assert json.loads(lines.splitlines()[0]) == {
        "by": "folder", "value": f"{folder}/2019", "photos": 3,
    }  # fmt: skip


def told(found: sigseek.Facets) -> list[tuple[object, int]]:
    return [(facet.value, facet.photos) for facet in found]


def test_the_order_of_values(real: Path) -> None:
    with sigseek.open(real, model="no model is needed") as library:
        years = library.facets(by="year")
        assert told(years) == [("2021", 1), ("2020", 1), ("2019", 3), (None, 2)]
        assert (years.photos, years.counted, years.query) == (7, "library", None)
        assert {facet.by for facet in years} == {"year"}
        months = library.facets(by="month")
        assert told(months) == [
            ("2021-02", 1), ("2020-02", 1), ("2019-12", 1), ("2019-04", 2), (None, 2),
        ]  # fmt: skip
        cameras = library.facets(by="camera")
        assert told(cameras) == [("Canon EOS 7D", 3), ("Canon EOS R", 2), (None, 2)]
        assert told(library.facets(by="rating")) == [(4, 2), (5, 1), (None, 4)]
        assert told(library.facets(by="tag")) == [("red", 2), ("blue", 1), (None, 5)]
        assert told(library.facets(by="place")) == [(None, 7)]


def test_a_limit_leaves_out_values_but_not_the_unknown(real: Path) -> None:
    with sigseek.open(real, model="no model is needed") as library:
        found = library.facets(by="month", limit=2)
        assert told(found) == [("2021-02", 1), ("2020-02", 1), (None, 2)]
        assert found.left_out == {"month": 2}
        each = library.facets(limit=1)
        assert told(each)[:2] == [("2021", 1), (None, 2)]
        assert each.left_out["year"] == 2
        assert list(dict.fromkeys(facet.by for facet in each)) == list(FACET_KINDS)
        assert library.facets().left_out == dict.fromkeys(FACET_KINDS, 0)


def test_a_selection_is_counted(real: Path) -> None:
    with sigseek.open(real, model="no model is needed") as library:
        found = library.facets("date:2019", by="rating", within="camera:canon")
        assert told(found) == [(4, 2), (5, 1)]
        assert (found.photos, found.counted) == (3, "selection")
        assert found.query == 'date:"2019" AND camera:"canon"'
        folder = next(facet.value for facet in library.facets() if facet.by == "folder")
        assert told(library.facets("date:2019")) == [
            ("2019", 3), ("2019-12", 1), ("2019-04", 2), ("Canon EOS 7D", 3), (None, 3),
            (folder, 3), ("JPEG", 3), (4, 2), (5, 1), ("red", 2), ("blue", 1), (None, 1),
        ]  # fmt: skip
        assert told(library.facets(within="is:undated", by="year")) == [(None, 2)]
        none = library.facets("date:2030")
        assert (len(none), none.photos, none.query) == (0, 0, 'date:"2030"')


def test_the_matches_of_a_text_are_counted(mini_library: Path, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(mini_library, tmp_path / "library"))
    catalog = Catalog(directory)
    with writing(catalog) as connection:
        connection.exec_driver_sql("UPDATE photo SET camera = 'Camera ' || (id % 3)")
        connection.exec_driver_sql("UPDATE photo SET taken_at = 2000 + id % 2")
    catalog.close()
    with sigseek.open(directory, model="mini") as library:
        for query, within in (
            ("at night", ""), ("a house OR at night", ""), ("a house NOT date:2000", ""),
            ("at night", "camera:1"), ("a giraffe", ""),
        ):  # fmt: skip
            hits = library.search(query, 40, within=within)
            found = library.facets(query, by="camera", within=within)
            expected = Counter(hit.camera for hit in hits)
            assert dict(told(found)) == expected, query
            assert (found.photos, found.counted) == (hits.matches, "matches")
        assert library.facets("a giraffe").photos == 0
        assert library.facets("at night").photos > 3


def test_a_photo_that_is_named_counts(mini_library: Path, drawn: Path) -> None:
    named = f'photo:"{drawn / "scene-00007.jpg"}"'
    with sigseek.open(mini_library, model="mini") as library:
        hits = library.search(named, 40, include_self=True)
        assert library.facets(named, by="format").photos == hits.matches > 0


def test_what_is_refused(real: Path, tmp_path: Path) -> None:
    with sigseek.open(real) as library:
        with pytest.raises(sigseek.QueryError, match="photos cannot be counted by 'colour'; use"):
            library.facets(by="colour")  # type: ignore[arg-type]
        with pytest.raises(sigseek.QueryError, match="0 values cannot be shown"):
            library.facets(limit=0)
        with pytest.raises(sigseek.FactError, match="no photo has the camera 'Nikon'"):
            library.facets("camera:Nikon")
    with (
        sigseek.open(tmp_path / "none") as library,
        pytest.raises(sigseek.LibraryError, match="no library at"),
    ):
        library.facets()


def test_the_command(real: Path, run: Run) -> None:
    def said(*arguments: str) -> list[str]:
        return run("facets", *arguments, "--library", real).stdout.splitlines()

    assert said("--by", "camera") == [
        "7 photos in the library",
        "",
        "camera",
        "  Canon EOS 7D  3  ████▎",
        "  Canon EOS R   2  ██▉",
        "  unknown       2  ██▉",
    ]
    assert said("date:2019", "--by", "rating", "--camera", "Canon", "-n", "1") == [
        '3 photos in the selection: date:"2019" AND camera:"Canon"',
        "",
        "rating",
        "  4 stars  2  ██████▋",
        "  and 1 more value",
    ]
    everything = said("-n", "1")
    assert [line for line in everything if line and line[0] != " "][1:] == list(FACET_KINDS)
    assert [line.split("  ")[1] for line in everything if "no " in line or "unknown" in line] == [
        "unknown", "unknown", "unknown", "unknown", "no rating", "no tag",
    ]  # fmt: skip
    assert said("--date", "2030") == ['No photo in the selection: date:"2030"']


def test_the_json_of_the_command(real: Path, run: Run) -> None:
    done = run("facets", "rating:4", "--by", "tag", "--json", "--library", real)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"by": "tag", "value": "red", "photos": 2},
        {"by": "tag", "value": "blue", "photos": 1},
        {"by": "tag", "value": None, "photos": 1},
    ]
    assert done.stderr == '3 photos in the selection: rating:"4"\n'


def test_the_command_counts_the_matches_of_a_text(mini_library: Path, run: Run) -> None:
    arguments = ("--by", "format", "--library", mini_library)
    assert run("facets", "a", "house", *arguments).stdout.splitlines()[0] == (
        '4 photos match: "a house"'
    )
    assert run("facets", "a giraffe", *arguments).stdout == 'No photo matches: "a giraffe"\n'


def test_what_the_command_refuses(real: Path, tmp_path: Path, run: Run) -> None:
    done = run("facets", "--by", "months", check=False)
    assert done.returncode == 2
    assert "'months' is not one of 'year', 'month', 'camera'" in done.stderr
    done = run("facets", "camera:Nikon", "--library", real, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: column 8: no photo has the camera 'Nikon'")
    done = run("facets", "--library", tmp_path / "none", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: no library at {tmp_path / 'none'}")


def test_counts_of_facts_load_no_model_and_no_index(real: Path) -> None:
    code = (
        "import sys, sigseek\n"
        f"found = sigseek.open({str(real)!r}).facets('date:2019')\n"
        "heavy = {'torch', 'openvino', 'faiss', 'transformers', 'tokenizers'} & set(sys.modules)\n"
        "print(found.photos, sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "3 []\n"
