from pathlib import Path

import pytest

import sigseek
from sigseek.cities import city_at, city_names, names_like, plain_letters


@pytest.mark.parametrize(
    ("latitude", "longitude", "names"),
    [
        (38.7223, -9.1393, ("Lisbon", "Lisbon", "Portugal")),
        (48.8887, 2.3, ("Paris", "Île-de-France", "France")),
        (48.8049, 2.1204, ("Versailles", "Île-de-France", "France")),
        (40.758, -73.9855, ("New York City", "New York", "United States")),
        (-33.8568, 151.2153, ("Sydney", "New South Wales", "Australia")),
        (45.9763, 7.6586, ("Zermatt", "Valais", "Switzerland")),
    ],
)
def test_the_city_of_a_place(latitude: float, longitude: float, names: tuple[str, ...]) -> None:
    assert city_at(latitude, longitude) == names


@pytest.mark.parametrize(("latitude", "longitude"), [(0.5, -30.0), (90.0, 0.0), (-90.0, 180.0)])
def test_far_from_all_cities_there_is_none(latitude: float, longitude: float) -> None:
    assert city_at(latitude, longitude) is None


def test_east_and_west_of_the_date_line() -> None:
    suva = city_at(-18.1416, 178.4419)
    assert suva is not None
    assert (suva.city, suva.country) == ("Suva", "Fiji")
    assert city_at(-16.8, 180.0) == city_at(-16.8, -180.0)


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("Łódź", "lodz"), ("Tromsø", "Tromso"), ("L’Aquila", "L'Aquila"), ("Iğdır", "igdir"),
        ("İstanbul", "ISTANBUL"), ("Ísafjörður", "Isafjordur"), ("Fælled", "FAELLED"),
        ("Straßburg", "strassburg"), ("Saint-Denis", "saint denis"),
    ],
)  # fmt: skip
def test_names_as_keyboards_of_other_languages_write_them(written: str, typed: str) -> None:
    assert plain_letters(written) == plain_letters(typed)


def test_near_is_completed_with_cities_that_it_finds(mini_library: Path) -> None:
    with sigseek.open(mini_library) as library:
        for typed, text in (
            ("lisb", "Lisbon, Portugal"),
            ('"sao pau', "São Paulo, Brazil"),
            ('"Paris,te', "Paris, Texas, United States"),
            ("kinsh", "Kinshasa"),  # its country's name has a comma
        ):
            first, *_ = library.complete(f"a dog near:{typed}").suggestions
            assert (first.text, first.photos) == (f'near:"{text}"', None)
            assert library.facets(first.text).photos == 0
    assert not city_names().beginning_with("38.7", 5)
    assert city_names().beginning_with("", 2) == ["Shanghai, China", "Beijing, China"]


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Lisbn", "Lisbon"),
        ("kopenhagen", "Copenhagen"),
        ("sao paolo", "São Paulo"),
        ("San Fran", "San Francisco"),
        ("New Yrok", "New York City"),
        ("xyzzyq", None),
        ("x", None),
        ("", None),
    ],
)
def test_the_nearest_name_is_that_of_the_largest_city(typed: str, name: str | None) -> None:
    assert names_like(typed, 1) == ([name] if name else [])
