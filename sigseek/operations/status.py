"""What a library holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sigseek.indexer.presence import is_directory, is_online
from sigseek.storage import Catalog, CheckpointRecord
from sigseek.storage.index.contract import IndexStore


@dataclass(frozen=True)
class FolderStatus:
    """A folder of the library."""

    path: str
    online: bool
    """False when the folder is missing, or empty although it had photos.

    Its drive may be unplugged.
    """
    files: int
    missing: int
    indexed_at: datetime | None
    """UTC; None until a run over the whole folder has finished."""


@dataclass(frozen=True)
class CheckpointStatus:
    """A checkpoint of the library, and how many photos it has embedded."""

    model: str
    fingerprint: str
    dimension: int
    embeddings: int
    coverage: float
    """Share of the library's photos that it has embedded, 0 to 1."""
    searched: bool
    """Whether searches use this checkpoint when none is named."""


@dataclass(frozen=True)
class Status:
    """A library at a glance. Sizes are in bytes."""

    library: str
    photos: int
    files: int
    missing: int
    failures: int
    damaged: int
    """Photos of which only a part could be decoded."""
    folders: tuple[FolderStatus, ...]
    checkpoints: tuple[CheckpointStatus, ...]
    catalog_bytes: int
    index_bytes: int


def default_checkpoint(records: Sequence[CheckpointRecord]) -> CheckpointRecord | None:
    """The checkpoint that is used when none is named; None when there is no checkpoint.

    It is the one that has embedded most photos; if two have embedded the same number, the older.
    """
    return max(records, key=lambda record: record.embeddings, default=None)


def library_status(catalog: Catalog, directory: Path, index_store: IndexStore) -> Status:
    """The status of the library in `directory`."""
    counts = catalog.file_counts()
    folders = []
    for folder in catalog.folders():
        there, missing = counts.get(folder.id, (0, 0))
        online = (is_online if there + missing else is_directory)(Path(folder.path))
        folders.append(FolderStatus(folder.path, online, there, missing, _utc(folder.indexed_at)))
    photos, records = catalog.photo_count(), catalog.checkpoints()
    searched = default_checkpoint(records)
    checkpoints = [
        CheckpointStatus(
            record.name,
            record.fingerprint,
            record.dimension,
            record.embeddings,
            coverage=round(record.embeddings / photos, 4) if photos else 0.0,
            searched=record == searched,
        )
        for record in records
    ]
    return Status(
        library=str(directory),
        photos=photos,
        files=sum(folder.files for folder in folders),
        missing=sum(folder.missing for folder in folders),
        failures=len(catalog.failures()),
        damaged=catalog.count_damaged(),
        folders=tuple(folders),
        checkpoints=tuple(checkpoints),
        catalog_bytes=sum(map(_size, directory.glob(f"{catalog.path.name}*"))),
        index_bytes=index_store.bytes(),
    )


def _utc(time: datetime | None) -> datetime | None:
    """The catalog's time, which is UTC, with its time zone."""
    return time.replace(tzinfo=UTC) if time and time.tzinfo is None else time


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # another process has removed it since it was listed
        return 0
