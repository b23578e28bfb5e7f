"""Which photos the catalog selects, against a plain Python filter over everything that is known of
all photos.
"""

import hashlib
import math
import os
import unicodedata
from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigseek.geography import kilometres, surrounding_box
from sigseek.search.errors import FactError, UnknownTagError
from sigseek.search.facts.known_names import KnownNames
from sigseek.search.parse import parse
from sigseek.search.query import And, Fact, Leaf, Not, Or, Query, Tag
from sigseek.search.scope import first_selected, selected
from sigseek.storage import Catalog, PhotoFacts, ReadFile
from sigseek.storage.catalog.reading import selections as reading
from tests.catalogs import add_checkpoint
from tests.trees import trees

SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Known:
    """A photo, and where its files are."""

    facts: PhotoFacts
    paths: tuple[str, ...]
    missing: bool = False
    tags: tuple[str, ...] = ()


def whole_period(text: str) -> tuple[datetime, datetime]:
    """Return the first moment of a date, and the first one after it."""
    parts = [int(part) for part in text.replace("T", "-").replace(":", "-").split("-")]
    begin = datetime(*(parts + [1, 1, 0, 0, 0][len(parts) - 1 :]))  # type: ignore[arg-type]
    days = {
        1: 366 if monthrange(begin.year, 2)[1] == 29 else 365,
        2: monthrange(begin.year, begin.month)[1],
    }
    lengths = {3: timedelta(1), 4: timedelta(hours=1), 5: timedelta(minutes=1), 6: SECOND}
    count = len(parts)
    if text == "9999":
        return begin, datetime.max
    return begin, begin + (timedelta(days[count]) if count < 3 else lengths[count])


def local(taken_at: str) -> str:
    """Return the date without its UTC offset."""
    return taken_at[:19]


def great_circle(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Return the distance in kilometres, by the angle between two vectors."""

    def vector(place: tuple[float, float]) -> list[float]:
        north, east = map(math.radians, place)
        return [
            math.cos(north) * math.cos(east),
            math.cos(north) * math.sin(east),
            math.sin(north),
        ]

    one, other = vector(a), vector(b)
    cross = math.hypot(
        one[1] * other[2] - one[2] * other[1],
        one[2] * other[0] - one[0] * other[2],
        one[0] * other[1] - one[1] * other[0],
    )
    return 6371 * math.atan2(cross, sum(x * y for x, y in zip(one, other, strict=True)))


def plain(text: str) -> str:
    return unicodedata.normalize("NFC", "".join(text.casefold().split()))


def composed(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def whole_names(said: PhotoFacts, kind: str) -> Sequence[str]:
    """Return the names that a photo has of a kind, letter for letter."""
    if kind == "place":
        names = [name for name in (said.city, said.region, said.country) if name]
        return [", ".join(name for at, name in enumerate(names) if name not in names[:at])]
    if kind in ("keyword", "person"):
        return said.keywords if kind == "keyword" else said.people
    return [getattr(said, kind) or ""]


def is_true(photo: Known, leaf: Leaf) -> bool:
    """Return whether a fact, of those that are asked below, is true of a photo."""
    said = photo.facts
    if isinstance(leaf, Tag):
        return leaf.name in photo.tags
    assert isinstance(leaf, Fact)
    value = str(leaf.value)
    if value.startswith("=") and leaf.name not in ("rating", "width", "height"):
        return value[1:] in whole_names(said, leaf.name)
    match leaf.name:
        case "date":
            if said.taken_at is None:
                return False
            first, dots, last = value.partition("..")
            begin, end = whole_period(local(said.taken_at))
            last = last if dots else first
            return not (first and begin < whole_period(first)[0]) and not (
                last and end > whole_period(last)[1]
            )
        case "camera":
            names = [said.camera or "", (said.camera or "").partition(" ")[2]]
            return bool(said.camera) and plain(value) in map(plain, names)
        case "lens" | "format":
            return plain(getattr(said, leaf.name) or "") == plain(value)
        case "title":
            return plain(value) in plain(said.title or "")
        case "place":
            names = [name for name in (said.city, said.region, said.country) if name]
            return all(plain(part) in map(plain, names) for part in value.split(","))
        case "keyword":
            wanted = f"|{plain(value)}|"
            return any(wanted in f"|{plain(name)}|" for name in said.keywords)
        case "person":
            return plain(value) in map(plain, said.people)
        case "near":
            latitude, longitude, distance = value.removesuffix("km").split(",")
            if said.latitude is None or said.longitude is None:
                return False
            there = (said.latitude, said.longitude)
            return great_circle((float(latitude), float(longitude)), there) <= float(distance)
        case "in":
            return any(f"/{composed(value)}/" in composed(path) for path in photo.paths)
        case "rating" | "width" | "height":
            number = getattr(said, leaf.name)
            if number is None:
                return False
            if value.startswith("="):
                return bool(number == int(value[1:]))
            least, dots, most = value.partition("..")
            return bool(int(least) <= number <= (int(most) if dots else number))
        case "is":
            return {
                "undated": said.taken_at is None,
                "damaged": said.damaged,
                "missing": photo.missing,
                "duplicate": len(photo.paths) > 1 and not photo.missing,
                "tagged": bool(photo.tags),
                "untagged": not photo.tags,
                "portrait": said.height > said.width,
                "landscape": said.width > said.height,
            }[value]
    raise AssertionError(leaf)


def answers(query: Query) -> npt.NDArray[np.bool_]:
    """Return of which of the known photos a query is true."""
    match query:
        case Not(part=part):
            return ~answers(part)
        case And(parts=parts):
            return np.all([answers(part) for part in parts], axis=0)
        case Or(parts=parts):
            return np.any([answers(part) for part in parts], axis=0)
        case _:
            return leaf_answers(query)


@cache
def leaf_answers(leaf: Leaf) -> npt.NDArray[np.bool_]:
    return np.array([is_true(photo, leaf) for photo in known_photos()])


OFFSETS = ("", "Z", "-12:00", "-09:30", "-05:00", "+00:00", "+01:00", "+03:30", "+05:45", "+08:00",
           "+09:30", "+12:45", "+13:00", "+14:00")  # fmt: skip
DATES = (
    None, "1978", "2023", "2024", "2024-01", "2024-02", "2024-12", "2024-01-01", "2024-02-28",
    "2024-02-29", "2024-03-01", "2024-12-31", "2023-12-31",
)  # fmt: skip
TIMES = ("T00:00:00", "T00:00:01", "T10:20:30", "T23:50:00", "T23:59:59")
CAMERAS = (None, "Canon EOS 7D", "Canon EOS 7D Mark II", "EOS 7D", "PENTAX *ist DS", 'Acme "X" 1',
           "Foo 100%_1", "Foo 1005x1", "Ärger Straße 5")  # fmt: skip
PLACES = (
    (None, None, None, None, None),
    (38.7223, -9.1393, "Lisbon", "Lisbon", "Portugal"),
    (38.80, -9.14, "Loures", "Lisbon", "Portugal"),
    (-33.8568, 151.2153, "Sydney", "New South Wales", "Australia"),
    (-16.8, 179.98, "Taveuni", None, "Fiji"),
    (-16.8, -179.95, None, None, "Fiji"),
    (89.95, 12.0, None, None, None),
    (89.95, -170.0, None, None, None),
    (-54.80, -68.30, "Ushuaia", "Tierra del Fuego", "Argentina"),
    (None, None, "Frankfurt (Oder)", "O'Brien \"County\"", None),
    (None, None, "Zu\u0308rich", "100%_Town", "Schweiz"),
)  # fmt: skip
KEYWORDS = ("sea", "Animal|Bird|Gull", "Animal|Bird", "bird watching", "50%_off*", 'say "hi"',
            "cafe\u0301", "STRASSE")  # fmt: skip
PEOPLE = ("Ann O'Neil", "Bo")
DIRECTORIES = ("", "2019/Rome", "2019/Rome/a%b", "2019/rome x", "2020/Rome_1", "sub/2019/Rom",
               "Cafe\u0301/U\u0308", "2020/Romex1")  # fmt: skip
QUESTIONS = (
    *(f"date:{date}" for date in DATES if date),
    "date:2024-02-29T23", "date:2024-02-29T23:50", "date:2024-02-29T23:50:00", "date:2023..2024-02",
    "date:2024-01-01..2024-12-31", "date:2024-01..2024-12", "since:2024-02-29", "until:2024-02-29",
    "date:2024-01-01T00..2024", "until:9999", "since:0001", "date:2024-12-31T23:59:59",
    'camera:"EOS 7D"', 'camera:"canon eos7d"', 'camera:"Canon EOS 7D Mark II"',
    'camera:"*ist DS"', r'camera:"Acme \"X\" 1"', 'camera:"foo 100%_1"', 'camera:"100%_1"',
    'camera:"ÄRGER STRASSE 5"', 'camera:"A\u0308rger Straße 5"',
    'camera:="EOS 7D"', 'camera:="Canon EOS 7D"', 'camera:="PENTAX *ist DS"',
    'keyword:="Animal|Bird"',
    'person:="Bo"', 'format:="JPEG"', 'lens:="EF 50mm f/1.8"', 'title:="A Sunset"', "title:=sunset",
    'place:="Lisbon, Portugal"', 'place:="Loures, Lisbon, Portugal"', "place:=Fiji",
    'place:="Taveuni, Fiji"',
    "place:Lisbon", "place:portugal", 'place:"Lisbon, Portugal"', "place:Fiji",
    r'place:"O\'Brien \"County\""', 'place:"Frankfurt (Oder)"', 'place:"100%_Town"', "place:ZÜRICH",
    "near:38.72,-9.14", "near:38.72,-9.14,5km", "near:-16.8,180", "near:-16.8,-180,3km",
    "near:90,0", "near:90,77,5km", "near:-33.8568,151.2153,1m", "near:0,0,20000km",
    "in:2019/Rome", "in:2020/Rome_1", 'in:"2019/Rome/a%b"', "in:Caf\u00e9", "in:Caf\u00e9/\u00dc",
    "rating:4", "rating:=4", "rating:-1", "rating:1..3", "rating:=-1", "rating:4..",
    "keyword:sea", "keyword:Bird", "keyword:gull", 'keyword:"Animal|Bird"', 'keyword:"50%_off*"',
    r'keyword:"say \"hi\""', "keyword:CAF\u00c9", "keyword:straße",
    'person:"Ann O\'Neil"', "title:sunset", "title:\"o'clock\"", "title:%", "title:_",
    "format:jpeg", "format:png", "lens:\"EF 50mm f/1.8\"", "width:100", "height:=30",
    "is:undated", "is:damaged", "is:missing", "is:duplicate", "is:tagged", "is:untagged",
    "is:portrait", "is:landscape", "tag:night", 'tag:"too dark"',
)  # fmt: skip


_ASKS_FOR_NONE = {"title:_", "title:=sunset", "near:90,77,5km"}


def leaf(typed: str) -> Leaf:
    read = parse(typed.replace("\\'", "'"))
    assert isinstance(read, Fact | Tag), typed
    return read


LEAVES: list[Leaf] = [leaf(typed) for typed in QUESTIONS]


def photo(rng: np.random.Generator, number: int) -> Known:
    """Return a photo with random facts."""

    def chosen(values: Sequence[object]) -> object:
        return values[int(rng.integers(len(values)))]

    date = chosen(DATES)
    if isinstance(date, str) and len(date) == 10 and rng.random() < 0.7:
        date += f"{chosen(TIMES)}{chosen(OFFSETS)}".replace("Z", "+00:00")
    latitude, longitude, city, region, country = chosen(PLACES)  # type: ignore[misc]
    width, height = chosen([(40, 30), (30, 40), (100, 100), (200, 30)])  # type: ignore[misc]
    facts = PhotoFacts(
        digest=hashlib.sha256(str(number).encode()).digest(),
        width=width,
        height=height,
        format=str(chosen(["JPEG", "PNG", "HEIF"])),
        damaged=rng.random() < 0.1,
        taken_at=date,  # type: ignore[arg-type]
        camera=chosen(CAMERAS),  # type: ignore[arg-type]
        latitude=latitude,
        longitude=longitude,
        city=city,
        region=region,
        country=country,
        lens=chosen([None, "EF 50mm f/1.8", "EF 50mm f/1.8 II"]),  # type: ignore[arg-type]
        rating=chosen([None, None, -1, 0, 1, 3, 4, 5]),  # type: ignore[arg-type]
        title=chosen([None, "A Sunset", "Six o'clock 50%"]),  # type: ignore[arg-type]
        keywords=tuple(sorted(word for word in KEYWORDS if rng.random() < 0.2)),
        people=tuple(person for person in PEOPLE if rng.random() < 0.2),
    )
    directories = [DIRECTORIES[number % len(DIRECTORIES)]]
    if rng.random() < 0.2:
        directories.append(str(chosen(DIRECTORIES)))
    paths = tuple(
        "/" + os.path.join("photos", directory, f"{number}-{copy}.jpg")
        for copy, directory in enumerate(directories)
    )
    tags = tuple(tag for tag in ("night", "too dark") if rng.random() < 0.3)
    return Known(facts, paths, rng.random() < 0.1, tags)


def fill(catalog: Catalog, photos: Sequence[Known]) -> list[int]:
    """Put the photos into the catalog, and return their ids."""
    checkpoint = add_checkpoint(catalog, 4)
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/photos"))
        known = transaction.add_photos([photo.facts for photo in photos])
        ids = [known[photo.facts.digest] for photo in photos]
        files = [
            ReadFile(os.path.relpath(path, "/photos"), id_, 1, 1)
            for photo, id_ in zip(photos, ids, strict=True)
            for path in photo.paths
        ]
        transaction.put_files(folder.id, files)
        missing = [path for one in photos if one.missing for path in one.paths]
        transaction.mark_missing(folder.id, [os.path.relpath(path, "/photos") for path in missing])
        for tag in ("night", "too dark"):
            having = [id_ for one, id_ in zip(photos, ids, strict=True) if tag in one.tags]
            judged = np.array(having[::2], np.int64)
            transaction.put_tag(tag, checkpoint.id, judged, np.ones(len(judged), np.float32))
            transaction.put_hand_tag(tag, having[1::2], given=True)
    return ids


@cache
def known_photos() -> list[Known]:
    """Return the photos of the library, which are the same for all tests."""
    rng = np.random.default_rng(16)
    return [photo(rng, number) for number in range(400)]


@pytest.fixture
def library(open_catalog: Callable[[], Catalog]) -> tuple[Catalog, list[Known], list[int]]:
    catalog = open_catalog()
    return catalog, known_photos(), fill(catalog, known_photos())


def ids_of(
    photos: Sequence[Known], ids: Sequence[int], wanted: Callable[[Known], bool]
) -> list[int]:
    """Return the ids, ascending, of the photos that are wanted."""
    return sorted(id_ for one, id_ in zip(photos, ids, strict=True) if wanted(one))


def ids_of_answer(ids: Sequence[int], query: Query) -> list[int]:
    """Return the ids, ascending, of the known photos of which the query is true."""
    return sorted(np.array(ids)[answers(query)].tolist())


def test_every_question(library: tuple[Catalog, list[Known], list[int]]) -> None:
    catalog, _, ids = library
    for question, leaf in zip(QUESTIONS, LEAVES, strict=True):
        expected = ids_of_answer(ids, leaf)
        found = selected(leaf, catalog)
        assert found.dtype == np.int64
        assert found.tolist() == expected, question
        assert expected or question in _ASKS_FOR_NONE, question


def check_beginning(catalog: Catalog, query: Query, expected: list[int]) -> None:
    for most in (7, len(expected) + 1):
        count, first = first_selected(query, catalog, most)
        assert (count, list(first)) == (len(expected), expected[:most]), (str(query), most)


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("few", "tried"), [(20_000, 1_000), (5, 20), (0, 400)])
def test_the_first_photos_of_every_question_and_of_its_opposite(
    library: tuple[Catalog, list[Known], list[int]],
    few: int,
    tried: int,
    every: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether a selection counts as large decides in which order the database looks. With 3, each
    question is asked in one of its three forms.
    """
    catalog, _, ids = library
    monkeypatch.setattr(reading, "_FEW", few)
    monkeypatch.setattr(reading, "_TRIED", tried)
    for number, leaf in enumerate(LEAVES):
        for query in (leaf, Not(leaf), And((Not(leaf),)))[number % every :: every]:
            expected = ids_of_answer(ids, query)
            check_beginning(catalog, query, expected)


def test_the_first_photos_of_an_answer_that_is_kept(
    library: tuple[Catalog, list[Known], list[int]],
) -> None:
    catalog, _, ids = library
    for leaf in LEAVES:
        expected = ids_of_answer(ids, leaf)
        assert selected(leaf, catalog).tolist() == expected
        check_beginning(catalog, leaf, expected)


def test_any_tree_of_questions(library: tuple[Catalog, list[Known], list[int]]) -> None:
    catalog, _, ids = library

    @settings(max_examples=40)
    @given(trees(LEAVES))
    def check(query: Query) -> None:
        expected = ids_of_answer(ids, query)
        assert selected(query, catalog).tolist() == expected, str(query)
        assert selected(parse(str(query)), catalog).tolist() == expected, str(query)
        check_beginning(catalog, query, expected)

    check()


MISSING = [
    (
        'a dog camera:"EOS 8D"',
        "column 14: no photo has the camera 'EOS 8D'; the nearest names here: EOS 7D, ",
    ),
    (
        "place:New York",
        "column 7: no photo has the place 'New'; the nearest names here: New South Wales; a "
        'name of several words needs quotation marks, as in "New York"',
    ),
    (
        'camera:="eos 7d"',
        "column 8: no photo has the camera 'eos 7d'; the nearest names here: EOS 7D, ",
    ),
    (
        'place:="Lisbon"',
        "column 7: no photo has the whole place 'Lisbon'; the nearest names here: Lisbon, P",
    ),
    ("lens:EF", "column 6: no photo has the lens 'EF'; the nearest names here: EF 50mm f/1.8"),
    ("place:Lissabon", "column 7: no photo has the place 'Lissabon'; the nearest names here: "),
    ('place:"Lisbon, Spain"', "column 7: no photo has the place 'Spain'; "),
    ("keyword:Gul", "column 9: no photo has the keyword 'Gul'; the nearest names here: "),
    ("person:Bob", "column 8: no photo has the person 'Bob'; the nearest names here: Bo"),
    (
        "in:2021",
        "column 4: no photo of this library is in a directory '2021'; the library's folders "
        "are: /photos",
    ),
    (
        "in:2019/ROME",
        "column 4: no photo of this library is in a directory '2019/ROME'; th",
    ),
    ("in:/photos/none", "column 4: no photo of this library is in a directory '/photos/none'"),
    ("in:2019", "column 4: '2019' is the end of 2 directories; write more of its path: "),
    (
        "near:Xyzzyville",
        "column 6: there is no city 'Xyzzyville' in the list of cities; write its latitude "
        "and longitude, as in 38.72,-9.14",
    ),
    (
        "near:Lisbn",
        "column 6: there is no city 'Lisbn' in the list of cities; the nearest names there: "
        "Lisbon, Lisburn, Libon; or write its latitude and longitude, as in 38.72,-9.14",
    ),
    (
        'near:"Paris, Texsa"',
        "column 6: there is no city 'Paris, Texsa' in the list of cities; those of this name: "
        "Paris, Île-de-France, France; Paris, Texas, United States; Paris, ",
    ),
    (
        "near:48.85N,2.35E",
        "column 6: there is no city '48.85N, 2.35E' in the list of cities; write its latitude",
    ),
]
"""What is asked for that no photo has, and what is said of it."""


def test_what_no_photo_has_is_told_at_its_column(
    library: tuple[Catalog, list[Known], list[int]],
) -> None:
    catalog = library[0]
    for typed, said in MISSING:
        facts = [part for part in parts_of(parse(typed)) if isinstance(part, Fact)]
        with pytest.raises(FactError) as caught:
            selected(facts[0], catalog)
        assert str(caught.value).startswith(said), typed


def parts_of(query: Query) -> tuple[Query, ...]:
    return query.parts if isinstance(query, And) else (query,)


def test_directories_by_path_and_by_their_last_parts(
    library: tuple[Catalog, list[Known], list[int]],
) -> None:
    catalog, photos, ids = library

    def below(directory: str) -> list[int]:
        return ids_of(
            photos, ids, lambda one: any(path.startswith(f"{directory}/") for path in one.paths)
        )

    for typed, directory in [
        ("/photos/2019/Rome", "/photos/2019/Rome"),
        ("/photos/2019/../2019/Rome/", "/photos/2019/Rome"),
        ("/photos", "/photos"),
        ("/", ""),
        ("photos", "/photos"),
        ("photos/2019", "/photos/2019"),
        ("Rome", "/photos/2019/Rome"),
        ("a%b", "/photos/2019/Rome/a%b"),
        ("Rome_1", "/photos/2020/Rome_1"),
        ("sub", "/photos/sub"),
        ("rome x", "/photos/2019/rome x"),
    ]:
        found = selected(parse(f'in:"{typed}"'), catalog).tolist()
        assert found == below(directory), typed
        assert found


def test_directories_are_found_wherever_their_name_is_in_a_path(
    open_catalog: Callable[[], Catalog],
) -> None:
    rng = np.random.default_rng(5)
    names = ["a", "b", "a b", "a.b", "a0", "\u00e9", "e\u0301", "\udcff"]
    paths = {
        "/".join([*rng.choice(names, rng.integers(0, 5)), f"{rng.choice(names)}.jpg"])
        for _ in range(400)
    }
    catalog = open_catalog()
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/photos"))
        files = []
        for path in sorted(paths, key=os.fsencode):
            digest = hashlib.sha256(os.fsencode(path)).digest()
            id_ = transaction.add_photo(PhotoFacts(digest, 40, 30, "JPEG"))
            files.append(ReadFile(path, id_, 1, 1))
        transaction.put_files(folder.id, files)
    for name in [*names[:-1], *(f"{one}/{two}" for one in names[:6] for two in names)]:
        wanted = tuple(composed(name).split("/"))
        expected = set()
        for path in paths:
            parts = path.split("/")[:-1]
            ends = range(len(wanted), len(parts) + 1)
            equal = [
                end
                for end in ends
                if tuple(composed("/".join(parts[:end])).split("/"))[-len(wanted) :] == wanted
            ]
            expected |= {"/photos/" + "/".join(parts[: equal[0]])} if equal else set()
        found, _ = catalog.directories_called(PurePath(name))
        assert set(found) <= expected, name
        assert len(found) >= min(len(expected), 20), name


def test_directories_are_found_whatever_their_case(
    open_catalog: Callable[[], Catalog],
) -> None:
    catalog = open_catalog()
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/photos"))
        id_ = transaction.add_photo(PhotoFacts(b"1" * 32, 40, 30, "JPEG"))
        directories = ["Holiday", "a/HOLIDAY", "H\u00d6HLE", "ho\u0308hle/x", "100%_\\b", "\udcff"]
        paths = [f"{directory}/1.jpg" for directory in directories]
        transaction.put_files(folder.id, [ReadFile(path, id_, 1, 1) for path in paths])
    for typed, exact, alike in (
        ("Holiday", ["Holiday"], ["a/HOLIDAY"]),
        ("holiday", [], ["Holiday", "a/HOLIDAY"]),
        ("h\u00f6hle", ["ho\u0308hle"], ["H\u00d6HLE"]),
        ("A/holiday", [], ["a/HOLIDAY"]),
        ("100%_\\B", [], ["100%_\\b"]),
        ("100%_\\b", ["100%_\\b"], []),
        ("\udcff", ["\udcff"], []),
        ("1000_\\b", [], []),
    ):
        found = catalog.directories_called(PurePath(typed))
        assert found == ([f"/photos/{one}" for one in exact], [f"/photos/{one}" for one in alike])


def test_cities_by_name(library: tuple[Catalog, list[Known], list[int]]) -> None:
    catalog, photos, ids = library
    lisbon = ids_of(photos, ids, lambda one: one.facts.city == "Lisbon")
    both = ids_of(photos, ids, lambda one: one.facts.country == "Portugal")
    assert selected(parse("near:lisbon,5km"), catalog).tolist() == lisbon
    assert selected(parse('near:"Lisbon, Portugal"'), catalog).tolist() == both
    assert selected(parse('near:"Lisbon, Ohio"'), catalog).tolist() == []


def test_nothing_is_selected_from_an_empty_catalog(open_catalog: Callable[[], Catalog]) -> None:
    catalog = open_catalog()
    for typed in ("date:2024", "is:undated", "NOT is:undated", "rating:1", "near:0,0"):
        assert selected(parse(typed), catalog).tolist() == []
    with pytest.raises(FactError, match="no photo of this library has a camera"):
        selected(parse("camera:x"), catalog)


@given(
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.floats(0.001, 20_000),
)
def test_the_box_around_a_place_holds_all_that_is_near(
    latitude: float, longitude: float, north: float, east: float, distance: float
) -> None:
    far = float(kilometres(latitude, longitude, np.array([north]), np.array([east]))[0])
    assert far == pytest.approx(great_circle((latitude, longitude), (north, east)), abs=1e-3)
    if far > distance:
        return
    box = surrounding_box(latitude, longitude, distance)
    assert box.south <= north <= box.north
    if box.west is not None and box.east is not None:
        inside = box.west <= east <= box.east
        assert inside or (box.west > box.east and (east >= box.west or east <= box.east))


def test_tags_in_any_spelling(open_catalog: Callable[[], Catalog]) -> None:
    catalog = open_catalog()
    rng = np.random.default_rng(1)
    ids = fill(catalog, [photo(rng, number) for number in range(4)])
    with catalog.transaction() as transaction:
        for number, tag in enumerate(("Cafe\u0301", "By the Sea", "by the sea", "İzmir")):
            transaction.put_hand_tag(tag, [ids[number]], given=True)
    for typed, found in [
        ("CAF\u00c9", ids[:1]),
        ("By the Sea", ids[1:2]),
        ("by the sea", ids[2:3]),
        ("BY THE SEA", ids[1:3]),
        ("izmir", ids[3:]),
    ]:
        assert selected(Tag(typed), catalog).tolist() == sorted(found), typed
        assert str(parse(f"tag:{typed} at night", names=KnownNames(lambda: catalog))) == (
            f'tag:"{typed}" AND "at night"'
        )
    with pytest.raises(UnknownTagError) as caught:
        selected(Tag("caf"), catalog)
    assert caught.value.known == [
        "By the Sea",
        "Cafe\u0301",
        "by the sea",
        "night",
        "too dark",
        "İzmir",
    ]
