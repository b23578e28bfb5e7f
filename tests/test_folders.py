"""The folders of a library as users name them, and those that must not be indexed by accident."""

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

import sigseek
from sigseek.operations import system_folders
from sigseek.operations.system_folders import SystemFolderError, is_system_folder
from sigseek.storage.catalog.paths import patterns_below, patterns_inside
from tests.conftest import Run
from tests.listeners import Heard
from tests.photos import save

pytestmark = pytest.mark.both_databases


@pytest.mark.parametrize(
    "path",
    [
        *(PurePosixPath(path) for path in ("/", "/home", "/usr", "/mnt", "/System", "/Users")),
        *(PureWindowsPath(path) for path in ("C:\\", "c:/", "C:\\Users", "C:\\Program Files")),
    ],
)
def test_roots_of_a_system(path: PurePath) -> None:
    assert is_system_folder(path, "C:")


@pytest.mark.parametrize(
    "path",
    [
        *(
            PurePosixPath(path)
            for path in ("/home/ada", "/photos", "/mnt/photos", "/usr2", "/root")
        ),
        *(PureWindowsPath(path) for path in ("D:\\", "C:\\Users\\Ada", "D:\\Users", "C:\\Photos")),
        PureWindowsPath("\\\\server\\share"),
    ],
)
def test_other_folders(path: PurePath) -> None:
    assert not is_system_folder(path, "C:")


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a photo that is taken for one of the system."""
    save(tmp_path / "system" / "a.png", seed=1)
    monkeypatch.setattr(system_folders, "_SYSTEM_FOLDERS", {str(tmp_path / "system")})
    return tmp_path / "system"


def test_a_folder_of_the_system_is_indexed_only_on_request(system: Path, tmp_path: Path) -> None:
    with sigseek.open(tmp_path / "library", model="mini") as library:
        said = (
            rf"^{system} holds a system, everybody's files or all disks, and not photos alone; "
            r"name the folders that your photos are in; or, for all of it: "
            r"accept_system_folder=True$"
        )
        with pytest.raises(SystemFolderError, match=said):
            library.index(system)
        assert not (tmp_path / "library").exists()
        with pytest.raises(sigseek.FolderError, match=r"library\.index\('.*system', accept_sys"):
            library.watch(system)
        assert library.index(system, accept_system_folder=True).added == 1
        assert library.index(system).unchanged == 1, "it was accepted before"


def test_the_command_line_names_the_option(tmp_path: Path, run: Run) -> None:
    done = run("index", "/", "--model", "mini", "--library", tmp_path / "library", check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "error: / holds a system, everybody's files or all disks, and not photos alone; name the "
        "folders that your photos are in; or, for all of it: --yes\n"
    )


def test_a_terminal_asks_about_a_folder_of_the_system(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, b"n\n")
    done = subprocess.run(
        [Path(sys.executable).parent / "sigseek", "index", "/", "--model", "mini"],
        stdin=theirs,
        capture_output=True,
        text=True,
        env=os.environ | {"SIGSEEK_LIBRARY": str(tmp_path / "library")},
        timeout=300,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 1
    assert "and not photos alone. Index it? [y/N]" in done.stderr
    assert "nothing was changed" in done.stderr
    assert not (tmp_path / "library").exists()


def test_forgetting_a_directory_that_is_there_says_what_to_do_before_it_asks(
    tmp_path: Path, run: Run
) -> None:
    save(tmp_path / "photos" / "sub" / "a.png", seed=1)
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(tmp_path / "photos")
        with pytest.raises(sigseek.FolderError, match="to leave it out from now on: "):
            library.forgettable_files(tmp_path / "photos" / "sub")
        assert library.forgettable_files(tmp_path / "photos") == 1
    where = ("--library", tmp_path / "library")
    done = run("forget", tmp_path / "photos" / "sub", *where, check=False)
    assert done.stderr == (
        f"error: {tmp_path}/photos/sub is inside {tmp_path}/photos, and the next indexing would "
        f"find it again; to leave it out from now on: sigseek index --library {tmp_path}/library "
        f"{tmp_path}/photos --exclude /sub/\n"
    )
    run("index", tmp_path / "photos", "--exclude", "/sub/", "--yes", *where)
    assert "0 files present" in run("status", *where).stdout, "the advice does what it says"
    run("index", tmp_path / "photos", "--include", "/sub/", *where)
    done = run("forget", tmp_path / "photos", *where, check=False)
    assert done.stderr == (
        f"error: the library would forget 1 file in {tmp_path}/photos (no photo file is deleted), "
        "and there is no terminal to ask on; go on with --yes\n"
    )


def test_an_offline_folder_below_a_new_one_is_relocated_before_it_is_forgotten(
    tmp_path: Path,
) -> None:
    save(tmp_path / "photos" / "sub" / "a.png", seed=1)
    save(tmp_path / "photos" / "b.png", seed=2)
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(tmp_path / "photos" / "sub")
        shutil.rmtree(tmp_path / "photos" / "sub")
        with pytest.raises(sigseek.FolderError) as raised:
            library.index(tmp_path / "photos")
    place = tmp_path / "photos" / "sub"
    assert str(raised.value) == (
        f"{place} is offline and would become part of {tmp_path}/photos; plug in its drive first; "
        f"if it has moved: library.relocate('{place}', NEW); if it is gone for good: "
        f"library.forget('{place}')"
    )


@pytest.mark.sqlite_only("it is about a library found by its directory")
def test_a_library_beside_photos_is_used_below_them(tmp_path: Path, run: Run) -> None:
    photos = tmp_path / "photos"
    save(photos / "2026" / "a.png", seed=1)
    beside = photos / ".sigseek"
    with sigseek.open(beside, model="mini") as library:
        library.index(photos)

    def status(place: Path, *arguments: object, **environment: str) -> tuple[str, str]:
        done = subprocess.run(
            [Path(sys.executable).parent / "sigseek", "status", *map(str, arguments)],
            cwd=place,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.stdout, done.stderr

    for place in (photos, photos / "2026"):
        said, told = status(place)
        assert f"library     {beside}\n" in said
        assert told == f"library: {beside}\n"
    assert status(photos, "--library", beside)[1] == "", "whoever names it knows"
    assert status(photos, SIGSEEK_LIBRARY=str(beside))[1] == ""
    assert "no library at" in status(tmp_path)[1], "the user's own, which is not there"
    (photos / "2026" / ".sigseek").mkdir()
    assert status(photos / "2026")[1] == f"library: {beside}\n", "an empty directory is none"


@pytest.fixture
def joined(tmp_path: Path) -> Iterator[tuple[sigseek.Library, Heard]]:
    """A library whose folder `home/pictures` became part of `home`, and what was said of it."""
    home, heard = tmp_path / "home", Heard()
    for number in range(3):
        save(home / "pictures" / "2026" / f"{number}.png", seed=number)
        save(home / "downloads" / f"{number}.png", seed=10 + number)
    (home / "pictures" / "bad.png").write_bytes(b"no picture")
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(home / "pictures")  # mini says here that these are no drawings of its own
        library.index(home, listener=heard)
        yield library, heard


def test_a_folder_that_becomes_part_of_another_is_told(
    joined: tuple[sigseek.Library, Heard], tmp_path: Path
) -> None:
    library, heard = joined
    home = tmp_path / "home"
    assert heard.lines == [
        f"{home}/pictures is now part of {home}; to undo this: "
        f"library.forget('{home}', keep=['{home}/pictures'])"
    ]
    again = Heard()
    library.index(home, listener=again)
    assert again.lines == []


def test_joining_is_undone_and_nothing_is_embedded_again(
    joined: tuple[sigseek.Library, Heard], tmp_path: Path
) -> None:
    library, _ = joined
    home = tmp_path / "home"
    assert library.forgettable_files(home, keep=[home / "pictures"]) == 3
    gone = library.forget(home, keep=[home / "pictures", home / "pictures" / "2026"])
    assert (gone.files, gone.photos) == (3, 3)
    (folder,) = library.status().folders
    assert (folder.path, folder.files, folder.indexed_at is not None) == (
        str(home / "pictures"),
        3,
        True,
    )
    assert [failure.path for failure in library.failures()] == [str(home / "pictures" / "bad.png")]
    report = library.index()
    assert (report.unchanged, report.added, report.failed) == (3, 0, 1)
    assert library.verify().sound


def test_what_was_left_out_stays_left_out_when_joining_is_undone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for number, name in enumerate(["a.png", "own/b.png", "raw/c.png", "x/y/d.png", "shot 1.png"]):
        save(home / "pictures" / name, seed=number)
        save(home / "downloads" / name, seed=10 + number)
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(home / "pictures", exclude=["own/"])
        patterns = ["pictures/raw", "**/x/y", "/*/shot*", "/downloads/*.png"]
        assert library.index(home, exclude=patterns).excluded == 3
        taken = [Path(file.path) for file in library.preview() if file.taken]
        assert sorted(str(path.relative_to(home)) for path in taken) == [
            "downloads/own/b.png", "downloads/raw/c.png", "pictures/a.png",
        ]  # fmt: skip
        library.forget(home, keep=[home / "pictures"])
        (folder,) = library.status().folders
        assert folder.excluded == ("own/", "/raw", "**/x/y", "/shot*")
        report = library.index()
        assert (report.scanned, report.unchanged, report.excluded) == (1, 1, 0)
        assert library.index(include=["own/"]).added == 1


def test_only_a_part_of_the_folder_can_be_kept(
    joined: tuple[sigseek.Library, Heard], tmp_path: Path
) -> None:
    library, _ = joined
    home = tmp_path / "home"
    for keep in (home, tmp_path / "elsewhere"):
        with pytest.raises(sigseek.FolderError, match=r"not inside of|is not in the library"):
            library.forget(home, keep=[keep])
    with pytest.raises(sigseek.FolderError, match=r"the library knows no file in .*/typo"):
        library.forget(home, keep=[home / "typo"])
    with pytest.raises(sigseek.FolderError, match=r"the library knows no file in .*/nowhere"):
        library.forget(home / "nowhere")
    shutil.rmtree(home / "downloads")
    with pytest.raises(sigseek.FolderError, match="is not itself a folder of the library"):
        library.forget(home / "downloads", keep=[home / "downloads"])
    assert library.status().files == 6


def test_the_command_line_tells_of_joining_and_undoes_it(tmp_path: Path, run: Run) -> None:
    home, where = tmp_path / "home", ("--library", tmp_path / "library", "--model", "mini")
    save(home / "my pictures" / "a.png", seed=1)
    save(home / "b.png", seed=2)
    run("index", home / "my pictures", *where)
    done = run("index", home, *where)
    assert (
        f"{home}/my pictures is now part of {home}; to undo this: sigseek forget --library "
        f"{tmp_path}/library {home} --keep '{home}/my pictures'\n"
    ) in done.stderr
    done = run(
        "forget", home, "--keep", home / "my pictures", "--library", tmp_path / "library", "--yes"
    )
    assert done.stdout == (
        "1 file forgotten, and 1 photo without any other file; "
        f"{home}/my pictures is a folder of its own now\n"
    )


@pytest.mark.parametrize(
    ("patterns", "inside"),
    [
        (["/sub/*.png"], ["/*.png"]),
        (["/sub/**/*.png", "!/sub/**/keep.png"], ["*.png", "!keep.png"]),
        (["*.tmp", "/other/*.png", "a/b"], ["*.tmp"]),
        (["sub/raw", "s*b/*.png", "*/x/", "!/[rst]ub/x/a"], ["/raw", "/*.png", "/x/", "!/x/a"]),
        (["**/x/y", "/**/x", "/sub/**/x/y", "/sub/**"], ["x", "**/x/y", "/**"]),
        (["**/sub/x", "!a", "*.png", "!a"], ["**/sub/x", "/x", "*.png", "!a"]),
        (["/sub/", "/s*/", "**/sub"], ["sub"]),
    ],
)
def test_patterns_of_a_part_of_a_folder(patterns: list[str], inside: list[str]) -> None:
    assert patterns_inside(PurePath("sub"), patterns) == inside


PATTERNS = [
    "*.png", "!a.png", "/sub/x", "sub/*.png", "**/x/y", "*/x", "/*/x/**", "s*b/a.png", "/other/x",
    "x/", "!sub/x/a.png", "/**/a.png", "**/sub/a.png", "!sub/**/x", "[st]ub/d/", "/sub/**/y/*",
]  # fmt: skip
NAMES = ["a.png", "x", "y", "d", "sub", "b.jpg"]


@given(
    st.lists(st.sampled_from(PATTERNS), max_size=4),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=4),
)
def test_patterns_mean_for_a_part_what_they_mean_for_the_whole(
    patterns: list[str], parts: list[str]
) -> None:
    whole = GitIgnoreSpec.from_lines(patterns)
    inside = GitIgnoreSpec.from_lines(patterns_inside(PurePath("sub"), patterns))
    path = "/".join(parts)
    assert inside.match_file(path) == whole.match_file(f"sub/{path}")


@given(
    st.lists(
        st.sampled_from(["*.png", "!a.png", "/x", "x/y", "sub/", "!/x/*", "a b", "**/x/y", "**"]),
        unique=True,
    )
)
def test_patterns_survive_joining_and_undoing(patterns: list[str]) -> None:
    for directory in (PurePath("sub"), PurePath("a b/[c]")):
        joined = patterns_below(directory, patterns)
        again = patterns_inside(directory, joined)
        assert patterns_below(directory, again) == joined
