"""The fact is:duplicate: copies of files at any time, near duplicates once they were compared."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import sigseek
from sigseek.search.parse import parse
from sigseek.search.scope import selected
from sigseek.storage import Catalog, PhotoFacts, ReadFile
from sigseek.storage.records.photos import DateSource
from tests.photos import photograph
from tests.test_duplicates import SIZE, names, save

NOON, LATER = "2024-05-01T12:00:00", "2024-05-01T12:00:01"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, [1, 2]),
        ({"taken_at": NOON, "date_source": DateSource.EXIF_ORIGINAL}, [1, 2]),
        ({"taken_at": LATER, "date_source": DateSource.EXIF_ORIGINAL}, []),
        ({"taken_at": LATER, "date_source": DateSource.FILE_NAME}, [1, 2]),
        ({"taken_at": "2024-05-01", "date_source": DateSource.EXIF_ORIGINAL}, [1, 2]),
    ],
)
def test_a_pair_that_looks_like_one_shot(
    open_catalog: Callable[[], Catalog], said: dict[str, object], expected: list[int]
) -> None:
    catalog = open_catalog()
    photo = PhotoFacts(digest=b"", width=4, height=3, format="JPEG")
    first = replace(photo, taken_at=NOON, date_source=DateSource.EXIF_ORIGINAL)
    given = [first, replace(photo, **said), photo]  # type: ignore[arg-type]
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/photos"))
        digests = [hashlib.sha256(bytes([number])).digest() for number in range(3)]
        known = transaction.add_photos(
            [replace(one, digest=digest) for one, digest in zip(given, digests, strict=True)]
        )
        ids = [known[digest] for digest in digests]
        transaction.put_files(folder.id, [ReadFile(f"{id_}.jpg", id_, 1, 1) for id_ in ids])
        transaction.put_near_pairs(ids, [(ids[1], ids[0])], 1)
    asked = parse("is:duplicate")
    assert selected(asked, catalog).tolist() == sorted(ids[place - 1] for place in expected)
    with catalog.transaction() as transaction:
        transaction.mark_missing(folder.id, [f"{ids[0]}.jpg"])
    assert selected(asked, catalog).tolist() == [], "only one of the pair is there"


def shown(hit: sigseek.Hit) -> str:
    """Return the name of a photo's file, whichever of its copies it is."""
    return Path(hit.path).stem.removesuffix(" copy")


def test_copies_and_near_duplicates(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for seed in range(3):
        save(folder / f"{seed}.jpg", photograph(seed, SIZE))
    save(folder / "0 small.jpg", photograph(0, SIZE).resize((240, 180)))
    shutil.copy(folder / "2.jpg", folder / "2 copy.jpg")
    with sigseek.open(tmp_path / "library", model="mini", precision="fp32") as library:
        library.index(folder)
        found = library.search("is:duplicate")
        assert [shown(hit) for hit in found] == ["2"]
        (note,) = found.notes
        assert str(note) == (
            "4 photos were not compared with others yet, so is:duplicate knows only copies of "
            "them; to compare: library.duplicates()"
        )
        groups = library.duplicates(kinds=["near"])
        assert names(groups) == {frozenset({"0.jpg", "0 small.jpg"})}
        found = library.search("is:duplicate")
        assert {shown(hit) for hit in found} == {"0", "0 small", "2"}
        assert found.notes == ()
        library.not_duplicates([folder / "0.jpg", folder / "0 small.jpg"])
        assert [shown(hit) for hit in library.search("is:duplicate")] == ["2"]
        (folder / "2 copy.jpg").unlink()
        library.index()
        assert len(library.search("is:duplicate")) == 0
        assert len(library.search("NOT is:duplicate")) == 4
