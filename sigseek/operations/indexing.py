"""Bringing a library up to date with its folders: once, or whenever they change."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from sigseek.errors import Call, ErrorKind, Option, Remedy, StoppedError
from sigseek.indexer import FolderError, Indexer, IndexReport, check_folder
from sigseek.indexer.errors import PatternError
from sigseek.indexer.mounts import Mounts
from sigseek.indexer.speed_notes import SpeedNotes
from sigseek.operations.calibration import is_calibrated
from sigseek.operations.given_paths import given_path
from sigseek.operations.joining import SharedRun, check_can_be_shared
from sigseek.operations.lists import given_texts, in_short
from sigseek.operations.location import LibraryLocation
from sigseek.operations.opened import OpenedLibrary
from sigseek.operations.system_folders import check_no_system_folder
from sigseek.operations.vectors import check_vectors, use_vectors
from sigseek.paths import typed_path
from sigseek.progress import Listener, Stop
from sigseek.siglip.tower_work import read_vision_shape
from sigseek.siglip.yardstick.steps import WHOLE, YardstickStep
from sigseek.storage import Catalog, LibraryError
from sigseek.storage.catalog import path_prefix

if TYPE_CHECKING:
    from sigseek.indexer.preview import ListedFile
    from sigseek.indexer.shared_work import Crew
    from sigseek.operations.watch import WatchEvent
    from sigseek.siglip import ImageTower
    from sigseek.siglip.yardstick.embeddings import Yardstick


def index_folders(
    library: OpenedLibrary,
    folders: Sequence[str | os.PathLike[str]],
    *,
    accept_missing: bool,
    accept_system_folder: bool,
    reread: bool,
    exclude: Sequence[str],
    include: Sequence[str],
    max_megapixels: int | None,
    join: bool = False,
    lists: bool = True,
    crew: Crew | None = None,
    mounts: Mapping[str, str | os.PathLike[str]] | None = None,
    vectors: str | None = None,
    listener: Listener | None,
    stop: Stop | None,
) -> IndexReport:
    """Index folders, or all known ones, as `Library.index` describes.

    A process that joins lists the files if it can, unless `lists` is False. With a `crew` it only
    lists them, and the crew takes them in.
    """
    directory, model = library.directory, library.model
    _check_patterns(exclude, include)
    _check_limit(max_megapixels)
    if vectors is not None:
        check_vectors(vectors)
    if not folders:
        _check_known(directory, Call("index", ("FOLDER",)))
    _check_sharing(directory, join=join, mounts=bool(mounts))
    places = _mounts(mounts or {})
    # A machine with other paths knows the folders only by the library's.
    lists = lists and not places
    roots = [check_folder(typed_path(one)) if lists else Path(one) for one in folders]
    for root in () if accept_system_folder else roots:
        check_no_system_folder(directory, root, Option("accept_system_folder", True))
    told, until = listener or library.listener, stop or Stop()
    with model.kept():
        library.go_on_with_last_named()
        try:
            if crew is None:  # a crew has its own devices
                model.check_device(until)
            # Load it before a library is made: the model may not exist either.
            checkpoint = model.prepare(told, until)
            if vectors is not None:
                use_vectors(directory, vectors, told, until, shared=join)

            def tower(listener: Listener, stop: Stop) -> ImageTower:
                from sigseek.operations.yielding_tower import YieldingImageTower  # brings numpy

                loaded = model.images(listener, stop, sample_folders=roots)
                return YieldingImageTower(loaded, library.questions, stop)

            def indexer() -> Indexer:
                record = library.checkpoint.record_to_index()
                shape = read_vision_shape(checkpoint.directory)
                return Indexer(
                    directory.catalog(),
                    record,
                    checkpoint.preprocessing,
                    tower,
                    partial(_yardstick, library),
                    directory.index_store,
                    speed=SpeedNotes(checkpoint.name, shape.gflop, record.embeddings),
                    reread=reread,
                    thumbnails=lambda: library.thumbnails.store_if_any,
                    max_pixels=None if max_megapixels is None else max_megapixels * 1_000_000,
                    shared=join,
                    crew=crew,
                    mounts=places,
                    ending=directory.ending,
                    listener=told,
                    stop=until,
                )

            def index(made: Indexer) -> IndexReport:
                report = made.run(
                    roots, accept_missing=accept_missing, exclude=exclude, include=include
                )
                note = library.checkpoint.note_of_photographs(made.checkpoint)
                if note:
                    told.said(note)
                return report

            if join and crew is None:
                run = SharedRun(library, roots, told, until, may_list=lists)
                return run.run(indexer, index)
            with directory.changing(roots, lists=join, create=True, stop=until):
                return index(indexer())
        except StoppedError:  # before there was anything to report, as while waiting for its turn
            return IndexReport(stopped=True)


def _check_sharing(directory: LibraryLocation, *, join: bool, mounts: bool) -> None:
    """Raise LibraryError where processes cannot index the library together, or need not."""
    if join:
        check_can_be_shared(directory)
    elif mounts:
        raise LibraryError(
            "only processes that index together have folders under other paths",
            Remedy("add {}", (Option("join"),)),
            ErrorKind.INVALID,
        )


def check_no_workers(workers: int | None, cores: int | None) -> None:
    """Raise LibraryError where Ray's workers are described, for a run without Ray."""
    if workers is not None or cores is not None:
        raise LibraryError(
            "only a run on Ray has workers to count",
            Remedy("add {}", (Option("ray", "local"),)),
            ErrorKind.INVALID,
        )


def _mounts(places: Mapping[str, str | os.PathLike[str]]) -> Mounts:
    """Return where this machine has folders. Raises FolderError for one that is not there."""
    here = {known: given_path("mounts", path, FolderError) for known, path in places.items()}
    return Mounts({known: check_folder(typed_path(path)) for known, path in here.items()})


def _yardstick(
    library: OpenedLibrary, listener: Listener, stop: Stop, least: YardstickStep, seconds: float
) -> Yardstick:
    """Return the yardstick as an indexing run needs it. A calibration needs all of it."""
    whole = WHOLE if is_calibrated(library.directory, library.model) else least
    return library.model.yardstick(listener, stop, whole, seconds)


def preview_folders(
    library: OpenedLibrary,
    folders: Sequence[str | os.PathLike[str]],
    *,
    exclude: Sequence[str],
    include: Sequence[str],
    stop: Stop | None,
) -> Iterator[ListedFile]:
    """List what `index_folders` would take, as `Library.preview` describes. Raises before anything
    is listed.
    """
    from sigseek.indexer.folder_patterns import FolderPatterns
    from sigseek.indexer.preview import preview

    _check_patterns(exclude, include)
    directory = library.directory
    if not folders:
        _check_known(directory, Call("index", ("FOLDER",)))
    catalog = directory.catalog() if directory.exists() else None
    known = [Path(folder.path) for folder in catalog.folders()] if catalog else []
    places = []
    for root in [check_folder(typed_path(folder)) for folder in folders] or known:
        found = catalog.find_folder(root) if catalog else None
        places.append((Path(found[0].path), found[1]) if found else (root, PurePath()))
    patterns = FolderPatterns(catalog, exclude, include)
    patterns.check(places)

    def listed() -> Iterator[ListedFile]:
        for root, inside in dict.fromkeys(places):
            files = _known_files(catalog, root) if catalog else ()
            yield from preview(root, inside, patterns, stop or Stop(), files)

    return listed()


def _known_files(catalog: Catalog, root: Path) -> Iterator[str]:
    """Yield the paths, relative to `root`, of the files that the library knows below it."""
    for folder in catalog.folders():
        if Path(folder.path).is_relative_to(root):
            before = path_prefix(PurePath(folder.path).relative_to(root))
            for path in catalog.paths(folder.id, PurePath()):
                yield before + path


def watch_folders(
    library: OpenedLibrary,
    folders: Sequence[str | os.PathLike[str]],
    *,
    debounce: float,
    rescan: float,
    max_megapixels: int | None,
    listener: Listener | None,
    stop: Stop | None,
) -> Iterator[WatchEvent]:
    """Index folders, or all known ones, whenever they change, as `Library.watch` describes."""
    from sigseek.operations.watch import Watch  # brings watchfiles
    from sigseek.operations.watched_folders import folders_to_watch

    directory = library.directory
    _check_seconds(debounce=debounce, rescan=rescan)
    _check_limit(max_megapixels)
    if not folders:
        _check_known(directory, Call("watch", ("FOLDER",)))
    known = directory.catalog().folders() if directory.exists() else []
    named = folders_to_watch(folders, [Path(folder.path) for folder in known])
    for folder in named:
        wanted = Call("index", (str(folder),), (("accept_system_folder", True),))
        check_no_system_folder(directory, folder, wanted)
    until = stop or Stop()
    try:
        library.model.check_device(until)
        library.model.prepare(listener, until)  # before a library is made: it may not exist
    except StoppedError:
        return iter(())

    def index(place: Path) -> IndexReport:
        return index_folders(
            library,
            [place],
            accept_missing=False,
            accept_system_folder=True,
            reread=False,
            exclude=(),
            include=(),
            max_megapixels=max_megapixels,
            listener=listener,
            stop=until,
        )

    return Watch(
        directory.catalog(create=True),
        directory.directory,
        index,
        named,
        debounce=debounce,
        rescan=rescan,
        stop=until,
    ).rounds()


def _check_seconds(**given: float) -> None:
    """Raise FolderError for seconds of a watch that are below 0, or no number."""
    for name, seconds in given.items():
        if not seconds >= 0:  # as NaN is
            raise FolderError(
                f"{seconds} seconds cannot be waited",
                Remedy("{} must be 0 or more", (Option(name),)),
            )


def _check_patterns(exclude: Sequence[str], include: Sequence[str]) -> None:
    """Raise PatternError for what is not a list of patterns, or a pattern that no name matches."""
    for name, patterns in (("exclude", exclude), ("include", include)):
        for pattern in given_texts(name, patterns, PatternError):
            if "\0" in pattern:
                raise PatternError(
                    f"the pattern {in_short(pattern)} has a NUL character", "write it without"
                )


def _check_limit(max_megapixels: int | None) -> None:
    """Raise FolderError for a limit that no picture would meet. The library would remember it."""
    if max_megapixels is None or max_megapixels > 0:
        return
    raise FolderError(
        f"{max_megapixels!r} is not a limit for pictures",
        Remedy("give {} a whole number, 1 or more", (Option("max_megapixels"),)),
    )


def _check_known(directory: LibraryLocation, with_folders: Call) -> None:
    """Raise LibraryError when there is no library, or one without folders."""
    name_some = Remedy("name the folders: {}", (with_folders,))
    if not directory.exists():
        raise LibraryError(
            f"there is no library at {directory.where} yet", name_some, ErrorKind.NOT_FOUND
        )
    if not directory.catalog().folders():
        raise LibraryError(f"the library {directory.where} has no folders", name_some)
