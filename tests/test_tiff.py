"""Which page of a TIFF is the photo, and forms of TIFF that Pillow does not read."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from sigseek.indexer import DecodeError
from sigseek.indexer.decoding.decode import decode_photo
from sigseek.indexer.decoding.file_metadata import read_file_metadata
from sigseek.indexer.decoding.metadata import read_metadata
from sigseek.indexer.decoding.tiff import directories_of_bigtiff, smaller_bigtiff
from sigseek.siglip import Preprocessing
from tests.photos import difference, letter_f, open_upright, picture

PREPROCESSING = Preprocessing(32, 32, 3, 1 / 255, (0.5,) * 3, (0.5,) * 3)
Page = tuple[Image.Image, dict[int, object]]


def save_pages(path: Path, *pages: Page, compression: str = "raw") -> None:
    with TiffImagePlugin.AppendingTiffWriter(path, new=True) as writer:
        for image, tags in pages:
            directory = ImageFileDirectory_v2()
            for tag, value in tags.items():
                directory[tag] = value
            image.save(writer, "TIFF", tiffinfo=directory, compression=compression)
            writer.newFrame()


@pytest.mark.parametrize(
    ("before", "photo", "compression"),
    [
        ([{254: 1}], {254: 0}, "raw"),
        ([{254: 1}], {254: 0}, "tiff_lzw"),
        ([{254: 1}, {254: 4}], {254: 2}, "tiff_lzw"),
        ([{255: 2}], {255: 1}, "raw"),
        ([{254: 1}], {}, "raw"),
    ],
)
def test_smaller_copies_and_masks_are_not_the_photo(
    tmp_path: Path, before: list[dict[int, object]], photo: dict[int, object], compression: str
) -> None:
    path = tmp_path / "a.tif"
    full = picture(1, (120, 90))
    others: list[Page] = [(picture(2, (40, 30)), tags) for tags in before]
    save_pages(path, *others, (full, photo), (picture(3, (80, 60)), {}), compression=compression)
    assert difference(open_upright(path), full) == 0
    decoded = decode_photo(path, PREPROCESSING)
    assert (decoded.width, decoded.height, decoded.format) == (120, 90, "TIFF")


def test_of_many_pages_the_first_is_the_photo(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    save_pages(path, *((picture(seed, (40 + seed, 30)), {254: 2}) for seed in range(5)))
    assert difference(open_upright(path), picture(0, (40, 30))) == 0
    copies = [(picture(seed, (40 + 20 * (seed % 2), 30)), {254: 1}) for seed in range(4)]
    save_pages(path, *copies)
    assert difference(open_upright(path), copies[1][0]) == 0, "all are called smaller copies"


@pytest.mark.parametrize("turned", [(6, 6), (6, 1), (1, 6), (6, None), (None, 6)])
def test_what_both_pages_say(tmp_path: Path, turned: tuple[int | None, int | None]) -> None:
    first, own = turned
    path = tmp_path / "a.tif"
    upright = letter_f().resize((60, 90))
    orientation = own or first
    stored = upright.transpose(Image.Transpose.ROTATE_90) if orientation == 6 else upright
    said: list[dict[int, object]] = [{274: value} if value else {} for value in turned]
    thumbnail: Page = (picture(2, (20, 30)), {254: 1, 271: "Maker", 272: "Model 7"} | said[0])
    save_pages(path, thumbnail, (stored, {270: "At sea"} | said[1]))
    assert difference(open_upright(path), upright) == 0
    decoded = decode_photo(path, PREPROCESSING)
    assert (decoded.width, decoded.height) == (60, 90)
    assert (decoded.metadata.camera, decoded.metadata.description) == ("Maker Model 7", "At sea")
    alone = read_file_metadata(path)
    assert (alone.camera, alone.description) == ("Maker Model 7", "At sea")


def test_the_photo_in_a_directory_below_the_first_page(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    full = picture(1, (120, 90))
    thumbnail: Page = (picture(2, (40, 30)), {254: 1, 271: "Maker", 330: 1})
    save_pages(path, thumbnail, (full, {254: 0, 270: "At sea"}))
    contents = bytearray(path.read_bytes())
    (first,) = struct.unpack_from("<I", contents, 4)
    (count,) = struct.unpack_from("<H", contents, first)
    following = first + 2 + 12 * count
    (second,) = struct.unpack_from("<I", contents, following)
    struct.pack_into("<I", contents, following, 0)
    for place in range(first + 2, following, 12):
        if struct.unpack_from("<H", contents, place) == (330,):
            struct.pack_into("<HII", contents, place + 2, 4, 1, second)
    path.write_bytes(contents)
    assert difference(open_upright(path), full) == 0
    decoded = decode_photo(path, PREPROCESSING)
    assert (decoded.width, decoded.height, decoded.damaged) == (120, 90, False)
    assert (decoded.metadata.camera, decoded.metadata.description) == ("Maker", "At sea")
    path.write_bytes(contents[:-10_000])
    assert decode_photo(path, PREPROCESSING).damaged
    struct.pack_into("<I", contents, second + 2 + 8, 1)  # a smaller copy as well
    path.write_bytes(contents)
    assert open_upright(path).size == (40, 30)


def test_a_second_page_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    full = picture(1, (120, 90))
    # The directory of a page that Pillow writes is before its pixels.
    save_pages(path, (picture(2, (40, 30)), {254: 1}), (full, {254: 0}))
    path.write_bytes(path.read_bytes()[:-10_000])
    part = open_upright(path)
    assert 45 < part.height < 90
    assert difference(part, full.crop((0, 0, *part.size))) == 0
    assert decode_photo(path, PREPROCESSING).damaged


def bigtiff(levels: np.ndarray, order: str, thumbnail: bool = False) -> bytes:
    """Return a BigTIFF with a directory of EXIF, and its strips placed by numbers of 64 bits."""
    height, width, channels = levels.shape
    half = height // 2
    pixels = [levels[:half].tobytes(), levels[half:].tobytes()]
    out = bytearray((b"MM" if order == ">" else b"II") + struct.pack(f"{order}HHHQ", 43, 8, 0, 0))

    def put(value: bytes) -> int:
        out.extend(b"\0" * (len(out) % 2) + value)
        return len(out) - len(value)

    def directory(tags: dict[int, tuple[int, str, list[int] | bytes]], following: int = 0) -> int:
        rows = b""
        for tag, (kind, letter, values) in sorted(tags.items()):
            value = (
                values
                if isinstance(values, bytes)
                else struct.pack(f"{order}{len(values)}{letter}", *values)
            )
            if len(value) > 8:
                value = struct.pack(f"{order}Q", put(value))
            rows += struct.pack(f"{order}HHQ", tag, kind, len(values)) + value.ljust(8, b"\0")
        return put(struct.pack(f"{order}Q", len(tags)) + rows + struct.pack(f"{order}Q", following))

    exif = directory({36867: (2, "", b"2021:07:03 18:05:09\0")})
    tags = {
        256: (4, "I", [width]),
        257: (3, "H", [height]),
        258: (3, "H", [8] * channels),
        259: (3, "H", [1]),
        262: (3, "H", [2]),
        271: (2, "", b"A Maker of cameras\0"),
        273: (16, "Q", [put(strip) for strip in pixels]),
        277: (3, "H", [channels]),
        278: (4, "I", [half]),
        279: (16, "Q", [len(strip) for strip in pixels]),
        34665: (18, "Q", [exif]),
    }
    first = directory(tags)
    if thumbnail:
        small = {254: (4, "I", [1]), 256: (4, "I", [1]), 257: (4, "I", [1]), 278: (4, "I", [1])}
        first = directory(tags | small, first)
    out[8:16] = struct.pack(f"{order}Q", first)
    return bytes(out)


@pytest.mark.parametrize("thumbnail", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_bigtiff_of_either_byte_order(tmp_path: Path, order: str, thumbnail: bool) -> None:
    levels = np.asarray(picture(4, (50, 40)))
    path = tmp_path / "a.tif"
    path.write_bytes(bigtiff(levels, order, thumbnail))
    assert difference(open_upright(path), levels) == 0
    decoded = decode_photo(path, PREPROCESSING)
    assert (decoded.width, decoded.height, decoded.format) == (50, 40, "TIFF")
    said = ("A Maker of cameras", "2021-07-03T18:05:09")
    assert (decoded.metadata.camera, decoded.metadata.taken_at) == said
    alone = read_file_metadata(path)
    assert (alone.camera, alone.taken_at) == said


SMALL_BIGTIFF = bigtiff(np.asarray(picture(4, (6, 4))), "<", thumbnail=True)


@given(st.dictionaries(st.integers(0, len(SMALL_BIGTIFF) - 1), st.integers(0, 255), max_size=4))
def test_whatever_a_bigtiff_says_its_directories_are(changes: dict[int, int]) -> None:
    contents = bytearray(SMALL_BIGTIFF)
    for place, value in changes.items():
        contents[place] = value
    try:
        image = Image.open(BytesIO(contents), formats=["TIFF"])
    except Exception:  # no concern of whoever reads the metadata
        return
    found = directories_of_bigtiff(image)
    assert set(found) <= {330, 34665, 34853, 40965}
    said = read_metadata(image)
    assert changes or said.taken_at == "2021-07-03T18:05:09"


def test_a_big_endian_bigtiff_whose_last_page_is_cut_off(tmp_path: Path) -> None:
    levels = np.asarray(picture(4, (50, 40)))
    path = tmp_path / "a.tif"
    contents = bytearray(bigtiff(levels, ">"))
    (first,) = struct.unpack_from(">Q", contents, 8)
    (count,) = struct.unpack_from(">Q", contents, first)
    struct.pack_into(">Q", contents, first + 8 + 20 * count, len(contents))
    for second in (b"", contents[first : first + 70]):
        path.write_bytes(contents + second)
        assert difference(open_upright(path), levels) == 0
        decoded = decode_photo(path, PREPROCESSING)
        assert (decoded.width, decoded.height, decoded.damaged) == (50, 40, False)
    tag = contents.index(struct.pack(">HHQ", 34665, 18, 1), first)
    struct.pack_into(">Q", contents, tag + 12, len(contents))  # the directory of EXIF
    path.write_bytes(contents)
    assert difference(open_upright(path), levels) == 0
    cut = bigtiff(levels, ">", thumbnail=True)
    (small,) = struct.unpack_from(">Q", cut, 8)
    (count,) = struct.unpack_from(">Q", cut, small)
    other = bytearray(cut)
    struct.pack_into(">Q", other, small + 8 + 20 * count, len(cut))
    path.write_bytes(other)
    with pytest.raises(DecodeError):  # only the thumbnail is left
        decode_photo(path, PREPROCESSING)


def test_damaged_bigtiff(tmp_path: Path) -> None:
    contents = bigtiff(np.asarray(picture(4, (50, 40))), ">")
    endless = bytearray(contents)
    (first,) = struct.unpack_from(">Q", contents, 8)
    (count,) = struct.unpack_from(">Q", contents, first)
    struct.pack_into(">Q", endless, first + 8 + 20 * count, first)  # it follows itself
    for damaged in (contents[:12], contents[:-50], bytes(endless)):
        with pytest.raises((ValueError, struct.error)):
            smaller_bigtiff(damaged)
        (tmp_path / "a.tif").write_bytes(damaged)
        with pytest.raises(DecodeError):
            decode_photo(tmp_path / "a.tif", PREPROCESSING)
