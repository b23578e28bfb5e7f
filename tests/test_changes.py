"""Whatever is done to two folders between two runs, the library then says what is there, and
keeps what is not.
"""

import os
import shutil
import tempfile
import zlib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from sigseek.indexer import FolderError
from tests.photos import save, xmp
from tests.test_pipeline import Library

pytestmark = pytest.mark.both_databases

OTHER = "../other/"
_END_OF_PNG = 12  # bytes of its last chunk
ALL = [f"{directory}{name}.png" for directory in ("", "a/", "b/", "b/c/", OTHER) for name in "xyz"]
NAMES = st.sampled_from(ALL)
FILES = st.integers(0, len(ALL) - 1)
"""The number of one of the files that are there, counted round."""
CONTENTS = st.integers(0, 5)


class Changes(RuleBasedStateMachine):
    """Two folders of pictures, what lies in them by path relative to the first, and a library of
    them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.root = self.directory / "photos"
        for folder in (self.root, self.directory / "other"):
            folder.mkdir()
            (folder / "note.txt").write_text("so that the folder is never empty")
        self.library = Library(self.directory / "library")
        self.disk: dict[str, int] = {}
        self.known: dict[str, int] = {}
        """The files that the library should know as there, by path, and what they hold."""
        self.missing: dict[str, int] = {}
        self.stars: dict[str, int] = {}
        """What the sidecar of a name says, whether or not there is a file of that name."""
        self.time = 1_000_000_000
        self.embedding = {number: self.embed(number) for number in range(6)}
        for number, name in enumerate(ALL[::2]):
            self.write(name, number % 6)
        self.index()

    def embed(self, number: int) -> bytes:
        """Return the embedding that a picture gets."""
        from sigseek.indexer.decoding.decode import decode_photo
        from tests.test_pipeline import PREPROCESSING, embedding

        pixels = decode_photo(
            save(self.directory / f"{number}.png", seed=number), PREPROCESSING
        ).pixels
        return embedding(pixels[None])[0].astype("<f2").tobytes()

    def teardown(self) -> None:
        self.library.catalog.close()
        shutil.rmtree(self.directory)

    def write(self, name: str, content: int) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.directory / f"{content}.png", path)
        self.tick(path)
        self.disk[name] = content

    def tick(self, path: Path) -> None:
        """Set a time of change that no other file has."""
        self.time += 1
        os.utime(path, (self.time, self.time))

    def file(self, number: int) -> str:
        there = sorted(self.disk)
        return there[number % len(there)]

    @rule(name=NAMES, content=CONTENTS)
    def create_or_edit(self, name: str, content: int) -> None:
        self.write(name, content)

    @precondition(lambda self: self.disk)
    @rule(source=FILES, to=NAMES)
    def move(self, source: int, to: str) -> None:
        name = self.file(source)
        (self.root / to).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).rename(self.root / to)
        self.disk[to] = self.disk.pop(name)

    @precondition(lambda self: self.disk)
    @rule(source=FILES, to=NAMES)
    def copy(self, source: int, to: str) -> None:
        self.write(to, self.disk[self.file(source)])

    @precondition(lambda self: self.disk)
    @rule(one=FILES, other=FILES)
    def swap(self, one: int, other: int) -> None:
        first, second = self.file(one), self.file(other)
        if first != second:
            aside = self.root / "aside"
            (self.root / first).rename(aside)
            (self.root / second).rename(self.root / first)
            aside.rename(self.root / second)
            self.disk[first], self.disk[second] = self.disk[second], self.disk[first]

    @precondition(lambda self: self.disk)
    @rule(number=FILES)
    def delete(self, number: int) -> None:
        name = self.file(number)
        (self.root / name).unlink()
        del self.disk[name]

    @precondition(lambda self: self.disk)
    @rule(number=FILES)
    def touch(self, number: int) -> None:
        self.tick(self.root / self.file(number))

    @precondition(lambda self: self.disk)
    @rule(number=FILES, words=st.binary(min_size=1, max_size=3), keep_time=st.booleans())
    def describe(self, number: int, words: bytes, keep_time: bool) -> None:
        """Have a program write words into a file and leave the picture alone."""
        path = self.root / self.file(number)
        content, status = path.read_bytes(), path.stat()
        text = b"tEXtComment\0" + words
        chunk = (len(text) - 4).to_bytes(4) + text + zlib.crc32(text).to_bytes(4)
        path.write_bytes(content[:-_END_OF_PNG] + chunk + content[-_END_OF_PNG:])
        if keep_time:
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        else:
            self.tick(path)

    @rule(name=NAMES, stars=st.integers(1, 5))
    def rate(self, name: str, stars: int) -> None:
        """Have a program write a sidecar, perhaps before the photo is there."""
        path = self.root / f"{name}.xmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(xmp("", f'xmp:Rating="{stars}"'))
        self.tick(path)
        self.stars[name] = stars

    @precondition(lambda self: self.stars)
    @rule(number=FILES)
    def remove_sidecar(self, number: int) -> None:
        name = sorted(self.stars)[number % len(self.stars)]
        (self.root / f"{name}.xmp").unlink()
        del self.stars[name]

    @rule(source=st.sampled_from(["a", "b", "b/c"]), to=st.sampled_from(["a", "b", "b/c"]))
    def rename_directory(self, source: str, to: str) -> None:
        inside_itself = f"{to}/".startswith(f"{source}/")
        if (
            inside_itself
            or not (self.root / source).is_dir()
            or (self.root / to).exists()
            or not (self.root / to).parent.is_dir()
        ):
            return
        (self.root / source).rename(self.root / to)
        for name in [name for name in self.disk if name.startswith(f"{source}/")]:
            self.disk[to + name.removeprefix(source)] = self.disk.pop(name)
        for name in [name for name in self.stars if name.startswith(f"{source}/")]:
            self.stars[to + name.removeprefix(source)] = self.stars.pop(name)

    @rule(emptied=st.booleans())
    def index_unmounted(self, emptied: bool) -> None:
        """Run while the drive of one folder is unplugged, which changes nothing of it."""
        if in_folder(OTHER, self.disk) != in_folder(OTHER, self.known):
            return
        away = self.directory / "away"
        self.root.rename(away)
        if emptied:
            self.root.mkdir()
        report = self.library.index()
        assert report.offline == len(in_folder("", self.known | self.missing))
        if emptied:
            self.root.rmdir()
        away.rename(self.root)
        self.check()

    @rule()
    def relocate(self) -> None:
        """Rename the whole of one folder, and tell the library."""
        new = self.directory / ("photos" if self.root.name == "renamed" else "renamed")
        self.root.rename(new)
        with self.library.catalog.transaction() as transaction:
            assert transaction.relocate(self.root, new) == len(
                in_folder("", self.known | self.missing)
            )
        self.root = new
        self.check()

    @rule()
    def prune(self) -> None:
        """Forget everything that is missing."""
        with self.library.catalog.transaction() as transaction:
            for folder in self.library.catalog.folders():
                before = self.before(folder.path)
                paths = [name.removeprefix(before) for name in in_folder(before, self.missing)]
                transaction.remove_files(folder.id, paths)
            transaction.remove_photos_without_files()
        self.missing = {}
        self.check()

    @rule()
    def index(self) -> None:
        rows = self.known | self.missing
        lost = {name: content for name, content in self.known.items() if name not in self.disk}
        halves = [
            (len(in_folder(before, lost)), len(in_folder(before, self.known)) / 2)
            for before in ("", OTHER)
        ]
        folders = (self.root, self.directory / "other")
        new = [name for name in self.disk if name not in rows]
        held = set(rows.values())
        try:
            report = self.library.index(*folders)
        except FolderError:
            assert any(gone > half for gone, half in halves)
            self.check()
            report = self.library.index(*folders, accept_missing=True)
        else:
            assert all(gone - len(new) <= half for gone, half in halves)
        assert report.failed == 0
        assert self.library.tower.embedded == len(set(self.disk.values()) - held), (
            "no content that is known is embedded again"
        )
        gone = Counter(content for name, content in rows.items() if name not in self.disk)
        claimed = Counter(self.disk[name] for name in new)
        self.known = dict(self.disk)
        self.missing = {
            name: content for name, content in rows.items() if name in self.library_missing()
        }
        assert Counter(self.missing.values()) == gone - claimed, (
            "a missing file goes only when a new one takes its place"
        )
        assert report.missing == len(self.missing)
        assert report.moved == (gone & claimed).total()
        self.check()
        self.check_ratings()

    def check_ratings(self) -> None:
        """Check that a photo has the rating of the sidecar of one of its files, or none. Of photos
        with a missing file, what that file said may be kept.
        """
        catalog = self.library.catalog
        ids = catalog.embeddings(self.library.checkpoint.id)[0].tolist()
        rated = {
            path: photo.rating for photo in catalog.photos(ids).values() for path in photo.paths
        }
        for name, content in self.disk.items():
            copies = [other for other, held in self.disk.items() if held == content]
            stars = {self.stars[other] for other in copies if other in self.stars}
            if content not in self.missing.values():
                found = rated[os.path.normpath(self.root / name)]
                assert found in (stars or {None}), name

    def library_missing(self) -> set[str]:
        catalog, checkpoint = self.library.catalog, self.library.checkpoint
        return {
            self.before(folder.path) + row.path
            for folder in catalog.folders()
            for row in catalog.files(folder.id, checkpoint.id)
            if row.missing
        }

    def before(self, folder: str) -> str:
        """Return what the names of the folder's files begin with here."""
        return "" if folder == str(self.root) else OTHER

    def check(self) -> None:
        """Check that the library says what the model says."""
        rows = self.known | self.missing
        assert self.library_missing() == set(self.missing)
        expected = {
            os.path.normpath(self.root / name): self.embedding[content]
            for name, content in rows.items()
        }
        assert self.library.contents() == expected
        (checkpoint,) = self.library.catalog.checkpoints()
        assert checkpoint.embeddings == len(set(rows.values()))


def in_folder(before: str, files: dict[str, int]) -> dict[str, int]:
    """Return the files that lie in the folder and whose names begin so."""
    return {
        name: content
        for name, content in files.items()
        if name.startswith(OTHER) == (before == OTHER)
    }


@pytest.mark.parametrize("examples", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_any_sequence_of_changes(examples: int) -> None:
    run_state_machine_as_test(
        Changes, settings=settings(max_examples=examples, stateful_step_count=40, deadline=None)
    )
