"""Formats that take a library of their own: HEIF, JPEG XL, camera RAW."""

import subprocess
import sys
import warnings
from io import BytesIO, FileIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from pillow_heif import register_heif_opener

from sigseek.indexer import DecodeError
from sigseek.indexer.decoding.decode import decode_photo
from sigseek.indexer.decoding.jxl import _boxes, read_size
from sigseek.indexer.errors import LargePhotoError
from sigseek.siglip import Preprocessing
from tests.conftest import CORPORA, needs_corpora
from tests.photos import difference, exif, letter_f, open_upright, picture, save, xmp
from tests.raw_files import save_dng

PREPROCESSING = Preprocessing(32, 32, 3, 1 / 255, (0.5,) * 3, (0.5,) * 3)
TURNED = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
"""The transposition that undoes each orientation's own."""
JXL_WARNS = "ignore:Using JPEG reconstruction:UserWarning"


@pytest.fixture(scope="module", autouse=True)
def encoders() -> None:
    register_heif_opener()
    import pillow_jxl  # noqa: F401


def stored(upright: Image.Image, orientation: int) -> Image.Image:
    turn = TURNED[orientation]
    return upright if turn is None else upright.transpose(Image.Transpose(turn))


@pytest.mark.parametrize(
    ("extension", "format_"), [("heic", "HEIF"), ("avif", "AVIF"), ("jxl", "JXL")]
)
def test_the_format_is_read_whatever_the_name(tmp_path: Path, extension: str, format_: str) -> None:
    upright = picture(1, (66, 48))
    made = tmp_path / f"a.{extension}"
    upright.save(
        made, quality=95, exif=exif(Make="Maker", DateTimeOriginal="2021:07:03 18:05:09").tobytes()
    )
    for name in (made.name, "b.jpg", "c.nef"):
        path = tmp_path / name
        path.write_bytes(made.read_bytes())
        decoded = decode_photo(path, PREPROCESSING)
        assert (decoded.format, decoded.width, decoded.height) == (format_, 66, 48)
        assert (decoded.metadata.camera, decoded.metadata.taken_at) == (
            "Maker",
            "2021-07-03T18:05:09",
        )
        assert difference(open_upright(path), upright) < 5


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("extension", ["heic", "avif"])
def test_orientation_is_applied_once(tmp_path: Path, orientation: int, extension: str) -> None:
    upright = letter_f().resize((60, 90))
    path = tmp_path / f"a.{extension}"
    stored(upright, orientation).save(
        path, quality=95, exif=exif(Orientation=orientation).tobytes()
    )
    assert difference(open_upright(path), upright) < 5
    decoded = decode_photo(path, PREPROCESSING)
    assert (decoded.width, decoded.height) == (60, 90)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.filterwarnings(JXL_WARNS)
def test_a_jpeg_repacked_as_jpeg_xl_is_turned_as_its_exif_says(
    tmp_path: Path, orientation: int
) -> None:
    upright = letter_f().resize((60, 90))
    stored(upright, orientation).save(
        tmp_path / "a.jpg", quality=95, exif=exif(Orientation=orientation)
    )
    with Image.open(tmp_path / "a.jpg") as jpeg:
        jpeg.save(tmp_path / "a.jxl")
    assert difference(open_upright(tmp_path / "a.jxl"), upright) < 5


def test_other_jpeg_xl_is_not_turned_by_its_exif(tmp_path: Path) -> None:
    upright = letter_f().resize((60, 90))
    upright.save(tmp_path / "a.jxl", exif=exif(Orientation=6).tobytes())
    assert difference(open_upright(tmp_path / "a.jxl"), upright) < 5


def test_xmp_in_jpeg_xl(tmp_path: Path) -> None:
    letter_f().save(
        tmp_path / "a.jxl",
        xmp=xmp("<dc:subject><rdf:Bag><rdf:li>sea</rdf:li></rdf:Bag></dc:subject>"),
    )
    assert decode_photo(tmp_path / "a.jxl", PREPROCESSING).metadata.keywords == ("sea",)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"xml ", b"jxlc", b"jxlp", b"Exif"]),
            st.binary(max_size=20),
            st.booleans(),
        )
    ),
    st.binary(),
)
@example(made=[], rest=b"\0\0\0\1abcd" + b"\xff" * 8)
@example(made=[(b"xml ", b"x", False)], rest=b"\0\0\0\0abcd" + b"\xff" * 8)
def test_boxes_of_jpeg_xl(made: list[tuple[bytes, bytes, bool]], rest: bytes) -> None:
    """Lengths of 32 or 64 bits; and whatever follows, the reading of boxes ends."""
    parts = [
        b"\0\0\0\1" + kind + (len(content) + 16).to_bytes(8) + content
        if long
        else (len(content) + 8).to_bytes(4) + kind + content
        for kind, content, long in made
    ]
    file = BytesIO(b"".join(parts) + rest)
    found = [(kind, file.read(size)) for kind, size in _boxes(file)]
    assert found[: len(made)] == [(kind, content) for kind, content, _ in made]


@given(st.integers(1, 90), st.integers(1, 90), st.booleans())
def test_the_size_in_a_jpeg_xl_header(width: int, height: int, boxed: bool) -> None:
    made = BytesIO()
    Image.new("RGB", (width, height)).save(made, "JXL", effort=1, use_container=boxed)
    assert read_size(made) == (width, height)


@pytest.mark.parametrize("size", [(3000, 2000), (1920, 1080), (1, 9000), (300_000, 1)])
def test_larger_sizes_in_a_jpeg_xl_header(size: tuple[int, int]) -> None:
    made = BytesIO()
    Image.new("L", size).save(made, "JXL", effort=1, lossless=True)
    assert read_size(made) == size


@pytest.mark.parametrize("name", ["a.jxl", "a.heic", "a.avif"])
def test_too_many_pixels_are_refused_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = save(tmp_path / name)
    monkeypatch.setattr("sigseek.indexer.decoding.jxl.open_jxl", None)
    with pytest.raises(DecodeError, match="too large: 64 x 48 pixels"):
        decode_photo(path, PREPROCESSING, max_pixels=64 * 48 - 1)


@pytest.mark.parametrize("name", ["a.jxl", "a.dng"])
def test_what_is_decoded_on_opening_is_not_when_it_would_hold_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name == "a.dng":
        path = save_dng(tmp_path / name, Image.new("L", (64, 48)), None)
    else:
        path = save(tmp_path / name)
        monkeypatch.setattr("sigseek.indexer.decoding.jxl.open_jxl", None)
    with pytest.raises(LargePhotoError):
        decode_photo(path, PREPROCESSING, max_held=64 * 48 - 1)


@pytest.mark.parametrize("name", ["a.jxl", "a.heic", "a.dng"])
@given(data=st.data())
def test_any_damage_is_a_decode_error_or_a_picture(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / name
    if name == "a.dng":
        save_dng(path, picture(0, (64, 64)), picture(1, (300, 260)))
    else:
        save(path, exif=exif(Make="Maker", Orientation=6).tobytes())
    raw = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, min(len(raw), 3000) - 1), max_size=8)):
        raw[place] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.sampled_from([len(raw), len(raw) // 2]))])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome = decode_photo(path, PREPROCESSING).pixels.shape
    except DecodeError as error:
        outcome = str(error)
    assert outcome == (32, 32, 3) or (isinstance(outcome, str) and outcome and "\n" not in outcome)


@pytest.mark.parametrize("name", ["a.jxl", "a.heic", "a.dng"])
def test_a_disks_error_is_not_the_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / name
    if name == "a.dng":
        save_dng(path, picture(0, (64, 64)), None)
    else:
        save(path)

    class BrokenDisk(FileIO):
        def read(self, size: int = -1) -> bytes:
            if size < 0:
                raise OSError(5, "Input/output error")
            return super().read(size)

    monkeypatch.setattr(Path, "open", lambda self, mode: BrokenDisk(self))
    with pytest.raises(OSError, match="Input/output error"):
        decode_photo(path, PREPROCESSING, max_pixels=10_000)


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_raw_files_preview_is_turned_as_the_raw(
    tmp_path: Path, orientation: int, bare: bool
) -> None:
    upright = letter_f().resize((300, 400) if orientation in (6, 8) else (400, 300))
    lying = stored(upright, orientation)
    path = save_dng(
        tmp_path / "a.dng",
        Image.new("L", (lying.width * 2, lying.height * 2)),
        lying,
        orientation,
        bare=bare,
    )
    decoded = decode_photo(path, PREPROCESSING)
    assert (decoded.format, decoded.width, decoded.height) == (
        "RAW",
        upright.width * 2,
        upright.height * 2,
    ), "of the RAW"
    assert (decoded.metadata.camera, decoded.metadata.taken_at) == (
        "Maker Model 7",
        "2021-07-03T18:05:09",
    )
    assert difference(open_upright(path), upright) < 5


def test_a_preview_that_is_upright_already_is_not_turned(tmp_path: Path) -> None:
    upright = letter_f().resize((300, 400))
    path = save_dng(tmp_path / "a.dng", Image.new("L", (800, 600)), upright, orientation=6)
    assert difference(open_upright(path), upright) < 5
    assert decode_photo(path, PREPROCESSING).height == 800


@pytest.mark.parametrize("preview", [None, picture(5, (160, 120))])
def test_without_a_usable_preview_the_raw_is_developed(
    tmp_path: Path, preview: Image.Image | None
) -> None:
    upright = letter_f(600)
    lying = stored(upright, 6)
    path = save_dng(tmp_path / "a.dng", lying, preview, orientation=6)
    shown = np.asarray(open_upright(path).convert("L"), np.float64)
    assert shown.shape == (300, 300)
    expected = np.asarray(upright.convert("L").resize((300, 300)), np.float64)
    assert np.corrcoef(shown.ravel(), expected.ravel())[0, 1] > 0.95
    decoded = decode_photo(path, PREPROCESSING)
    assert (decoded.width, decoded.height) == (600, 600)


def test_a_raw_file_named_like_a_tiff_is_not_taken_for_its_thumbnail(tmp_path: Path) -> None:
    path = save_dng(tmp_path / "a.tif", Image.new("L", (800, 600)), letter_f(400))
    assert decode_photo(path, PREPROCESSING).format == "RAW"


def test_what_people_wrote_into_a_raw_file(tmp_path: Path) -> None:
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        b'xmp:Rating="4"/></rdf:RDF></x:xmpmeta>'
    )
    path = save_dng(
        tmp_path / "a.dng", Image.new("L", (800, 600)), letter_f(400), more={700: (1, list(packet))}
    )
    assert decode_photo(path, PREPROCESSING).metadata.rating == 4


def test_raw_of_a_sensor_without_colours(tmp_path: Path) -> None:
    path = save_dng(tmp_path / "a.dng", letter_f().resize((300, 300)), None, monochrome=True)
    seen = np.asarray(open_upright(path).convert("L"), float)
    expected = np.asarray(letter_f().resize(seen.shape[::-1]).convert("L"), float)
    assert np.corrcoef(seen.ravel(), expected.ravel())[0, 1] > 0.9


def test_why_a_raw_file_gives_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.nef").write_bytes(b"II*\0 raw")
    with pytest.raises(
        DecodeError,
        match=r"damaged, or an unsupported kind of camera RAW .*; export it as JPEG",
    ):
        decode_photo(tmp_path / "a.nef", PREPROCESSING)
    (tmp_path / "a.cr2").write_bytes(b"")
    with pytest.raises(DecodeError, match="the file is empty"):
        decode_photo(tmp_path / "a.cr2", PREPROCESSING)
    path = save_dng(tmp_path / "a.dng", Image.new("L", (800, 600)), None)
    with pytest.raises(DecodeError, match="too large: 800 x 600 pixels"):
        decode_photo(path, PREPROCESSING, max_pixels=800 * 600 - 1)


def test_a_jpeg_that_says_cr_where_canons_raw_does_is_still_a_jpeg(tmp_path: Path) -> None:
    whole = save(tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[:8] + b"CR" + whole[10:])
    assert decode_photo(tmp_path / "a.jpg", PREPROCESSING).format == "JPEG"


def test_a_jpeg_costs_no_library_that_it_does_not_need(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg")
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from sigseek.indexer.decoding.decode import decode_jpeg\n"
        f"decode_jpeg(Path({str(tmp_path / 'a.jpg')!r}), 32, 10_000)\n"
        "print([name for name in ('pillow_heif', 'pillow_jxl', 'rawpy', 'PIL.ImageCms') if name "
        "in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@needs_corpora
def test_real_heif() -> None:
    folder = CORPORA / "photos" / "heif"
    reasons = {}
    for path in sorted([*folder.rglob("*.heic"), *folder.rglob("*.heif"), *folder.rglob("*.hif")]):
        if path.name in ("cat.hif", "arrow.heic", "pug.heic"):
            continue  # seconds each
        try:
            decode_photo(path, PREPROCESSING, 150_000_000)
        except DecodeError as error:
            reasons[path.name] = str(error)
    assert set(reasons) == {"corrupted.heic", "corrupted.hif", "empty.heic", "200MP.heic"}
    assert reasons["200MP.heic"].startswith("too large: 12240 x 16320 pixels; the limit is ")
    assert reasons["empty.heic"] == "the file is empty"
