"""Keeping a library current: what changes in its folders is indexed once it is quiet there.

Files are asked for by os.path, for which what cannot be looked at is not there: pathlib raises when a drive fails.
"""

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from watchfiles import watch

from sigseek.indexer import FolderError, IndexReport, check_folder
from sigseek.indexer.decoding.formats import PICTURES
from sigseek.indexer.scan import is_junk
from sigseek.operations.paths import expand
from sigseek.progress import Stop
from sigseek.siglip import CheckpointError
from sigseek.storage import Catalog, LibraryError

# times the debounce that a burst of changes may last: a steady stream must not starve the library
_LONGEST = 15
_LONGEST_PAUSE = 60.0  # seconds before something that went wrong is tried again
_WAKE_MS = 500

_Identity: TypeAlias = tuple[int, int] | None
"""Device and inode of a folder that is there: others once a drive is mounted on it, or it was made
anew.
"""


@dataclass(frozen=True)
class WatchEvent:
    """One run over what changed, or what kept it from being one."""

    path: str
    """The folder that was looked through, the whole or a part; the library for what concerns all
    folders.
    """
    report: IndexReport | None
    problem: str | None = None
    """One line: what was found, and what to do where it does not pass by itself."""


@dataclass
class _Pending:
    """Changes in a folder that wait to be indexed. Times are of the monotonic clock."""

    place: Path
    """The directory that holds all of them."""
    since: float
    due: float
    pause: float = 0.0
    """Seconds to wait before trying again after a failure; 0 where nothing failed."""


class Watch:
    """Watches folders of a library, the `named` ones or whichever it knows.

    `index` brings one directory up to date. `debounce` is for how many seconds it must be quiet
    before changes are indexed, `rescan` how many go by before everything is looked through, changes
    noticed or not.
    """

    def __init__(
        self,
        catalog: Catalog,
        library: Path,
        index: Callable[[Path], IndexReport],
        named: Iterable[Path],
        *,
        debounce: float,
        rescan: float,
        stop: Stop,
    ) -> None:
        self._catalog = catalog
        self._library = library
        self._index = index
        self._named = list(named)
        self._debounce = debounce
        self._rescan = rescan
        self._stop = stop
        self._next_rescan = 0.0
        self._named_known: set[Path] = set()
        self._dropped: set[Path] = set()
        """Named folders that the library knew, and does not know any more: they are not to be added
        again.
        """
        self._denied = False
        """Whether there are directories that may not be entered."""
        self._pending: dict[Path, _Pending] = {}
        self._told: dict[Path, str] = {}
        """The folders' problems that were told of already."""

    def rounds(self) -> Iterator[WatchEvent]:
        """Index everything, then what changes, until `stop` is set."""
        folders: dict[Path, _Identity] = {}
        wait = 0.0
        while not self._stop.is_set():
            before, folders = folders, self._folders()
            self._pending = {
                folder: pending for folder, pending in self._pending.items() if folders.get(folder)
            }
            yield from _tell_gone(before, folders)
            self._note_all(folders, wait)  # what changed while nobody watched
            wait = self._debounce
            for changed in self._changes(folders):
                if isinstance(changed, WatchEvent):
                    yield changed
                    continue
                self._note(changed, folders)
                if self._stop.is_set() or self._folders() != folders:
                    break
                if time.monotonic() >= self._next_rescan:
                    self._note_all(folders, 0)
                yield from self._index_what_is_due()

    def _folders(self) -> dict[Path, _Identity]:
        """The folders to watch, those that are not there included. LibraryError when the library
        itself went.
        """
        if not os.path.lexists(self._catalog.path):
            raise LibraryError(
                f"the library {self._library} is not there any more; watch again when it is back"
            )
        known = [Path(folder.path) for folder in self._catalog.folders()]
        now_known = {
            path for path in self._named if any(path.is_relative_to(folder) for folder in known)
        }
        forgotten = self._named_known - now_known  # or relocated, by another process
        self._named_known = now_known
        self._dropped |= forgotten
        watched = (
            [path for path in self._named if path not in self._dropped] if self._named else known
        )
        return {path: _identity(path) for path in watched}

    def _changes(self, folders: dict[Path, _Identity]) -> Iterator[set[Path] | WatchEvent]:
        """Paths that changed, an empty set at least every half second; ends when it has to begin
        anew.
        """
        there = [path for path, identity in folders.items() if identity]
        try:
            for changes in watch(
                *there,
                watch_filter=None,  # it would keep us waiting while only other files change
                step=100,
                debounce=_WAKE_MS,
                rust_timeout=_WAKE_MS,
                yield_on_timeout=True,
                stop_event=self._stop,
                ignore_permission_denied=self._denied,
            ):
                yield {Path(path) for _, path in changes}
        except FileNotFoundError:  # went at this very moment
            self._stop.wait(_WAKE_MS / 1000)
        except (
            PermissionError
        ):  # with this taken care of from the start, the system's limits would go unnoticed
            self._denied = True
        except (OSError, RuntimeError) as error:
            if "decode path" in str(
                error
            ):  # a name that is not UTF-8 changed: the library does not tell where
                yield set(there)
                return
            yield WatchEvent(str(self._library), None, _why_no_events(error, self._rescan))
            while not self._stop.wait(_WAKE_MS / 1000):
                yield set()

    def _note(self, changed: set[Path], folders: Iterable[Path]) -> None:
        for path in changed:
            folder = next((folder for folder in folders if path.is_relative_to(folder)), None)
            place = self._place_to_look_at(path, folder) if folder else None
            if folder and place:
                self._wait_for(folder, place, self._debounce)

    def _note_all(self, folders: dict[Path, _Identity], wait: float) -> None:
        self._next_rescan = time.monotonic() + self._rescan
        for folder, identity in folders.items():
            if identity:
                self._wait_for(folder, folder, wait)

    def _wait_for(self, folder: Path, place: Path, wait: float) -> None:
        now = time.monotonic()
        pending = self._pending.setdefault(folder, _Pending(place, now, now + wait))
        pending.place = Path(
            os.path.commonpath([pending.place, place])
        )  # a moved file is known by both its places
        pending.due = max(
            pending.since + pending.pause,
            min(now + wait, pending.since + _LONGEST * self._debounce),
        )

    def _place_to_look_at(self, path: Path, folder: Path) -> Path | None:
        """The directory in which the path's change is to be looked for; None when it is nothing to
        the library.
        """
        if path == folder:
            return folder
        if path.is_relative_to(self._library) or any(map(is_junk, path.relative_to(folder).parts)):
            return None
        place = path if os.path.isdir(path) and not os.path.islink(path) else path.parent  # noqa: PTH114
        if (
            place != path
            and path.suffix.lower() not in PICTURES
            and not self._may_have_been_directory(path)
        ):
            return None
        return (
            place if os.path.realpath(place) == str(place) else None
        )  # a scan does not follow links to directories

    def _may_have_been_directory(self, path: Path) -> bool:
        """Of one that went nothing but its name is told."""
        return not os.path.lexists(path) and self._catalog.has_files_below(path)

    def _index_what_is_due(self) -> Iterator[WatchEvent]:
        for folder, pending in [*self._pending.items()]:
            if self._stop.is_set():
                return
            if time.monotonic() >= pending.due:
                found = self._look_through(folder, pending)
                if found:
                    yield found

    def _look_through(self, folder: Path, pending: _Pending) -> WatchEvent | None:
        """Index a directory; what goes wrong is told once, and tried again less and less often, as
        a busy library.
        """
        place = _existing(pending.place, folder)
        try:
            report = self._index(place)
        # as it is now it would only be refused again: until it changes, or the next rescan
        except FolderError as error:
            del self._pending[folder]
            return self._tell(folder, place, error)
        except (LibraryError, CheckpointError, OSError) as error:
            pending.since = time.monotonic()
            pending.pause = min(max(2 * pending.pause, self._debounce), _LONGEST_PAUSE)
            pending.due = pending.since + pending.pause
            return self._tell(folder, place, error)
        if report.stopped:
            return None
        del self._pending[folder]
        self._told.pop(folder, None)
        self._named_known |= {folder} & set(self._named)
        return WatchEvent(str(place), report)

    def _tell(self, folder: Path, place: Path, error: Exception) -> WatchEvent | None:
        problem = (
            f"{error}; check the disk and its permissions"
            if isinstance(error, OSError)
            else str(error)
        )
        if problem == self._told.get(folder):
            return None
        self._told[folder] = problem
        return WatchEvent(str(place), None, problem)


def folders_to_watch(
    folders: Iterable[str | os.PathLike[str]], known: Collection[Path]
) -> list[Path]:
    """Their absolute paths without links, none inside another; FolderError for one that is neither
    there nor `known`.
    """
    paths = []
    for folder in folders:
        path = expand(folder)
        paths.append(
            path.absolute()
            if not os.path.exists(path) and path.absolute() in known
            else check_folder(path)
        )
    return [
        path
        for path in dict.fromkeys(paths)
        if not any(path != other and path.is_relative_to(other) for other in paths)
    ]


def _identity(path: Path) -> _Identity:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _tell_gone(before: dict[Path, _Identity], now: dict[Path, _Identity]) -> Iterator[WatchEvent]:
    for path, identity in now.items():
        if identity is None and before.get(path, (0, 0)) is not None:
            yield WatchEvent(
                str(path),
                None,
                f"the folder {path} is not there; its photos stay, and it is watched again once it is back",
            )


def _existing(place: Path, folder: Path) -> Path:
    """The place, or the nearest directory above it that is there, the folder at the most."""
    while place != folder and not os.path.isdir(place):
        place = place.parent
    return place


def _why_no_events(error: Exception, rescan: float) -> str:
    meanwhile = f"until then folders are looked through every {rescan / 60:g} minutes"
    for said, limit in (("watch limit", "max_user_watches"), ("open files", "max_user_instances")):
        if said in str(error):
            return (
                f"there are more directories than may be watched; raise the limit with: "
                f"sudo sysctl fs.inotify.{limit}=1048576 and start again; {meanwhile}"
            )
    return f"changes cannot be watched for ({' '.join(str(error).split())}); {meanwhile}"
