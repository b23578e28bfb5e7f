"""A scan compared with what the catalog holds: known rows and listings, known answers."""

import os
import tracemalloc
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path, PurePath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigseek.indexer.comparison import ChangedFile, Comparison, compare
from sigseek.indexer.decoding.formats import DECODER_VERSION
from sigseek.indexer.known_files import KnownFiles
from sigseek.indexer.listing import FoundFile, Listing
from sigseek.indexer.raw_pairs import directory_of, find_candidates
from sigseek.paths import is_utf8
from sigseek.storage import FailureKind, FailureRecord, FileRecord, FileTuple

HERE = PurePath()


def row(path: str, *, mtime: int = 1, embedded: bool = True, missing: bool = False) -> FileRecord:
    return FileRecord(path, 10, mtime, 5, embedded, missing, 1)


def listing(*paths: str) -> Listing:
    return Listing(dict.fromkeys(paths, (10, 1, 5)))


def run(
    tmp_path: Path,
    found: Listing,
    rows: list[FileRecord],
    failures: list[FailureRecord] | None = None,
    inside: PurePath = HERE,
) -> Comparison:
    return compare(tmp_path, inside, [found], KnownFiles([("", rows)]), failures or [], 1_000_000)


def test_new_changed_and_unchanged_files(tmp_path: Path) -> None:
    rows = [row("same"), row("touched", mtime=2), row("other checkpoint's", embedded=False)]
    found = run(tmp_path, listing("same", "touched", "other checkpoint's", "new"), rows)
    assert (found.scanned, found.unchanged, found.present_before) == (4, 1, 3)
    assert list(found.changed) == [
        ChangedFile(FoundFile(path, 10, 1, 5), before)
        for path, before in (("touched", rows[1]), ("other checkpoint's", rows[2]), ("new", None))
    ]
    assert found.known == {}
    assert (found.missing, found.newly_missing) == (set(), [])


def test_files_that_are_gone_and_files_that_are_back(tmp_path: Path) -> None:
    rows = [row("gone"), row("long gone", missing=True), row("back", missing=True)]
    found = run(tmp_path, listing("back"), rows)
    assert found.missing == {"gone", "long gone"}
    assert found.newly_missing == ["gone"]
    assert (found.reappeared, found.unchanged, found.present_before) == (["back"], 1, 1)


def test_what_is_outside_the_scan_is_left_alone(tmp_path: Path) -> None:
    rows = [row("a/1"), row("ab/2"), row("b/3")]
    found = run(tmp_path, listing(), rows, inside=PurePath("a"))
    assert found.missing == {"a/1"}


def test_what_could_not_be_looked_into_is_not_missing(tmp_path: Path) -> None:
    scan = listing()
    scan.unreadable = {"closed": "the directory cannot be read", "link.jpg": "cannot be looked at"}
    rows = [row("closed/1"), row("closed/deep/2"), row("link.jpg"), row("closed.jpg")]
    assert run(tmp_path, scan, rows).missing == {"closed.jpg"}


def test_a_hidden_file_is_missing_only_if_it_is_not_there(tmp_path: Path) -> None:
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "1").touch()
    found = run(tmp_path, listing(), [row(".hidden/1"), row(".hidden/2")])
    assert found.missing == {".hidden/2"}


def test_what_a_rule_leaves_out_is_excluded_and_not_missing(tmp_path: Path) -> None:
    scan = listing("kept")
    scan.excluded = {"raw": "excluded by raw/", "b.png": "excluded by *.png"}
    rows = [row("kept"), row("raw/deep/1"), row("b.png", missing=True), row("rawer/2")]
    failures = [FailureRecord("raw/3", "no picture", 10, 1)]
    found = run(tmp_path, scan, rows, failures)
    assert sorted(found.excluded) == ["b.png", "raw/deep/1"]
    assert found.missing == {"rawer/2"}
    assert found.resolved_failures == ["raw/3"]


@pytest.mark.parametrize(
    ("kind", "mtime", "read_again"),
    [
        (FailureKind.NO_PICTURE, 1, False),
        (FailureKind.NO_PICTURE, 2, True),
        (FailureKind.UNREADABLE, 1, True),
    ],
)
def test_failures_are_read_again_by_their_kind(
    tmp_path: Path, kind: FailureKind, mtime: int, read_again: bool
) -> None:
    failure = FailureRecord("bad", "a reason", 10, mtime, kind, decoder_version=DECODER_VERSION)
    found = run(tmp_path, listing("bad"), [], [failure])
    assert [file.found.path for file in found.changed] == (["bad"] if read_again else [])
    assert found.failed == (not read_again)


def test_failures_of_files_that_are_gone_are_resolved(tmp_path: Path) -> None:
    failures = [FailureRecord(path, "a reason", 10, 1) for path in ("gone", "there")]
    assert run(tmp_path, listing("there"), [], failures).resolved_failures == ["gone"]


def test_raw_files_wait_for_a_picture_that_is_read_first(tmp_path: Path) -> None:
    scan = listing("a.jpg", "b.jpg")
    pairs = {FoundFile("a.dng", 10, 1, 5): "a.jpg", FoundFile("b.dng", 10, 1, 5): "b.jpg"}
    scan.raw_pairs = pairs
    found = run(tmp_path, scan, [row("a.jpg")])
    assert {raw.path: jpeg for raw, jpeg in found.raw_pairs.items()} == {"b.dng": "b.jpg"}
    found = run(tmp_path, scan, [row("a.jpg"), row("b.jpg"), row("a.dng")])
    assert {raw.path: jpeg for raw, jpeg in found.raw_pairs.items()} == {"a.dng": "a.jpg"}


def test_a_new_picture_waits_for_raw_files_in_later_directories(tmp_path: Path) -> None:
    """Those that are not UTF-8 may be listed after what comes behind them."""
    raw = FoundFile("a/\udcff/1.dng", 10, 1, 5)
    first = Listing({"a/1.jpg": (10, 1, 5)}, complete_before="b/")
    first.later_directories = ["a/\udcff"]
    last = Listing({"b/2.jpg": (10, 1, 5)}, raw_pairs={raw: "a/1.jpg"})
    found = compare(tmp_path, HERE, [first, last], KnownFiles([("", [])]), [], 1_000_000)
    assert found.raw_pairs == {raw: "a/1.jpg"}


@pytest.mark.parametrize("below", ["raw", "\udcff"])
def test_a_new_picture_keeps_its_raw_file_until_that_is_decided(below: str, tmp_path: Path) -> None:
    """About a path that is not UTF-8 nothing is decided before the end."""
    raw = FoundFile(f"a/{below}/1.dng", 10, 1, 5)
    first = Listing({"a/1.jpg": (10, 1, 5)}, raw_pairs={raw: "a/1.jpg"}, complete_before="b/")
    parts = [first, listing("b/2.jpg")]
    found = compare(tmp_path, HERE, parts, KnownFiles([("", [])]), [], 1_000_000)
    assert found.raw_pairs == {raw: "a/1.jpg"}
    assert {file.found.path for file in found.changed} == {"a/1.jpg", "b/2.jpg"}


NAMES = ("a", "a-b", "a0", "B", "ä", "鳥", "\udcff", "z\udc80")
"""Names whose order with a slash behind them differs from that without, or that are not UTF-8."""
DIRECTORIES = st.lists(st.sampled_from(NAMES), max_size=2).map(lambda parts: "/".join(parts))
PATHS = st.builds(
    lambda directory, name, kind: f"{directory}/{name}{kind}".lstrip("/"),
    DIRECTORIES,
    st.sampled_from(NAMES),
    st.sampled_from([".jpg", ".dng"]),
)


@st.composite
def known_files(draw: st.DrawFn, paths: st.SearchStrategy[str] = PATHS) -> FileRecord:
    return FileRecord(
        draw(paths),
        draw(st.sampled_from([3, 3, 4])),
        draw(st.sampled_from([7, 7, 8])),
        draw(st.sampled_from([9, 9, 8, None])),
        draw(st.sampled_from([True, True, False])),
        draw(st.sampled_from([False, False, True])),
        draw(st.integers(1, 9)),
        draw(st.sampled_from([None, None, "1 2 a.xmp"])),
    )


@pytest.mark.parametrize("as_postgresql", [False, True])
@settings(max_examples=150, deadline=None)
@given(
    there=st.sets(PATHS, max_size=12),
    rows=st.lists(known_files(), max_size=12, unique_by=lambda row: row.path),
    failures=st.sets(PATHS, max_size=3),
    excluded=st.sets(DIRECTORIES.filter(bool), max_size=2),
    sidecars=st.sets(PATHS, max_size=3),
    size=st.integers(1, 4),
)
def test_parts_give_what_a_dictionary_of_all_files_gives(
    as_postgresql: bool,
    there: set[str],
    rows: list[FileRecord],
    failures: set[str],
    excluded: set[str],
    sidecars: set[str],
    size: int,
) -> None:
    """Listings of a few files each, and rows in the order in which either database has them."""
    whole = Listing(dict.fromkeys(there, (3, 7, 9)))
    whole.excluded = dict.fromkeys(excluded, "a pattern")
    whole.sidecars = dict.fromkeys(sidecars & there, "1 2 a.xmp")
    failed = [
        FailureRecord(path, "a reason", 3, 7, decoder_version=DECODER_VERSION)
        for path in sorted(failures)
    ]
    found = compare(
        Path("/nowhere"),
        HERE,
        split(whole, size),
        KnownFiles([("", sorted_as_kept(rows, as_postgresql=as_postgresql))]),
        failed,
        1_000_000,
    )
    assert outcomes(found) == plain_outcomes(whole, rows, failures)
    assert found.scanned == len(there)
    assert found.present_before == sum(not row.missing for row in rows)
    known = {row.path: row for row in rows}
    assert found.known == {
        path: known[path] for path in known.keys() & {*found.missing, *found.excluded}
    }
    assert all(file.before == known.get(file.found.path) for file in found.changed)
    assert sum(file.before is not None for file in found.changed) + len(found.known) == len(
        list(found.records())
    )


SHOTS = st.builds(
    os.path.join,
    st.sampled_from(
        ["", "a", "a-b", "a/a", "a/a/a", "a/a-b", "a/\udcff", "b", "\udcff", "\udcff/a"]
    ),
    st.sampled_from(["1.jpg", "1.dng", "2.jpg", "2.dng", "z\udc80.jpg", "z\udc80.dng"]),
)


@settings(max_examples=150, deadline=None)
@given(
    there=st.sets(SHOTS, max_size=12),
    rows=st.lists(known_files(SHOTS), max_size=12, unique_by=lambda row: row.path),
    shared=st.sets(SHOTS, max_size=3),
    reread=st.none() | st.sets(SHOTS, max_size=2),
    size=st.integers(1, 4),
)
def test_parts_give_the_same_raw_pairs_as_one_listing(
    there: set[str], rows: list[FileRecord], shared: set[str], reread: set[str] | None, size: int
) -> None:
    """The picture of a RAW file may have been listed some parts before it."""
    raw_directories = {directory_of(path) for path in there if path.endswith(".dng")}
    pairs = find_candidates(sorted(there), raw_directories)
    whole = Listing(dict.fromkeys(sorted(there - pairs.keys()), (3, 7, 9)))
    whole.raw_pairs = {FoundFile(raw, 3, 7, 9): pairs[raw] for raw in sorted(pairs)}
    whole.raw_sidecars = {
        picture: "1 2 sub/a.xmp"
        for raw, picture in pairs.items()
        if raw in shared and directory_of(raw) != directory_of(picture)
    }
    once, often = (
        compare(
            Path("/nowhere"),
            HERE,
            parts,
            KnownFiles([("", sorted_as_kept(rows, as_postgresql=False))]),
            [],
            1_000_000,
            reread=reread,
        )
        for parts in ([deepcopy(whole)], split(whole, size))
    )
    assert outcomes(often) == outcomes(once)
    assert (often.raw_pairs, often.raw_sidecars) == (once.raw_pairs, once.raw_sidecars)
    known = {row.path for row in rows}
    last = [file.found.path in (known if reread is None else reread) for file in often.changed]
    assert last == sorted(last), "what is read again in any case comes last"


def split(whole: Listing, size: int) -> Iterator[Listing]:
    """Yield the listing in parts, as a scan of its directories gives them."""
    raw_files = [raw.path for raw in whole.raw_pairs]
    waiting = sorted(
        {*map(directory_of, (*whole.files, *raw_files)), *whole.excluded},
        key=lambda path: f"{path}/",
    )
    part = Listing()
    for number, directory in enumerate(waiting):
        for path in whole.files:
            if directory_of(path) == directory:
                part.files[path] = whole.files[path]
                if path in whole.sidecars:
                    part.sidecars[path] = whole.sidecars[path]
        for raw, picture in whole.raw_pairs.items():
            if directory_of(raw.path) == directory:
                part.raw_pairs[raw] = picture
                if picture in whole.raw_sidecars:
                    part.raw_sidecars[picture] = whole.raw_sidecars[picture]
        if directory in whole.excluded:
            part.excluded[directory] = "a pattern"
        left = waiting[number + 1 :]
        if left and part.size >= size:
            part.complete_before = next((f"{path}/" for path in left if is_utf8(path)), "")
            part.later_directories = [path for path in left if not is_utf8(path)]
            yield part
            part = Listing()
    yield part


def sorted_as_kept(rows: list[FileRecord], *, as_postgresql: bool) -> list[FileTuple]:
    """Return rows as SQLite gives them, paths that are not UTF-8 as bytes and at the end, or as
    PostgreSQL does.
    """
    kept: list[FileTuple] = [
        (os.fsencode(row.path) if as_postgresql or not is_utf8(row.path) else row.path, *row[1:])
        for row in rows
    ]
    return sorted(kept, key=lambda row: (isinstance(row[0], bytes), row[0]))


def outcomes(found: Comparison) -> dict[str, object]:
    return {
        "changed": {file.found.path for file in found.changed},
        "unchanged": found.unchanged,
        "missing": found.missing,
        "newly missing": set(found.newly_missing),
        "reappeared": set(found.reappeared),
        "excluded": set(found.excluded),
        "sidecars": found.sidecars,
        "failed": found.failed,
        "resolved": set(found.resolved_failures),
        "unseen ctimes": found.unseen_ctimes,
    }


def plain_outcomes(whole: Listing, rows: list[FileRecord], failures: set[str]) -> dict[str, object]:
    """Return what `outcomes` does, by looking at each file alone. A failure is of a file as those
    that are there.
    """
    known = {row.path: row for row in rows}
    still_failed = failures & whole.files.keys()
    ruled = {
        path
        for path in known.keys() | failures
        if any(str(above) in whole.excluded for above in (PurePath(path), *PurePath(path).parents))
    }
    unlisted = known.keys() - whole.files.keys()
    settled = {
        path
        for path, row in known.items()
        if path in whole.files.keys() - still_failed
        and row.embedded
        and row[1:3] == (3, 7)
        and row.ctime_ns in (9, None)
    }
    left = whole.files.keys() - still_failed
    before = {path: known[path].sidecars if path in known else None for path in left}
    return {
        "changed": left - settled,
        "unchanged": len(settled),
        "missing": unlisted - ruled,
        "newly missing": {path for path in unlisted - ruled if not known[path].missing},
        "reappeared": {path for path in settled if known[path].missing},
        "excluded": unlisted & ruled,
        "sidecars": {
            path: whole.sidecars.get(path)
            for path in left
            if whole.sidecars.get(path) != before[path]
        },
        "failed": len(still_failed),
        "resolved": failures - whole.files.keys(),
        "unseen ctimes": {
            path: 9
            for path in left & known.keys()
            if known[path].ctime_ns is None and known[path][1:3] == (3, 7)
        },
    }


@pytest.mark.parametrize("known", [False, True])
def test_files_to_be_read_take_little_memory(tmp_path: Path, known: bool) -> None:
    rows = ((f"{part:02}/{number:03}", 10, 1, 5, 0, 0, 1, None) for part, number in NUMBERS)
    tracemalloc.start()
    try:
        found = compare(
            tmp_path, HERE, numbered_parts(), KnownFiles([("", rows if known else ())]), [], 1
        )
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found.changed) == len(NUMBERS)
    assert most < 200 * len(NUMBERS), "the records would take more"
    assert [file.found.path for file in found.changed] == [
        f"{part:02}/{number:03}" for part, number in NUMBERS
    ]
    assert sum(file.before is not None for file in found.changed) == known * len(NUMBERS)


def test_memory_does_not_grow_with_unchanged_files(tmp_path: Path) -> None:
    rows = ((f"{part:02}/{number:03}", 10, 1, 5, 1, 0, 1, None) for part, number in NUMBERS)
    tracemalloc.start()
    try:
        found = compare(tmp_path, HERE, numbered_parts(), KnownFiles([("", rows)]), [], 1)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.unchanged == len(NUMBERS)
    assert most < 100 * len(NUMBERS), "the paths alone would take more"


NUMBERS = [(part, number) for part in range(40) for number in range(200)]


def numbered_parts() -> Iterator[Listing]:
    for part in range(40):
        names = (f"{part:02}/{number:03}" for number in range(200))
        following = f"{part + 1:02}/" if part < 39 else None
        yield Listing(
            dict.fromkeys(names, (10, 1, 5)),
            passed_over={f"{part:02}/.{number:03}": "hidden" for number in range(200)},
            complete_before=following,
        )
