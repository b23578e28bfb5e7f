"""What changes below folders, as the operating system tells of it.

Files are asked for by os.path, to which a file that cannot be looked at does not exist: pathlib
raises when a drive fails. No question to a folder's disk waits for ever.
"""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from watchfiles import watch

from sigseek.disk import ask
from sigseek.errors import ErrorKind, SigseekError
from sigseek.indexer.decoding.formats import PICTURES
from sigseek.indexer.exclusion import IGNORE_FILE, NO_MEDIA, is_junk
from sigseek.indexer.sidecars import EXTENSIONS as SIDECARS
from sigseek.progress import Stop
from sigseek.storage import Catalog

_WAKE_MS = 500
"""Milliseconds between two looks at the clock and at whether to stop."""


class FolderEvents:
    """The changes below the folders of a library, until `stop` is set.

    Where the system cannot tell of changes, an error says how long it takes until they are found
    all the same: `rescan` seconds.
    """

    def __init__(self, catalog: Catalog, library: Path, rescan: float, stop: Stop) -> None:
        self._catalog = catalog
        self._library = library
        self._rescan = rescan
        self._stop = stop
        self._denied = False
        """Whether some directories may not be entered."""

    def changes(self, folders: Sequence[Path]) -> Iterator[set[Path] | SigseekError]:
        """Yield paths that changed, or an empty set, at least every half second. It ends when
        watching has to begin again.
        """
        try:
            for changes in watch(
                *folders,
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
                yield set(folders)
                return
            yield _why_no_events(error, self._rescan)
            while not self._stop.wait(_WAKE_MS / 1000):
                yield set()

    def directory_of(self, path: Path, folder: Path) -> Path | None:
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
        place = path if ask(folder, partial(_is_directory, path), False) else path.parent
        if (
            place != path
            and path.suffix.lower() not in PICTURES
            and path.suffix.lower() not in SIDECARS
            and not is_rule
            and not self._may_have_been_directory(path, folder)
        ):
            return None
        real = ask(folder, lambda: os.path.realpath(place), None)
        return place if real == str(place) else None  # a scan follows no links to directories

    def _may_have_been_directory(self, path: Path, folder: Path) -> bool:
        """Return whether the path is gone and files below it are known: of a directory that went
        away, nothing but its name is reported.
        """
        there = ask(folder, lambda: os.path.lexists(path), True)
        return not there and self._catalog.has_files_below(path)


def _is_directory(path: Path) -> bool:
    """Return whether the path is a directory and no link to one."""
    return os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH114


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
