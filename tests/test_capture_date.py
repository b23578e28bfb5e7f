import pytest

from sigseek.indexer.decoding.capture_date import XMP_DATES, capture_date, refined
from sigseek.indexer.decoding.dates import LocalDate
from sigseek.indexer.decoding.xmp import read_xmp
from tests.photos import xmp

TAKEN = {36867: "2021:07:03 18:05:09"}
BERLIN = 13.4


def capture_time(
    base: dict[int, object],
    detail: dict[int, object],
    gps: dict[int, object],
    longitude: float | None,
    dates: list[str],
    iptc: dict[int, tuple[str, ...]] | None = None,
) -> str | None:
    """Return the date and its source, with up to three dates in XMP."""
    attributes = " ".join(f'{name}="{date}"' for name, date in zip(XMP_DATES, dates, strict=False))
    found = capture_date(base, detail, gps, longitude, read_xmp(xmp("", attributes)), iptc or {})
    return f"{found.date} {found.source}" if found else None


def satellites(day: str, *time: float) -> dict[int, object]:
    return {29: day, 7: time}


def test_the_cameras_own_offset_comes_first() -> None:
    detail = TAKEN | {36881: "-03:30"}
    gps = satellites("2021:07:03", 16, 5, 0)
    assert (
        capture_time({}, detail, gps, BERLIN, ["2021-07-03T18:05:09+02:00"])
        == "2021-07-03T18:05:09-03:30 exif original"
    )


def test_xmp_gives_the_offset_of_the_same_time_only() -> None:
    assert (
        capture_time({}, TAKEN, {}, None, ["2021-07-03T18:05:09.25+02:00"])
        == "2021-07-03T18:05:09+02:00 exif original"
    )
    other = ["2021-07-03T18:05:10+02:00"]
    assert capture_time({}, TAKEN, {}, None, other) == "2021-07-03T18:05:09 exif original"


def test_the_sources_in_their_order() -> None:
    detail = TAKEN | {36868: "2021:07:04 10:00:00"}
    base = {306: "2022:01:01 00:00:00"}
    dates = ["", "1988-12-01", "1988-12-02T18:53:44"]
    iptc = {55: ("19850704",), 60: ("101530+0100",)}
    found = []
    for _ in range(6):
        found.append(capture_time(base, detail, {}, None, dates, iptc))
        if detail:
            del detail[min(detail)]
        elif dates:
            dates = []
        elif iptc:
            iptc = {}
        else:
            base = {}
    assert found == [
        "2021-07-03T18:05:09 exif original",
        "2021-07-04T10:00:00 exif digitized",
        "1988-12-01 xmp",
        "1985-07-04T10:15:30+01:00 iptc",
        "2022-01-01T00:00:00 exif modified",
        None,
    ]


def test_the_satellites_clock_alone_is_no_date() -> None:
    assert capture_time({}, {}, satellites("2021:07:03", 16, 5, 0), BERLIN, []) is None
    gps = satellites("2021:07:03", 16, 5, 9)
    assert capture_time({}, {36867: "2021:07:03"}, gps, BERLIN, []) == "2021-07-03 exif original"


def test_an_offset_belongs_to_its_own_date() -> None:
    offsets = {36880: "+01:00", 36881: "+02:00", 36882: "+03:00"}
    digitized = {36868: "2021:07:03 18:05:09"}
    assert capture_time({}, digitized | offsets, {}, None, []) == (
        "2021-07-03T18:05:09+03:00 exif digitized"
    )
    assert capture_time({306: "2021:07:03 18:05:09"}, offsets, {}, None, []) == (
        "2021-07-03T18:05:09+01:00 exif modified"
    )


@pytest.mark.parametrize(
    ("day", "time", "date"),
    [
        ("19850704", None, "1985-07-04"),
        ("1985-07-04", "10:15:30", "1985-07-04T10:15:30"),
        ("19850700", "101530", "1985-07"),
        ("19850000", None, "1985"),
        ("00000000", "000000", None),
        ("summer", "101530", None),
    ],
)
def test_dates_of_iptc(day: str, time: str | None, date: str | None) -> None:
    fields = {55: (day,)} | ({60: (time,)} if time else {})
    assert capture_time({}, {}, {}, None, [], fields) == (f"{date} iptc" if date else None)


def test_a_date_is_refined_by_one_that_says_more_of_the_same() -> None:
    known = LocalDate("1985-07-04T10:15:30", 60)
    assert refined(LocalDate("1985-07"), known) == known
    assert refined(LocalDate("1985-07-04T10:15:30"), known) == known
    for other in (LocalDate("1985-07-04T10:15:30", 120), LocalDate("1986")):
        assert refined(other, known) == other
    assert refined(known, None) == known


def test_a_clock_that_was_never_set_hides_no_other_date() -> None:
    """Year 1 is also what no time zone can convert."""
    unset = "0001:01:01 00:00:00"
    detail = {36867: unset, 36868: "2021:07:03 18:05:09"}
    assert capture_time({}, detail, {}, None, []) == "2021-07-03T18:05:09 exif digitized"
    dates = ["0001-01-01T00:00:00+01:00", "2021-07-03T18:05:09"]
    assert capture_time({}, {36867: unset}, {}, None, dates) == "2021-07-03T18:05:09 xmp"
    assert capture_time({306: unset}, {}, {}, None, dates[:1]) is None
    first = {36867: "1839:09:01 12:00:00"}
    assert capture_time({}, first, {}, None, []) == "1839-09-01T12:00:00 exif original"


@pytest.mark.parametrize(
    ("day", "time", "longitude", "offset"),
    [
        ("2021:07:03", (16, 4, 41), BERLIN, "+02:00"),
        ("2021:07:03", (18, 5, 9), -1.5, "+00:00"),
        ("2021:07:03", (12, 20, 9), 85.3, "+05:45"),
        ("2021:07:03", (20, 35, 9), -52.7, "-02:30"),
        ("2021:07:04", (4, 5, 9), -157.8, "-10:00"),
    ],
)
def test_the_satellites_clock_gives_the_offset(
    day: str, time: tuple[int, ...], longitude: float, offset: str
) -> None:
    assert (
        capture_time({}, TAKEN, satellites(day, *time), longitude, [])
        == f"2021-07-03T18:05:09{offset} exif original"
    )


@pytest.mark.parametrize(
    ("day", "time", "longitude"),
    [
        ("2021:07:03", (16, 11, 0), BERLIN),  # a position of some minutes ago
        ("2021:07:03", (15, 50, 9), BERLIN),  # no country is a quarter past two ahead
        ("2021:07:03", (4, 5, 9), BERLIN),  # a clock that is wrong by half a day
        ("2020:01:01", (16, 5, 9), BERLIN),
        ("2021:07:03", (16, 5, 9), None),
        ("2021:07:03", (16, 5), BERLIN),
        ("yesterday", (16, 5, 9), BERLIN),
        ("2021:07:03", (float("inf"), 5, float("nan")), BERLIN),
    ],
)
def test_when_the_satellites_clock_says_nothing(
    day: str, time: tuple[float, ...], longitude: float | None
) -> None:
    gps = satellites(day, *time)
    assert capture_time({}, TAKEN, gps, longitude, []) == "2021-07-03T18:05:09 exif original"
