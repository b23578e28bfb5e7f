import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.indexer.decoding.dates import read_date, read_offset, utc_date


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2025:01:14 18:31:30", "2025-01-14T18:31:30"),
        ("2025:01:14 18:31:30\0junk", "2025-01-14T18:31:30"),
        ("2025:01:14 18:31:30+0000", "2025-01-14T18:31:30+00:00"),
        ("2025:01:14 18:31:30-03:30", "2025-01-14T18:31:30-03:30"),
        ("2025:01:14 18:31:30 +2", "2025-01-14T18:31:30+02:00"),
        ("2025-01-14T18:31:30.123Z", "2025-01-14T18:31:30+00:00"),
        ("2025:01:14 18:31:30.25", "2025-01-14T18:31:30"),
        ("2025-01-14 18:31:30", "2025-01-14T18:31:30"),
        ("2025/01/14 6:31:30 PM", "2025-01-14T18:31:30"),
        ("2025/01/14 12:31:30 am", "2025-01-14T00:31:30"),
        ("2025:1:4 8:05:09", "2025-01-04T08:05:09"),
        ("2025: 1: 4  8: 5: 9", "2025-01-04T08:05:09"),
        ("2025:01:14 18:31", "2025-01-14T18:31"),
        ("2025-01-14T18:31+01:00", "2025-01-14T18:31+01:00"),
        ("2025:01:14", "2025-01-14"),
        ("2025:01:14 00:00:00", "2025-01-14T00:00:00"),
        ("2019:01:01 24:04:20", "2019-01-01T00:04:20"),
        ("1985:07:00 00:00:00", "1985-07"),
        ("1985:00:00 00:00:00", "1985"),
        ("1985:07:04   :  :  ", "1985-07-04"),
        ("1985:07:  ", "1985-07"),
        ("1978", "1978"),
        ("1978-05", "1978-05"),
        ("2021:07:03 99:00:00", "2021-07-03"),
        ("2021:07:03 18:60:00", "2021-07-03"),
        ("2021:07:03 18:05:09+99:00", "2021-07-03T18:05:09"),
    ],
)
def test_a_date_is_read_as_precisely_as_it_is_written(written: str, read: str) -> None:
    assert str(read_date(written)) == read


@pytest.mark.parametrize(
    "written",
    [
        "", "yesterday", "0000:00:00 00:00:00", "    :  :     :  :  ", "0001:01:01 00:00:00",
        "1825:12:31 00:00:00", "2021:13:01 10:00:00", "2021:02:29 10:00:00", "2021:13",
        "20250114", "18:31:30",
    ],
)  # fmt: skip
def test_other_texts_are_no_dates(written: str) -> None:
    assert read_date(written) is None


@given(st.text() | st.from_regex(r"\A\d{4}[-:/. ]\d\d?[-:/. ]\d\d?[T ]\d\d[:.]\d\d.{0,12}\Z"))
def test_any_text_gives_none_or_a_date_that_reads_the_same_again(written: str) -> None:
    date = read_date(written)
    assert date is None or read_date(str(date)) == date


@pytest.mark.parametrize(
    ("written", "minutes"),
    [
        ("+02:00", 120), ("-0930", -570), ("+2", 120), ("Z", 0), ("-00:00", 0), ("+14:00\0", 840),
        ("+16:00", None), ("+02:60", None), ("zone!", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_an_offset_in_minutes(written: str | None, minutes: int | None) -> None:
    assert read_offset(written) == minutes


def test_seconds_since_1970_are_a_date_in_utc() -> None:
    assert str(utc_date(1_486_157_417)) == "2017-02-03T21:30:17+00:00"
    assert str(utc_date(-1)) == "1969-12-31T23:59:59+00:00"
    assert [utc_date(far) for far in (1e300, float("nan"), float("inf"), -1e10)] == [None] * 4
