"""The pictures in one directory, and what is left out of it."""

import os
import stat
from collections.abc import Callable, Collection
from pathlib import Path

from sigseek.indexer.decoding.digest import LATEST_TIME, ctime_ns, mtime_ns
from sigseek.indexer.decoding.formats import PICTURES, RAW
from sigseek.indexer.errors import PatternError
from sigseek.indexer.exclusion import (
    IGNORE_FILE,
    NO_MEDIA,
    Rules,
    is_junk,
    read_ignore_file,
)
from sigseek.indexer.listing import Listing
from sigseek.indexer.other_files import NO_PICTURES
from sigseek.indexer.sidecars import EXTENSIONS as SIDECAR_EXTENSIONS
from sigseek.indexer.sidecars import DirectorySidecars, Sidecar, described

_SIGN = 256
"""Files whose status is asked for between two signs of life."""
_HAS_CTIME = os.name != "nt"
_KIND, _REGULAR = 0o170000, stat.S_IFREG
_NOT_RAW = PICTURES - RAW


class DirectoryLook:
    """A look through one directory of a folder. What is found goes into `listing`."""

    def __init__(self, root: str, directory: str, rules: Rules, listing: Listing) -> None:
        self._root = root
        self._directory = directory
        # Paths are put together as text: pathlib would take longer than the file system.
        self._prefix = "" if directory == "." else directory + os.sep
        self._rules = rules
        self._listing = listing

    def through(
        self, entries: list[os.DirEntry[str]], give_sign_of_life: Callable[[], None]
    ) -> list[tuple[str, Rules]]:
        """List the pictures. Return the directories below, with their rules."""
        # Only hidden files have a say there.
        rules = self.rules_below({entry.name for entry in entries if entry.name[0] == "."})
        if rules is None:
            return []
        below = []
        beside = []
        prefix, files = self._prefix, self._listing.files
        common = _NOT_RAW if _HAS_CTIME and not rules else frozenset()
        for number, entry in enumerate(entries):
            if not number % _SIGN:
                give_sign_of_life()
            name = entry.name
            path = prefix + name
            extension = name[name.rfind(".") :].lower()
            if extension in common and name[0] != ".":
                # Nearly all files come here, and there may be a million: no calls to spare.
                try:
                    status = entry.stat()
                    if status.st_mode & _KIND == _REGULAR:
                        changed = status.st_mtime_ns
                        if -LATEST_TIME < changed < LATEST_TIME:
                            files[path] = (status.st_size, changed, status.st_ctime_ns)
                            continue
                except OSError:
                    pass  # _add_picture says what is wrong
            if entry.is_dir(follow_symlinks=False):
                if self._goes_below(name, path, rules):
                    below.append((path, rules))
            elif extension in SIDECAR_EXTENSIONS:
                if name[0] != ".":
                    beside.append(entry)
            else:
                self._look_at(entry, path, extension, rules)
        if beside:
            found = _sidecars(beside, give_sign_of_life)
            _note_sidecars(found, [entry.name for entry in entries], self._prefix, self._listing)
        return below

    def place(self, name: str) -> str:
        """Return the absolute path of something in the directory."""
        return f"{self._root}{os.sep}{self._prefix}{name}"

    def rules_below(self, names: Collection[str]) -> Rules | None:
        """Return the rules for what is in the directory, which has files of these names; None where
        all of it is left out.

        A .nomedia in the folder itself does not count, because the user has named that folder.
        """
        if NO_MEDIA in names and self._directory != ".":
            self._listing.excluded[self._directory] = f"it has a {NO_MEDIA} file"
            return None
        if IGNORE_FILE not in names:
            return self._rules
        path = self._prefix + IGNORE_FILE
        try:
            text = read_ignore_file(Path(self.place(IGNORE_FILE)))
            return self._rules.with_ignore_file(self._directory, text)
        except OSError as error:
            self._listing.unreadable[path] = f"cannot be read: {error.strerror}"
        except PatternError as error:
            self._listing.unreadable[path] = str(error)
        return self._rules

    def _goes_below(self, name: str, path: str, rules: Rules) -> bool:
        """Return whether the pictures in a directory are listed. If they are not, note why."""
        if is_junk(name):
            self._listing.passed_over[path] = "hidden, or kept by the system"
            return False
        return self.takes(path, rules, directory=True)

    def _look_at(self, entry: os.DirEntry[str], path: str, extension: str, rules: Rules) -> None:
        """List a file if it is a picture, or else note it if it may hold one."""
        hidden = entry.name[0] == "."
        if extension in PICTURES:
            if extension in RAW:
                self._listing.raw_directories.add(self._prefix[:-1])
            if hidden:
                self._listing.passed_over[path] = "hidden"
            elif not rules or self.takes(path, rules, directory=False):
                self._add_picture(entry, path)
        elif (
            not hidden
            and (extension not in NO_PICTURES or entry.is_symlink())
            and not (rules and rules.why_left_out(path, directory=False))
        ):
            self._add_other(entry, path, extension)

    def takes(self, path: str, rules: Rules, *, directory: bool) -> bool:
        """Return whether the rules take the path in. If they do not, note why."""
        reason = rules.why_left_out(path, directory=directory)
        if reason:
            self._listing.excluded[path] = reason
        return not reason

    def _add_picture(self, entry: os.DirEntry[str], path: str) -> None:
        try:
            status = entry.stat()
        except OSError as error:
            self._listing.unreadable[path] = f"cannot be looked at: {error.strerror}"
            return
        if stat.S_ISREG(status.st_mode):
            # A call for each of a million files would be felt.
            changed: int = status.st_mtime_ns
            noted: int | None = status.st_ctime_ns
            if not (_HAS_CTIME and -LATEST_TIME < changed < LATEST_TIME):
                changed, noted = mtime_ns(status), ctime_ns(status)
            self._listing.files[path] = (status.st_size, changed, noted)
        elif stat.S_ISDIR(status.st_mode):
            self._listing.directory_links[path] = _size_and_time(status)
        else:  # reading a pipe or a device might never end
            self._listing.passed_over[path] = "not a regular file"

    def _add_other(self, entry: os.DirEntry[str], path: str, extension: str) -> None:
        try:
            status = entry.stat()
        except OSError:  # such as a link that leads nowhere
            return
        if stat.S_ISDIR(status.st_mode):
            self._listing.directory_links[path] = _size_and_time(status)
        elif stat.S_ISREG(status.st_mode) and status.st_size and extension not in NO_PICTURES:
            self._listing.other_files[path] = _size_and_time(status)


def _sidecars(
    beside: list[os.DirEntry[str]], give_sign_of_life: Callable[[], None]
) -> list[Sidecar]:
    """Return the files among these entries, those that can be looked at."""
    found = []
    for number, entry in enumerate(beside):
        if not number % _SIGN:
            give_sign_of_life()
        try:
            status = entry.stat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            found.append(Sidecar(entry.name, status.st_size, mtime_ns(status), ctime_ns(status)))
    return found


def _note_sidecars(found: list[Sidecar], names: list[str], prefix: str, listing: Listing) -> None:
    """Note which of the sidecars belong to which of a directory's pictures."""
    directory = DirectorySidecars(found)
    for name in names:
        if prefix + name in listing.files:
            sidecars = described(directory.of(name))
            if sidecars:
                listing.sidecars[prefix + name] = sidecars


def _size_and_time(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, mtime_ns(status)
