"""Disks that do not answer, as network mounts whose server is gone."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from sigseek import disk


class SilentDisk:
    """Makes the system's calls about some paths wait until the test is over."""

    def __init__(self) -> None:
        self.paths: set[Path] = set()
        """The directories whose disk does not answer, with all below them."""
        self.back = threading.Event()

    def wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the call, which waits where the disk does not answer."""

        @wraps(call)
        def wrapped(path: Any, *rest: Any, **options: Any) -> Any:
            if not isinstance(path, int):
                place = Path(os.path.normpath(os.fsdecode(path)))
                if any(place == silent or silent in place.parents for silent in self.paths):
                    assert self.back.wait(120)
            return call(path, *rest, **options)

        return wrapped


@contextmanager
def silent_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentDisk]:
    """Give a disk that can fall silent, for which nobody waits longer than two seconds."""
    made = SilentDisk()
    monkeypatch.setattr(disk, "PATIENCE", 2.0)
    for name in ("open", "scandir", "stat", "lstat"):
        monkeypatch.setattr(os, name, made.wrap(getattr(os, name)))
    yield made
    made.back.set()
