"""Thumbnails on pages."""

import base64
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from sigseek.indexer.decoding.thumbnails import Thumbnailer
from sigseek.pages.page import THUMBNAIL, thumbnail, write_page
from tests.photos import difference, exif, picture, save


@pytest.fixture(scope="module")
def thumbnails() -> Iterator[Thumbnailer]:
    with Thumbnailer() as made:
        yield made


def shown(html: str) -> Image.Image:
    match = re.fullmatch(r'<img alt="a\.jpg" src="data:image/jpeg;base64,([^"]+)">', html)
    assert match, html
    return Image.open(io.BytesIO(base64.b64decode(match[1])))


def test_a_photo_is_small_and_upright(tmp_path: Path, thumbnails: Thumbnailer) -> None:
    whole = picture(1, (640, 480))
    whole.transpose(Image.Transpose.ROTATE_90).save(
        tmp_path / "a.jpg", exif=exif(Orientation=6), quality=95
    )
    small = shown(thumbnail(tmp_path / "a.jpg", thumbnails))
    assert small.size == (THUMBNAIL, 240)
    assert difference(small, whole.resize((THUMBNAIL, 240))) < 6


def test_a_photo_larger_than_pillow_takes_by_itself(
    tmp_path: Path, thumbnails: Thumbnailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "sigseek.indexer.decoding.guarded.default_max_pixels", lambda: 200_000_000
    )  # whatever memory there is
    Image.new("L", (13_500, 13_500), 90).save(tmp_path / "a.jpg")
    small = shown(thumbnail(tmp_path / "a.jpg", thumbnails))
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


def test_why_there_is_none(tmp_path: Path, thumbnails: Thumbnailer) -> None:
    save(tmp_path / "a.jpg")
    assert thumbnail(tmp_path / "b.jpg", thumbnails) == "<p>The file is missing.</p>"
    (tmp_path / "c.jpg").write_text("no picture")
    assert (
        thumbnail(tmp_path / "c.jpg", thumbnails)
        == "<p>not a picture, or its header is damaged</p>"
    )
    assert shown(thumbnail(tmp_path / "a.jpg", thumbnails))
