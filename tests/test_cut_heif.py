"""HEIC, AVIF, JPEG 2000 and JPEG XL files that were cut: what of them is taken."""

from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from sigseek.demo.drawing import draw_scene
from sigseek.demo.scene import numbered_scene
from sigseek.indexer import DecodeError
from sigseek.indexer.decoding.decode import decode_photo
from sigseek.indexer.decoding.heif_layout import missing_bytes, read_layout
from sigseek.indexer.decoding.jp2 import completed_jp2
from tests.photos import difference, exif, open_upright
from tests.test_damage import PREPROCESSING, coded, decoded_whole, upper_part

SIZE = (768, 576)


@pytest.fixture(scope="module")
def drawing() -> Image.Image:
    import pillow_heif

    pillow_heif.register_heif_opener()
    return draw_scene(numbered_scene(3, 7), SIZE, 3)


def refusal(path: Path, contents: bytes) -> str:
    path.write_bytes(contents)
    with pytest.raises(DecodeError) as caught:
        decode_photo(path, PREPROCESSING)
    return str(caught.value)


def test_the_rows_of_a_cut_heic_are_taken(tmp_path: Path, drawing: Image.Image) -> None:
    contents = coded(drawing, "HEIF", quality=80)
    whole = decoded_whole(tmp_path / "whole.heic", contents)
    shares = [
        upper_part(tmp_path / "a.heic", contents[: len(contents) * part // 100], whole)
        for part in (75, 90)
    ]
    assert 0.5 < shares[0] < shares[1] < 1
    assert "damaged: only" in refusal(tmp_path / "b.heic", contents[: len(contents) // 4])


def test_the_whole_tiles_of_a_cut_heic_are_taken(tmp_path: Path, drawing: Image.Image) -> None:
    """Phones cut a photo into tiles. libheif opens such a file when tiles are missing, and leaves
    their places black without a word.
    """
    contents = coded(drawing, "HEIF", quality=80, tile_size=192)
    layout = read_layout(contents)
    assert layout is not None
    assert layout.end == len(contents)
    assert len(layout.coded) == 4 * 3
    whole = decoded_whole(tmp_path / "whole.heic", contents)
    start, length = layout.coded[8]  # the first of the last row
    assert upper_part(tmp_path / "a.heic", contents[:start], whole) == pytest.approx(
        2 / 3, abs=0.03
    )
    assert upper_part(tmp_path / "b.heic", contents[: start + length - 9], whole) > 0.63
    start, _ = layout.coded[4]
    assert "damaged: only 3" in refusal(tmp_path / "c.heic", contents[:start])
    few = contents[: len(contents) // 10]
    assert refusal(tmp_path / "d.heic", few) == "damaged: only 10% of the file is there"


def test_a_turned_heic_that_was_cut_keeps_its_columns(tmp_path: Path, drawing: Image.Image) -> None:
    turned = exif(Orientation=6).tobytes()
    contents = coded(drawing, "HEIF", quality=80, tile_size=192, exif=turned)
    whole = decoded_whole(tmp_path / "whole.heic", contents)
    assert whole.size == (576, 768)
    layout = read_layout(contents)
    assert layout is not None
    (tmp_path / "a.heic").write_bytes(contents[: layout.coded[8][0]])
    part = open_upright(tmp_path / "a.heic")
    assert part.height == 768
    assert part.width == pytest.approx(384, abs=16)
    assert difference(part, whole.crop((576 - part.width, 0, 576, 768))) < 3


def test_a_whole_preview_stands_for_a_heic_with_too_few_rows(
    tmp_path: Path, drawing: Image.Image
) -> None:
    contents = coded(drawing, "HEIF", quality=80, tile_size=192, thumbnails=[320])
    whole = decoded_whole(tmp_path / "whole.heic", contents)
    layout = read_layout(contents)
    assert layout is not None
    tiles = layout.coded
    reordered = with_preview_first(contents, tiles)
    assert difference(decoded_whole(tmp_path / "other.heic", reordered), whole) == 0
    cut = tmp_path / "a.heic"
    cut.write_bytes(reordered[: -tiles[-1][1] // 2 - sum(length for _, length in tiles[4:-1])])
    decoded = decode_photo(cut, PREPROCESSING)
    assert (decoded.width, decoded.height, decoded.damaged) == (*SIZE, True)
    assert open_upright(cut).size == (320, 240)
    assert difference(open_upright(cut), whole.resize((320, 240))) < 8, "its edges are softer"


def with_preview_first(contents: bytes, tiles: list[tuple[int, int]]) -> bytes:
    """Return the HEIC with its preview, which is behind the tiles, before them, as phones write
    it.
    """
    begin, end = tiles[0][0], sum(tiles[-1])
    preview = (end, len(contents) - end)
    description = bytearray(contents[:begin])
    for place, length in [*tiles, preview]:
        new = begin if place == end else place + preview[1]
        entry = place.to_bytes(4) + b"\0\1" + bytes(4) + length.to_bytes(4)
        at = contents.index(entry, 0, begin)
        description[at : at + 4] = new.to_bytes(4)
    return bytes(description) + contents[end:] + contents[begin:end]


@pytest.mark.parametrize("quality", [60, 90])
def test_the_rows_of_a_cut_avif_are_taken(
    tmp_path: Path, drawing: Image.Image, quality: int
) -> None:
    contents = coded(drawing, "AVIF", quality=quality, speed=8, tile_cols=0, tile_rows=0)
    whole = decoded_whole(tmp_path / "whole.avif", contents)
    share = upper_part(tmp_path / "a.avif", contents[: len(contents) * 8 // 10], whole)
    assert 0.45 < share < 0.95
    assert upper_part(tmp_path / "b.avif", contents[:-20], whole) > share
    assert refusal(tmp_path / "c.avif", contents[: len(contents) // 3]).startswith("damaged: ")
    assert missing_bytes(contents[:-20]) == 20


@pytest.mark.parametrize(
    ("suffix", "progression"),
    [
        *((".jp2", "LRCP"), (".j2k", "RLCP"), (".jp2", "RPCL")),
        *(
            pytest.param(*others, marks=pytest.mark.slow)
            for others in ((".j2k", "LRCP"), (".jp2", "RLCP"), (".j2k", "RPCL"))
        ),
    ],
)
def test_a_cut_jpeg_2000_is_whole_in_less_detail(
    tmp_path: Path, drawing: Image.Image, suffix: str, progression: str
) -> None:
    options = {"quality_mode": "rates", "quality_layers": [10], "no_jp2": suffix == ".j2k"}
    contents = coded(drawing, "JPEG2000", progression=progression, **options)
    whole = decoded_whole(tmp_path / f"whole{suffix}", contents)
    half = whole.resize((384, 288), Image.Resampling.BOX)
    path = tmp_path / f"a{suffix}"
    for length in (len(contents) * 6 // 10, len(contents) * 9 // 10):
        path.write_bytes(contents[:length])
        decoded = decode_photo(path, PREPROCESSING)
        assert (decoded.width, decoded.height, decoded.damaged) == (*SIZE, True)
        assert difference(open_upright(path), half) < 4
    path.write_bytes(contents[:-1])
    assert difference(open_upright(path), whole) == 0
    message = "damaged: too little of the picture can be decoded"
    assert message in refusal(tmp_path / f"b{suffix}", contents[: len(contents) // 3])


def test_a_cut_jpeg_2000_in_layers_is_whole_in_less_quality(
    tmp_path: Path, drawing: Image.Image
) -> None:
    contents = coded(drawing, "JPEG2000", quality_mode="rates", quality_layers=[40, 20, 10, 5])
    whole = decoded_whole(tmp_path / "whole.jp2", contents)
    (tmp_path / "a.jp2").write_bytes(contents[: len(contents) * 6 // 10])
    assert decode_photo(tmp_path / "a.jp2", PREPROCESSING).damaged
    part = open_upright(tmp_path / "a.jp2")
    half = whole.resize((384, 288), Image.Resampling.BOX)
    assert difference(part, half) < 6


@pytest.mark.parametrize("size", [(120, 90), (320, 240)])
@pytest.mark.parametrize("progression", ["LRCP", "RPCL"])
def test_a_small_jpeg_2000_that_was_cut(
    tmp_path: Path, drawing: Image.Image, progression: str, size: tuple[int, int]
) -> None:
    contents = coded(drawing.resize(size), "JPEG2000", progression=progression)
    half = Image.open(BytesIO(contents))
    half.reduce = 1  # type: ignore[assignment]
    half.load()
    path = tmp_path / "a.jp2"
    path.write_bytes(contents[: len(contents) * 999 // 1000])
    decoded = decode_photo(path, PREPROCESSING)
    assert (decoded.width, decoded.height, decoded.damaged) == (*size, True)
    assert difference(open_upright(path), half) == 0


def test_the_whole_tiles_of_a_cut_jpeg_2000_are_taken(tmp_path: Path, drawing: Image.Image) -> None:
    contents = coded(drawing, "JPEG2000", tile_size=(96, 96))
    whole = decoded_whole(tmp_path / "whole.jp2", contents)
    share = upper_part(tmp_path / "a.jp2", contents[: len(contents) * 7 // 10], whole)
    assert 0.45 < share < 0.85
    assert "damaged: only" in refusal(tmp_path / "b.jp2", contents[: len(contents) // 4])


def test_a_jpeg_2000_that_is_not_coded_from_coarse_to_fine_is_refused(
    tmp_path: Path, drawing: Image.Image
) -> None:
    contents = coded(drawing, "JPEG2000", progression="PCRL")
    assert refusal(tmp_path / "a.jp2", contents[:-500]).startswith("damaged: too little")
    for length in range(0, 400, 7):
        with suppress(DecodeError):
            assert completed_jp2(contents[:length], 0) is None, "nothing is made of it"


def test_a_cut_jpeg_xl_is_refused(tmp_path: Path, drawing: Image.Image) -> None:
    import pillow_jxl  # noqa: F401

    contents = coded(drawing, "JXL")
    assert refusal(tmp_path / "a.jxl", contents[:-50]).startswith("damaged")


def test_no_bytes_of_a_cut_heif_raise_anything_else(tmp_path: Path, drawing: Image.Image) -> None:
    contents = coded(drawing.resize((96, 72)), "HEIF")
    for length in range(0, len(contents), max(1, len(contents) // 60)):
        (tmp_path / "a.heic").write_bytes(contents[:length])
        with suppress(DecodeError):
            assert decode_photo(tmp_path / "a.heic", PREPROCESSING).damaged
