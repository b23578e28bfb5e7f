"""Pages, and the photos on them."""

import base64
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from sigseek.errors import ErrorKind
from sigseek.indexer import DecodeError
from sigseek.indexer.decoding.thumbnails import Thumbnailer
from sigseek.pages.contact_sheet import Section, write_contact_sheet
from sigseek.pages.page import copies, facts, named, picture, write_page
from sigseek.results import day_in_words, time_in_words
from sigseek.search.results import Hit, SimilarHit
from tests.photos import difference, exif, save
from tests.photos import picture as drawn


@pytest.fixture(scope="module")
def thumbnails() -> Iterator[Thumbnailer]:
    with Thumbnailer() as made:
        yield made


def shown(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg))


def test_a_photo_is_small_and_upright(tmp_path: Path, thumbnails: Thumbnailer) -> None:
    whole = drawn(1, (640, 480))
    whole.transpose(Image.Transpose.ROTATE_90).save(
        tmp_path / "a.jpg", exif=exif(Orientation=6), quality=95
    )
    small = shown(thumbnails.jpeg(tmp_path / "a.jpg", 320))
    assert small.size == (320, 240)
    assert difference(small, whole.resize((320, 240))) < 6


def test_a_photo_larger_than_pillow_takes_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (13_500, 13_500), 90).save(tmp_path / "a.jpg")
    with Thumbnailer(200_000_000) as thumbnails:
        small = shown(thumbnails.jpeg(tmp_path / "a.jpg", 320))
    assert small.size == (320, 320)
    assert small.getpixel((100, 100)) == (90, 90, 90)


def test_only_pages_are_replaced(tmp_path: Path) -> None:
    photo, page, link, pipe = (
        tmp_path / name for name in ("a.jpg", "page.html", "link.html", "pipe")
    )
    before = save(photo).read_bytes()
    os.mkfifo(pipe)
    for target in (photo, pipe, tmp_path):
        with pytest.raises(
            FileExistsError,
            match=f"{target} already exists and was not written by sigseek",
        ):
            write_page(target, "title", "body", "")
    assert photo.read_bytes() == before
    assert pipe.is_fifo()
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_page(tmp_path / "none" / "page.html", "title", "body", "")
    write_page(page, "one", "body", "")
    link.symlink_to(page)
    write_page(link, "two", "body", "")
    assert link.is_symlink()
    assert "<title>two</title>" in page.read_text()


@pytest.mark.parametrize(
    "own",
    [
        b"",
        b"<!doctype html>\n<title>My own page</title>",
        b'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        b'<meta name="generator" content="another program">\n',
    ],
)
def test_pages_of_others_are_not_replaced(tmp_path: Path, own: bytes) -> None:
    page = tmp_path / "page.html"
    page.write_bytes(own)
    with pytest.raises(FileExistsError, match=r"was not written by sigseek; choose another name"):
        write_page(page, "title", "body", "")
    assert page.read_bytes() == own


def test_a_page_that_came_through_windows_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write_page(page, "one", "body", "")
    page.write_bytes(page.read_bytes().replace(b"\n", b"\r\n"))
    write_page(page, "two", "body", "")
    assert "<title>two</title>" in page.read_text()


def refuse(error: Exception) -> bytes:
    raise error


def test_a_picture_leads_to_its_file(tmp_path: Path) -> None:
    encoded = base64.b64encode(b"pixels").decode("ascii")
    image = f'<img alt="a &amp; b.jpg" src="data:image/jpeg;base64,{encoded}">'
    found = picture(7, "a & b.jpg", lambda photo: b"pixels", Path("/photos/a & b.jpg"))
    assert found == f'<a class="picture" href="file:///photos/a%20%26%20b.jpg">{image}</a>'
    away = picture(7, "a & b.jpg", lambda photo: b"pixels", None)
    assert away == f'<span class="picture">{image}</span>'


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(2, "No such file"), "The file is missing."),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (DecodeError("a <b>", "index again", ErrorKind.DAMAGED), "a &lt;b&gt;"),
    ],
)
def test_why_there_is_none(error: Exception, reason: str) -> None:
    found = picture(7, "a.jpg", lambda photo: refuse(error), None)
    assert found == f'<span class="picture"><span class="none">{reason}</span></span>'


def test_a_name_is_large_and_its_folder_small() -> None:
    path = Path("/photos/2019/a & b.jpg")
    folder = '<p class="folder">/photos/2019</p>'
    assert named(path, linked=False) == f'<p class="name">a &amp; b.jpg</p>{folder}'
    link = '<a href="file:///photos/2019/a%20%26%20b.jpg">a &amp; b.jpg</a>'
    assert named(path) == f'<p class="name">{link}</p>{folder}'


def test_what_is_known_of_a_photo_is_one_line() -> None:
    assert facts("2 May 1978", None, "A&B") == '<p class="facts">2 May 1978 · A&amp;B</p>'
    assert facts(None, None) == ""
    assert copies([]) == ""
    assert "<summary>1 copy</summary><ul><li>/a&amp;b.jpg</li></ul>" in copies(["/a&b.jpg"])
    assert "<summary>1,234 copies</summary>" in copies(["/a.jpg"] * 1234)


@pytest.mark.parametrize(
    ("iso", "words"),
    [
        ("1978", "1978"),
        ("1978-05", "May 1978"),
        ("1985-07-04", "4 July 1985"),
        ("2016-12-24T10:02:17+01:00", "24 December 2016, 10:02"),
    ],
)
def test_times_in_words(iso: str, words: str) -> None:
    assert time_in_words(iso) == words
    assert day_in_words(iso.partition("T")[0]) == words.partition(",")[0]


_PHOTO = {
    "width": 640, "height": 480, "damaged": False, "taken_at": "2019-05-02T14:30:00",
    "date_source": "exif original", "camera": "Canon EOS 7D", "latitude": None, "longitude": None,
    "city": "Lisbon", "region": None, "country": None, "place_source": None, "lens": None,
    "rating": None, "title": None, "description": None, "keywords": (), "people": (), "tags": (),
    "copies": ("/photos/copy.jpg",), "available": True,
}  # fmt: skip


def hit(id_: int, verdict: str | None, probability: float, **changed: object) -> Hit:
    fields = _PHOTO | {
        "id": id_, "rank": id_, "path": f"/photos/{id_}.jpg", "score": 0.5, "logit": 0.0,
        "cosine": 0.1, "probability": probability, "verdict": verdict, "confidence": 1.0,
        "judged_by": "calibrated",
    }  # fmt: skip
    return Hit(**(fields | changed))  # type: ignore[arg-type]


def sheet(tmp_path: Path, *sections: Section) -> str:
    page = tmp_path / "page.html"
    write_contact_sheet(page, "two cats", sections, lambda photo: str(photo).encode())
    return page.read_text("utf-8")


def test_a_contact_sheet_tells_all_of_its_hits(tmp_path: Path) -> None:
    hits = [
        hit(1, "match", 0.93),
        hit(2, "maybe", 0.2, available=False, damaged=True, copies=()),
        hit(3, "no match", 0.01, query_photo="copy"),
        hit(4, "match", 1.0, judged_by="facts"),
    ]
    page = sheet(tmp_path, Section("two cats", hits, "2 photos match", ("a note",), ("a legend",)))
    assert page.count("two cats") == 2, "in the title and the heading"
    one, two, three, four = re.findall(r"<li><.*?(?=<li><|</ol>)", page, re.DOTALL)
    assert base64.b64encode(b"1").decode() in one
    for words in ("● match", "0.930", "width: 93.0%", "2 May 2019, 14:30 · Canon EOS 7D · Lisbon"):
        assert words in one
    assert "1 copy" in one
    assert one.count('href="file:///photos/1.jpg"') == 2
    assert "◐ maybe" in two
    assert "file not there now" in two
    assert "damaged" in two
    assert "href" not in two
    assert "○ no match" in three
    assert "exact copy" in three
    assert "match" not in four, "facts alone are no judgement"
    assert "1.000" not in four
    said = re.findall(r'<p class="said[^"]*">([^<]*)</p>', page)
    assert said == ["2 photos match", "a note", "a legend"]


def test_a_sheet_without_hits_shows_the_closest_photo(tmp_path: Path) -> None:
    closest = hit(7, "no match", 0.02)
    page = sheet(tmp_path, Section("two cats", [], "No photo matches", best=closest))
    assert "The closest photo" in page
    assert page.count("data:image/jpeg;base64,") == 1
    assert "Nothing found." in sheet(tmp_path, Section("two cats", []))


def test_a_sheet_of_similar_photos_shows_the_asked_one(tmp_path: Path) -> None:
    alike = SimilarHit(**(_PHOTO | {"id": 1, "rank": 1, "path": "/b.jpg", "cosine": 0.61}))  # type: ignore[arg-type]
    asked = Path("/photos/cat.jpg")
    page = sheet(tmp_path, Section("Like cat.jpg", [alike], asked=asked))
    assert base64.b64encode(b"/photos/cat.jpg").decode() in page
    assert "0.610" in page


def test_sections_of_one_page_have_headings(tmp_path: Path) -> None:
    page = sheet(tmp_path, Section("a", [hit(1, "match", 0.9)]), Section("b <", []))
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["a", "b &lt;"]


def test_a_page_opens_offline_in_light_and_dark(tmp_path: Path) -> None:
    page = sheet(tmp_path, Section("two cats", [hit(1, "match", 0.9)]))
    assert not re.search(r"""(src|href)=["'](?!data:|file:)|url\(|@import|<script|<link""", page)
    assert "prefers-color-scheme: dark" in page
    assert re.search(r'<time datetime="\d{4}-\d\d-\d\d">\d{1,2} [A-Z][a-z]+ \d{4}</time>', page)
