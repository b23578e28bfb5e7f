"""Values of facts as people type them: what they mean, what is refused, and that their printed form
means the same.
"""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.search.errors import FactError
from sigseek.search.facts.kinds import KINDS
from sigseek.search.facts.names import names_of_camera, nearest, pattern, unknown
from sigseek.search.facts.numbers import NumberRange
from sigseek.search.facts.periods import Period, parse_period, parse_since, parse_until
from sigseek.search.facts.places import Around
from sigseek.search.facts.values import FactValueError
from sigseek.search.parse import parse
from sigseek.search.query import Fact, Query

pytestmark = pytest.mark.usefixtures("sunday")


@pytest.mark.parametrize(
    ("typed", "first", "last"),
    [
        ("2024", "2024", "2024"),
        ("2024-5", "2024-05", "2024-05"),
        ("2024-02-29", "2024-02-29", "2024-02-29"),
        ("2024-05-17T10", "2024-05-17T10", "2024-05-17T10"),
        ("2024-05-17 9:30", "2024-05-17T09:30", "2024-05-17T09:30"),
        ("2024-05-17t10:30:59", "2024-05-17T10:30:59", "2024-05-17T10:30:59"),
        ("2023..2024-03", "2023", "2024-03"),
        ("2023 .. 2024", "2023", "2024"),
        ("2023..", "2023", None),
        ("..2024-03", None, "2024-03"),
        ("today", "2024-03-31", "2024-03-31"),
        ("Yesterday", "2024-03-30", "2024-03-30"),
        ("this week", "2024-03-25", "2024-03-31"),
        ("last week", "2024-03-18", "2024-03-24"),
        ("this month", "2024-03", "2024-03"),
        ("last month", "2024-02", "2024-02"),
        ("last_month", "2024-02", "2024-02"),
        ("last year", "2023", "2023"),
        ("7d", "2024-03-25", "2024-03-31"),
        ("1d", "2024-03-31", "2024-03-31"),
        ("2 weeks", "2024-03-18", "2024-03-31"),
        ("1m", "2024-03-01", "2024-03-31"),
        ("4 months", "2023-12-01", "2024-03-31"),
        ("1y", "2023-04-01", "2024-03-31"),
        ("2023..yesterday", "2023", "2024-03-30"),
        ("2024-05..2024", "2024-05", "2024"),
        ("today..this month", "2024-03-31", "2024-03"),
        ("2024-05-17T10..2024-05-17", "2024-05-17T10", "2024-05-17"),
    ],
)
def test_periods(typed: str, first: str | None, last: str | None) -> None:
    assert parse_period(typed) == Period(first, last)


def test_from_and_until_a_date() -> None:
    assert parse_since("2024-05") == Period("2024-05", None)
    assert parse_since("last month") == Period("2024-02", None)
    assert parse_until("2024-05") == Period(None, "2024-05")
    assert parse_until("last month") == Period(None, "2024-02")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("date:20x", "column 6: '20x' is not a date; write a date such as 2024, 2024-05"),
        ("date:2023-02-29", "column 6: there is no date 2023-02-29 (day"),
        ("a dog date:2024-13", "column 12: there is no date 2024-13 (month must be in 1..12)"),
        ("date:0000", "column 6: there is no date 0000 (year"),
        ("date:..", "column 6: '..' is not a date"),
        ("date:2024..2023", "column 6: 2024 is later than 2023; write the earlier date first"),
        ("date:2025-01..2024", "column 6: 2025-01 is later than 2024; write the earlier"),
        ("date:2025..2024-05", "column 6: 2025 is later than 2024-05; write the earlier"),
        ("date:2024-06..2024-05-31", "column 6: 2024-06 is later than 2024-05-31; write"),
        ("date:2\x1b", "column 6: '2 ' is not a date"),
        ("rating:4\x1b", "column 8: '4 ' is not a number"),
        ("since:2023..2024", "column 7: 2023..2024 is two dates; give one"),
        ("date:99999y", "column 6: 99,999 years ago is before all dates"),
        ("date:0d", "column 6: the last 0 days have no day; write a date such as"),
        ("place:=", "column 7: there is no name"),
        ("rating:7", "column 8: there is no rating 7; ratings are 1 to 5, and -1 for rejected"),
        ("rating:>5", "column 8: there is no rating >5; ratings are 1 to 5, and -1 for rejected"),
        ("rating:4..7", "column 8: there is no rating 4..7; ratings are 1 to 5"),
        ("rating:good", "column 8: 'good' is not a number; write 4 for at least 4, or =4, <4"),
        ("width:..", "column 7: '..' is not a number"),
        ("width:9..3", "column 7: 9 is more than 3; write the lower number first"),
        ("width:-1", "column 7: no width is below 0; write a number of pixels, as in 1920 or <1"),
        ("width:>-1", "column 7: no width is below 0"),
        ("height:<0", "column 8: no height is below 0"),
        ("height:-2..5", "column 8: no height is below 0"),
        ("is:sunny", "column 4: a photo cannot be 'sunny'; it can be: undated, damaged, missing"),
        ("near:91,0", "column 6: there is no place 91,0; write the latitude, -90 to 90"),
        ("near:1,2,0km", "column 6: '0km' is not a distance; write a number and km, m or mi"),
        ('near:"1,2 -5km"', "column 6: '-5km' is not a distance"),
        (
            "near:Lisbon,-5km",
            "column 6: '-5km' is not a distance; write a number and km, m or mi, as in 50km",
        ),
        ('a near:"Paris, Texas, 5 parsecs"', "column 8: '5 parsecs' is not a distance"),
        ('near:"Lisbon",+5km', "column 6: '+5km' is not a distance"),
        ('near:"Lisbon -5km"', "column 6: '-5km' is not a distance"),
        ('near:","', "column 6: ',' is not a place"),
        ('place:","', "column 7: there is no name"),
    ],
)
def test_what_no_fact_can_have_is_told_at_its_column(typed: str, said: str) -> None:
    with pytest.raises(FactError) as caught:
        parse(typed)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("rating:4", NumberRange("rating", 4, None)),
        ("rating:=4", NumberRange("rating", 4, 4)),
        ("rating:<4", NumberRange("rating", None, 3)),
        ("rating:<=4", NumberRange("rating", None, 4)),
        ("rating:>3", NumberRange("rating", 4, None)),
        ("rating:2..4", NumberRange("rating", 2, 4)),
        ("rating:=-1", NumberRange("rating", -1, -1)),
        ("Width:1920", NumberRange("width", 1920, None)),
        ("near:38.72,-9.14", Around("38.72,-9.14", 10)),
        ("near:38.72, -9.14", Around("38.72,-9.14", 10)),
        ("near:38.72, -9.14, 2km", Around("38.72,-9.14", 2)),
        ("near:New York", Around("New York", 10)),
        ("near:Paris, Texas, 5 km", Around("Paris,Texas", 5)),
        ("near:38.720,-9.1400,500m", Around("38.72,-9.14", 0.5)),
        ('near:"38.72, -9.14, 1 mi"', Around("38.72,-9.14", 1.609344)),
        ("near:-0.0,+180", Around("0,180", 10)),
        ("near:Lisbon", Around("Lisbon", 10)),
        ('near:"Lisbon",50km', Around("Lisbon", 50)),
        ('near:"Paris, Texas",5', Around("Paris,Texas", 5)),
        ('near:"Lisbon", 50 km', Around("Lisbon", 50)),
        ('near:"Lisbon",50 km', Around("Lisbon", 50)),
        ('near:"Lisbon" 50km', Around("Lisbon", 50)),
        ("near:Lisbon 50km", Around("Lisbon", 50)),
        ("near:Lisbon, 50 km", Around("Lisbon", 50)),
        ("near:38.72,-9.14 500 m", Around("38.72,-9.14", 0.5)),
        ("near:Lisbon 50 miles", Around("Lisbon", 80.4672)),
        ("near:Lisbon, 1 Mile", Around("Lisbon", 1.609344)),
        ('near:"Biratnagar, Province 4"', Around("Biratnagar,Province 4", 10)),
        ('near:"Lisbon" 50 miles', Around("Lisbon", 80.4672)),
        ('near:"Lisbon",50miles', Around("Lisbon", 80.4672)),
        (r'near:"\"Lisbon\",50km"', Around("Lisbon", 50)),  # as --near '"Lisbon",50km'
        ("rating:2..", NumberRange("rating", 2, None)),
        ("rating:..2", NumberRange("rating", None, 2)),
    ],
)
def test_numbers_and_surroundings(typed: str, value: object) -> None:
    fact = parse(typed)
    assert isinstance(fact, Fact)
    assert fact.value == value
    assert parse(str(fact)) == fact


dates = (
    st.dates(date(1, 1, 1))
    .map(date.isoformat)
    .flatmap(lambda day: st.sampled_from([day[:4], day[:7], day, f"{day}T07", f"{day}T07:05"]))
)
words = st.text(st.characters() | st.sampled_from('"\\*|,:() \u0301'), min_size=1, max_size=8)
numbers = st.integers(-1, 5)
values = st.one_of(
    st.tuples(st.sampled_from(["date", "since", "until"]), dates),
    st.tuples(st.just("date"), st.lists(dates, min_size=2, max_size=2).map(sorted).map("..".join)),
    st.tuples(
        st.sampled_from(["rating", "width", "height"]),
        st.builds("{}{}".format, st.sampled_from(["", "=", "<=", ">="]), numbers),
    ),
    st.tuples(
        st.sampled_from(["place", "camera", "lens", "in", "keyword", "title", "person", "format"]),
        words,
    ),
    st.tuples(
        st.just("near"),
        st.builds(
            "{:.6f},{:.6f},{:.3f}{}".format,
            st.floats(-90, 90),
            st.floats(-180, 180),
            st.floats(0.01, 1000),
            st.sampled_from(["", "km", "m", "mi"]),
        )
        | words,
    ),
)


@given(values)
def test_the_printed_form_means_the_same(value: tuple[str, str]) -> None:
    name, typed = value
    try:
        read = KINDS[name](typed)
    except FactValueError:
        return
    if str(read).strip():
        fact: Query = Fact("date" if name in ("since", "until") else name, read)
        assert parse(str(fact)) == fact


@pytest.mark.parametrize(
    ("typed", "known", "same"),
    [
        ("EOS 7D", "eos7d", True),
        ("EOS 7D", "EOS 7D Mark II", False),
        ("EOS 7D*", "EOS 7D Mark II", True),
        ("*ist DS", "PENTAX *ist DS", True),
        (r"\*ist*", "*ist DS", True),
        (r"\*ist*", "xist DS", False),
        ("a.c", "abc", False),
        ('the "old" one', 'The "Old" One', True),
        ("Cafe\u0301", "CAFÉ", True),
        ("Straße", "STRASSE", True),
        ("izmir", "İzmir", True),
        ("IŞIK", "ışık", True),
        ("Ann O’Neil", "ann o'neil", True),
        ("\\", "\\", True),
        ("*", "anything\nat all", True),
        ("(x", "(x", True),
    ],
)
def test_when_two_names_are_the_same(typed: str, known: str, same: bool) -> None:
    assert pattern(typed)(known) is same


def test_the_nearest_names() -> None:
    known = ["Canon EOS 7D", "Canon EOS 70D", "NIKON D90", "Apple iPhone 6"]
    assert nearest("canon eos 7", known)[0] == "Canon EOS 7D"
    assert nearest("iphone", known) == ["Apple iPhone 6"]
    assert nearest("nikon corporation", known) == ["NIKON D90"]
    assert nearest("", known) == []


def test_names_are_not_called_near_if_none_is() -> None:
    said = str(unknown("camera", "Leica", ["NIKON D90", "Canon EOS 7D", "Apple iPhone 6", "X"], ""))
    assert said == (
        "no photo has the camera 'Leica'; photos here have: Apple iPhone 6, Canon EOS 7D, NIKON D90"
        " and 1 more"
    )


@pytest.mark.parametrize(
    ("typed", "camera", "same"),
    [
        ("olympus", "OLYMPUS IMAGING CORP. E-M5", True),
        ("Olympus E-M5", "OLYMPUS IMAGING CORP. E-M5", True),
        ("E-M5", "OLYMPUS IMAGING CORP. E-M5", True),
        ("Kodak", "EASTMAN KODAK COMPANY KODAK DC290", True),
        ("kodak dc290", "EASTMAN KODAK COMPANY KODAK DC290", True),
        ("DC290", "EASTMAN KODAK COMPANY KODAK DC290", True),
        ("EOS 7D", "Canon EOS 7D", True),
        ("EOS 7D", "Canon EOS 7D Mark II", False),
    ],
)
def test_cameras_with_and_without_their_makers(typed: str, camera: str, same: bool) -> None:
    assert any(map(pattern(typed), names_of_camera(camera))) is same


@given(st.integers(0, 99999), st.sampled_from("dwmy"))
def test_any_time_ago_is_a_day_or_refused(count: int, unit: str) -> None:
    try:
        period = parse_period(f"{count}{unit}")
    except FactValueError:
        assert count > 2000 or not count
        return
    assert period.first is not None
    first = date.fromisoformat(period.first)
    days = {"d": 1, "w": 7, "m": 30.436875, "y": 365.2425}[unit] * count
    assert abs((date(2024, 3, 31) - first) - timedelta(days)) < timedelta(5)
