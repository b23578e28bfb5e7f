import pytest

from sigseek.indexer.decoding.capture import capture_time

TAKEN = {36867: "2021:07:03 18:05:09"}
BERLIN = 13.4


def satellites(day: str, *time: float) -> dict[int, object]:
    return {29: day, 7: time}


def test_the_cameras_own_offset_comes_first() -> None:
    detail = TAKEN | {36881: "-03:30"}
    gps = satellites("2021:07:03", 16, 5, 0)
    assert (
        capture_time({}, detail, gps, BERLIN, ["2021-07-03T18:05:09+02:00"])
        == "2021-07-03T18:05:09-03:30"
    )


def test_xmp_gives_the_offset_of_the_same_time_only() -> None:
    assert (
        capture_time({}, TAKEN, {}, None, ["2021-07-03T18:05:09.25+02:00"])
        == "2021-07-03T18:05:09+02:00"
    )
    assert capture_time({}, TAKEN, {}, None, ["2021-07-03T18:05:10+02:00"]) == "2021-07-03T18:05:09"


def test_xmp_gives_the_time_where_exif_has_none() -> None:
    assert (
        capture_time({}, {}, {}, None, ["yesterday", "2021-07-03", "2021-07-03T18:05Z"])
        == "2021-07-03T18:05:00+00:00"
    )
    assert capture_time({}, {}, {}, None, ["2021-07-03"]) is None, "a day is no time"
    assert capture_time({}, {}, satellites("2021:07:03", 16, 5, 0), BERLIN, []) is None, (
        "nor is the satellites' clock"
    )


def test_a_clock_that_was_never_set_hides_no_other_date() -> None:
    """Year 1 is also what no time zone can convert."""
    unset = "0001:01:01 00:00:00"
    detail = {36867: unset, 36868: "2021:07:03 18:05:09"}
    assert capture_time({}, detail, {}, None, []) == "2021-07-03T18:05:09"
    dates = ["0001-01-01T00:00:00+01:00", "2021-07-03T18:05:09"]
    assert capture_time({}, {36867: unset}, {}, None, dates) == "2021-07-03T18:05:09"
    assert capture_time({306: unset}, {}, {}, None, dates[:1]) is None
    assert capture_time({}, {36867: "1839:09:01 12:00:00"}, {}, None, []) == "1839-09-01T12:00:00"


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
        == "2021-07-03T18:05:09" + offset
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
    assert capture_time({}, TAKEN, satellites(day, *time), longitude, []) == "2021-07-03T18:05:09"
