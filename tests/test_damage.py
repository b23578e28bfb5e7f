"""Pictures of damaged files: what of them is taken, and what is said of it."""

import json
import re
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sigseek
from sigseek.demo.drawing import draw_scene
from sigseek.demo.scene import numbered_scene
from sigseek.indexer import DecodeError
from sigseek.indexer.decoding import damage
from sigseek.indexer.decoding.decode import decode_jpeg, decode_photo, decode_views
from sigseek.indexer.decoding.jpeg import FirstScan, first_scan
from sigseek.siglip import Preprocessing
from sigseek.storage import Catalog, FailureRecord
from tests.conftest import Run
from tests.photos import difference, exif, open_upright
from tests.raw_files import save_dng

PREPROCESSING = Preprocessing(32, 32, 3, 1 / 255, (0.5,) * 3, (0.5,) * 3)
SIZE = (480, 360)
CLOSE = 3
"""The levels by which the last rows of a JPEG may differ, because they would borrow from rows
below.
"""


@pytest.fixture(scope="module")
def drawing() -> Image.Image:
    return draw_scene(numbered_scene(3, 7), SIZE, 3)


def coded(image: Image.Image, kind: str, **options: object) -> bytes:
    made = BytesIO()
    image.save(made, kind, **options)  # type: ignore[arg-type]
    return made.getvalue()


def upper_part(path: Path, contents: bytes, whole: Image.Image) -> float:
    """Return the share of the picture that is taken from a file with these contents, after a check
    that it is the upper part of the whole picture, and that the photo is told to be damaged.
    """
    path.write_bytes(contents)
    part = open_upright(path)
    assert part.width == whole.width
    assert difference(part, whole.crop((0, 0, *part.size))) < CLOSE
    decoded = decode_photo(path, PREPROCESSING)
    assert (decoded.width, decoded.height, decoded.damaged) == (*whole.size, True)
    assert difference(decoded.pixels, PREPROCESSING.resize(part)) < 2 * CLOSE
    return part.height / whole.height


def decoded_whole(path: Path, contents: bytes) -> Image.Image:
    path.write_bytes(contents)
    assert not decode_photo(path, PREPROCESSING).damaged
    return open_upright(path)


@pytest.mark.parametrize("cut", [1, 2, 3])
@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}])
def test_a_jpeg_without_its_end_mark_is_whole(
    tmp_path: Path, drawing: Image.Image, options: dict[str, bool], cut: int
) -> None:
    contents = coded(drawing, "JPEG", **options)
    whole = decoded_whole(tmp_path / "whole.jpg", contents)
    assert upper_part(tmp_path / "a.jpg", contents[:-cut], whole) >= 0.95


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimize": True},
        {"restart_marker_rows": 1},
        {"subsampling": 0, "quality": 95},
        {"icc_profile": b"broken"},
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_that_was_cut(
    tmp_path: Path, drawing: Image.Image, mode: str, options: dict[str, object]
) -> None:
    contents = coded(drawing.convert(mode), "JPEG", **options)
    whole = decoded_whole(tmp_path / "whole.jpg", contents)
    half = contents[: len(contents) * 6 // 10]
    share = upper_part(tmp_path / "a.jpg", half, whole)
    assert 0.45 < share < 0.9
    assert upper_part(tmp_path / "b.jpg", contents[:-200], whole) > 0.9
    # A program has ended the file, or the disk has kept its length.
    assert upper_part(tmp_path / "c.jpg", half + b"\xff\xd9", whole) == share
    for filling in (b"\0", b"\xff"):
        rest = filling * (len(contents) - len(half))
        assert upper_part(tmp_path / "d.jpg", half + rest, whole) == pytest.approx(share, abs=0.05)


def test_too_little_of_a_jpeg_is_refused(tmp_path: Path, drawing: Image.Image) -> None:
    contents = coded(drawing, "JPEG")
    begin = len(contents) // 10
    for rest in (b"", b"\xff\xd9", bytes(len(contents))):
        (tmp_path / "a.jpg").write_bytes(contents[:begin] + rest)
        with pytest.raises(
            DecodeError, match=r"^damaged: only \d+% of the picture can be decoded$"
        ):
            decode_photo(tmp_path / "a.jpg", PREPROCESSING)


def test_a_progressive_jpeg_is_whole_after_its_first_scan(
    tmp_path: Path, drawing: Image.Image
) -> None:
    contents = coded(drawing, "JPEG", progressive=True, quality=95)
    scans = [found.start() for found in re.finditer(rb"\xff\xda", contents)]
    whole = decoded_whole(tmp_path / "whole.jpg", contents)
    coarse = tmp_path / "a.jpg"
    coarse.write_bytes(contents[: scans[1] + 20])
    assert open_upright(coarse).size == SIZE
    assert difference(open_upright(coarse), whole) < 20
    assert decode_photo(coarse, PREPROCESSING).damaged
    first = tmp_path / "b.jpg"
    first.write_bytes(contents[: scans[0] + (scans[1] - scans[0]) * 7 // 10])
    part = open_upright(first)
    assert 0.45 < part.height / SIZE[1] < 0.95
    assert difference(part, whole.crop((0, 0, *part.size))) < 30
    first.write_bytes(contents[: scans[0] + (scans[1] - scans[0]) // 10])
    with pytest.raises(DecodeError, match=r"only \d+% of the picture"):
        decode_photo(first, PREPROCESSING)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}])
def test_grey_that_belongs_to_the_picture_is_no_damage(
    tmp_path: Path, options: dict[str, bool]
) -> None:
    image = Image.new("RGB", SIZE, (128, 128, 128))
    image.paste((200, 30, 30), (0, 0, 480, 100))
    path = tmp_path / "a.jpg"
    contents = coded(image, "JPEG", **options)
    assert decoded_whole(path, contents).size == SIZE
    assert decoded_whole(path, coded(Image.new("L", SIZE, 128), "JPEG")).size == SIZE


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG"])
def test_what_is_there_is_turned_upright(tmp_path: Path, drawing: Image.Image, kind: str) -> None:
    contents = coded(drawing, kind, exif=exif(Orientation=6))
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(contents)
    upright = open_upright(path)
    path.write_bytes(contents[: len(contents) * 7 // 10])
    decoded = decode_photo(path, PREPROCESSING)
    assert (decoded.width, decoded.height, decoded.damaged) == (360, 480, True)
    part = open_upright(path)
    assert part.height == 480
    assert 160 < part.width < 350
    assert difference(part, upright.crop((360 - part.width, 0, 360, 480))) < CLOSE


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("a.gif", {"interlace": 0}),
        ("a.gif", {"interlace": 0, "transparency": 0}),
        ("a.tiff", {}),
        ("a.ppm", {}),
        ("a.webp", {"quality": 90}),
        ("a.webp", {"quality": 90, "exif": exif(Make="Maker").tobytes()}),
    ],
)
def test_other_formats_that_were_cut(
    tmp_path: Path, drawing: Image.Image, name: str, options: dict[str, object]
) -> None:
    kind = Image.registered_extensions()[Path(name).suffix]
    contents = coded(drawing.quantize(64) if kind == "GIF" else drawing, kind, **options)
    whole = decoded_whole(tmp_path / name, contents)
    assert 0.45 < upper_part(tmp_path / name, contents[: len(contents) * 7 // 10], whole) < 0.9
    (tmp_path / name).write_bytes(contents[: len(contents) // 20])
    with pytest.raises(DecodeError):
        decode_photo(tmp_path / name, PREPROCESSING)


def tiff_of_one_strip(image: Image.Image, *, rgb: bool, orientation: int = 1) -> bytes:
    """Return a TIFF whose directory is before its only strip, a JPEG without tables."""
    jpeg = coded(image, "JPEG", subsampling=0, keep_rgb=rgb)
    frame = jpeg.index(b"\xff\xc0")
    quantised = jpeg.index(b"\xff\xdb")
    huffman = jpeg.index(b"\xff\xc4")
    scan = jpeg.index(b"\xff\xda")
    tables = jpeg[:2] + jpeg[quantised:frame] + jpeg[huffman:scan] + b"\xff\xd9"
    strip = jpeg[:2] + jpeg[frame:huffman] + jpeg[scan:]
    numbers = {
        256: image.width, 257: image.height, 258: 0, 259: 7, 262: 2 if rgb else 6,
        273: 0, 274: orientation, 277: 3, 278: image.height, 279: len(strip), 347: 0,
        530: 1 | 1 << 16,
    }  # fmt: skip
    begin = 8 + 2 + 12 * len(numbers) + 4
    numbers |= {258: begin, 347: begin + 6, 273: begin + 6 + len(tables)}
    rows = b""
    for tag, number in numbers.items():
        kind, count = {258: (3, 3), 347: (7, len(tables)), 530: (3, 2)}.get(tag, (4, 1))
        rows += struct.pack("<HHII", tag, kind, count, number)
    head = b"II*\0" + struct.pack("<IH", 8, len(numbers)) + rows + bytes(4)
    return head + struct.pack("<3H", 8, 8, 8) + tables + strip


@pytest.mark.parametrize("rgb", [False, True])
def test_a_cut_tiff_of_one_jpeg(tmp_path: Path, drawing: Image.Image, rgb: bool) -> None:
    contents = tiff_of_one_strip(drawing, rgb=rgb)
    whole = decoded_whole(tmp_path / "whole.tif", contents)
    assert difference(whole, drawing) < CLOSE
    path = tmp_path / "a.tif"
    assert 0.45 < upper_part(path, contents[: len(contents) * 6 // 10], whole) < 0.9
    assert upper_part(path, contents[: len(contents) * 99 // 100], whole) > 0.9
    path.write_bytes(contents[: len(contents) // 4])
    with pytest.raises(DecodeError, match=r"only \d+% of the picture"):
        decode_photo(path, PREPROCESSING)


def test_a_cut_tiff_of_one_jpeg_that_is_turned(tmp_path: Path, drawing: Image.Image) -> None:
    contents = tiff_of_one_strip(drawing, rgb=False, orientation=6)
    whole = decoded_whole(tmp_path / "whole.tif", contents)
    path = tmp_path / "a.tif"
    path.write_bytes(contents[: len(contents) * 7 // 10])
    decoded = decode_photo(path, PREPROCESSING)
    assert (decoded.width, decoded.height, decoded.damaged) == (360, 480, True)
    part = open_upright(path)
    assert part.height == 480
    assert difference(part, whole.crop((360 - part.width, 0, 360, 480))) < CLOSE


@pytest.mark.parametrize("most", [1, 9, 60])
def test_a_lossless_webp_that_was_cut(tmp_path: Path, drawing: Image.Image, most: int) -> None:
    """Without noise, few bytes stand for many pixels. With much, many bytes are missing."""
    noise = np.random.default_rng(0).integers(0, most, (360, 480, 3), np.uint8)
    image = Image.fromarray(np.asarray(drawing) // 2 + noise)
    contents = coded(image, "WEBP", lossless=True)
    whole = decoded_whole(tmp_path / "a.webp", contents)
    assert difference(whole, image) == 0
    assert 0.45 < upper_part(tmp_path / "a.webp", contents[: len(contents) * 7 // 10], whole) < 0.9


def test_a_webp_with_transparency_or_frames_that_was_cut(
    tmp_path: Path, drawing: Image.Image
) -> None:
    see_through = drawing.convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(SIZE))
    frames = {"save_all": True, "append_images": [Image.new("RGB", SIZE, "green")]}
    for image, options in ((see_through, {}), (drawing, frames)):
        contents = coded(image, "WEBP", **options)
        whole = decoded_whole(tmp_path / "a.webp", contents)
        share = upper_part(tmp_path / "a.webp", contents[: len(contents) * 7 // 10], whole)
        assert 0.45 < share < 0.9


def test_a_bmp_is_stored_from_its_bottom(tmp_path: Path, drawing: Image.Image) -> None:
    contents = coded(drawing, "BMP")
    (tmp_path / "a.bmp").write_bytes(contents[: len(contents) * 7 // 10])
    part = open_upright(tmp_path / "a.bmp")
    assert part.height == 251
    assert difference(part, drawing.crop((0, 360 - 251, *SIZE))) == 0
    assert decode_photo(tmp_path / "a.bmp", PREPROCESSING).damaged


def interlaced_png(image: Image.Image) -> bytes:
    """Return a PNG of seven passes, which Pillow does not write."""
    levels = np.asarray(image.convert("RGB"))
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
              (1, 0, 2, 1)]  # fmt: skip
    rows = b"".join(
        b"\0" + row.tobytes()
        for top, left, down, across in passes
        for row in levels[top::down, left::across]
    )
    header = struct.pack(">IIBBBBB", *image.size, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in [(b"IHDR", header), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b"")]
    )  # fmt: skip


def test_the_passes_of_an_interlaced_picture(tmp_path: Path, drawing: Image.Image) -> None:
    contents = interlaced_png(drawing)
    levels = np.asarray(drawing)
    assert difference(decoded_whole(tmp_path / "a.png", contents), levels) == 0
    for size, step in ((0.9, 2), (0.3, 2), (0.2, 4), (0.05, 8)):
        (tmp_path / "a.png").write_bytes(contents[: int(len(contents) * size)])
        assert difference(open_upright(tmp_path / "a.png"), levels[::step, ::step]) == 0
        decoded = decode_photo(tmp_path / "a.png", PREPROCESSING)
        assert (decoded.width, decoded.height, decoded.damaged) == (*SIZE, True)
    (tmp_path / "a.png").write_bytes(contents[: len(contents) // 300])
    with pytest.raises(DecodeError):
        decode_photo(tmp_path / "a.png", PREPROCESSING)
    contents = coded(drawing.quantize(64), "GIF")
    whole = decoded_whole(tmp_path / "a.gif", contents)
    (tmp_path / "a.gif").write_bytes(contents[: len(contents) * 6 // 10])
    coarse = np.asarray(open_upright(tmp_path / "a.gif"))
    assert difference(coarse, np.asarray(whole)[::2, ::2]) == 0


def test_a_png_whose_checksums_or_end_are_wrong(tmp_path: Path, drawing: Image.Image) -> None:
    contents = coded(drawing, "PNG")
    for cut in (1, 12, 13):
        assert upper_part(tmp_path / "a.png", contents[:-cut], drawing) == 1
    header = bytearray(contents)
    header[29] ^= 1
    text = contents[:33] + b"\0\0\0\x03tEXta\0b" + bytes(4) + contents[33:]
    for wrong in (bytes(header), text):
        assert upper_part(tmp_path / "a.png", wrong, drawing) == 1
    broken_text = contents[:-12] + b"\0\0\0\x03tEXta\0b" + bytes(4) + contents[-12:]
    decoded_whole(tmp_path / "a.png", broken_text)


def test_a_disks_error_is_no_damage(
    tmp_path: Path, drawing: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_disk(*_: object) -> object:
        raise OSError(5, "Input/output error")

    (tmp_path / "a.jpg").write_bytes(coded(drawing, "JPEG")[:-200])
    with monkeypatch.context() as patch:
        patch.setattr("PIL.JpegImagePlugin.JpegImageFile.load_read", broken_disk)
        with pytest.raises(OSError, match="Input/output error"):
            decode_photo(tmp_path / "a.jpg", PREPROCESSING)
    monkeypatch.setattr(damage, "decodable_part", broken_disk)
    with pytest.raises(OSError, match="Input/output error"):
        decode_photo(tmp_path / "a.jpg", PREPROCESSING)


def test_thumbnails_and_views_show_what_is_there(tmp_path: Path, drawing: Image.Image) -> None:
    contents = coded(drawing, "JPEG", quality=95)
    (tmp_path / "a.jpg").write_bytes(contents[: len(contents) * 7 // 10])
    part = open_upright(tmp_path / "a.jpg")
    thumbnail = Image.open(BytesIO(decode_jpeg(tmp_path / "a.jpg", 120, 1_000_000)))
    assert thumbnail.size == (120, round(120 * part.height / part.width))
    assert difference(thumbnail, part.resize(thumbnail.size)) < 6
    last = decode_views(tmp_path / "a.jpg", PREPROCESSING)[8]
    box = (part.width // 5, part.height // 5, *part.size)
    assert difference(last, PREPROCESSING.resize(part.crop(box))) < 6


def test_a_damaged_preview_of_a_raw_file(tmp_path: Path, drawing: Image.Image) -> None:
    path = save_dng(tmp_path / "a.dng", Image.new("L", SIZE), drawing)
    contents = bytearray(path.read_bytes())
    begin = contents.find(b"\xff\xd8\xff")
    end = contents.find(b"\xff\xd9", begin)
    contents[begin + (end - begin) * 8 // 10 : end + 2] = bytes(
        end + 2 - (begin + (end - begin) * 8 // 10)
    )
    path.write_bytes(contents)
    decoded = decode_photo(path, PREPROCESSING)
    assert (decoded.format, decoded.damaged) == ("RAW", True)
    part = open_upright(path)
    assert difference(part, drawing.crop((0, 0, *part.size))) < 6


def test_the_first_scan() -> None:
    frame = b"\xff\xc0\0\x11\x08\0\x10\0\x10\x03" + bytes(9)
    one = b"\xff\xda\0\x0c\x03" + bytes(9)
    begin = b"\xff\xd8\xff\xe0\0\x04ab" + frame
    data = len(begin + one)
    assert first_scan(begin) is None
    assert first_scan(begin + one + b"abc") == FirstScan(data, data + 3, True, False)
    assert first_scan(begin + one + b"a\xff\0c\xff\xd9") == FirstScan(data, data + 4, True, False)
    assert first_scan(begin + one + b"abc" + bytes(40)) == FirstScan(data, data + 3, True, False)
    assert first_scan(begin + one + b"abc" + bytes(9)) == FirstScan(data, data + 12, True, False)
    restarts = begin + b"\xff\xdd\0\x04\0\x01" + one
    data = len(restarts)
    assert first_scan(restarts + b"a\xff\xd0b\xff\x99c\xff\xd9") == FirstScan(
        data, data + 7, True, False
    )
    several = begin + b"\xff\xda\0\x08\x01" + bytes(5)
    data = len(several)
    assert first_scan(several + b"abc\xff\xd9") == FirstScan(data, data + 3, False, False)
    assert first_scan(several + b"abc\xff\xda") == FirstScan(data, data + 3, False, True)


@pytest.fixture
def folder(tmp_path: Path, drawing: Image.Image) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    contents = coded(drawing, "JPEG")
    (folder / "whole.png").write_bytes(coded(drawing.rotate(180), "PNG"))
    (folder / "cut.jpg").write_bytes(contents[: len(contents) * 7 // 10])
    (folder / "bit.jpg").write_bytes(contents[: len(contents) // 10])
    return folder


def test_what_is_said_of_a_photo_in_part(tmp_path: Path, folder: Path, run: Run) -> None:
    where = ("--library", tmp_path / "library")
    run("index", folder, *where, "--model", "mini")
    search = ("search", "a house", *where, "--all")
    hits = {
        Path(hit["path"]).name: hit
        for hit in map(json.loads, run(*search, "--json").stdout.splitlines())
    }
    assert {name: hit["damaged"] for name, hit in hits.items()} == {
        "whole.png": False,
        "cut.jpg": True,
    }
    assert (hits["cut.jpg"]["width"], hits["cut.jpg"]["height"]) == SIZE
    page = tmp_path / "page.html"
    _, *table = run(*search, "--html", page).stdout.splitlines()
    assert [("(damaged)" in line) for line in table] == [("cut.jpg" in line) for line in table]
    cards = re.findall(r"<li>.*?</li>", page.read_text(), re.DOTALL)
    assert len(cards) == 2
    assert [("damaged" in card) for card in cards] == [("cut.jpg" in card) for card in cards]
    path = str(folder / "cut.jpg")
    assert run("failures", "--damaged", *where).stdout == f"{path}\n"
    (listed,) = map(json.loads, run("failures", "--damaged", *where, "--json").stdout.splitlines())
    assert listed == {"path": path, "id": hits["cut.jpg"]["id"]}
    assert (
        "2 photos; 2 files present, 0 missing, 1 unreadable; 1 damaged\n"
        in run("status", *where).stdout
    )
    assert json.loads(run("status", *where, "--json").stdout)["damaged"] == 1
    similar = run("similar", folder / "cut.jpg", *where, "--json").stdout
    assert [Path(json.loads(line)["path"]).name for line in similar.splitlines()] == ["whole.png"]
    (folder / "cut.jpg").unlink()
    run("index", *where)
    assert run("failures", "--damaged", *where).stdout == "no damaged photos\n"


def test_damaged_files_that_earlier_versions_refused_are_taken(
    tmp_path: Path, folder: Path
) -> None:
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(folder)
    catalog = Catalog(tmp_path / "library")
    (record,) = catalog.folders()
    status = (folder / "cut.jpg").stat()
    with catalog.transaction() as transaction:
        transaction.remove_files(record.id, ["cut.jpg"])
        transaction.remove_photos_without_files()
        old = FailureRecord(
            "cut.jpg", "image file is truncated", status.st_size, status.st_mtime_ns
        )
        transaction.put_failure(record.id, old)
    catalog.close()
    with sigseek.open(tmp_path / "library") as library:
        report = library.index()
        assert (report.added, report.unchanged, report.failed) == (1, 1, 1)
        assert [file.path for file in library.damaged_files()] == [str(folder / "cut.jpg")]
        assert [failure.path for failure in library.failures()] == [str(folder / "bit.jpg")]
