"""Files without a picture's extension: which of them hold a picture."""

import io
from pathlib import Path, PurePath

import pytest

from sigseek.indexer import other_files
from sigseek.indexer.other_files import look_into, picture_format
from sigseek.indexer.scan import scan_folder
from sigseek.progress import Stop
from sigseek.storage.records import OtherFile
from tests.photos import picture


@pytest.mark.parametrize(
    ("format_", "found"),
    [
        ("JPEG", "JPEG"), ("PNG", "PNG"), ("GIF", "GIF"), ("WEBP", "WebP"), ("TIFF", "TIFF"),
        ("BMP", "BMP"), ("AVIF", "AVIF"), ("JPEG2000", "JPEG 2000"), ("QOI", "QOI"),
    ],
)  # fmt: skip
def test_formats_are_told_by_the_first_bytes(format_: str, found: str) -> None:
    file = io.BytesIO()
    picture(1).save(file, format_)
    assert picture_format(file.getvalue()[:32]) == found


@pytest.mark.parametrize(
    "head",
    [
        b"", b"BM", b"BMW is a car, and this is a text", b"RIFF\0\0\0\0AVI LIST", b"#!/bin/sh\n",
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", b"PK\x03\x04", b"%PDF-1.7",
    ],
)  # fmt: skip
def test_other_files_hold_no_picture(head: bytes) -> None:
    assert picture_format(head) is None


def test_a_file_is_looked_into_once_and_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(1).save(tmp_path / "a.jpg_original", "JPEG")
    picture(2).save(tmp_path / "b.jpg.1", "PNG")
    (tmp_path / "c").write_bytes(b"no picture")
    (tmp_path / "d.txt").write_bytes(b"\xff\xd8\xff but a text by its name")
    (tmp_path / "e").write_bytes(b"")
    read: list[str] = []
    read_head = other_files._read_head

    def note(root: Path, file: OtherFile) -> bytes:
        read.append(file.path)
        return read_head(root, file)

    monkeypatch.setattr(other_files, "_read_head", note)
    found = scan_folder(tmp_path, PurePath()).other_files
    first = look_into(tmp_path, found, {}, Stop())
    holds = {file.path: file.holds for file in first}
    assert holds == {"a.jpg_original": "JPEG", "b.jpg.1": "PNG", "c": None}
    known = {file.path: file for file in first}
    assert look_into(tmp_path, found, known, Stop()) == []
    (tmp_path / "c").write_bytes(b"GIF89a, rather")
    again = look_into(tmp_path, scan_folder(tmp_path, PurePath()).other_files, known, Stop())
    assert [(file.path, file.holds) for file in again] == [("c", "GIF")]
    assert sorted(read) == ["a.jpg_original", "b.jpg.1", "c", "c"]


def test_a_file_that_cannot_be_read_is_tried_again(tmp_path: Path) -> None:
    assert look_into(tmp_path, {"gone": (1, 1)}, {}, Stop()) == []
