"""Indexers of several folders at once, as several machines run them over one database: what they
write into the catalog, in the order in which `sigseek.indexer.folder_changes` writes it.
"""

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sigseek.storage import Catalog, EmbeddingRecord, PhotoFacts, PhotoMetadata, ReadFile
from sigseek.storage.catalog.postgresql import PostgreSqlDialect
from sigseek.storage.catalog.transaction import Transaction
from sigseek.storage.records.hashes import HashRecord, SketchRecord
from tests.catalogs import add_checkpoint, execute, random_unit
from tests.postgresql import Server

WRITERS = 4
COMMON = 12
ROUNDS = 15


@pytest.fixture
def catalogs(postgresql_server: Server) -> Iterator[list[Catalog]]:
    """A catalog for each writer, all of one database."""
    url = postgresql_server.database()
    catalogs = [Catalog(PostgreSqlDialect(url)) for _ in range(WRITERS)]
    yield catalogs
    for catalog in catalogs:
        catalog.close()
    postgresql_server.drop(url)


def facts(name: str) -> PhotoFacts:
    """Return what is known of the photo of this name. Photos share keywords and people."""
    return PhotoFacts(
        hashlib.sha256(name.encode()).digest(),
        40,
        30,
        "JPEG",
        keywords=(f"keyword {name[-1]}", name),
        people=(f"person {name[-1]}",),
        facts_version=1,
    )


def take_in(catalog: Catalog, folder: Path, names: list[str], checkpoint: int) -> None:
    """Write a batch: some photos that are known, and new ones with their embeddings."""
    photos = {name: facts(name) for name in names}
    vectors = random_unit(len(names), 8)

    def write(transaction: Transaction) -> None:
        place, _ = transaction.add_folder(folder)
        known = transaction.find_photos(photo.digest for photo in photos.values())
        new = [photo for photo in photos.values() if photo.digest not in known]
        ids = known | transaction.add_photos(new)
        transaction.put_files(
            place.id,
            [
                ReadFile(f"{name}.jpg", ids[photo.digest], 1, 1, 1, photo.digest)
                for name, photo in photos.items()
            ],
        )
        transaction.add_embeddings(
            checkpoint,
            {
                ids[photo.digest]: EmbeddingRecord(vector, "fp32", 1)
                for photo, vector in zip(photos.values(), vectors, strict=True)
            },
        )

    catalog.commit(write)


def forget(catalog: Catalog, folder: Path, names: list[str]) -> None:
    with catalog.transaction() as transaction:
        place, _ = transaction.add_folder(folder)
        transaction.remove_files(place.id, [f"{name}.jpg" for name in names])
        transaction.remove_photos_without_files()


def read_metadata_again(catalog: Catalog, checkpoint: int, random: Random) -> None:
    """Write what the files of some photos say; others may have removed the photos meanwhile."""
    ids = catalog.embedded_ids(checkpoint).tolist()
    found = catalog.photos(random.sample(ids, min(8, len(ids))))
    metadata = {id_: facts(Path(photo.paths[0]).stem) for id_, photo in found.items()}
    catalog.commit(lambda transaction: transaction.put_metadata(metadata))
    plain = HashRecord(SketchRecord(b"webp", bytes(32), bytes(32), 0))
    catalog.commit(lambda transaction: transaction.put_hashes(dict.fromkeys(found, plain), 1))


def test_writers_of_folders_with_common_photos_lose_nothing(catalogs: list[Catalog]) -> None:
    checkpoint = add_checkpoint(catalogs[0], 8).id
    folders = [Path(f"/photos/{number}") for number in range(WRITERS)]
    for folder in folders:
        with catalogs[0].transaction() as transaction:
            transaction.add_folder(folder)

    def work(number: int) -> set[str]:
        """Take in and forget at random, and return what is in the folder in the end."""
        random, held = Random(number), set()
        own = [f"own {number} {seed}" for seed in range(6)]
        for _ in range(ROUNDS):
            every = [f"common {seed}" for seed in range(COMMON)] + own
            names = random.sample(every, 8)
            take_in(catalogs[number], folders[number], names, checkpoint)
            held |= set(names)
            gone = random.sample(sorted(held), len(held) // 2)
            forget(catalogs[number], folders[number], gone)
            held -= set(gone)
            read_metadata_again(catalogs[number], checkpoint, random)
        return held

    with ThreadPoolExecutor(WRITERS) as pool:
        held = list(pool.map(work, range(WRITERS)))
    catalog = catalogs[0]
    with catalog.transaction() as transaction:  # those that a writer was about to use
        transaction.remove_photos_without_files()
    expected = sorted((number, f"{name}.jpg") for number in range(WRITERS) for name in held[number])
    files = execute(
        catalog,
        "SELECT folder.path AS folder, file.path, file.digest = photo.digest FROM file "
        "JOIN folder ON folder.id = folder_id JOIN photo ON photo.id = photo_id",
    )
    found = [(int(bytes(folder)[-1:]), bytes(path).decode()) for folder, path, _ in files]
    assert sorted(found) == expected
    assert all(same for _, _, same in files), "each file holds its own photo"
    names = set().union(*held)
    photos = catalog.photos(catalog.embedded_ids(checkpoint).tolist())
    assert len(photos) == len(names), "one photo each, embedded"
    assert execute(catalog, "SELECT embeddings FROM checkpoint") == [(len(names),)]
    words = {Path(photo.paths[0]).stem: set(photo.keywords) for photo in photos.values()}
    assert words == {name: set(facts(name).keywords) for name in names}
    kept = execute(catalog, "SELECT name FROM keyword ORDER BY name")
    assert {name for (name,) in kept} == {word for name in names for word in facts(name).keywords}


def test_a_photo_that_was_added_and_removed_meanwhile_makes_no_writers_wait_for_each_other(
    catalogs: list[Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sorted((facts("one"), facts("other")), key=lambda photo: photo.digest)
    mine, others, remover, _ = catalogs
    dialect = mine._dialect
    add, calls = dialect.add, 0

    def add_both() -> dict[bytes, int]:
        with others.transaction() as transaction:
            return transaction.add_photos([first, second])

    def add_late(*values: Any) -> Sequence[Any]:
        """Let others add the first photo before this writer does, and remove it before it sees it.
        Then let them wait for the second one.
        """
        nonlocal calls, waiting
        calls += 1
        if calls > 1:
            return add(*values)
        with others.transaction() as transaction:
            transaction.add_photos([first])
        added = add(*values)
        with remover.transaction() as transaction:
            assert transaction.remove_photos_without_files() == 1
        waiting = pool.submit(add_both)
        blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while execute(remover, blocked) == [(0,)]:
            time.sleep(0.01)
        return added

    waiting: Future[dict[bytes, int]]
    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(dialect, "add", add_late)
        with mine.transaction() as transaction:
            added = transaction.add_photos([first, second])
        assert added == waiting.result(30)
    assert set(added) == {first.digest, second.digest}


def test_a_change_gets_its_revision_when_it_can_be_seen(catalogs: list[Catalog]) -> None:
    """The first writer to change a photo is the last one that is done."""
    first, second, reader, _ = catalogs
    with first.transaction() as transaction:
        ids = list(transaction.add_photos([facts("a"), facts("b")]).values())
    before = dict.fromkeys(ids, "1999")
    with first.transaction() as transaction:
        transaction.put_metadata({id_: PhotoMetadata(taken_at=at) for id_, at in before.items()})
    with first.transaction() as slow:
        slow.put_metadata({ids[0]: PhotoMetadata(taken_at="2001")})
        with second.transaction() as quick:
            quick.put_metadata({ids[1]: PhotoMetadata(taken_at="2002")})
        assert reader.order_revision().number == 2
        seen = reader.dates(ids)
    assert reader.order_revision().number == 3
    assert reader.dates(ids, 1) == before
    assert reader.dates(ids, 2) == seen == {ids[0]: "1999", ids[1]: "2002"}
    assert reader.dates(ids) == {ids[0]: "2001", ids[1]: "2002"}


def wait_until_blocked(catalog: Catalog) -> None:
    while execute(catalog, "SELECT count(*) FROM pg_locks WHERE NOT granted") == [(0,)]:
        time.sleep(0.01)


def test_two_writers_that_have_waited_for_each_other_both_go_on(catalogs: list[Catalog]) -> None:
    folders = [Path("/photos/a"), Path("/photos/b")]
    with catalogs[0].transaction() as transaction:
        ids = [transaction.add_folder(folder)[0].id for folder in folders]
    both = threading.Barrier(2)

    def finish_in_turn(catalog: Catalog, first: int, second: int) -> int:
        tries = 0

        def finish(transaction: Transaction) -> int:
            nonlocal tries
            tries += 1
            transaction.finish_folder(first)
            if tries == 1:
                both.wait(60)
            transaction.finish_folder(second)
            return tries

        return catalog.commit(finish)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(finish_in_turn, catalogs[0], *ids)
        other = pool.submit(finish_in_turn, catalogs[1], *reversed(ids))
        assert one.result(60) + other.result(60) > 2, "one of them was tried again"


def test_metadata_that_were_read_before_a_photo_got_another_file_are_not_kept(
    catalogs: list[Catalog],
) -> None:
    """Another run adds a copy in its folder after this one has looked up the photo's files, and
    before or while this one writes.
    """
    mine, others = catalogs[:2]
    checkpoint = add_checkpoint(mine, 8).id
    for name in ("before", "while"):
        take_in(mine, Path(f"/photos/mine {name}"), [name], checkpoint)
    ids = mine.embedded_ids(checkpoint).tolist()
    execute(mine, "UPDATE photo SET facts_version = 0")
    read = mine.present_files(ids)
    with mine.transaction() as transaction:
        assert transaction.with_files(read) == set(ids)
    take_in(others, Path("/photos/others"), ["before"], checkpoint)

    def changed() -> set[int]:
        with mine.transaction() as transaction:
            return set(ids) - transaction.with_files(read)

    (of_while,) = (id_ for id_, files in read.items() if "while" in files[0].path)
    assert changed() == set(ids) - {of_while}
    with ThreadPoolExecutor(1) as pool:
        with others.transaction() as transaction:
            place, _ = transaction.add_folder(Path("/photos/others"))
            digest = facts("while").digest
            transaction.put_files(
                place.id, [ReadFile("while.jpg", of_while, 1, 1, 1, digest, gave_facts=False)]
            )
            found = pool.submit(changed)
            wait_until_blocked(catalogs[2])
        assert found.result(60) == set(ids)
        with mine.transaction() as transaction:
            assert transaction.with_files(mine.present_files([of_while])) == {of_while}
            transaction.put_metadata({of_while: PhotoMetadata(facts_version=7)})
            copied = pool.submit(take_in, others, Path("/photos/third"), ["while"], checkpoint)
            wait_until_blocked(catalogs[2])
        copied.result(60)
    stale = execute(mine, "SELECT id FROM photo WHERE facts_version = 0")
    assert (of_while,) in stale, "it has another file than those that were read"


def test_two_runs_that_begin_at_once_have_one_checkpoint_and_keep_both_patterns(
    catalogs: list[Catalog],
) -> None:
    first, second, reader, _ = catalogs
    assert add_checkpoint(first, 8) == add_checkpoint(second, 8)

    def leave_out(catalog: Catalog, pattern: str) -> None:
        with catalog.transaction() as transaction:
            transaction.name_checkpoint((pattern, "p"))
            folder, _ = transaction.add_folder(Path("/photos"))
            kept = transaction.lock_excluded(folder.id)
            transaction.put_excluded(folder.id, [*kept, pattern])

    leave_out(first, "a")
    with ThreadPoolExecutor(1) as pool:
        with first.transaction() as transaction:
            transaction.name_checkpoint(("b", "p"))
            waiting = pool.submit(leave_out, second, "c")
            wait_until_blocked(reader)
            (folder,) = reader.folders()
            transaction.put_excluded(folder.id, [*transaction.lock_excluded(folder.id), "b"])
        waiting.result(60)
    assert reader.folders()[0].excluded == ("a", "b", "c")
    assert [name for name, _ in reader.named_checkpoints()] == ["c", "b", "a"]
