"""Keeping a library current: changes in its folders are indexed once it is quiet there.

Files are asked for by os.path, to which a file that cannot be looked at does not exist: pathlib
raises when a drive fails.
"""

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from watchfiles import watch

from sigseek.errors import ErrorKind, SigseekError
from sigseek.indexer import FolderError, IndexReport, check_folder
from sigseek.indexer.decoding.formats import PICTURES
from sigseek.indexer.disk import ask
from sigseek.indexer.exclusion import IGNORE_FILE, NO_MEDIA, is_junk
from sigseek.indexer.sidecars import EXTENSIONS as SIDECARS
from sigseek.paths import spellings, typed_path
from sigseek.progress import Stop
from sigseek.siglip import CheckpointError
from sigseek.storage import Catalog, LibraryError

_LONGEST = 15
"""How many times the debounce a burst of changes may last. A steady stream of changes must not keep
the library from being brought up to date.
"""
_LONGEST_PAUSE = 60.0
"""Seconds after which a failure is tried again at the latest."""
_WAKE_MS = 500
"""Milliseconds between two looks at the clock and at whether to stop."""

_Identity: TypeAlias = tuple[int, int] | None
"""Device and inode of a folder, None for one that is not there. They change when a drive is mounted
on the folder, or the folder is replaced by another.
"""


@dataclass(frozen=True)
class WatchEvent:
    """A run over what changed, or the error that kept it from being one."""

    path: str
    """The folder that was looked through, or a directory in it; the library where all folders are
    concerned.
    """
    report: IndexReport | None
    error: SigseekError | None = None

    @property
    def problem(self) -> str | None:
        """Return the error in one line, with calls as in Python."""
        return str(self.error) if self.error else None


@dataclass
class _Pending:
    """Changes in a folder that wait to be indexed. Times are on the monotonic clock."""

    place: Path
    """The directory that holds all of the changes."""
    since: float
    due: float
    pause: float = 0.0
    """Seconds to wait before trying again after a failure; 0 where nothing failed."""


class Watch:
    """Watches folders of a library: the `named` ones, or all that it knows.

    `index` brings one directory up to date. Changes are indexed once it was quiet for `debounce`
    seconds. Everything is looked through every `rescan` seconds, whether changes were noticed or
    not.
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
        """Named folders that the library knew and no longer knows, since somebody dropped them.
        They must not be added again.
        """
        self._denied = False
        """Whether some directories may not be entered."""
        self._pending: dict[Path, _Pending] = {}
        self._told: dict[Path, str] = {}
        """The problem of each folder that was reported last, so that it is not reported again."""

    def rounds(self) -> Iterator[WatchEvent]:
        """Index everything, then whatever changes, until `stop` is set."""
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
        """Return the folders to watch, including those that are not there. Raises LibraryError when
        the library itself is gone.
        """
        if not os.path.lexists(self._catalog.path):
            raise LibraryError(
                f"the library {self._library} is gone",
                "watch again when it is back",
                ErrorKind.NOT_FOUND,
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
        """Yield paths that changed, or an empty set, at least every half second. It ends when
        watching has to begin again.
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
        except FileNotFoundError:  # a folder went away at this very moment
            self._stop.wait(_WAKE_MS / 1000)
        except PermissionError:
            # ignoring these errors from the start would also hide that the system's limits are hit
            self._denied = True
        except (OSError, RuntimeError) as error:
            if "decode path" in str(error):  # a name that is not UTF-8 changed; nobody tells where
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
        """Return the directory in which the path's change is to be looked for. Returns None when
        the change is nothing to the library.
        """
        if path == folder:
            return folder
        *above, name = path.relative_to(folder).parts
        is_rule = name in (IGNORE_FILE, NO_MEDIA)
        if path.is_relative_to(self._library) or any(map(is_junk, above)):
            return None
        if is_junk(name) and not is_rule:
            return None
        place = path if os.path.isdir(path) and not os.path.islink(path) else path.parent  # noqa: PTH114
        if (
            place != path
            and path.suffix.lower() not in PICTURES
            and path.suffix.lower() not in SIDECARS
            and not is_rule
            and not self._may_have_been_directory(path)
        ):
            return None
        return (
            place if os.path.realpath(place) == str(place) else None
        )  # a scan does not follow links to directories

    def _may_have_been_directory(self, path: Path) -> bool:
        """Return whether the path is gone and files below it are known: of a directory that went
        away, nothing but its name is reported.
        """
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
        """Index a directory. A problem is reported once, and what may pass, such as a busy library,
        is tried again less and less often.

        Raises LibraryError when the library cannot be written, which does not pass.
        """
        place = _existing(pending.place, folder)
        try:
            report = self._index(place)
        except FolderError as error:
            # until the folder changes, or the next rescan, it would only be refused again
            del self._pending[folder]
            return self._tell(folder, place, error)
        except (LibraryError, CheckpointError, OSError) as error:
            if isinstance(error, LibraryError) and not self._may_write():
                raise
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

    def _may_write(self) -> bool:
        """Return whether this process may change the library's files."""
        as_now = os.access in os.supports_effective_ids
        return all(
            os.access(path, os.W_OK, effective_ids=as_now)
            for path in (self._library, self._catalog.path)
        )

    def _tell(self, folder: Path, place: Path, error: SigseekError | OSError) -> WatchEvent | None:
        if isinstance(error, OSError):
            error = SigseekError(
                str(error), "check the disk and its permissions", ErrorKind.UNAVAILABLE
            )
        if str(error) == self._told.get(folder):
            return None
        self._told[folder] = str(error)
        return WatchEvent(str(place), None, error)


def folders_to_watch(
    folders: Iterable[str | os.PathLike[str]], known: Collection[Path]
) -> list[Path]:
    """Return the folders' absolute paths without links, none inside another. Raises FolderError for
    a folder that is neither there nor `known`.
    """
    paths = []
    for folder in folders:
        path = typed_path(folder).absolute()
        offline = next((one for one in spellings(path) if one in known and not _exists(one)), None)
        paths.append(offline or check_folder(path))
    return [
        path
        for path in dict.fromkeys(paths)
        if not any(path != other and path.is_relative_to(other) for other in paths)
    ]


def _exists(path: Path) -> bool:
    """Return whether something is at the path; False where its disk does not answer."""
    return ask(path.absolute(), lambda: os.path.exists(path), False)


def _identity(path: Path) -> _Identity:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _tell_gone(before: dict[Path, _Identity], now: dict[Path, _Identity]) -> Iterator[WatchEvent]:
    for path, identity in now.items():
        if identity is None and before.get(path, (0, 0)) is not None:
            gone = FolderError(
                f"the folder {path} is not there",
                "its photos stay, and it is watched again once it is back",
                ErrorKind.NOT_FOUND,
            )
            yield WatchEvent(str(path), None, gone)


def _existing(place: Path, folder: Path) -> Path:
    """Return the place, or the nearest directory above it that exists, up to the folder."""
    while place != folder and not os.path.isdir(place):
        place = place.parent
    return place


def _why_no_events(error: Exception, rescan: float) -> SigseekError:
    meanwhile = f"until then folders are looked through every {rescan / 60:g} minutes"
    for said, limit in (("watch limit", "max_user_watches"), ("open files", "max_user_instances")):
        if said in str(error):
            return SigseekError(
                "there are more directories than may be watched",
                f"raise the limit with: sudo sysctl fs.inotify.{limit}=1048576 and start again; "
                f"{meanwhile}",
                ErrorKind.UNAVAILABLE,
            )
    said = " ".join(str(error).split())
    return SigseekError(f"changes cannot be watched for ({said})", meanwhile, ErrorKind.UNAVAILABLE)
