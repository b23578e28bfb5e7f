"""Values of several words without quotation marks: the longest name that the library has counts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sigseek.search.facts.known_names import KnownNames
from sigseek.search.likely_meant import note_on_habits
from sigseek.search.parse import parse
from sigseek.storage import Catalog, PhotoFacts, ReadFile

FACTS = PhotoFacts(digest=b"a" * 32, width=4, height=3, format="JPEG")


@pytest.fixture
def names(open_catalog: Callable[[], Catalog]) -> KnownNames:
    catalog = open_catalog()
    photos = [
        replace(
            FACTS,
            city="New York",
            region="New York",
            country="Trinidad and Tobago",
            camera="Canon EOS 7D",
            lens="EF 50mm",
            keywords=("red car", "Animal|Sea bird"),
            people=("Ann Lee",),
            title="A red sunset at sea",
        ),
        replace(FACTS, digest=b"b" * 32, city="York", keywords=("red",), country="New Zealand"),
    ]
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/photos"))
        ids = list(transaction.add_photos(photos).values())
        files = ("Summer 2019/Rome/a.jpg", "Summer/b.jpg")
        transaction.put_files(
            folder.id, [ReadFile(file, id_, 1, 1) for file, id_ in zip(files, ids, strict=True)]
        )
        transaction.put_hand_tag("too dark", ids, given=True)
    return KnownNames(lambda: catalog)


READ = [
    ("place:New York", 'place:"New York"'),
    ("place:New  York at night", 'place:"New  York" AND "at night"'),
    ("at night place:york minster", '"at night" AND place:"york" AND "minster"'),
    ("place:New York^2 OR place:York", 'place:"New York"^2 OR place:"York"'),
    ("(place:New York) a tram", 'place:"New York" AND "a tram"'),
    (
        "a tram (place:New York OR place:York)",
        '"a tram" AND (place:"New York" OR place:"York")',
    ),
    ("NOT place:New York", 'NOT place:"New York"'),
    ("place:New AND York", 'place:"New" AND "York"'),
    ('place:"New" York', 'place:"New" AND "York"'),
    ("place:York, Trinidad and Tobago", 'place:"York, Trinidad and Tobago"'),
    ("place:trinidad and tobago and a boat",
     'place:"trinidad and tobago" AND "and a boat"'),
    ("place:Paris cafe", 'place:"Paris" AND "cafe"'),
    ("camera:canon eos 7d a tram", 'camera:"canon eos 7d" AND "a tram"'),
    ("camera:EOS 7D Mark II", 'camera:"EOS 7D" AND "Mark II"'),
    ("lens:EF 50mm rating:4", 'lens:"EF 50mm" AND rating:"4"'),
    ("keyword:red car", 'keyword:"red car"'),
    ("keyword:red cat", 'keyword:"red" AND "cat"'),
    ("keyword:sea bird on a rock", 'keyword:"sea bird" AND "on a rock"'),
    ("person:ann lee and a dog", 'person:"ann lee" AND "and a dog"'),
    ("title:sunset at sea with a boat", 'title:"sunset at sea" AND "with a boat"'),
    ("tag:too dark", 'tag:"too dark"'),
    ("tag:Too dark", 'tag:"Too dark"'),
    ("in:Summer 2019", 'in:"Summer 2019"'),
    ("in:Summer 2019/Rome a tram", 'in:"Summer 2019/Rome" AND "a tram"'),
    ("in:/photos/Summer 2019 a tram", 'in:"/photos/Summer 2019" AND "a tram"'),
    ("in:Summer 2020", 'in:"Summer" AND "2020"'),
    ("near:New York, 5 km a tram", 'near:"New York,5km" AND "a tram"'),
    ("near:38.72, -9.14 a tram", 'near:"38.72,-9.14,10km" AND "a tram"'),
    ("near:New York 5 km a tram", 'near:"New York,5km" AND "a tram"'),
    ("near:New York 5 trams", 'near:"New York,10km" AND "5 trams"'),
    ('near:"Lisbon"50km', 'near:"Lisbon,10km" AND "50km"'),
    ("near:38.72,-9.14 2 mi a tram", 'near:"38.72,-9.14,3.218688km" AND "a tram"'),
    ("date:2023 .. 2024 a tram", 'date:"2023..2024" AND "a tram"'),
    ("date:2023 ..2024", 'date:"2023..2024"'),
    ("date:2023.. 2024", 'date:"2023..2024"'),
    ("date:2023.. a tram", 'date:"2023.." AND "a tram"'),
    ("date:2023-04-05 10:30", 'date:"2023-04-05T10:30"'),
    ("date:2023-04-05 10 trams", 'date:"2023-04-05" AND "10 trams"'),
    ("rating:4 stars", 'rating:"4" AND "stars"'),
    ("format:jpeg file", 'format:"jpeg" AND "file"'),
]  # fmt: skip
"""What is typed, and how it is read."""


def test_the_longest_name_of_the_library_counts(names: KnownNames) -> None:
    for typed, read in READ:
        assert str(parse(typed, names=names)) == read
        assert str(parse(read, names=names)) == read


def test_words_of_a_name_are_not_taken_for_operators(names: KnownNames) -> None:
    assert note_on_habits("place:Trinidad and Tobago", names) is None
    note = note_on_habits("place:Trinidad and Tobago and a boat", names)
    assert note is not None
    assert str(note).startswith("'and' was searched as text")
    assert "place:Trinidad and Tobago AND a boat" in str(note)


def test_the_catalog_is_not_asked_before_a_name_is_needed() -> None:
    def catalog() -> Catalog:
        raise AssertionError("nothing is needed")

    names = KnownNames(catalog)
    for typed in (
        "a tram at night",
        "a tram place:Lisbon",
        "place:Lisbon date:2024",
        "date:7 days",
    ):
        parse(typed, names=names)
