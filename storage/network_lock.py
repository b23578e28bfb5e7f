"""The writer lock of a library on a file system of another machine."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import threading
from collections.abc import Iterator
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


class NetworkLock:
    """A lock that is a file, which only one process can make, and which the holder renews.

    A lock of the operating system may hold for the processes of one machine only, on sshfs for
    example. A file that must not exist before is made by one machine only on all of these file
    systems. When the holder was killed, its machine takes the lock over at once, and other machines
    after two minutes.

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
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        facts = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": since,
            "token": secrets.token_hex(8),
        }
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
                if _facts(self._file).get("token") == facts["token"]:
                    self._file.unlink()

    def _make(self, facts: dict[str, Any]) -> None:
        """Make the file. Raises LibraryError when another process holds the lock."""
        while True:
            try:
                descriptor = os.open(self._file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            except FileExistsError:
                self._take_over()
                continue
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(facts, file)
            return

    def _take_over(self) -> None:
        """Remove the file of a holder that is gone. Raises LibraryError when the holder is
        there.
        """
        try:
            held = _facts(self._file)
            gone = _has_ended(held) or self._is_old()
        except FileNotFoundError:  # released at this very moment
            return
        if not gone:
            holder = (
                f"process {held['pid']} on {held['host']} since {held['since']}"
                if {"pid", "host", "since"} <= held.keys()
                else "unknown process"
            )
            raise LibraryError(
                f"another sigseek ({holder}) is updating {self._directory}",
                "wait until it has finished",
                ErrorKind.BUSY,
            )
        # of several processes that take the lock over, one can rename the file
        aside = self._file.with_name(f"lock.{secrets.token_hex(8)}")
        with suppress(FileNotFoundError):
            self._file.rename(aside)
            if _facts(aside).get("token") != held.get("token"):  # another one was quicker
                aside.rename(self._file)
                return
            aside.unlink()

    def _is_old(self) -> bool:
        """Return whether the holder gave no sign of life for long, by the clock of the file
        server.
        """
        clock = self._file.with_name(f"lock.{secrets.token_hex(8)}")
        try:
            clock.write_text("now")
            return clock.stat().st_mtime - self._file.stat().st_mtime > _ABANDONED
        finally:
            clock.unlink(missing_ok=True)

    def _renew(self, facts: dict[str, Any], over: threading.Event) -> None:
        """Write the file again and again: only what is written has the time of the server."""
        while not over.wait(_RENEWED):
            with suppress(OSError):
                if _facts(self._file).get("token") != facts["token"]:  # it was taken over
                    return
                with self._file.open("r+", encoding="utf-8") as file:
                    json.dump(facts, file)


def _facts(file: Path) -> dict[str, Any]:
    """Return what the holder wrote; nothing when it cannot be understood, as while it is being
    written.
    """
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
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
