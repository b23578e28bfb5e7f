"""Answers that the catalog keeps: no change of the catalog may leave an old one."""

import hashlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from sigseek.search.parse import parse
from sigseek.search.scope import selected
from sigseek.storage import Catalog, PhotoFacts, ReadFile
from sigseek.storage.catalog.reading import kept
from sigseek.storage.catalog.reading.kept import KeptAnswers
from sigseek.storage.catalog.sqlite import SqliteDialect
from sigseek.storage.catalog.tables import PHOTO
from sigseek.storage.selection import Every, Except, Numbered

FOUR_STARS = Numbered("rating", 4, None)


def add(catalog: Catalog, name: str, *, camera: str = "Canon EOS 7D", rating: int = 4) -> int:
    digest = hashlib.sha256(name.encode()).digest()
    facts = PhotoFacts(
        digest=digest, width=4, height=3, format="JPEG", camera=camera, rating=rating
    )
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/photos"))
        id_ = transaction.add_photos([facts])[digest]
        transaction.put_files(folder.id, [ReadFile(f"{name}/a.jpg", id_, 1, 1)])
    return id_


def test_whoever_changes_the_catalog_the_answers_are_new(
    open_catalog: Callable[[], Catalog],
) -> None:
    catalog, other = open_catalog(), open_catalog()
    first = add(catalog, "a")
    assert catalog.selected(FOUR_STARS).tolist() == [first]
    assert catalog.names("camera") == ("Canon EOS 7D",)
    assert catalog.directories_called(Path("b")) == ([], [])
    second = add(other, "b", camera="D90")
    assert catalog.selected(FOUR_STARS).tolist() == [first, second]
    assert set(catalog.names("camera")) == {"Canon EOS 7D", "D90"}
    assert catalog.directories_called(Path("b")) == (["/photos/b"], [])
    with catalog.transaction() as transaction:
        transaction.put_hand_tag("seen", [second], given=True)
    assert selected(parse("is:tagged"), catalog).tolist() == [second]
    with catalog.transaction() as transaction:
        transaction.remove_tag("seen")
    assert selected(parse("is:tagged"), catalog).tolist() == []


def test_a_moment_has_its_own_answers(open_catalog: Callable[[], Catalog]) -> None:
    catalog, other = open_catalog(), open_catalog()
    first = add(catalog, "a")
    with catalog.snapshot() as moment:
        assert moment.selected(FOUR_STARS).tolist() == [first]
        second = add(other, "b")
        assert catalog.selected(FOUR_STARS).tolist() == [first, second]
        assert moment.selected(FOUR_STARS).tolist() == [first]


def test_a_thread_in_a_moment_gets_no_newer_answers(open_catalog: Callable[[], Catalog]) -> None:
    catalog, other = open_catalog(), open_catalog()
    first = add(catalog, "a")
    kept_before = catalog.selected(FOUR_STARS)
    with catalog.moment(), ThreadPoolExecutor(1) as pool:
        assert catalog.selected(FOUR_STARS).tolist() == kept_before.tolist() == [first]
        second = add(other, "b")
        assert catalog.names("camera") == ("Canon EOS 7D",)
        for _ in range(2):
            assert catalog.selected(FOUR_STARS).tolist() == [first]
            found = pool.submit(catalog.selected, FOUR_STARS).result()
            assert found.tolist() == [first, second], "other threads see what is there now"
    assert catalog.selected(FOUR_STARS).tolist() == [first, second]


def test_every_photo_is_known_even_if_some_were_removed(
    open_catalog: Callable[[], Catalog],
) -> None:
    catalog = open_catalog()
    by_name = {name: add(catalog, name) for name in "abcd"}
    ids = list(by_name.values())
    everything = Every(())
    assert catalog.selected(everything).tolist() == ids
    for removed in "bd":
        with catalog.transaction() as transaction:
            folder, _ = transaction.add_folder(Path("/photos"))
            transaction.remove_files(folder.id, [f"{removed}/a.jpg"])
            transaction.remove_photos_without_files()
        ids.remove(by_name[removed])
        assert catalog.selected(everything).tolist() == ids
        assert catalog.selected(Except(Numbered("rating", None, 3))).tolist() == ids


def test_the_same_answer_is_given_again_and_cannot_be_changed(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    add(catalog, "a")
    answer = catalog.selected(FOUR_STARS)
    assert catalog.selected(FOUR_STARS) is answer
    with pytest.raises(ValueError, match="read-only"):
        answer[0] = 7
    catalog.close()


def test_few_answers_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_MOST_VALUES", 10)
    catalog = Catalog(tmp_path)
    answers = KeptAnswers(catalog._dialect)
    asked: list[str] = []

    def ask(question: str, values: int) -> None:
        def answer() -> tuple[int, ...]:
            asked.append(question)
            return (0,) * values

        assert len(answers.get(question, answer)) == values

    for question, values in (("a", 4), ("b", 4), ("a", 4), ("c", 4), ("a", 4), ("b", 4)):
        ask(question, values)
    assert asked == ["a", "b", "c", "b"], "the answer that was not asked for longest is left out"
    ask("more than all", 11)
    ask("more than all", 11)
    assert asked[4:] == ["more than all", "more than all"]
    catalog.close()


def test_ids_that_are_too_many_for_one_text(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    ids = [add(catalog, str(number)) for number in range(40)]
    dialect = catalog._dialect
    assert isinstance(dialect, SqliteDialect)
    with dialect.readers.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        statement = select(PHOTO.c.id)
        whole = list(dialect.fetch_ids(connection, statement))
        driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100)
        parts = list(dialect.fetch_ids(connection, statement))
        assert list(dialect.fetch_ids(connection, statement.where(PHOTO.c.id < 0))) == []
        connection.detach()
    assert sorted(np.concatenate(parts).tolist()) == ids
    assert [part.dtype for part in (*whole, *parts)] == [np.int64] * (len(whole) + len(parts))
    assert sorted(whole[0].tolist()) == ids
    catalog.close()
