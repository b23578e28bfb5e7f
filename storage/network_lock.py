"""The writer lock of a library on a file system of another machine."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from sigseek.errors import ErrorKind
from sigseek.storage.errors import LibraryError

_RENEWED = 15.0
"""Seconds between two signs of life of the holder."""
_ABANDONED = 120.0
"""Seconds without a sign of life after which a lock is taken over."""
_RELEASED = 1.0
"""Seconds in which a lock must be released. Another process may be about to remove its file."""


class NetworkLock:
    """A lock that is a file, which only one process can make, and which the holder renews.

    A lock of the operating system may hold for the processes of one machine only, on sshfs for
    example. A file that must not exist before is made by one machine only on all of these file
    systems. When the holder was killed, its machine takes the lock over at once, and other machines
    after two minutes. A second file decides which of several processes does.

    A holder that was away for longer, as a laptop that slept, may lose the lock and go on writing.
    The catalog stays sound, because SQLite orders the changes; the worst is that two processes
    embed the same photos.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file = directory / "lock.network"

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the lock."""
        facts = _own_facts()
        try:
            self._make(facts)
        except OSError as error:
            raise LibraryError(
                f"the library {self._directory} cannot be locked ({error.strerror})",
                "check its permissions and the network",
                ErrorKind.UNAVAILABLE,
            ) from error
        over = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(facts, over), daemon=True)
        renewing.start()
        try:
            yield
        finally:
            over.set()
            renewing.join(_RENEWED)
            with suppress(OSError):
                self._release(facts)

    def _make(self, facts: dict[str, Any]) -> None:
        """Make the file. Raises LibraryError when another process holds the lock."""
        while not _make_file(self._file, facts):
            self._remove_if_abandoned(self._file)

    def _release(self, facts: dict[str, Any]) -> None:
        """Remove the file, unless another process has taken the lock over."""
        ends = time.monotonic() + _RELEASED
        while not self._remove(self._file, lambda file: _facts(file) == facts):
            if time.monotonic() > ends:  # the file is then taken over as that of a killed process
                return
            time.sleep(0.01)

    def _remove_if_abandoned(self, file: Path) -> None:
        """Remove the file of a process that is gone. Raises LibraryError when the process is not
        gone.
        """
        try:
            if not self._is_abandoned(file):
                raise self._busy(file)
        except FileNotFoundError:  # removed at this very moment
            return
        claim = _claim(file)
        if not self._remove(file, self._is_abandoned) and claim.exists():
            self._remove_if_abandoned(claim)

    def _remove(self, file: Path, may_go: Callable[[Path], bool]) -> bool:
        """Remove the file if it may go. Returns False if another process is about to remove it.

        Several processes may find at once that it may go, and one may have made a new file when the
        next one comes to remove the old one. So only the process that makes a second file removes
        the first, and it looks at it once more when it has made the second.
        """
        claim, mine = _claim(file), _own_facts()
        if not _make_file(claim, mine):
            return False
        try:
            with suppress(FileNotFoundError):
                if may_go(file):
                    file.unlink()
        finally:
            with suppress(FileNotFoundError):
                if _facts(claim) == mine:
                    claim.unlink()
        return True

    def _is_abandoned(self, file: Path) -> bool:
        """Return whether the maker of the file has ended, or gave no sign of life for long."""
        return _has_ended(_facts(file)) or self._is_old(file)

    def _busy(self, file: Path) -> LibraryError:
        held = _facts(file)
        holder = (
            f"process {held['pid']} on {held['host']} since {held['since']}"
            if {"pid", "host", "since"} <= held.keys()
            else "unknown process"
        )
        return LibraryError(
            f"another sigseek ({holder}) is updating {self._directory}",
            "wait until it has finished",
            ErrorKind.BUSY,
        )

    def _is_old(self, file: Path) -> bool:
        """Return whether the file was not written for long, by the clock of the file server."""
        clock = self._file.with_name(f"lock.{secrets.token_hex(8)}")
        try:
            clock.write_text("now")
            return clock.stat().st_mtime - file.stat().st_mtime > _ABANDONED
        finally:
            clock.unlink(missing_ok=True)

    def _renew(self, facts: dict[str, Any], over: threading.Event) -> None:
        """Write the file again and again: only what is written has the time of the server."""
        while not over.wait(_RENEWED):
            with suppress(OSError), self._file.open("r+", encoding="utf-8") as file:
                if _understood(file.read()) != facts:
                    return  # it was taken over
                file.seek(0)  # what is written goes to the file that was read, and to no newer one
                json.dump(facts, file)


def _claim(file: Path) -> Path:
    """Return the file that a process makes which is about to remove this one."""
    return file.with_name(f"{file.name}.takeover")


def _own_facts() -> dict[str, Any]:
    """Return what tells others about this process."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        "token": secrets.token_hex(8),
    }


def _make_file(file: Path, facts: dict[str, Any]) -> bool:
    """Make the file. Returns False if it exists: of several processes only one can make it."""
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        json.dump(facts, opened)
    return True


def _facts(file: Path) -> dict[str, Any]:
    """Return what the maker of the file wrote."""
    return _understood(file.read_text(encoding="utf-8"))


def _understood(text: str) -> dict[str, Any]:
    """Return the facts in a file; none when they cannot be understood, as while it is written."""
    try:
        facts = json.loads(text)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _has_ended(held: dict[str, Any]) -> bool:
    """Return whether the holder was a process of this machine that is not there any more."""
    pid = held.get("pid")
    if sys.platform == "win32" or held.get("host") != socket.gethostname():
        return False
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
