"""Photos that are embedded for a question and not kept: guarded, in order, in bounded memory."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import event
from sqlalchemy.engine import Engine

import sigseek
from sigseek.indexer.decoding import decode, guarded
from sigseek.indexer.decoding.decode import DecodedPhoto
from sigseek.indexer.decoding.guarded import GuardedDecoder
from sigseek.indexer.embed_files import embed_files
from sigseek.indexer.errors import DecodeError
from sigseek.operations.directory import LibraryDirectory
from sigseek.operations.opened import OpenedLibrary
from sigseek.progress import Silence
from sigseek.siglip import Checkpoint, ImageTower, TextTower
from tests.conftest import CORPORA, needs_corpora
from tests.conversions import save_converted_tiny
from tests.listeners import Heard
from tests.photos import save
from tests.silent_disks import silent_disk

pytestmark = pytest.mark.both_databases(milvus=True)


@pytest.fixture
def library(tmp_path: Path, drawn: Path) -> Iterator[sigseek.Library]:
    photos = shutil.copytree(drawn, tmp_path / "photos")
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(photos)
        yield library


@pytest.fixture
def decoder(mini: Checkpoint) -> Iterator[GuardedDecoder]:
    with GuardedDecoder(mini.preprocessing) as decoder:
        yield decoder


def test_a_photo_of_an_unplugged_drive(library: sigseek.Library, tmp_path: Path) -> None:
    photo = tmp_path / "photos" / "scene-00003.jpg"
    before, term = library.similar(photo), library.search(f'photo:"{photo}"', include_all=True)
    (tmp_path / "photos").rename(tmp_path / "unplugged")
    after = library.similar(photo)
    assert [(hit.path, hit.cosine) for hit in after] == [(hit.path, hit.cosine) for hit in before]
    assert [hit.available for hit in after] == [False] * len(before)
    again = library.search(f'photo:"{photo}"', include_all=True)
    assert [hit.probability for hit in again] == [hit.probability for hit in term]
    with pytest.raises(sigseek.QueryError, match=r"no file .*other\.jpg; check the name"):
        library.similar(tmp_path / "photos" / "other.jpg")


def test_a_missing_file_that_another_checkpoint_knows(
    library: sigseek.Library, tmp_path: Path
) -> None:
    photo = tmp_path / "photos" / "scene-00003.jpg"
    photo.unlink()
    with sigseek.open(
        tmp_path / "library", model=str(save_converted_tiny(tmp_path / "tiny"))
    ) as other:
        other.index()
        with (
            pytest.warns(UserWarning, match="has embedded 39 photos"),
            pytest.raises(sigseek.QueryError, match="no file"),
        ):
            other.similar(photo)


def test_photos_of_queries_are_decoded_in_another_process(
    library: sigseek.Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("decoded in this process")

    for module, name in itertools.product((decode, guarded), ("decode_photo", "decode_views")):
        monkeypatch.setattr(module, name, refuse)
    new = save(tmp_path / "new.png", seed=7)
    assert len(library.similar(new, limit=3)) == 3
    assert len(library.classify([new], ["a house"])) == 1
    assert len(library.search(f'photo:"{new}"', include_all=True)) == 10
    assert library.search("a house", include_all=True, closer=2)[0].closer is not None


def test_a_picture_that_would_fill_the_memory(library: sigseek.Library, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(bomb)
    assert bomb.stat().st_size < 1_000_000
    with pytest.raises(sigseek.DecodeError, match=r"bomb\.png cannot be used \(too large"):
        library.similar(bomb)
    with pytest.raises(sigseek.DecodeError, match="too large"):
        library.search(f'photo:"{bomb}"')
    heard = Heard()
    good = tmp_path / "photos" / "scene-00000.jpg"
    found = library.classify([bomb, good], ["a house"], skip_unusable=True, listener=heard)
    assert [result.path for result in found] == [str(good)]
    ((path, reason),) = [(problem.path, problem.reason) for problem in heard.problems]
    assert (path, reason.split(":")[0]) == (str(bomb), "too large")


@needs_corpora
def test_hostile_files(library: sigseek.Library) -> None:
    files = sorted(path for path in (CORPORA / "hostile").rglob("*") if path.is_file())[:40]
    embeddings, unusable = library.embed_photos(files)
    assert len(embeddings) + len(unusable) == len(set(files))
    assert unusable
    for vector in embeddings.values():
        assert np.isclose(np.linalg.norm(vector), 1, atol=1e-5)


def test_results_come_in_order_with_reasons(
    decoder: GuardedDecoder, mini_towers: tuple[ImageTower, TextTower], tmp_path: Path
) -> None:
    good = [save(tmp_path / f"{number}.png", seed=number) for number in range(20)]
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    gone = tmp_path / "gone.png"
    paths = [*good[:17], bad, *good[17:], gone]
    found = list(embed_files(paths, decoder, lambda: mini_towers[0]))
    assert [path for path, _ in found] == paths
    reasons = {path: str(one) for path, one in found if isinstance(one, DecodeError)}
    assert list(reasons) == [bad, gone]
    assert "not a picture" in reasons[bad]
    assert reasons[gone] == "cannot be read: No such file or directory"
    ((_, alone),) = embed_files([good[3]], decoder, lambda: mini_towers[0])
    assert isinstance(alone, np.ndarray)
    np.testing.assert_allclose(found[3][1], alone, atol=1e-5)


def test_no_more_than_a_few_batches_are_in_memory(
    mini: Checkpoint, mini_towers: tuple[ImageTower, TextTower], tmp_path: Path
) -> None:
    class Counting(GuardedDecoder):
        count = 0

        def decode(self, path: Path, thumbnail: int | None = None) -> DecodedPhoto:
            Counting.count += 1
            return super().decode(path, thumbnail)

    photo, tower = save(tmp_path / "photo.jpg"), mini_towers[0]
    with Counting(mini.preprocessing) as decoder:
        stream = embed_files([photo] * 200, decoder, lambda: tower)
        for taken, _ in enumerate(stream, 1):
            assert Counting.count <= taken + 4 * tower.batch
    assert Counting.count == 200


def test_a_tower_that_cannot_be_loaded(decoder: GuardedDecoder, tmp_path: Path) -> None:
    def load() -> ImageTower:
        raise sigseek.CheckpointError("no weights")

    with pytest.raises(sigseek.CheckpointError, match="no weights"):
        list(embed_files([save(tmp_path / "a.jpg")], decoder, load))


def test_a_closer_look_at_a_photo_above_the_usual_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded, "default_max_pixels", lambda: 1_000)
    photo = save(tmp_path / "photo.png", seed=1)  # of 64 x 48 pixels
    directory = LibraryDirectory(tmp_path / "library")
    opened = OpenedLibrary(directory, "mini", "cpu", "auto", Silence())
    (unknown,) = opened.photo_files.embed_views([(photo, 0)])
    (indexed,) = opened.photo_files.embed_views([(photo, 64 * 48)])
    opened.close()
    assert unknown is None
    assert indexed is not None
    assert indexed.shape == (9, 192)


def test_a_search_does_not_wait_for_a_disk_that_is_silent(
    library: sigseek.Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its photos are hits all the same, as those of an unplugged drive are."""
    before = library.search("a house")
    assert {hit.available for hit in before} == {True}
    with silent_disk(monkeypatch) as silent:
        silent.paths.add(tmp_path / "photos")
        after = library.search("a house", closer=2)
        listed = library.list_photos(3)
    assert {hit.path for hit in after} == {hit.path for hit in before}
    assert {hit.available for hit in (*after, *listed)} == {False}


def test_photos_of_questions_may_be_as_large_as_those_of_the_library(
    tmp_path: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit that an indexing run was given holds at once, for few files and for many."""
    monkeypatch.setattr(guarded, "default_max_pixels", lambda: 1_000)
    large = [save(tmp_path / f"{seed}.png", seed=seed) for seed in range(6)]  # of 64 x 48 pixels
    with sigseek.open(tmp_path / "library", model="mini") as library:
        assert list(library.embed_photos(large[:1])[1]) == large[:1]
        with pytest.raises(sigseek.DecodeError, match="too large"):
            library.thumbnail(large[0])
        library.index(drawn, max_megapixels=1)
        assert library.embed_photos(large[:1])[1] == {}
        assert library.embed_photos(large)[1] == {}
        assert library.thumbnail(large[0]).media_type == "image/jpeg"


def test_a_warm_query_asks_for_the_state_once(library: sigseek.Library) -> None:
    library.search("a house")
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        library.search("a house")
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert sum("FROM checkpoint" in statement for statement in asked) == 1
