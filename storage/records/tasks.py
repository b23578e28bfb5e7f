"""The files that several processes take in together, and those processes."""

from dataclasses import dataclass
from typing import NamedTuple


class TaskRecord(NamedTuple):
    """A file that a worker has claimed; `path` is relative to its folder."""

    id: int
    path: str
    size: int
    mtime_ns: int
    ctime_ns: int | None
    tries: int
    """How many workers have claimed it and not left in order, this one included."""
    is_known: bool
    """Whether the catalog has a file of this path."""


@dataclass(frozen=True)
class WorkerRecord:
    """A process that takes in files together with others."""

    name: str
    """The process and its machine, for people."""
    lives: bool
    """Whether it still renews its lease."""
    listed: int
    """Files that it has added to the tasks of all."""
    done: int
    """Files that it has dealt with."""
    seconds: float
    """How long ago it joined, by the database's clock."""
