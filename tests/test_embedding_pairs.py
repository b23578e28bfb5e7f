"""Pairs of near embeddings are kept, and follow whatever happens to their photos."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sqlalchemy import delete

from sigseek.progress import Stop
from sigseek.search.duplicates import embedding_pairs, neighbours
from sigseek.search.duplicates.close_look import CloseLook
from sigseek.search.duplicates.embedding_pairs import alike_pairs, keep_embedding_pairs
from sigseek.search.duplicates.sketch_rows import read_rows
from sigseek.storage import Catalog, CheckpointRecord, EmbeddingRecord, LibraryError
from sigseek.storage.catalog.tables import PHOTO
from sigseek.storage.index.neighbours import nearest_pairs
from tests.catalogs import add_checkpoint, add_photos, writing

NOTHING = np.empty((0, 2), np.int64)


def vectors(*cosines: tuple[int, float], count: int = 40) -> npt.NDArray[np.float32]:
    """Return unit vectors (count + n, 64) of which the first ones are at right angles to each
    other. The others have this cosine to the one of this number, and else as little in common.
    """
    made = np.eye(64, dtype=np.float32)
    others = [
        cosine * made[number] + (1 - cosine**2) ** 0.5 * made[63 - place]
        for place, (number, cosine) in enumerate(cosines)
    ]
    return np.stack([*made[:count], *others]).astype(np.float32)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path)
    yield catalog
    catalog.close()


@pytest.fixture
def checkpoint(catalog: Catalog) -> CheckpointRecord:
    return add_checkpoint(catalog, 64)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was compared: "all" embeddings, or the "new" ones."""
    done: list[str] = []
    for name, what in (("pairs_of_all", "all"), ("pairs_of_new", "new")):
        search = getattr(neighbours, name)

        def noted(*arguments: object, search: Callable[..., object] = search, what: str = what
                  ) -> object:  # fmt: skip
            done.append(what)
            return search(*arguments)

        monkeypatch.setattr(embedding_pairs, name, noted)
    return done


def add(catalog: Catalog, checkpoint: CheckpointRecord, new: npt.NDArray[np.float32]) -> list[int]:
    before = catalog.photo_count()
    names = [f"{before + number}.jpg" for number in range(len(new))]
    return add_photos(catalog, checkpoint, new, Path("/photos"), names)


def remove(catalog: Catalog, photo_id: int) -> None:
    with writing(catalog) as connection:
        connection.execute(delete(PHOTO).where(PHOTO.c.id == photo_id))


def keep(catalog: Catalog, checkpoint: CheckpointRecord) -> None:
    keep_embedding_pairs(catalog, checkpoint.id, nullcontext, Stop(), lambda photos: None)


def kept(catalog: Catalog, checkpoint: CheckpointRecord) -> dict[tuple[int, int], float]:
    pairs = catalog.embedding_pairs(checkpoint.id)
    ids = zip(pairs.one.tolist(), pairs.other.tolist(), strict=True)
    return dict(zip(ids, np.round(pairs.cosines, 2).tolist(), strict=True))


def test_pairs_are_found_once(
    catalog: Catalog, checkpoint: CheckpointRecord, compared: list[str]
) -> None:
    ids = add(catalog, checkpoint, vectors((0, 0.9), (1, 0.7), (2, 0.6)))
    keep(catalog, checkpoint)
    right = {(ids[0], ids[40]): 0.9, (ids[1], ids[41]): 0.7}
    assert kept(catalog, checkpoint) == pytest.approx(right, abs=0.01)
    keep(catalog, checkpoint)
    assert compared == ["all"]
    (new,) = add(catalog, checkpoint, vectors((3, 0.8))[-1:])
    keep(catalog, checkpoint)
    right[ids[3], new] = 0.8
    assert kept(catalog, checkpoint) == pytest.approx(right, abs=0.01)
    assert compared == ["all", "new"]


def test_pairs_follow_their_photos_and_embeddings(
    catalog: Catalog,
    checkpoint: CheckpointRecord,
    compared: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = add(catalog, checkpoint, vectors((0, 0.9), (1, 0.9), (2, 0.9)))
    keep(catalog, checkpoint)
    again = vectors((5, 0.95))[-1]
    with catalog.transaction() as transaction:
        transaction.add_embeddings(checkpoint.id, {ids[40]: EmbeddingRecord(again, "fp32", 1)})
    with catalog.transaction() as transaction:
        transaction.remove_embeddings(checkpoint.id, [ids[41]])
    keep(catalog, checkpoint)
    right = {(ids[5], ids[40]): 0.95, (ids[2], ids[42]): 0.9}
    assert kept(catalog, checkpoint) == pytest.approx(right, abs=0.01)
    remove(catalog, ids[2])
    assert kept(catalog, checkpoint) == pytest.approx({(ids[5], ids[40]): 0.95}, abs=0.01)
    assert compared == ["all", "new"]
    monkeypatch.setattr(neighbours, "_blocks", lambda *_: pytest.fail("embeddings were read"))
    with catalog.transaction() as transaction:
        transaction.remove_embeddings(checkpoint.id, [ids[5]])
    keep(catalog, checkpoint)
    assert kept(catalog, checkpoint) == {}


def test_each_checkpoint_has_its_own_pairs(catalog: Catalog, checkpoint: CheckpointRecord) -> None:
    ids = add(catalog, checkpoint, vectors((0, 0.9)))
    other = add_checkpoint(catalog, 64, "another")
    with catalog.transaction() as transaction:
        transaction.add_embeddings(
            other.id,
            {
                id_: EmbeddingRecord(vector, "fp32", 1)
                for id_, vector in zip(ids, vectors((7, 0.8)), strict=True)
            },
        )
    keep(catalog, checkpoint)
    keep(catalog, other)
    assert kept(catalog, checkpoint) == pytest.approx({(ids[0], ids[40]): 0.9}, abs=0.01)
    assert kept(catalog, other) == pytest.approx({(ids[7], ids[40]): 0.8}, abs=0.01)


def test_another_threshold_and_a_library_twice_as_large_are_compared_anew(
    catalog: Catalog,
    checkpoint: CheckpointRecord,
    compared: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = add(catalog, checkpoint, vectors((0, 0.7), count=20))
    keep(catalog, checkpoint)
    assert len(kept(catalog, checkpoint)) == 1
    monkeypatch.setattr(embedding_pairs, "LOOKED_AT", 0.75)
    keep(catalog, checkpoint)
    assert (kept(catalog, checkpoint), compared) == ({}, ["all", "all"])
    monkeypatch.undo()
    keep(catalog, checkpoint)
    before = catalog.embedding_comparison(checkpoint.id)
    assert before is not None
    assert before.photos == 21
    add(catalog, checkpoint, vectors(count=42)[20:])
    keep(catalog, checkpoint)
    after = catalog.embedding_comparison(checkpoint.id)
    assert after is not None
    assert (after.photos, after.usual < before.usual) == (43, True)
    assert list(kept(catalog, checkpoint)) == [(ids[0], ids[20])]


@pytest.mark.parametrize("block", [3, 1_000])
def test_the_nearest_of_new_photos_are_those_of_a_whole_comparison(
    catalog: Catalog, checkpoint: CheckpointRecord, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_READ", block)
    rng = np.random.default_rng(0)
    made = rng.standard_normal((60, 64)).astype(np.float32) + 1
    made[40:] = made[:20] + 0.3 * made[40:]
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    ids = np.array(add(catalog, checkpoint, made))
    whole = neighbours.pairs_of_all(catalog, checkpoint.id, ids, 0.6, Stop(), lambda photos: None)
    new = neighbours.pairs_of_new(
        catalog, checkpoint.id, ids[40:], ids, 0.6, Stop(), lambda photos: None
    )
    with_new = whole.part(np.isin(whole.other, ids[40:]))
    found = set(zip(new.one.tolist(), new.other.tolist(), strict=True))
    right = set(zip(with_new.one.tolist(), with_new.other.tolist(), strict=True))
    # An older photo may have a new one among its nearest that has nearer ones itself.
    assert found <= right
    assert {(int(ids[number]), int(ids[40 + number])) for number in range(20)} <= found


def test_lists_of_many_photos_lead_to_their_nearest(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """There are 300 photos with one other near each. FAISS prints nothing."""
    monkeypatch.setattr("sigseek.storage.index.neighbours._FEW_FOR_LISTS", 1_000)
    rng = np.random.default_rng(0)
    made = rng.standard_normal((3_000, 32)).astype(np.float32)
    made[300:600] = made[:300] + 0.1 * made[300:600]
    pairs = nearest_pairs(made, neighbours.NEIGHBOURS, 2.0, Stop(), lambda photos: None)
    found = set(map(tuple, pairs.tolist()))
    right = {(number, 300 + number) for number in range(300)}
    assert len(found & right) >= 285
    assert not found - right
    assert capfd.readouterr() == ("", "")


def test_a_pair_is_looked_at_once_until_a_sketch_changes(
    catalog: Catalog, checkpoint: CheckpointRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[list[list[int]]] = []

    def same_shot(look: CloseLook, pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        looked.append(pairs.tolist())
        return np.ones(len(pairs), bool)

    monkeypatch.setattr(CloseLook, "same_shot", same_shot)
    ids = add(catalog, checkpoint, vectors((0, 0.9), (1, 0.7)))
    keep(catalog, checkpoint)
    keep(catalog, checkpoint)
    assert looked == [[[ids[1], ids[41]]]]
    rows = read_rows(catalog, np.array(ids), Stop())
    pairs = catalog.embedding_pairs(checkpoint.id)
    comparison = catalog.embedding_comparison(checkpoint.id)
    assert comparison is not None
    alike = alike_pairs(catalog, rows, pairs, comparison.usual, NOTHING, Stop())
    assert set(zip(alike.one, alike.other, strict=True)) == {(ids[0], ids[40]), (ids[1], ids[41])}
    with catalog.transaction() as transaction:
        transaction.put_hashes({ids[41]: None}, 1)
    keep(catalog, checkpoint)
    assert len(looked) == 2


def test_nothing_is_compared_where_nothing_can_be_kept(
    catalog: Catalog,
    checkpoint: CheckpointRecord,
    compared: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = add(catalog, checkpoint, vectors((0, 0.9)))

    def refused() -> nullcontext[None]:
        raise LibraryError("somebody else changes the library", "wait")

    with pytest.raises(LibraryError, match="somebody else"):
        keep_embedding_pairs(catalog, checkpoint.id, refused, Stop(), lambda photos: None)
    assert compared == []
    pairs, _ = embedding_pairs.embedding_pairs(catalog, checkpoint.id, Stop(), lambda photos: None)
    assert (pairs.one.tolist(), pairs.other.tolist()) == ([ids[0]], [ids[40]])
    keep(catalog, checkpoint)
    (new,) = add(catalog, checkpoint, vectors((2, 0.9))[-1:])
    pairs, _ = embedding_pairs.embedding_pairs(catalog, checkpoint.id, Stop(), lambda photos: None)
    assert sorted(zip(pairs.one.tolist(), pairs.other.tolist(), strict=True)) == [
        (ids[0], ids[40]), (ids[2], new)
    ]  # fmt: skip
    keep(catalog, checkpoint)
    monkeypatch.setattr(embedding_pairs, "_VERSION", 0)
    with pytest.raises(LibraryError, match="somebody else"):
        keep_embedding_pairs(catalog, checkpoint.id, refused, Stop(), lambda photos: None)
    assert compared == ["all", "all", "new", "new"]


def test_both_databases_keep_pairs_of_embeddings(open_catalog: Callable[[], Catalog]) -> None:
    catalog = open_catalog()
    checkpoint = add_checkpoint(catalog, 64)
    ids = add(catalog, checkpoint, vectors((0, 0.9), (1, 0.7)))
    keep(catalog, checkpoint)
    found = catalog.embedding_pairs(checkpoint.id)
    assert sorted(zip(found.one.tolist(), found.looks_same.tolist(), strict=True)) == [
        (ids[0], -1), (ids[1], 0)
    ]  # fmt: skip
    with catalog.transaction() as transaction:
        transaction.put_hashes({ids[1]: None}, 1)
    remove(catalog, ids[0])
    assert catalog.embedding_pairs(checkpoint.id).looks_same.tolist() == [-1]
    catalog.close()
