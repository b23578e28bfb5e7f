"""Photo files that are embedded for a question: whose vectors are known, and who decodes them."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import sigseek
from sigseek import disk
from sigseek.errors import ErrorKind
from sigseek.indexer import DecodeError
from sigseek.indexer.decoding import digest
from sigseek.indexer.decoding.digest import FileDigest, digest_file
from sigseek.operations import photo_files
from sigseek.operations.photo_files import existing_photo
from sigseek.progress import Phase, Stop
from sigseek.storage import Catalog
from tests.conversions import save_converted_tiny
from tests.listeners import Heard
from tests.open_library import opened
from tests.photos import save
from tests.silent_disks import silent_disk

Vectors = dict[Path, npt.NDArray[np.float32]]


def test_a_known_photo_is_not_decoded_again(
    mini_library: Path, drawn: Path, drawn_vectors: Vectors
) -> None:
    photo = drawn / "scene-00004.jpg"
    with opened(mini_library) as library:
        vector, known = library.photo_files.find(photo, include_self=True)
        assert not library.photo_files._decoder.is_loaded
    assert known is not None
    np.testing.assert_array_equal(vector, stored(mini_library)[known.id].astype(np.float32))
    assert float(vector @ drawn_vectors[photo]) == pytest.approx(1, abs=1e-3)


def stored(directory: Path) -> dict[int, npt.NDArray[np.float16]]:
    """Return the embeddings that the library keeps, by the id of the photo."""
    catalog = Catalog(directory)
    ids, vectors = catalog.embeddings(catalog.checkpoints()[0].id, range(1, 100))
    catalog.close()
    return dict(zip(ids.tolist(), vectors, strict=True))


def test_an_unknown_photo_is_decoded_by_a_process_that_is_kept(
    mini_library: Path, tmp_path: Path
) -> None:
    photo = save(tmp_path / "new.png", seed=3)
    with opened(mini_library) as library:
        first, known = library.photo_files.find(photo, include_self=True)
        decoder = library.photo_files._decoder.get(refuse)
        again, _ = library.photo_files.find(photo, include_self=True)
        assert library.photo_files._decoder.get(refuse) is decoder
        library.photo_files.close()
        assert not library.photo_files._decoder.is_loaded
        after, _ = library.photo_files.find(photo, include_self=True)
    assert known is None
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, after)


def refuse() -> None:
    raise AssertionError("nothing new is started")


def test_many_files_have_processes_of_their_own(
    mini_library: Path, drawn: Path, drawn_vectors: Vectors
) -> None:
    photos = sorted(drawn_vectors)[:6]
    with opened(mini_library) as library:
        embedded = dict(library.photo_files.embed(photos))
        assert not library.photo_files._decoder.is_loaded
    for photo in photos:
        vector = embedded[photo]
        assert not isinstance(vector, DecodeError)
        np.testing.assert_allclose(vector, drawn_vectors[photo], atol=2e-3)


def test_files_that_give_no_picture_are_told_in_their_order(
    mini_library: Path, drawn: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    paths = [tmp_path / "text.jpg", drawn / "scene-00000.jpg", tmp_path / "gone.jpg"]
    heard = Heard()
    with opened(mini_library) as library:
        embeddings, reasons = library.photo_files.gather(paths, heard)
    assert list(embeddings) == [paths[1]]
    assert reasons == {
        paths[0]: "not a picture, or its header is damaged",
        paths[2]: "cannot be read: No such file or directory",
    }
    assert [(problem.path, problem.reason) for problem in heard.problems] == [
        (str(path), reason) for path, reason in reasons.items()
    ]
    steps = [one for one in heard.progress if one.phase is Phase.EMBEDDING]
    assert [(one.done, one.total) for one in steps] == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_paths_are_given_back_as_they_were_typed(
    mini_library: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(drawn)
    monkeypatch.setenv("HOME", str(drawn))
    typed = [Path("scene-00000.jpg"), Path("~/scene-00001.jpg")]
    with opened(mini_library) as library:
        embeddings, reasons = library.photo_files.gather(typed)
    assert (list(embeddings), reasons) == (typed, {})


def test_a_file_that_may_not_be_read(mini_library: Path, ordinary_folder: Path) -> None:
    photo = save(ordinary_folder / "secret.png")
    photo.chmod(0)
    with opened(mini_library) as library, pytest.raises(sigseek.QueryError) as caught:
        library.photo_files.find(photo, include_self=True)
    assert str(caught.value) == (
        f"{photo} cannot be read (Permission denied); check its permissions"
    )
    assert caught.value.kind is ErrorKind.UNAVAILABLE


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(sigseek.QueryError, match="is a folder; name one photo") as caught:
        existing_photo(tmp_path)
    assert caught.value.kind is ErrorKind.INVALID
    with pytest.raises(sigseek.QueryError, match=r"^no file .*; check the name$") as caught:
        existing_photo(tmp_path / "a.jpg")
    assert caught.value.kind is ErrorKind.NOT_FOUND
    with pytest.raises(sigseek.QueryError, match=r"^no file "):
        existing_photo(Path("a" * 5000))


def test_a_disk_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = save(tmp_path / "mount" / "a.png")
    with silent_disk(monkeypatch) as silent:
        silent.paths = {photo.parent}
        with pytest.raises(sigseek.QueryError) as caught:
            existing_photo(photo)
    assert str(caught.value) == (
        f"the disk of {photo} does not answer; check the drive or the network"
    )
    assert caught.value.kind is ErrorKind.UNAVAILABLE


def test_a_known_photo_on_a_disk_that_does_not_answer_is_found_by_its_path(
    mini_library: Path, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, unknown = drawn / "scene-00004.jpg", save(tmp_path / "mount" / "a.png")
    with opened(mini_library) as library, silent_disk(monkeypatch) as silent:
        id_ = library.photo_files.known_id(photo)
        silent.paths = {drawn, unknown.parent}
        vector, known = library.photo_files.find(photo, include_self=True)
        assert known is not None
        assert known.id == id_ == library.photo_files.known_id(photo)
        with pytest.raises(sigseek.QueryError, match=r"^the disk of .*a\.png does not answer; "):
            library.photo_files.find(unknown, include_self=True)
    np.testing.assert_array_equal(vector, stored(mini_library)[known.id].astype(np.float32))


def test_a_disk_that_falls_silent_while_a_photo_is_read(
    mini_library: Path, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files become pipes that nobody writes into."""
    directory = Path(shutil.copytree(mini_library, tmp_path / "library"))
    photos = Path(shutil.copytree(drawn, tmp_path / "photos"))
    known, unknown = photos / "scene-00004.jpg", save(tmp_path / "mount" / "a.png")

    def read(path: Path, on_part: Callable[[], None]) -> FileDigest:
        path.unlink()
        os.mkfifo(path)
        return digest_file(path, on_part)

    with sigseek.open(directory) as library:
        library.index(photos)
    with opened(directory) as library:
        id_ = library.photo_files.known_id(known)
        monkeypatch.setattr(digest, "digest_file", read)
        monkeypatch.setattr(disk, "PATIENCE", 0.5)
        _, found = library.photo_files.find(known, include_self=True)
        assert (found and found.id) == id_
        with pytest.raises(sigseek.QueryError) as caught:
            library.photo_files.find(unknown, include_self=True)
    assert str(caught.value) == (
        f"{unknown} cannot be read (the disk gives nothing of it); check the drive or the network"
    )
    assert caught.value.kind is ErrorKind.UNAVAILABLE


def test_photos_of_a_disk_that_does_not_answer_are_not_classified(
    tmp_path: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, good, heard = save(tmp_path / "mount" / "a.png"), drawn / "scene-00014.jpg", Heard()
    photos = [photo, good, tmp_path, tmp_path / "gone.png"]
    with (
        silent_disk(monkeypatch) as silent,
        sigseek.open(tmp_path / "none", model="mini") as library,
    ):
        silent.paths = {photo.parent}
        found = library.classify(photos, ["a house"], skip_unusable=True, listener=heard)
    assert [one.path for one in found] == [str(good)]
    assert [(problem.path, problem.reason) for problem in heard.problems] == [
        (str(photo), "its disk does not answer"),
        (str(tmp_path), "a folder, not a photo"),
        (str(tmp_path / "gone.png"), "there is no such file"),
    ]


def test_no_more_questions_decode_at_a_time_than_there_are_processes_for(
    mini_library: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_files, "_MOST_DECODING", 2)
    photos = sorted(drawn.glob("*.jpg"))[:6]
    with opened(mini_library) as library:
        list(library.photo_files.embed(photos[:1]))  # loads the tower
        open_questions = [library.photo_files.embed([photo]) for photo in photos[:2]]
        for question in open_questions:
            next(question)
        answered: list[Path] = []

        def ask() -> None:
            answered.extend(path for path, _ in library.photo_files.embed([photos[2]]))

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(0.5)
        assert not answered
        open_questions[0].close()
        thread.join(60)
        assert answered == [photos[2]]
        open_questions[1].close()


def test_a_stop_ends_the_embedding(mini_library: Path, drawn: Path) -> None:
    stop = Stop()
    with opened(mini_library) as library:
        embedded = library.photo_files.embed(sorted(drawn.glob("*.jpg")), None, stop)
        next(embedded)
        stop.set()
        with pytest.raises(sigseek.StoppedError):
            list(embedded)


def test_a_photo_that_this_checkpoint_has_not_embedded_is_embedded_now(
    mini_library: Path, drawn: Path, tmp_path: Path
) -> None:
    directory = Path(shutil.copytree(mini_library, tmp_path / "library"))
    photo, tiny = drawn / "scene-00006.jpg", str(save_converted_tiny(tmp_path / "tiny"))
    with sigseek.open(directory, model=tiny) as library:
        library.index(drawn)
    catalog = Catalog(directory)
    id_ = catalog.find_photo_of_file(photo)
    assert id_ is not None
    with catalog.transaction() as transaction:
        (record,) = [one for one in catalog.checkpoints() if one.name == "mini"]
        transaction.remove_embeddings(record.id, [id_])
    catalog.close()
    with opened(directory) as library, pytest.warns(UserWarning, match="has embedded 39 photos"):
        vector, known = library.photo_files.find(photo, include_self=True)
    assert (known and known.id, known and known.has_copies) == (id_, False)
    np.testing.assert_allclose(vector, stored(mini_library)[id_], atol=2e-3)


def test_a_photo_is_known_by_its_file_or_by_its_picture(
    mini_library: Path, drawn: Path, tmp_path: Path
) -> None:
    photo = drawn / "scene-00008.jpg"
    copy = Path(shutil.copy(photo, tmp_path / "copy.jpg"))
    link = tmp_path / "link.jpg"
    link.symlink_to(photo)
    with opened(mini_library) as library:
        files = library.photo_files
        id_ = files.known_id(photo)
        assert id_ is not None
        assert [files.known_id(path) for path in (copy, link)] == [id_, id_]
        assert files.known_id(save(tmp_path / "new.png", seed=9)) is None
        with pytest.raises(sigseek.QueryError, match=r"^no file .*gone\.jpg"):
            files.known_id(drawn / "gone.jpg")
        _, by_copy = files.find(copy, include_self=False)
        _, by_link = files.find(link, include_self=False)
    assert by_copy is not None
    assert by_link is not None
    assert (by_copy.id, by_copy.has_copies) == (id_, True)
    assert (by_link.id, by_link.has_copies) == (id_, False)


def test_a_file_larger_than_any_photo(mini_library: Path, tmp_path: Path) -> None:
    huge = tmp_path / "huge.tif"
    with huge.open("wb") as file:
        file.truncate(1 << 40)
    with opened(mini_library) as library, pytest.raises(sigseek.DecodeError) as caught:
        library.photo_files.find(huge, include_self=True)
    assert str(caught.value).startswith(f"{huge} cannot be used (too large")
