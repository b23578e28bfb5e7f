"""What a library holds."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from indexer.scan import is_online
from storage import Catalog


@dataclass(frozen=True)
class FolderStatus:
    """A folder of the library."""

    path: str
    online: bool
    """False when it is not there or empty although it had photos, as with an unplugged drive."""
    files: int
    missing: int
    indexed_at: datetime | None
    """UTC."""


@dataclass(frozen=True)
class CheckpointStatus:
    """A checkpoint of the library and how many photos it has embedded."""

    model: str
    fingerprint: str
    dimension: int
    embeddings: int


@dataclass(frozen=True)
class Status:
    """A library at a glance. Sizes are in bytes."""

    library: str
    photos: int
    files: int
    missing: int
    failures: int
    folders: tuple[FolderStatus, ...]
    checkpoints: tuple[CheckpointStatus, ...]
    catalog_bytes: int
    index_bytes: int


def library_status(catalog: Catalog, directory: Path, index_directory: Path) -> Status:
    """The status of the library in `directory`."""
    counts = catalog.file_counts()
    folders = []
    for folder in catalog.folders():
        there, missing = counts.get(folder.id, (0, 0))
        online = is_online(Path(folder.path)) if there + missing else Path(folder.path).is_dir()
        folders.append(FolderStatus(folder.path, online, there, missing, folder.indexed_at))
    checkpoints = [
        CheckpointStatus(record.name, record.fingerprint, record.dimension, record.embeddings) for record in catalog.checkpoints()
    ]
    return Status(
        library=str(directory),
        photos=catalog.photo_count(),
        files=sum(folder.files for folder in folders),
        missing=sum(folder.missing for folder in folders),
        failures=len(catalog.failures()),
        folders=tuple(folders),
        checkpoints=tuple(checkpoints),
        catalog_bytes=sum(path.stat().st_size for path in directory.glob(f"{catalog.path.name}*")),
        index_bytes=sum(path.stat().st_size for path in index_directory.glob("*.faiss")),
    )
