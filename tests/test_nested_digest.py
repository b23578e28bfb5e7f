"""The digest of DNG and of TIFF with pages below pages, and what decoders make of odd metadata of
PNG and AVIF.
"""

import hashlib
import itertools
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigseek.errors import SigseekError
from sigseek.indexer.decoding.digest import digest_file
from tests.photos import open_upright, picture, xmp
from tests.raw_files import Tags, save_dng
from tests.test_picture_digest import (
    digest_of,
    exif_block,
    is_known,
    made,
    pixels,
    png_chunk,
)
from tests.test_tiff import save_pages

_ASCII, _BYTE, _UNDEFINED, _LONG, _SHORT = 2, 1, 7, 4, 3
_WORDS: Tags = {
    270: (_ASCII, list(b"a gull\0")),
    700: (_BYTE, list(xmp("<dc:title>a gull</dc:title>"))),
    18246: (_SHORT, [4]),
}


@cache
def dng(seed: int = 0, words: bool = False, orientation: int = 1, preview: bool = True) -> bytes:
    with TemporaryDirectory() as directory:
        path = Path(directory, "a.dng")
        shown = picture(seed, (320, 240))
        more = _WORDS if words else None
        save_dng(path, shown, shown if preview else None, orientation, more)
        return path.read_bytes()


@cache
def nested(seed: int = 0, words: bool = False, thumbnail: int = 2) -> bytes:
    """A TIFF whose photo is below the first page, which is a small copy."""
    with TemporaryDirectory() as directory:
        path = Path(directory, "a.tif")
        tags: dict[int, object] = {254: 1, 330: 1} | ({270: "a gull"} if words else {})
        save_pages(path, (picture(thumbnail, (40, 30)), tags), (picture(seed, (120, 90)), {254: 0}))
        content = bytearray(path.read_bytes())
        first = int.from_bytes(content[4:8], "little")
        count = int.from_bytes(content[first : first + 2], "little")
        link = first + 2 + 12 * count
        (second,) = struct.unpack_from("<I", content, link)
        struct.pack_into("<I", content, link, 0)
        for place in range(first + 2, link, 12):
            if struct.unpack_from("<H", content, place) == (330,):
                struct.pack_into("<HII", content, place + 2, _LONG, 1, second)
        return bytes(content)


@pytest.mark.parametrize("preview", [True, False])
def test_the_digest_of_a_dng_is_the_same_exactly_where_the_pixels_are(preview: bool) -> None:
    choices = list(itertools.product((1, 2), (False, True), (1, 6), (preview,)))
    files = [dng(*choice) for choice in choices]
    assert len(set(files)) == len(files)
    assert all(map(is_known, files))
    shown = [pixels(content, ".dng").tobytes() for content in files]
    digests = [digest_of(content) for content in files]
    for one, other in itertools.combinations(range(len(files)), 2):
        same = shown[one] == shown[other]
        assert (digests[one] == digests[other]) == same, (choices[one], choices[other])


def test_a_picture_below_a_page_counts_and_so_does_the_smaller_copy() -> None:
    plain = nested()
    assert is_known(plain)
    assert np.array_equal(pixels(plain, ".tif"), np.asarray(picture(0, (120, 90))))
    assert digest_of(nested(words=True)) == digest_of(plain)
    assert nested(words=True) != plain
    assert len({digest_of(content) for content in (plain, nested(1), nested(thumbnail=3))}) == 3


def with_tags(content: bytes, *tags: tuple[int, int, bytes]) -> bytes:
    """The TIFF with these tags (number, type, value) in its first directory, which is written once
    more at the end.
    """
    first = int.from_bytes(content[4:8], "little")
    count = int.from_bytes(content[first : first + 2], "little")
    entries = [content[first + 2 + 12 * at :][:12] for at in range(count)]
    out = bytearray(content + bytes(len(content) % 2))
    for number, kind, value in tags:
        size = {_SHORT: 2, _LONG: 4}.get(kind, 1)
        room = value.ljust(4, b"\0")
        if len(value) > 4:
            room = struct.pack("<I", len(out))
            out += value + bytes(len(value) % 2)
        entries.append(struct.pack("<HHI", number, kind, len(value) // size) + room)
    entries.sort(key=lambda entry: int.from_bytes(entry[:2], "little"))
    out[4:8] = struct.pack("<I", len(out))
    return bytes(out) + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)


def exif_directory(content: bytes, tag: int, kind: int, value: bytes) -> tuple[bytes, int]:
    """The TIFF with a directory of EXIF at its end that has this one tag, and where that begins."""
    out = content + bytes(len(content) % 2) + value + bytes(len(value) % 2)
    place = len(out)
    at = place - len(value) - len(value) % 2
    count = len(value) if kind in (_BYTE, _ASCII, _UNDEFINED) else 1
    entry = struct.pack("<HHI", tag, kind, count)
    entry += value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", at)
    return out + struct.pack("<H", 1) + entry + bytes(4), place


def with_exif_tag(content: bytes, tag: int, kind: int, value: bytes) -> bytes:
    out, place = exif_directory(content, tag, kind, value)
    return with_tags(out, (34665, _LONG, struct.pack("<I", place)))


@pytest.mark.parametrize("make", [dng, nested])
def test_words_and_dates_in_exif_do_not_count(make: Callable[[], bytes]) -> None:
    plain = make()
    for tag, value in ((36867, b"2020:01:02 03:04:05\0"), (42036, b"A lens\0"), (37510, b"x" * 9)):
        assert digest_of(with_exif_tag(plain, tag, _ASCII, value)) == digest_of(plain)
    for tag, value in ((700, xmp("<dc:title>a</dc:title>")), (33723, b"\x1c\x02\x19\0\1x")):
        assert digest_of(with_tags(plain, (tag, _BYTE, value))) == digest_of(plain)


def test_what_a_raw_library_may_look_at_counts() -> None:
    plain = dng()
    changed = [
        with_exif_tag(plain, 37500, _UNDEFINED, b"Maker's note 1"),
        with_exif_tag(plain, 37500, _UNDEFINED, b"Maker's note 2"),
        with_tags(plain, (305, _ASCII, b"Adobe\0")),
        with_tags(plain, (50740, _BYTE, b"private")),
    ]
    assert all(map(is_known, changed))
    assert len({digest_of(content) for content in (plain, *changed)}) == 5


def test_what_may_be_other_camera_raw_is_known_by_all_its_bytes() -> None:
    """In such files the maker's own notes may tell where more of the picture is."""
    plain = nested()
    unknown = [
        with_exif_tag(plain, 37500, _UNDEFINED, b"Maker's note"),
        with_tags(plain, (33421, _SHORT, b"\2\0\2\0")),
        with_tags(plain, (33424, _LONG, bytes(4))),
        with_tags(plain, (519, _LONG, bytes(4))),
        with_tags(dng(), (50933, _LONG, bytes(4))),
        with_tags(dng(), (65024, _LONG, bytes(4))),
    ]
    assert not any(map(is_known, unknown))
    assert is_known(with_tags(plain, (50341, _UNDEFINED, b"PrintIM\0")))


def test_a_page_that_is_named_by_two_places_is_not_followed() -> None:
    content = bytearray(nested())
    first = int.from_bytes(content[4:8], "little")
    count = int.from_bytes(content[first : first + 2], "little")
    for place in range(first + 2, first + 2 + 12 * count, 12):
        if struct.unpack_from("<H", content, place) == (330,):
            struct.pack_into("<I", content, place + 8, first)
    assert not is_known(bytes(content))


def test_plain_pixels_behind_their_stated_end_count() -> None:
    """Decoders read as many as the picture has, whatever its tags say of their length."""
    for content in (made("TIFF"), nested(), dng(preview=False)):
        short = bytearray(content)
        at = short.index(struct.pack("<HHI", 279, _LONG, 1))
        struct.pack_into("<I", short, at + 8, 1)
        assert is_known(content)
        assert not is_known(bytes(short))


@given(
    st.sampled_from([dng(), dng(preview=False), nested(), nested(words=True)]),
    st.integers(0, 1_000),
    st.integers(0, 40),
    st.binary(max_size=40),
)
@settings(max_examples=150, deadline=None)
def test_whatever_is_in_a_file_the_same_digest_means_the_same_pixels(
    whole: bytes, place: int, length: int, other: bytes
) -> None:
    place = max(0, len(whole) - place)  # the directories are at the end
    changed = whole[:place] + other + whole[place + length :]
    if digest_of(changed) == digest_of(whole):
        suffix = ".tif" if whole in (nested(), nested(words=True)) else ".dng"
        try:
            shown = pixels(changed, suffix)
        except SigseekError:
            return
        assert np.array_equal(shown, pixels(whole, suffix))


EDITS = {
    "words": ("-XMP:Title=gull", "-XMP:Subject=bird", "-XMP:Rating=4", "-IPTC:Keywords=x"),
    "EXIF": ("-EXIF:ImageDescription=gull", "-EXIF:Artist=me", "-EXIF:UserComment=c"),
    "place": ("-GPSLatitude=10", "-GPSLatitudeRef=N", "-GPSLongitude=20", "-GPSLongitudeRef=E"),
    "date": ("-AllDates=2020:01:01 10:00:00",),
    "nothing": ("-XMP:all=", "-IPTC:all="),
}


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
@pytest.mark.parametrize("edit", EDITS)
def test_edits_by_exiftool_change_no_digest(edit: str, tmp_path: Path) -> None:
    for name, content in (("a.dng", dng(words=True)), ("b.tif", nested(words=True))):
        path = tmp_path / name
        path.write_bytes(content)
        before, shown = digest_file(path), np.asarray(open_upright(path))
        command = ["exiftool", "-q", "-q", "-m", "-overwrite_original", *EDITS[edit], str(path)]
        subprocess.run(command, check=False)
        after = digest_file(path)
        assert after.digest != before.digest or edit == "nothing"
        assert after.picture == before.picture, name
        assert np.array_equal(shown, np.asarray(open_upright(path)))


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_a_text_that_keeps_a_png_from_opening_counts(kind: bytes) -> None:
    plain = made("PNG")

    def with_text(length: int, compression: int = 0) -> bytes:
        head = b"Comment\0" + (b"\1" if kind == b"iTXt" else b"") + bytes([compression])
        text = head + (b"\0\0" if kind == b"iTXt" else b"") + zlib.compress(bytes(length))
        return plain[:33] + png_chunk(kind, text) + plain[33:]

    assert digest_of(with_text(1000)) == digest_of(with_text(1 << 20)) == digest_of(plain)
    bomb = with_text((1 << 20) + 1000)
    assert not is_known(bomb)
    assert not is_known(with_text(1000, compression=1))
    many = plain[:33] + png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 20))) * 65
    assert not is_known(many + plain[33:])


def test_texts_that_unfold_a_thousandfold_are_not_unfolded_for_ever() -> None:
    one = png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 20)))
    plain = made("PNG")
    bombs = plain[:33] + one * 5_000 + plain[33:]  # 5 GB of text
    assert digest_of(bombs) == hashlib.sha256(bombs).digest()


def avif_with(exif: bytes | None, packet: bytes | None) -> bytes:
    kept = BytesIO()
    options = {"exif": exif} if exif else {}
    if packet:
        options["xmp"] = packet
    picture().save(kept, "AVIF", **options)  # type: ignore[arg-type]
    return kept.getvalue()


def test_an_orientation_in_the_metadata_of_an_avif() -> None:
    """AVIF has an orientation of its own. Pillow asks XMP where EXIF has none, even if AVIF has."""
    turned, upright = (xmp("", f'tiff:Orientation="{number}"') for number in (6, 1))
    states_none = b"Exif\0\0" + exif_block((0x010F, 2, 4, 0x00414141))
    plain = avif_with(None, None)
    same = [avif_with(states_none, None), avif_with(None, upright), avif_with(states_none, upright)]
    for content in same:
        assert digest_of(content) == digest_of(plain)
        assert np.array_equal(pixels(content, ".avif"), pixels(plain, ".avif"))
    for content in (avif_with(None, turned), avif_with(states_none, turned)):
        assert not is_known(content)


def test_an_avif_whose_own_orientation_and_that_of_exif_disagree() -> None:
    """The one of EXIF does not count: what Pillow shows is turned by AVIF's own."""
    turned = made("AVIF", orientation=6)
    upright = made("AVIF", words="a gull")
    tag = struct.pack("<HHI", 0x010E, 2, len(b"a gull") + 1)
    assert pixels(turned, ".avif").shape != pixels(upright, ".avif").shape
    assert digest_of(turned) != digest_of(upright)
    at = upright.find(tag)
    order = "<" if at >= 0 else ">"
    at = at if at >= 0 else upright.index(struct.pack(">HHI", 0x010E, 2, 7))
    disagreeing = bytearray(upright)
    disagreeing[at : at + 12] = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, 6, 0)
    assert np.array_equal(pixels(bytes(disagreeing), ".avif"), pixels(upright, ".avif"))
    assert digest_of(bytes(disagreeing)) == digest_of(upright)


def test_an_avif_with_damaged_exif_is_another_file() -> None:
    good = made("AVIF", words="a gull")
    at = max(good.find(b"II*\0"), good.find(b"MM\0*"))
    assert at > 0
    damaged = good[:at] + b"XX" + good[at + 2 :]
    assert is_known(damaged)
    assert digest_of(damaged) != digest_of(good)
