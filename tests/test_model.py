"""The model that a library is used with: loaded once, and what it gives for texts."""

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

import sigseek
from sigseek.indexer.decoding.decode import decode_photo
from sigseek.progress import Phase, Stop
from sigseek.siglip import ImageTower, TextTower
from tests.checkpoints import save_tiny
from tests.conversions import save_converted_tiny
from tests.listeners import Heard
from tests.open_library import opened
from tests.photos import save

Towers = tuple[ImageTower, TextTower]
TEXTS = [
    f"{number} red houses {place}" for place in ("by the sea", "at night") for number in range(65)
]


def test_texts_are_embedded_in_batches_as_one_by_one(tmp_path: Path, mini_towers: Towers) -> None:
    heard = Heard()
    with opened(tmp_path / "library", listener=heard) as library:
        embedded = library.model.embed_texts(TEXTS)
        none = library.model.embed_texts([])
    assert embedded.shape == (130, 192)
    np.testing.assert_allclose(embedded, mini_towers[1].embed(TEXTS), atol=1e-4)
    assert (none.shape, none.dtype) == ((0, 192), np.float32)
    steps = [one for one in heard.progress if one.phase is Phase.EMBEDDING_TEXTS]
    assert [(one.done, one.total) for one in steps] == [
        (0, 130), (64, 130), (128, 130), (130, 130), (0, 0),
    ]  # fmt: skip


def test_the_listener_of_a_call_is_told_and_not_that_of_the_library(tmp_path: Path) -> None:
    of_library, of_call = Heard(), Heard()
    with opened(tmp_path / "library", listener=of_library) as library:
        library.model.embed_texts(["a house"], of_call)
    assert of_library.progress == []
    assert {one.phase for one in of_call.progress} == {Phase.PREPARING, Phase.EMBEDDING_TEXTS}


def test_texts_are_embedded_until_the_stop(tmp_path: Path) -> None:
    stop = Stop()

    def after_one_batch(progress: sigseek.Progress) -> None:
        if progress.done == 64:
            stop.set()

    heard = Heard(after_one_batch)
    with opened(tmp_path / "library") as library, pytest.raises(sigseek.StoppedError):
        library.model.embed_texts(TEXTS, heard, stop)
    assert heard.progress[-1].done == 64


def test_a_tower_is_loaded_once_however_many_threads_ask(tmp_path: Path) -> None:
    heard = Heard()
    with opened(tmp_path / "library", listener=heard) as library:
        assert not library.model.reads_at_once
        got: list[tuple[ImageTower, TextTower]] = []

        def ask() -> None:
            got.append((library.model.images(), library.model.texts()))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert library.model.reads_at_once
    assert len(got) == 8
    assert all(images is got[0][0] and texts is got[0][1] for images, texts in got)
    assert [one.phase for one in heard.progress] == [Phase.PREPARING, Phase.PREPARING]


def test_without_a_name_it_is_the_checkpoint_last_named_to_index(
    mini_library: Path, tmp_path: Path, drawn: Path
) -> None:
    directory = Path(shutil.copytree(mini_library, tmp_path / "library"))
    tiny = str(save_converted_tiny(tmp_path / "tiny"))
    (tmp_path / "one").mkdir()
    shutil.copy(drawn / "scene-00000.jpg", tmp_path / "one")
    with sigseek.open(directory, model=tiny) as library:
        library.index(tmp_path / "one")
    with opened(directory, None) as library:
        record = library.model.record()
        assert (library.model.checkpoint.name, record and record.embeddings) == (tiny, 1)
    with opened(directory, "mini") as library:
        record = library.model.record()
        assert (library.model.checkpoint.name, record and record.embeddings) == ("mini", 40)


def test_a_library_without_the_checkpoint_has_no_record_of_it(
    mini_library: Path, tmp_path: Path
) -> None:
    with opened(tmp_path / "nowhere") as library:
        assert library.model.record() is None
    assert not (tmp_path / "nowhere").exists()
    with opened(mini_library, str(save_tiny(tmp_path / "tiny"))) as library:
        assert library.model.record() is None


def test_only_a_text_that_is_cut_is_noted(tmp_path: Path) -> None:
    with opened(tmp_path / "library") as library:
        assert library.model.warn_if_cut("the label", "a red house") is None
        with pytest.warns(UserWarning, match="^the label has 1,200 words and the model reads 64"):
            said = library.model.warn_if_cut("the label", "tree " * 1200)
    assert said == (
        "the label has 1,200 words and the model reads 64 tokens; only its beginning was "
        "searched for"
    )


def test_a_checkpoint_that_is_none_is_told_when_it_is_needed(tmp_path: Path) -> None:
    with opened(tmp_path / "library", str(tmp_path)) as library:
        for need in (lambda: library.model.checkpoint, library.model.texts, library.model.images):
            with pytest.raises(sigseek.CheckpointError):
                need()
        assert not library.model.reads_at_once


def test_a_conversion_to_int8_learns_from_every_photo_of_the_folders_once(
    mini_library: Path, drawn: Path, tmp_path: Path
) -> None:
    other = save(tmp_path / "other" / "a.png")
    with opened(mini_library) as library:
        own = library.model._sample([], Stop())
        with_named = library.model._sample([drawn, other.parent, tmp_path / "nowhere"], Stop())
        assert own.shape == (40, 96, 96, 3)
        assert with_named.shape == (41, 96, 96, 3)
        decoded = decode_photo(drawn / "scene-00005.jpg", library.model.checkpoint.preprocessing)
    assert any((pixels == decoded.pixels).all() for pixels in own)
    with opened(tmp_path / "library") as library:
        assert len(library.model._sample([other.parent], Stop())) == 1
