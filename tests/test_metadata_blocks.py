import struct
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sigseek.indexer.decoding.cr3 import read_cr3
from sigseek.indexer.decoding.decode import decode_photo
from sigseek.indexer.decoding.guarded import GuardedDecoder
from sigseek.indexer.decoding.limits import PixelLimit
from sigseek.indexer.decoding.metadata import Metadata, metadata_of, read_metadata
from sigseek.indexer.decoding.metadata_blocks import find_blocks, read_blocks, tiff_blocks
from sigseek.indexer.decoding.opening import open_picture
from sigseek.siglip import Preprocessing
from tests.photos import exif, iptc, picture, with_segment, xmp

PACKET = xmp("<dc:title>Harbour</dc:title>", 'xmp:Rating="5"')
FIELDS = iptc((25, b"sea"), (90, b"Lisbon"))
PREPROCESSING = Preprocessing(32, 32, 3, 1 / 255, (0.5,) * 3, (0.5,) * 3)


def metadata_in(contents: bytes, suffix: str) -> Metadata:
    """Return the metadata of the file as it is before the picture is decoded."""
    return read_metadata(open_picture(BytesIO(contents), suffix, PixelLimit(10**6)).image)


def jpeg(**options: object) -> bytes:
    made = BytesIO()
    picture().save(made, "JPEG", **options)  # type: ignore[arg-type]
    return made.getvalue()


def raw_profile(kind: str, content: bytes) -> str:
    """Return a block as ImageMagick writes it into a PNG's texts."""
    digits = content.hex()
    lines = [digits[at : at + 72] for at in range(0, len(digits), 72)]
    return f"\n{kind}\n{len(content):8}\n" + "\n".join(lines) + "\n"


def png(*texts: tuple[str, str], compressed: bool = False) -> bytes:
    info = PngInfo()
    for name, text in texts:
        info.add_text(name, text, zip=compressed)
    made = BytesIO()
    picture().save(made, "PNG", pnginfo=info)
    return made.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
def test_imagemagicks_profiles(compressed: bool) -> None:
    tagged = exif(DateTimeOriginal="2021:07:03 18:05:09").tobytes()
    made = png(
        ("Raw profile type exif", raw_profile("exif", tagged)),
        ("Raw profile type xmp", raw_profile("xmp", PACKET)),
        ("Raw profile type iptc", raw_profile("iptc", FIELDS.removeprefix(b"Photoshop 3.0\0"))),
        compressed=compressed,
    )
    found = metadata_in(made, ".png")
    assert (found.taken_at, found.title, found.rating) == ("2021-07-03T18:05:09", "Harbour", 5)
    assert (found.keywords, found.city) == (("sea",), "Lisbon")


def test_a_profile_of_a_jpegs_segment() -> None:
    segment = b"http://ns.adobe.com/xap/1.0/\0" + PACKET
    made = png(("Raw profile type APP1", raw_profile("APP1", segment)))
    assert metadata_in(made, ".png").title == "Harbour"
    for kind in ("iptc", "APP13"):  # with the segment's own name
        made = png((f"Raw profile type {kind}", raw_profile(kind, FIELDS)))
        assert metadata_in(made, ".png").keywords == ("sea",)
    made = png(("Raw profile type APP1", "\nAPP1\n  5\nno digits"))
    assert metadata_in(made, ".png") == Metadata()


@pytest.mark.parametrize("head", [b"Exif\0\0", b"Exif\0\xff"])
def test_profiles_of_two_segments_of_one_name(head: bytes) -> None:
    tags = head + exif(DateTimeOriginal="2021:07:03 18:05:09").tobytes()[6:]
    packet = b"http://ns.adobe.com/xap/1.0/\0" + PACKET
    for first, second in ((tags, packet), (packet, tags)):
        texts = [
            png_chunk(b"tEXt", f"Raw profile type APP1\0{raw_profile('APP1', part)}".encode())
            for part in (first, second)
        ]
        header, rest = png()[:33], png()[33:]
        found = metadata_in(header + b"".join(texts) + rest, ".png")
        assert (found.title, found.taken_at) == ("Harbour", "2021-07-03T18:05:09")


def test_exif_with_an_odd_head() -> None:
    tags = exif(DateTimeOriginal="2021:07:03 18:05:09", Make="Maker", Orientation=6).tobytes()[6:]
    found = metadata_in(with_segment(jpeg(), 0xE1, b"Exif\0\xff" + tags), ".jpg")
    assert (found.taken_at, found.camera) == ("2021-07-03T18:05:09", "Maker")
    assert found.orientation == 1, "browsers do not turn it"


def test_blocks_among_exifs_tags() -> None:
    tags = exif()
    tags[700] = PACKET
    tags[33723] = FIELDS[FIELDS.index(b"\x1c") :]
    found = metadata_in(jpeg(exif=tags), ".jpg")
    assert (found.title, found.keywords) == ("Harbour", ("sea",))


def png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def test_what_stands_behind_the_pixels_of_a_png() -> None:
    text = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(PACKET)
    tags = exif(DateTimeOriginal="2021:07:03 18:05:09").tobytes()[6:]
    end = png_chunk(b"IEND", b"")
    behind = png_chunk(b"iTXt", text) + png_chunk(b"eXIf", tags)
    found = metadata_in(png().removesuffix(end) + behind + end, ".png")
    assert (found.title, found.taken_at) == ("Harbour", "2021-07-03T18:05:09")


def test_long_xmp_in_a_png_costs_nothing(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", PACKET.decode() + " " * 3_000_000, zip=True)
    picture().save(tmp_path / "a.png", pnginfo=info)
    with GuardedDecoder(PREPROCESSING) as decoder:
        decoded = decoder.decode(tmp_path / "a.png")
    assert (decoded.damaged, decoded.metadata.title) == (False, "Harbour")


def test_a_pngs_own_title_and_description() -> None:
    found = metadata_in(png(("Title", "Harbour"), ("Description", "At dawn")), ".png")
    assert (found.title, found.description) == ("Harbour", "At dawn")
    packet = ("XML:com.adobe.xmp", xmp("<dc:title>XMP's</dc:title>").decode())
    assert metadata_in(png(("Title", "Harbour"), packet), ".png").title == "XMP's"


def gif(extension: bytes, frames: int = 2) -> bytes:
    """Return an animation with an extension at its end."""
    made = BytesIO()
    pictures = [picture(seed) for seed in range(frames)]
    pictures[0].save(made, "GIF", save_all=True, append_images=pictures[1:])
    return made.getvalue().removesuffix(b";") + extension + b";"


def test_xmp_in_a_gif() -> None:
    trailer = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    found = metadata_in(gif(b"!\xff\x0bXMP DataXMP" + PACKET + trailer), ".gif")
    assert (found.title, found.rating) == ("Harbour", 5)
    assert metadata_in(gif(b"!\xff\x0bXMP DataXMP"), ".gif") == Metadata()
    assert metadata_in(gif(b""), ".gif") == Metadata()


def test_iptc_that_a_raw_files_tiff_declares_to_be_numbers() -> None:
    made = BytesIO()
    fields = b"\x1c\x02\x5a\0\x06Lisbon\0"  # twelve bytes, or three numbers
    picture().save(made, "TIFF", tiffinfo={33723: fields, 700: PACKET})
    as_bytes = struct.pack("<HHI", 33723, 7, 12)
    assert as_bytes in made.getvalue()
    numbers = made.getvalue().replace(as_bytes, struct.pack("<HHI", 33723, 4, 3))
    exif_of_raw = Image.Exif()
    exif_of_raw.load_from_fp(BytesIO(numbers))
    found = metadata_of(tiff_blocks(exif_of_raw))
    assert (found.city, found.title) == ("Lisbon", "Harbour")


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def test_the_parts_of_canons_cr3() -> None:
    base = exif(Make="Canon", Model="Canon EOS M50").tobytes()[6:]
    detail, gps = Image.Exif(), Image.Exif()
    detail[0x9003] = "2021:07:03 18:05:09"
    detail[0x9011] = "+02:00"
    gps[1], gps[2], gps[3], gps[4] = "N", (48.0, 53.0, 19.32), "E", (2.0, 18.0, 0.0)
    canon = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48") + b"".join(
        box(kind, content)
        for kind, content in (
            (b"CNCV", b"CanonCR3"),
            (b"CMT1", base),
            (b"CMT2", detail.tobytes()[6:]),
            (b"CMT4", gps.tobytes()[6:]),
        )
    )
    packet = bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + PACKET
    parts = (box(b"ftyp", b"crx "), box(b"moov", box(b"uuid", canon)), box(b"uuid", packet))
    found = metadata_of(read_cr3(BytesIO(b"".join(parts))))
    assert (found.camera, found.taken_at) == ("Canon EOS M50", "2021-07-03T18:05:09+02:00")
    assert (found.latitude, found.longitude, found.title) == (48.8887, 2.3, "Harbour")


@given(st.binary(max_size=100))
def test_any_bytes_in_a_cr3(content: bytes) -> None:
    canon = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48") + content
    read_cr3(BytesIO(box(b"moov", box(b"uuid", canon)) + content))
    parts = canon[:16] + b"".join(box(kind, content) for kind in (b"CMT1", b"CMT2", b"CMT4"))
    assert read_cr3(BytesIO(box(b"moov", box(b"uuid", parts)))).iptc == b""


def test_boxes_of_jpeg_2000(tmp_path: Path) -> None:
    made = BytesIO()
    picture().save(made, "JPEG2000")
    tags = exif(DateTimeOriginal="2021:07:03 18:05:09").tobytes()[6:]
    boxes = [
        bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + PACKET,
        b"JpgTiffExif->JP2" + tags,
        bytes(16) + b"other",
    ]
    added = b"".join(struct.pack(">I", len(box) + 8) + b"uuid" + box for box in boxes)
    found = metadata_in(made.getvalue() + added, ".jp2")
    assert (found.title, found.taken_at) == ("Harbour", "2021-07-03T18:05:09")
    for content, title in ((b"<svg/>", None), (PACKET, "Harbour")):
        added = struct.pack(">I", len(content) + 8) + b"xml " + content
        assert metadata_in(made.getvalue() + added, ".jp2").title == title


def test_fields_that_lie_in_several_segments_of_a_jpeg() -> None:
    long = iptc((120, b"x" * 1000), (25, b"sea"), (25, b"gull"))
    first, second = long[:900], b"Photoshop 3.0\0" + long[900:]
    made = with_segment(with_segment(jpeg(), 0xED, second), 0xED, first)
    assert metadata_in(made, ".jpg").keywords == ("sea", "gull")


def test_iptc_and_xmp_of_a_tiff() -> None:
    made = BytesIO()
    block = FIELDS.removeprefix(b"Photoshop 3.0\0")
    picture().save(made, "TIFF", tiffinfo={34377: block, 700: PACKET})
    found = metadata_in(made.getvalue(), ".tif")
    assert (found.keywords, found.city, found.title) == (("sea",), "Lisbon", "Harbour")


@pytest.mark.parametrize(
    ("marker", "contents"),
    [
        (0xED, b"Photoshop 3.0\x008BIM\x04\x04"),
        (0xE0, b"JFIF\0"),
        (0xE2, b"ICC_PROFILE\0"),
        (0xEE, b"Adobe"),
    ],
)
def test_damaged_segments_that_pillow_refuses(tmp_path: Path, marker: int, contents: bytes) -> None:
    tags = exif(DateTimeOriginal="2021:07:03 18:05:09", Orientation=6)
    good = with_segment(jpeg(exif=tags, xmp=PACKET), 0xED, FIELDS)
    (tmp_path / "a.jpg").write_bytes(with_segment(good, marker, contents))
    decoded = decode_photo(tmp_path / "a.jpg", PREPROCESSING)
    assert (decoded.width, decoded.height) == (48, 64), "turned"
    found = decoded.metadata
    assert (found.taken_at, found.title) == ("2021-07-03T18:05:09", "Harbour")
    assert marker == 0xED or found.keywords == ("sea",)


def test_a_damaged_jpeg_stays_one(tmp_path: Path) -> None:
    with pytest.raises(Image.UnidentifiedImageError):
        metadata_in(b"\xff\xd8\xff\xe0", ".jpg")
    with pytest.raises(Image.UnidentifiedImageError):
        metadata_in(b"\xff\xd8\xff\xe1\0\0", ".jpg")


@given(st.binary(max_size=64), st.sampled_from(["PNG", "GIF", "JPEG2000"]), st.integers(0, 40))
def test_any_bytes_give_some_blocks(content: bytes, kind: str, kept: int) -> None:
    made = BytesIO()
    picture().save(made, kind)
    file = BytesIO(made.getvalue()[:kept] + content)
    image = Image.new("RGB", (1, 1))
    image.format = kind
    find_blocks(file, image)
    assert file.tell() == 0
    read_blocks(image)
