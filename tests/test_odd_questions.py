"""Questions that no one should ask, and libraries that hardly anything can be asked of, through the
installed program.
"""

import json
import shutil
from pathlib import Path

import pytest

import sigseek
from tests.conftest import Run
from tests.databases import Databases

pytestmark = pytest.mark.both_databases(milvus=True)

FEW = 'with only {}, "match" and "no match" are less reliable'


@pytest.mark.parametrize(("count", "photos"), [(1, "1 photo"), (2, "2 photos"), (10, "10 photos")])
def test_libraries_of_a_few_photos(
    tmp_path: Path, drawn: Path, run: Run, count: int, photos: str
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for photo in sorted(drawn.glob("*.jpg"))[:count]:
        shutil.copy(photo, folder)
    where = ("--library", tmp_path / "library")
    run("index", folder, "--model", "mini", *where)
    itself, other = folder / "scene-00000.jpg", drawn / "scene-00030.jpg"
    with sigseek.open(tmp_path / "library") as library:
        for query in ("at night", "NOT at night", "at night OR a house", f"photo:{other}"):
            found = library.search(query, include_all=True)
            numbers = [hit.probability for hit in found]
            assert len(numbers) == count
            assert numbers == sorted(numbers, reverse=True)
            assert FEW.format(photos) in map(str, found.notes)
        assert len(library.search(f"photo:{itself}", include_all=True)) == count - 1
    assert f"note: {FEW.format(photos)}\n" in run("search", "at night", *where, "--all").stderr
    nothing = run("search", "sdfsdflksdfj", *where)
    assert nothing.stdout.startswith("No photo matches; the closest is ")
    assert f"; {photos} searched" in nothing.stderr
    alone = "Why: there is no other photo; --self lists the photo itself"
    told = run("search", f"photo:{itself}", *where)
    assert (alone in told.stderr) is (count == 1)


def test_one_photo_alone_is_not_called_like_another_one(
    tmp_path: Path, drawn: Path, run: Run
) -> None:
    (tmp_path / "photos").mkdir()
    shutil.copy(drawn / "scene-00000.jpg", tmp_path / "photos")
    where = ("--library", tmp_path / "library")
    run("index", tmp_path / "photos", "--model", "mini", *where)
    done = run("search", f"photo:{drawn / 'scene-00001.jpg'}", *where)
    assert done.stdout == "No photo clearly matches; 1 may (--all)\n"
    alone = run("similar", tmp_path / "photos" / "scene-00000.jpg", *where)
    assert alone.stderr.endswith("nothing found: the library has no other photo\n")


def test_three_hundred_terms(mini_library: Path, run: Run) -> None:
    where = ("--library", mini_library)
    words = [f"thing {number}" for number in range(300)]
    found = run("search", " OR ".join(["at night", *words]), *where, "--json", "--explain")
    hit = json.loads(found.stdout.splitlines()[0])
    assert list(hit["terms"]) == ["at night", *words]
    nothing = run("search", " AND ".join(["at night", *words]), *where)
    (why,) = [line for line in nothing.stderr.splitlines() if line.startswith("Why: ")]
    assert " more (certainty " in why
    assert len(why) < 250


def test_only_tags(
    mini_library: Path, drawn: Path, tmp_path: Path, run: Run, databases: Databases
) -> None:
    library = databases.copy(mini_library, tmp_path / "library")
    where = ("--library", library)
    photos = sorted(drawn.glob("*.jpg"))[:3]
    run("tag", "--add", "some", *photos, *where)
    run("tag", "--label", "none = sdfsdflksdfj", *where)
    done = run("search", "tag:some NOT tag:none", *where, "--json")
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr == "3 photos match\n", "tags are certain in a library of any size"
    for query in ("tag:none", "tag:none AND a house"):
        told = run("search", query, *where, "--all").stdout
        assert told == 'No photo in the selection: tag:"none"\n'
    told = run("search", "tag:none AND tag:some", *where, "--all").stdout
    assert told == 'No photo in the selection: tag:"none" AND tag:"some"\n'
