"""The digest of what decides a picture's pixels: the same for the same pixels, whatever else the
file says.
"""

import hashlib
import itertools
import shutil
import struct
import subprocess
import zlib
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageCms, PngImagePlugin

from sigseek.errors import SigseekError
from sigseek.indexer.decoding import digest
from sigseek.indexer.decoding.digest import digest_file
from sigseek.indexer.decoding.identity.picture import picture_digest
from tests.photos import exif, open_upright, picture, xmp
from tests.test_color_profiles import swapped_profile

pytestmark = pytest.mark.both_databases

SUFFIXES = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "GIF": ".gif",
    "HEIF": ".heic",
    "AVIF": ".avif",
    "JXL": ".jxl",
    "TIFF": ".tif",
}
ORIENTED = ("JPEG", "PNG", "WEBP", "TIFF")
"""The formats that are shown as their EXIF says. In the others Pillow's plugins note an orientation
in the coded picture, or none at all.
"""


@cache
def made(
    kind: str, seed: int = 0, words: str = "", orientation: int = 1, **options: object
) -> bytes:
    """Return a small picture with a description and keywords that Pillow writes."""
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    if kind == "JXL":
        import pillow_jxl  # noqa: F401
    kept = BytesIO()
    if words or orientation != 1:
        options["exif"] = exif(ImageDescription=words, Orientation=orientation).tobytes()
    if words and kind in ("JPEG", "WEBP", "HEIF", "AVIF"):
        options["xmp"] = xmp(f"<dc:title>{words}</dc:title>")
    if words and kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", words)
        text.add_itxt("XML:com.adobe.xmp", xmp(f"<dc:title>{words}</dc:title>").decode())
        options["pnginfo"] = text
    if words and kind == "GIF":
        options["comment"] = words.encode()
    picture(seed).save(kept, kind, **options)  # type: ignore[arg-type]
    return kept.getvalue()


def digest_of(content: bytes) -> bytes:
    return picture_digest(BytesIO(content), len(content), hashlib.sha256(content).digest())


def is_known(content: bytes) -> bool:
    """Return whether the digest is not that of all bytes."""
    return digest_of(content) != hashlib.sha256(content).digest()


def pixels(content: bytes, suffix: str) -> npt.NDArray[np.uint8]:
    with TemporaryDirectory() as directory:
        path = Path(directory, f"picture{suffix}")
        path.write_bytes(content)
        return np.asarray(open_upright(path))


@pytest.mark.parametrize("kind", SUFFIXES)
def test_the_digest_is_the_same_exactly_where_the_pixels_are(kind: str) -> None:
    orientations = (1, 6) if kind in ORIENTED else (1,)
    choices = list(itertools.product((1, 2), ("", "a gull", "two gulls"), orientations))
    files = [made(kind, *choice) for choice in choices]
    assert len(set(files)) > len(orientations) * 2, "words change the file"
    assert all(map(is_known, files))
    shown = [pixels(content, SUFFIXES[kind]).tobytes() for content in files]
    digests = [digest_of(content) for content in files]
    for one, other in itertools.combinations(range(len(files)), 2):
        assert (digests[one] == digests[other]) == (shown[one] == shown[other]), (
            choices[one],
            choices[other],
        )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF", "TIFF"])
def test_a_colour_profile_decides(kind: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain, coloured = made(kind), made(kind, icc_profile=profile)
    assert digest_of(plain) != digest_of(coloured)
    assert digest_of(made(kind, words="a gull", icc_profile=profile)) == digest_of(coloured)


def test_jpegs_of_all_kinds_are_read() -> None:
    for options in ({"progressive": True}, {"subsampling": 0}, {"quality": 5}, {"optimize": True}):
        plain, words = made("JPEG", **options), made("JPEG", words="a gull", **options)
        assert digest_of(plain) == digest_of(words) != digest_of(made("JPEG"))
    for mode in ("L", "CMYK"):
        kept = BytesIO()
        picture().convert(mode).save(kept, "JPEG")
        assert is_known(kept.getvalue())


def test_tiffs_of_all_kinds_are_read() -> None:
    kinds: list[dict[str, object]] = [
        {},
        {"compression": "tiff_lzw"},
        {"compression": "jpeg"},
        {"big_tiff": True},
        {"save_all": True, "append_images": [picture(3)]},
    ]
    for options in kinds:
        plain, words, other = (
            made.__wrapped__("TIFF", *choice, **options)
            for choice in ((0, ""), (0, "a gull"), (1, ""))
        )
        assert is_known(plain)
        assert digest_of(plain) == digest_of(words) != digest_of(other)


def test_what_follows_a_jpeg_does_not_count() -> None:
    """The film of a moving photo, the second picture of a stereo camera, or a gain map follows a
    JPEG.
    """
    plain = made("JPEG", progressive=True)
    for behind in (made("JPEG", 2), b"\0" * 100, b"\0\0\0\x18ftypmp42" + bytes(500)):
        assert digest_of(plain + behind) == digest_of(plain)


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2) + content


def test_only_the_markers_that_decide_the_colours_of_a_jpeg_count() -> None:
    whole = made("JPEG")
    jfif = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    assert whole.startswith(b"\xff\xd8" + jfif)
    without = b"\xff\xd8" + whole[2 + len(jfif) :]
    adobe = {number: segment(0xEE, b"Adobe\0d\0\0\0\0" + bytes([number])) for number in (0, 1)}
    as_rgb = without[:2] + adobe[0] + without[2:]
    same = [
        without,
        without[:2] + adobe[1] + without[2:],
        without[:2] + jfif + adobe[0] + without[2:],
        without[:2] + segment(0xFE, b"a comment") + segment(0xED, b"Photoshop 3.0\0") + without[2:],
        without[:2] + segment(0xE2, b"FPXR\0" + bytes(50)) + b"\xff\xff" + without[3:],
    ]
    for content in same:
        assert digest_of(content) == digest_of(whole)
        assert np.array_equal(pixels(content, ".jpg"), pixels(whole, ".jpg"))
    assert digest_of(as_rgb) != digest_of(whole)
    assert not np.array_equal(pixels(as_rgb, ".jpg"), pixels(whole, ".jpg"))


def test_an_orientation_may_be_in_xmp_alone() -> None:
    turned = xmp("", 'tiff:Orientation="6"')
    plain = made("JPEG")
    content = plain[:2] + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + turned) + plain[2:]
    assert pixels(content, ".jpg").shape == (64, 48, 3)
    assert digest_of(content) == digest_of(made("JPEG", orientation=6)) != digest_of(plain)


def test_damaged_exif_decides_as_a_whole() -> None:
    plain = made("JPEG")
    damaged = [
        plain[:2] + segment(0xE1, b"Exif\0\0" + block) + plain[2:]
        for block in (b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\0\x09", b"nothing")
    ]
    assert all(map(is_known, damaged))
    assert len({digest_of(content) for content in (plain, *damaged)}) == 4


def exif_block(*tags: tuple[int, int, int, int]) -> bytes:
    """EXIF with these tags: number, type, count, and the value or where it is."""
    entries = b"".join(struct.pack("<HHLL", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<LH", 8, len(tags)) + entries + bytes(4)


TURNED = (0x0112, 3, 1, 6)
VALUE_OUTSIDE = (0x010E, 2, 8, 9_999)
"""A description that is not there. Pillow reads no tag behind it."""


def with_exif(kind: str, block: bytes) -> bytes:
    """The plain picture with this EXIF."""
    kept = BytesIO()
    picture().save(kept, kind, exif=b"Exif\0\0" + block)
    return kept.getvalue()


@pytest.mark.filterwarnings("ignore:Truncated File Read")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_orientation_that_decoders_do_not_read_does_not_count(kind: str) -> None:
    damaged = with_exif(kind, exif_block(VALUE_OUTSIDE, TURNED))
    good = with_exif(kind, exif_block(TURNED))
    assert pixels(damaged, SUFFIXES[kind]).shape == (48, 64, 3)
    assert pixels(good, SUFFIXES[kind]).shape == (64, 48, 3)
    assert digest_of(good) == digest_of(made(kind, orientation=6))
    assert len({digest_of(content) for content in (damaged, good, made(kind))}) == 3


@pytest.mark.filterwarnings("ignore:Truncated File Read")
def test_an_orientation_in_xmp_counts_beside_damaged_exif() -> None:
    damaged = segment(0xE1, b"Exif\0\0" + exif_block(VALUE_OUTSIDE, TURNED))
    turned = xmp("", 'tiff:Orientation="8"')
    in_xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + turned)
    plain = made("JPEG")
    one, both = (plain[:2] + before + plain[2:] for before in (damaged, damaged + in_xmp))
    assert pixels(one, ".jpg").shape != pixels(both, ".jpg").shape
    assert digest_of(one) != digest_of(both)


def test_an_orientation_in_a_resource_of_photoshop_counts() -> None:
    block = exif_block(TURNED)
    resource = b"8BIM\x04\x22\0\0" + len(block).to_bytes(4) + block
    plain = made("JPEG")
    content = plain[:2] + segment(0xED, b"Photoshop 3.0\0" + resource) + plain[2:]
    assert pixels(content, ".jpg").shape == (64, 48, 3)
    assert digest_of(content) != digest_of(plain)


@pytest.mark.parametrize(
    ("marker", "content"),
    [(0xE0, b"JFIF\0"), (0xEE, b"Adobe"), (0xED, b"Photoshop 3.0\0008BIM\x04\x04")],
)
def test_a_jpeg_that_is_opened_without_its_profile_is_another_picture(
    marker: int, content: bytes
) -> None:
    good = made("JPEG", icc_profile=swapped_profile())
    cut = good[:2] + segment(marker, content) + good[2:]
    assert not np.array_equal(pixels(cut, ".jpg"), pixels(good, ".jpg"))
    assert digest_of(cut) != digest_of(good)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)


@pytest.mark.parametrize("kind", [b"eXIf", b"iTXt", b"tEXt"])
def test_a_png_with_a_wrong_checksum_is_known_by_all_its_bytes(kind: bytes, tmp_path: Path) -> None:
    """It is opened as a damaged one."""
    good = made("PNG", words="a gull", orientation=6)
    place = good.index(kind)
    length = int.from_bytes(good[place - 4 : place])
    damaged = bytearray(good)
    damaged[place + 4 + length] ^= 1
    assert is_known(good)
    assert not is_known(bytes(damaged))


@pytest.mark.parametrize("name", [b"exif", b"EXIF", b"APP1", b"anything"])
def test_an_orientation_in_a_profile_of_a_png_counts(name: bytes) -> None:
    digits = (b"Exif\0\0" + exif_block(TURNED)).hex().encode()
    text = b"Raw profile type " + name + b"\0\nexif\n" + b"%8d\n" % (len(digits) // 2) + digits
    plain = made("PNG")
    content = plain[:33] + png_chunk(b"tEXt", text) + plain[33:]
    assert pixels(content, ".png").shape == (64, 48, 3)
    assert digest_of(content) != digest_of(plain)


def test_a_webp_whose_canvas_or_flags_are_wrong_is_known_by_all_its_bytes() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for options in ({}, {"lossless": True}):
        good = made("WEBP", words="a gull", icc_profile=profile, **options)
        assert good[12:16] == b"VP8X"
        assert is_known(good)
        assert digest_of(good) == digest_of(made("WEBP", icc_profile=profile, **options))
        for place, bits in ((24, 1), (27, 4), (20, 0x20), (20, 0x08), (20, 0x04), (20, 0x40)):
            damaged = bytearray(good)
            damaged[place] ^= bits
            assert not is_known(bytes(damaged)), (options, place, bits)


def test_an_orientation_in_the_xmp_of_a_gif_counts() -> None:
    plain = made("GIF")
    start = 13 + (3 << (plain[10] & 7) + 1)

    def with_xmp(attributes: str) -> bytes:
        packet = xmp("", attributes)
        trailer = b"\1" + bytes(range(255, -1, -1)) + b"\0"
        block = b"!\xff\x0bXMP DataXMP" + packet + trailer
        return plain[:start] + block + plain[start:]

    turned, words = with_xmp('tiff:Orientation="6"'), with_xmp('xmp:Rating="4"')
    assert pixels(turned, ".gif").shape == (64, 48, 3)
    assert digest_of(words) == digest_of(plain) != digest_of(turned)
    assert is_known(turned)


def test_known_digests() -> None:
    """Another value would make all libraries read their photos again: see `VERSION`."""
    jpeg = (
        b"\xff\xd8" + segment(0xC0, b"\x08\0\x10\0\x10\x01\x01\x11\0") + segment(0xFE, b"words")
        + segment(0xDA, b"\x01\x01\0\0\x3f\0") + b"\x12\xff\0\x34\xff\xd0\x56\xff\xd9 behind"
    )  # fmt: skip
    assert digest_of(jpeg).hex() == (
        "29619b9a8c4313503fab9430002d99c652a9bb1084cc06b67b3ceb6d82c9d83e"
    )
    png = made("PNG", words="a gull")
    assert digest_of(png) == digest_of(made("PNG"))


@pytest.mark.parametrize("kind", [*SUFFIXES, "BMP"])
def test_of_a_truncated_picture_all_bytes_count(kind: str) -> None:
    whole = made(kind, words="" if kind == "BMP" else "a gull")
    for length in range(0, len(whole) - 1, max(1, len(whole) // 50)):
        assert not is_known(whole[:length]), length


@given(
    st.sampled_from(list(SUFFIXES)),
    st.integers(0, 10_000),
    st.integers(0, 40),
    st.binary(max_size=40),
)
@settings(max_examples=300, deadline=None)
def test_whatever_is_in_a_file_the_same_digest_means_the_same_pixels(
    kind: str, place: int, length: int, other: bytes
) -> None:
    whole = made(kind, words="a gull")
    place %= len(whole)
    changed = whole[:place] + other + whole[place + length :]
    if digest_of(changed) == digest_of(whole):
        try:
            shown = pixels(changed, SUFFIXES[kind])
        except SigseekError:  # metadata that are damaged may keep a decoder from the picture
            return
        assert np.array_equal(shown, pixels(whole, SUFFIXES[kind]))


BEGINNINGS = [made(kind)[:length] for kind in SUFFIXES for length in (0, 4, 12, 30, 60, 200)]


@given(st.sampled_from(BEGINNINGS), st.binary(max_size=300))
@settings(max_examples=500, deadline=None)
def test_no_bytes_raise(beginning: bytes, rest: bytes) -> None:
    assert len(digest_of(beginning + rest)) == 32


def test_bytes_that_are_named_a_million_times_are_not_read_as_often() -> None:
    """Items of a HEIF may name the same part of the file."""
    data = bytes(1_000_000)
    extent = (0).to_bytes(4) + len(data).to_bytes(4)
    count = 65_535
    location = b"\0\x01\x01\0" + (1).to_bytes(2) + (0).to_bytes(2) + count.to_bytes(2)

    def box(kind: bytes, content: bytes) -> bytes:
        return (len(content) + 8).to_bytes(4) + kind + content

    item = box(b"infe", b"\x02\0\0\0\0\x01\0\0hvc1\0")
    meta = box(
        b"meta",
        bytes(4)
        + box(b"pitm", bytes(4) + b"\0\x01")
        + box(b"iinf", bytes(4) + b"\0\x01" + item)
        + box(b"iloc", b"\0\0\0\0\x44\0\0\x01" + location[4:8] + count.to_bytes(2) + extent * count)
        + box(b"iprp", b""),
    )
    content = box(b"ftyp", b"heic\0\0\0\0mif1heic") + meta + box(b"mdat", data)
    assert not is_known(content)


def test_a_file_is_read_the_same_in_memory_and_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, suffix in SUFFIXES.items():
        path = tmp_path / f"a{suffix}"
        path.write_bytes(made(kind, words="a gull"))
        once = digest_file(path)
        assert once.digest == hashlib.sha256(path.read_bytes()).digest()
        assert once.picture == digest_of(path.read_bytes())
        assert once.ctime_ns == path.stat().st_ctime_ns
        with monkeypatch.context() as patch:
            patch.setattr(digest, "_KEPT", 0)
            assert digest_file(path) == once


EDITS: dict[str, tuple[str, ...]] = {
    "words": ("-Keywords=x", "-Subject=y", "-XMP:Rating=4", "-Title=gull", "-Comment=a comment"),
    "place": ("-GPSLatitude=10", "-GPSLatitudeRef=N", "-GPSLongitude=20", "-GPSLongitudeRef=E"),
    "date": ("-m", "-AllDates=2020:01:01 10:00:00"),
    "nothing": ("-XMP:all=", "-IPTC:all="),
}


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
@pytest.mark.parametrize("edit", EDITS)
def test_edits_by_exiftool_change_no_digest(edit: str, tmp_path: Path) -> None:
    before = {}
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "HEIF", "AVIF", "TIFF"):
        for words in ("", "a gull"):
            path = tmp_path / f"{kind}-{bool(words)}{SUFFIXES[kind]}"
            path.write_bytes(made(kind, words=words))
            before[path] = digest_file(path)
    command = ["exiftool", "-q", "-q", "-P", "-overwrite_original", *EDITS[edit], str(tmp_path)]
    subprocess.run(command, check=False)
    after = {path: digest_file(path) for path in before}
    edited = [path for path in before if after[path].digest != before[path].digest]
    assert len(edited) >= 5
    for path in before:
        assert after[path].picture == before[path].picture, path
    assert all(after[path].ctime_ns != before[path].ctime_ns for path in edited)
