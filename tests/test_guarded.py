"""Photos through worker processes: real files, hostile ones too."""

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sigseek.indexer.decoding import guarded as decoders_module
from sigseek.indexer.decoding import limits
from sigseek.indexer.decoding.decode import decode_photo
from sigseek.indexer.decoding.guarded import GuardedDecoder
from sigseek.indexer.decoding.limits import Limits
from sigseek.indexer.errors import DecodeError, UndecidedError
from sigseek.siglip import Preprocessing
from tests import tasks
from tests.photos import exif, save

PREPROCESSING = Preprocessing(32, 32, 3, 1 / 255, (0.5,) * 3, (0.5,) * 3)
CAP = 250_000_000


@pytest.fixture(scope="module")
def decoders() -> Iterator[GuardedDecoder]:
    with GuardedDecoder(PREPROCESSING, CAP) as decoders:
        yield decoders


@pytest.mark.parametrize("held", [64 * 48, 64 * 48 - 1])
def test_the_same_photo_as_in_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    path = save(tmp_path / "a.jpg", exif=exif(Make="Maker", Orientation=6))
    monkeypatch.setattr(decoders_module, "_LARGE_PIXELS", held)
    with GuardedDecoder(PREPROCESSING) as decoders:
        found = decoders.decode(path)
    here = decode_photo(path, PREPROCESSING)
    np.testing.assert_array_equal(found.pixels, here.pixels)
    assert (found.width, found.height, found.format, found.metadata) == (
        48,
        64,
        "JPEG",
        here.metadata,
    )


def test_a_worker_loads_nothing_heavy(decoders: GuardedDecoder, tmp_path: Path) -> None:
    decoders.decode(save(tmp_path / "a.jpg"))
    loaded = decoders._workers.call(limits.decoding_limits(0), tasks.modules)
    assert {"PIL", "numpy", "sigseek"} <= loaded
    assert not loaded & {
        "torch",
        "openvino",
        "transformers",
        "sqlalchemy",
        "storage",
        "faiss",
        "tokenizers",
        "alembic",
    }


def test_errors_come_through(decoders: GuardedDecoder, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(DecodeError, match=r"^not a picture"):
        decoders.decode(tmp_path / "bad.jpg")
    with pytest.raises(FileNotFoundError):
        decoders.decode(tmp_path / "none.jpg")


def test_a_larger_picture_than_pillow_takes_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    Image.new("L", (20_000, 15_000), 200).save(path)
    with (
        GuardedDecoder(PREPROCESSING, CAP) as decoders,
        pytest.raises(UndecidedError, match=r"too large: 20000 x 15000 .* 250 mega"),
    ):
        decoders.decode(path)
    with GuardedDecoder(PREPROCESSING, 300_000_000) as decoders:
        assert (decoders.decode(path).pixels == 200).all()


def png(width: int, height: int) -> bytes:
    """Return a black grey-scale PNG of any size, small as a file."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    squeezed, line = zlib.compressobj(1), bytes(width + 1)
    rows = b"".join([*(squeezed.compress(line) for _ in range(height)), squeezed.flush()])
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def test_a_picture_that_takes_too_much_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        decoders_module, "decoding_limits", lambda pixels: Limits(40_000_000, 20, 100)
    )
    (tmp_path / "a.png").write_bytes(png(4000, 3000))
    with GuardedDecoder(PREPROCESSING) as decoders:
        with pytest.raises(DecodeError, match=r"^decoding takes more than 40 MB of memory$"):
            decoders.decode(tmp_path / "a.png")
        assert decoders.decode(save(tmp_path / "b.png")).format == "PNG"


def test_bombs_are_refused_by_what_they_say_they_are(
    decoders: GuardedDecoder, tmp_path: Path
) -> None:
    bomb = bytearray(png(1, 1))
    bomb[16:24] = struct.pack(">II", 60_000, 60_000)
    bomb[29:33] = struct.pack(">I", zlib.crc32(bomb[12:29]))
    (tmp_path / "a.png").write_bytes(bomb)
    with pytest.raises(
        UndecidedError,
        match=r"^too large: 60000 x 60000 pixels; .*250 megapixels$",
    ):
        decoders.decode(tmp_path / "a.png")


def test_large_pictures_are_decoded_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoders_module, "_LARGE_PIXELS", 64 * 48 - 1)
    paths = [save(tmp_path / f"{number}.png", seed=number) for number in range(20)]
    with GuardedDecoder(PREPROCESSING) as decoders, ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(decoders.decode, paths))) == 20


def test_the_cap_follows_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for memory, pixels in ((2e9, 31_250_000), (8e9, 125_000_000), (64e9, 250_000_000)):
        monkeypatch.setattr(limits, "memory_at_hand", lambda memory=memory: int(memory))
        assert limits.default_max_pixels() == pixels


def test_the_memory_of_a_container_is_what_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_CGROUPS", [tmp_path / "none", tmp_path / "memory.max"])
    (tmp_path / "memory.max").write_text("max\n")
    whole = limits.memory_at_hand()
    assert whole == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    (tmp_path / "memory.max").write_text("268435456\n")
    assert limits.memory_at_hand() == 268_435_456


SCRIPT = """
import sigseek
print("once")
library = sigseek.open("library", model="mini")
print(library.index("photos").added)
"""


def test_a_script_without_a_main_guard(tmp_path: Path) -> None:
    for number in range(5):
        save(tmp_path / "photos" / f"{number}.png", seed=number)
    (tmp_path / "numpy.py").write_text(
        "raise SystemExit('a module of the user, of a name that we need')"
    )
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "mine.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "scripts/mine.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
        check=True,
    )
    assert done.stdout == "once\n5\n"
    assert done.stderr == ""


def test_an_interpreter_that_reads_its_program_from_a_pipe(tmp_path: Path) -> None:
    for number in range(5):
        save(tmp_path / "photos" / f"{number}.png", seed=number)
    done = subprocess.run(
        [sys.executable],
        input=SCRIPT,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
        check=True,
    )
    assert done.stdout == "once\n5\n"
