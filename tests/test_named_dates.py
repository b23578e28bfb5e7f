from datetime import datetime
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.indexer.decoding.named_dates import date_in_name

NOW = datetime(2026, 6, 1, 12)


@pytest.mark.parametrize(
    ("name", "date"),
    [
        ("IMG-20161224-WA0014.jpg", "2016-12-24"),
        ("2011-07-19 11.36.39.jpg", "2011-07-19T11:36:39"),
        ("2011-07-19 11.36.39-1.jpg", "2011-07-19T11:36:39"),
        ("PXL_20210703_160509123.jpg", "2021-07-03T16:05:09"),
        ("PXL_20210703_160509123.RAW-01.COVER.jpg", "2021-07-03T16:05:09"),
        ("signal-2021-07-03-180509.jpg", "2021-07-03T18:05:09"),
        ("signal-2021-07-03-18-05-09-123.jpg", "2021-07-03T18:05:09"),
        ("Screenshot_20210703-180509_Chrome.png", "2021-07-03T18:05:09"),
        ("Screenshot_2021-07-03-18-05-09-123_org.app.png", "2021-07-03T18:05:09"),
        ("Screenshot from 2021-07-03 18-05-09.png", "2021-07-03T18:05:09"),
        ("Screenshot 2021-07-03 180509.png", "2021-07-03T18:05:09"),
        ("Screen Shot 2021-07-03 at 6.05.09 PM.png", "2021-07-03T18:05:09"),
        ("Screenshot 2021-07-03 at 12.05.09\u202fAM.png", "2021-07-03T00:05:09"),
        ("Bildschirmfoto 2021-07-03 um 18.05.09.png", "2021-07-03T18:05:09"),
        ("Capture d’écran 2021-07-03 à 18.05.09.png", "2021-07-03T18:05:09"),
        ("Captura de pantalla 2021-07-03 a las 18.05.09.png", "2021-07-03T18:05:09"),
        ("Schermata 2021-07-03 alle 18.05.09.png", "2021-07-03T18:05:09"),
        ("Skärmavbild 2021-07-03 kl. 18.05.09.png", "2021-07-03T18:05:09"),
        ("Снимок экрана 2021-07-03 в 18.05.09.png", "2021-07-03T18:05:09"),
        ("截屏2021-07-03 18.05.09.png", "2021-07-03T18:05:09"),
        ("Photo 2021-07-03 18 05 09.jpg", "2021-07-03T18:05:09"),
        ("photo_5@03-07-2021_18-05-09.jpg", "2021-07-03T18:05:09"),
        ("2016-12-24-2017-01-02.jpg", "2016-12-24"),
        ("WhatsApp Image 2023-05-01 at 10.02.17 (1).jpeg", "2023-05-01T10:02:17"),
        ("photo_2021-07-03_18-05-09.jpg", "2021-07-03T18:05:09"),
        ("WP_20140703_18_05_09_Pro.jpg", "2014-07-03T18:05:09"),
        ("WP_20140703_001.jpg", "2014-07-03"),
        ("20210703_180509(0).jpg", "2021-07-03T18:05:09"),
        ("00000IMG_00000_BURST20190101120000123_COVER.jpg", "2019-01-01T12:00:00"),
        ("Harbour 2011_07_19.tif", "2011-07-19"),
        ("19900101.jpg", "1990-01-01"),
        ("20260602.jpg", "2026-06-02"),
        ("IMG_20210703_999999.jpg", "2021-07-03"),
    ],
)
def test_known_patterns(name: str, date: str) -> None:
    assert str(date_in_name(PurePath("a") / name, NOW)) == date


@pytest.mark.parametrize(
    "name",
    [
        "IMG_99999999_999999.jpg", "IMG_99991231_120000.jpg", "DSC_20200230.jpg", "DSC_0001.jpg",
        "19891231.jpg", "20260603.jpg", "n_20161224123456789012.jpg", "0e20161224ab.jpg",
        "FB_IMG_1483228800000.jpg", "2021-07.jpg", "12024-01-01.jpg", "P1010061.jpg", ".jpg",
    ],
)  # fmt: skip
def test_digits_that_are_no_date(name: str) -> None:
    assert date_in_name(PurePath(name), NOW) is None


@given(st.text(st.characters(exclude_characters="/\0")))
def test_any_name(name: str) -> None:
    found = date_in_name(PurePath(f"{name}.jpg"), NOW)
    assert found is None or "1990" <= found.text[:10] <= "2026-06-02"
