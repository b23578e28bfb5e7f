import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from sigseek.indexer import measure_biases as measuring
from sigseek.indexer.measure_biases import measure_biases
from sigseek.siglip.yardstick import VERSION
from sigseek.siglip.yardstick.embeddings import Yardstick
from sigseek.siglip.yardstick.steps import YardstickStep
from sigseek.storage import Catalog, CheckpointRecord, EmbeddingRecord
from sigseek.storage.catalog.transaction import Transaction
from tests.catalogs import add_checkpoint, add_many, random_unit, remove_photos

pytestmark = pytest.mark.both_databases

Floats = npt.NDArray[np.float32]

DIMENSION = 16


@dataclass(frozen=True)
class Watched(Yardstick):
    """A yardstick that notes how many photos are measured, and that may be interrupted before one
    of them.
    """

    measured: list[int] = field(default_factory=list)
    interrupted_at: int | None = None

    def biases(self, photos: Floats) -> Floats:
        if (
            self.interrupted_at is not None
            and sum(self.measured) + len(photos) > self.interrupted_at
        ):
            raise KeyboardInterrupt
        self.measured.append(len(photos))
        return super().biases(photos)


def watched(interrupted_at: int | None = None) -> Watched:
    common, absent, pictures = (
        random_unit(count, DIMENSION, seed) for count, seed in ((60, 11), (20, 12), (10, 13))
    )
    return Watched(common, absent, pictures, interrupted_at=interrupted_at)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "library")
    add_checkpoint(catalog, DIMENSION)
    yield catalog
    catalog.close()


def current(catalog: Catalog) -> CheckpointRecord:
    return catalog.checkpoints()[0]


def measure(catalog: Catalog, yardstick: Watched) -> list[int]:
    """Measure all biases, and return how many photos each call measured."""
    measure_biases(catalog, current(catalog), yardstick)
    return yardstick.measured


def check(catalog: Catalog) -> None:
    """Check that what is kept is what the yardstick makes of all photos at once."""
    yardstick = watched()
    ids, vectors = catalog.embeddings(current(catalog).id)
    photos = vectors.astype(np.float32)
    biases = yardstick.biases(photos)
    np.testing.assert_allclose(catalog.biases(current(catalog).id, ids), biases, atol=1e-6)
    kept = catalog.yardstick(current(catalog).id)
    assert kept is not None
    assert (kept.version, kept.generation) == (VERSION, current(catalog).generation)
    np.testing.assert_allclose(
        kept.absent_evidence, yardstick.absent_evidence(photos, biases).max(axis=1), atol=1e-6
    )
    np.testing.assert_array_equal(kept.pictures, yardstick.pictures.astype(np.float16))


def test_the_biases_of_all_photos_are_kept(catalog: Catalog) -> None:
    add_many(catalog, current(catalog).id, random_unit(600, DIMENSION))
    assert sum(measure(catalog, watched())) == 600
    check(catalog)


def test_photos_by_the_number_of_one_transaction(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "_CHUNKS", 1)
    add_many(catalog, current(catalog).id, random_unit(600, DIMENSION))
    assert measure(catalog, watched()) == [64] * 9 + [24]
    check(catalog)


def test_none_but_what_came_since_is_measured(catalog: Catalog) -> None:
    checkpoint_id = current(catalog).id
    ids = add_many(catalog, checkpoint_id, random_unit(300, DIMENSION, seed=1))
    measure(catalog, watched())
    assert measure(catalog, watched()) == []
    add_many(catalog, checkpoint_id, random_unit(20, DIMENSION, seed=2))
    with catalog.transaction() as transaction:
        again = EmbeddingRecord(random_unit(1, DIMENSION, seed=3)[0], "fp32", 1)
        transaction.add_embeddings(checkpoint_id, {ids[7]: again})
    assert sum(measure(catalog, watched())) == 21
    kept = catalog.yardstick(checkpoint_id)
    assert kept is not None
    assert kept.generation == current(catalog).generation == 3
    found = catalog.biases(checkpoint_id, np.array([ids[7]], np.int64))
    assert found == pytest.approx(
        watched().biases(again.vector[None].astype(np.float16).astype(np.float32)), abs=1e-6
    )


def test_later_photos_raise_the_evidence_for_absent_texts_and_never_lower_it(
    catalog: Catalog,
) -> None:
    checkpoint_id = current(catalog).id
    for seed, count in ((1, 300), (2, 5), (3, 300)):
        add_many(catalog, checkpoint_id, random_unit(count, DIMENSION, seed))
        measure(catalog, watched())
        check(catalog)


def test_photos_of_an_older_version_are_measured_anew(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_many(catalog, current(catalog).id, random_unit(300, DIMENSION))
    monkeypatch.setattr(measuring, "VERSION", VERSION - 1)
    measure(
        catalog,
        Watched(
            random_unit(60, DIMENSION, 21),
            random_unit(20, DIMENSION, 22),
            random_unit(10, DIMENSION, 23),
        ),
    )
    old = catalog.yardstick(current(catalog).id)
    assert old is not None
    assert old.version == VERSION - 1
    monkeypatch.undo()
    assert sum(measure(catalog, watched())) == 300
    check(catalog)


@pytest.mark.parametrize("at", [0, 300, 512])
def test_interrupted_it_begins_again_and_ends_the_same(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    monkeypatch.setattr(measuring, "_CHUNKS", 1)
    checkpoint_id = current(catalog).id
    add_many(catalog, checkpoint_id, random_unit(100, DIMENSION, seed=1))
    measure(catalog, watched())
    before = catalog.measured(checkpoint_id)
    ids = add_many(catalog, checkpoint_id, random_unit(700, DIMENSION, seed=2))
    with pytest.raises(KeyboardInterrupt):
        measure(catalog, watched(interrupted_at=at))
    assert catalog.measured(checkpoint_id) == before, "not measured to the end"
    known = catalog.biases(checkpoint_id, np.array(ids, np.int64))
    assert np.isnan(known).all(), "nothing is written while embeddings are read"
    assert sum(measure(catalog, watched())) == 700
    check(catalog)


def test_each_checkpoint_has_its_own(catalog: Catalog) -> None:
    first = current(catalog).id
    add_many(catalog, first, random_unit(10, DIMENSION, seed=1))
    second = add_checkpoint(catalog, DIMENSION, "another")
    measure(catalog, watched())
    assert catalog.measured(first) == (VERSION, 1, 10, 60)
    assert catalog.measured(second.id) is None
    assert np.isnan(catalog.biases(second.id, np.arange(1, 11))).all()
    assert catalog.yardstick(second.id) is None


def test_without_photos_there_is_no_evidence(catalog: Catalog) -> None:
    assert measure(catalog, watched()) == []
    kept = catalog.yardstick(current(catalog).id)
    assert kept is not None
    assert kept.absent_evidence.tolist() == [-1] * 20


def test_evidence_of_photos_that_went_is_forgotten(catalog: Catalog) -> None:
    checkpoint = current(catalog)
    ids = add_many(catalog, checkpoint.id, random_unit(300, DIMENSION))
    measure(catalog, watched())
    remove_photos(catalog, ids[:100])
    assert sum(measure(catalog, watched())) == 200, "all that are left"
    check(catalog)


def test_photos_embedded_again_are_measured_with_the_others(catalog: Catalog) -> None:
    checkpoint = current(catalog)
    ids = add_many(catalog, checkpoint.id, random_unit(100, DIMENSION))
    measure(catalog, watched())
    with catalog.transaction() as transaction:
        vectors = random_unit(50, DIMENSION, seed=5)
        transaction.add_embeddings(
            checkpoint.id,
            {
                id_: EmbeddingRecord(vector, "fp32", 1)
                for id_, vector in zip(ids, vectors, strict=False)
            },
        )
    measure(catalog, watched())
    check(catalog)


FIRST = YardstickStep(24, 8, 4)


def test_all_photos_are_measured_again_when_the_yardstick_has_grown(catalog: Catalog) -> None:
    checkpoint_id = current(catalog).id
    ids = np.array(add_many(catalog, checkpoint_id, random_unit(300, DIMENSION)), np.int64)
    first = watched().first(FIRST)
    measure_biases(catalog, current(catalog), first)
    kept = catalog.yardstick(checkpoint_id)
    assert kept is not None
    assert (kept.common_texts, len(kept.absent_evidence), len(kept.pictures)) == FIRST
    before = catalog.biases(checkpoint_id, ids)
    add_many(catalog, checkpoint_id, random_unit(20, DIMENSION, seed=2))
    assert sum(measure(catalog, watched())) == 320
    assert not np.isin(catalog.biases(checkpoint_id, ids), before).any()
    check(catalog)


def test_no_reader_finds_biases_of_two_steps(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another thread reads all the time while the biases are written in many statements."""
    monkeypatch.setattr(measuring, "_CHUNKS", 1)
    checkpoint_id = current(catalog).id
    ids = np.array(add_many(catalog, checkpoint_id, random_unit(2_000, DIMENSION)), np.int64)
    vectors = catalog.embeddings(checkpoint_id)[1].astype(np.float32)
    steps = [watched().first(FIRST), watched()]
    expected = [yardstick.biases(vectors).astype(np.float32) for yardstick in steps]
    measure_biases(catalog, current(catalog), steps[0])
    seen: list[Floats] = []
    done = threading.Event()

    def read() -> None:
        other = Catalog(tmp_path / "library")
        while not done.is_set():
            seen.append(other.biases(checkpoint_id, ids))
        seen.append(other.biases(checkpoint_id, ids))
        other.close()

    reader = threading.Thread(target=read)
    reader.start()
    measure_biases(catalog, current(catalog), steps[1])
    done.set()
    reader.join()
    for found in seen:
        assert any(np.allclose(found, step, atol=1e-6) for step in expected)
    np.testing.assert_allclose(seen[-1], expected[1], atol=1e-6)


def test_a_run_that_dies_while_it_writes_leaves_what_was_known(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint_id = current(catalog).id
    ids = np.array(add_many(catalog, checkpoint_id, random_unit(300, DIMENSION)), np.int64)
    measure_biases(catalog, current(catalog), watched().first(FIRST))
    before = catalog.biases(checkpoint_id, ids)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "put_yardstick", die)
        with pytest.raises(KeyboardInterrupt):
            measure_biases(catalog, current(catalog), watched())
    np.testing.assert_array_equal(catalog.biases(checkpoint_id, ids), before)
    known = catalog.measured(checkpoint_id)
    assert known is not None
    assert known.common_texts == FIRST.common
    assert sum(measure(catalog, watched())) == 300
    check(catalog)
