"""What takes the files of the tests longer than the test itself, and is left out. It concerns this
process only, and no command that a test starts.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy.pool import ConnectionPoolEntry

from sigseek.storage.catalog import sqlite


@contextmanager
def without_waiting_for_the_disk() -> Iterator[None]:
    """Have files written without waiting until the disk has them: only a power cut would tell."""
    set_up = sqlite._set_up

    def set_up_without_waiting(
        synchronous: str, connection: sqlite3.Connection, entry: ConnectionPoolEntry
    ) -> None:
        set_up("OFF", connection, entry)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "_set_up", set_up_without_waiting)
        patch.setattr(os, "fsync", lambda file: None)
        yield
