"""Files on their way into the catalog: what is decoded, embedded in which batches, and stored."""

from collections.abc import Iterator
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt
import pytest

from sigseek.indexer import IndexReport
from sigseek.indexer.decoding.decode import DecodedPhoto, decode_photo
from sigseek.indexer.decoding.guarded import GuardedDecoder
from sigseek.indexer.folder_comparison import FolderComparer
from sigseek.indexer.ingest import FolderIngest
from sigseek.indexer.ledger import Ledger
from sigseek.indexer.work import ListedWork
from sigseek.progress import Stop
from sigseek.storage import Catalog
from tests.catalogs import add_checkpoint
from tests.photos import save
from tests.test_pipeline import PREPROCESSING, Heard, PixelTower, counts, embedding

pytestmark = pytest.mark.both_databases


class NotingTower(PixelTower):
    """A tower that notes the size of each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def embed(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        self.batches.append(len(pixels))
        return super().embed(pixels)


class Ingest:
    """A catalog with one folder, whose new files are taken in."""

    def __init__(self, directory: Path, folder: Path) -> None:
        self.catalog = Catalog(directory)
        self.checkpoint = add_checkpoint(self.catalog, 48)
        self.tower = NotingTower()
        self.folder = folder

    def run(self, stop: Stop | None = None) -> IndexReport:
        until = stop or Stop()
        ledger = Ledger("a checkpoint", Heard())
        with self.catalog.transaction() as transaction:
            folder, _ = transaction.add_folder(self.folder)
        comparer = FolderComparer(self.catalog, self.checkpoint, 1_000_000, Stop(), reread=False)
        found = comparer.compare(self.folder, PurePath(), [])
        ledger.enter_scan(folder.id, folder.path, found)
        with GuardedDecoder(PREPROCESSING) as decoder:
            FolderIngest(
                self.catalog,
                self.checkpoint,
                decoder,
                lambda: self.tower,
                ledger,
                folder,
                ListedWork(self.catalog, found),
                until,
            ).run()
        return ledger.finish(stopped=until.is_set())


@pytest.fixture
def ingest(tmp_path: Path) -> Iterator[Ingest]:
    (tmp_path / "photos").mkdir()
    made = Ingest(tmp_path / "library", tmp_path / "photos")
    yield made
    made.catalog.close()


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded, in the order of their end."""
    names: list[str] = []
    decode = GuardedDecoder.decode

    def note(decoder: GuardedDecoder, path: Path, thumbnail: int | None = None) -> DecodedPhoto:
        names.append(path.name)
        return decode(decoder, path, thumbnail)

    monkeypatch.setattr(GuardedDecoder, "decode", note)
    return names


def test_photos_are_embedded_in_full_batches_and_stored_with_their_embeddings(
    ingest: Ingest,
) -> None:
    for seed in range(35):
        save(ingest.folder / f"{seed:02}.png", seed=seed)
    assert counts(ingest.run()) == {"scanned": 35, "added": 35}
    assert ingest.tower.batches == [16, 16, 3]
    ids, vectors = ingest.catalog.embeddings(ingest.checkpoint.id)
    kept = dict(zip(ids.tolist(), vectors, strict=True))
    for id_, photo in ingest.catalog.photos(ids.tolist()).items():
        pixels = decode_photo(Path(photo.paths[0]), PREPROCESSING).pixels
        assert np.array_equal(kept[id_], embedding(pixels[None])[0].astype(np.float16))


def test_copies_of_one_photo_are_decoded_once(ingest: Ingest, decoded: list[str]) -> None:
    for name in ("a.png", "b.png", "c.png"):
        save(ingest.folder / name, seed=1)
    save(ingest.folder / "d.png", seed=2)
    assert counts(ingest.run()) == {"scanned": 4, "added": 4}
    assert (len(decoded), ingest.tower.batches) == (2, [2])
    assert ingest.catalog.photo_count() == 2


def test_files_that_give_no_picture_are_failures_of_their_own(
    ingest: Ingest, decoded: list[str]
) -> None:
    save(ingest.folder / "fine.png", seed=1)
    (ingest.folder / "bad.jpg").write_bytes(b"no picture")
    (ingest.folder / "copy.jpg").write_bytes(b"no picture")
    assert counts(ingest.run()) == {"scanned": 3, "added": 1, "failed": 2}
    assert sorted(decoded) == ["bad.jpg", "fine.png"]
    failed = ingest.catalog.folder_failures(ingest.catalog.folders()[0].id)
    assert sorted(failure.path for failure in failed) == ["bad.jpg", "copy.jpg"]


def test_a_known_photo_under_another_name_has_moved(ingest: Ingest, decoded: list[str]) -> None:
    save(ingest.folder / "a.png", seed=1)
    ingest.run()
    (ingest.folder / "a.png").rename(ingest.folder / "b.png")
    assert counts(ingest.run()) == {"scanned": 1, "moved": 1}
    assert decoded == ["a.png"]
    assert list(ingest.catalog.paths(ingest.catalog.folders()[0].id, PurePath())) == ["b.png"]


def test_a_run_that_is_asked_to_stop_stores_nothing_by_halves(ingest: Ingest) -> None:
    for seed in range(5):
        save(ingest.folder / f"{seed}.png", seed=seed)
    stop = Stop()
    stop.set()
    assert ingest.run(stop).added == 0
    assert ingest.catalog.photo_count() == 0
    assert counts(ingest.run()) == {"scanned": 5, "added": 5}
