"""What a library holds."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sigseek.indexer.presence import is_directory, is_online
from sigseek.indexer.shared_work import SharedProgress
from sigseek.operations.default_checkpoint import checkpoint_to_search
from sigseek.operations.location import LibraryLocation
from sigseek.siglip.yardstick import VERSION
from sigseek.siglip.yardstick.steps import step_of
from sigseek.storage import FolderRecord, Measured
from sigseek.storage.catalog.catalog import CatalogReader
from sigseek.storage.thumbnails import ThumbnailStore


@dataclass(frozen=True)
class FolderStatus:
    """A folder of the library."""

    path: str
    online: bool
    """Whether the folder is there. It is False when the folder is missing, or empty although it had
    photos.

    Its drive may be unplugged.
    """
    files: int
    missing: int
    indexed_at: datetime | None
    """When the last run over the whole folder finished, in UTC; None until one has."""
    excluded: tuple[str, ...] = ()
    """The patterns of files that are left out."""


@dataclass(frozen=True)
class CheckpointStatus:
    """A checkpoint of the library, and how many photos it has embedded."""

    model: str
    fingerprint: str
    dimension: int
    embeddings: int
    coverage: float
    """The share of the library's photos that it has embedded, 0 to 1."""
    reference_captions: int
    """How many of the 456 reference captions its hits are judged by; 0 before it was measured."""
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
    thumbnails: str
    """The directory of the thumbnails, which all libraries of the user share."""
    thumbnails_bytes: int
    """What they take, all libraries together; of many it is an estimate."""
    thumbnails_max_bytes: int
    """What they take at most."""
    shared_run: SharedProgress | None = None
    """How far the processes are that index the library together now; None when there are none."""


def library_status(library: LibraryLocation, thumbnails: ThumbnailStore) -> Status:
    """Return the status of a library, whose numbers are all of one moment."""
    catalog = library.catalog()
    with catalog.snapshot() as reader:
        known, counts = reader.folders(), reader.file_counts()
        photos = reader.photo_count()
        checkpoints = _checkpoints(reader, photos)
        shared = SharedProgress.of(reader.workers())
        failures, damaged = reader.count_failures(), reader.count_damaged()
    # A drive may take long to answer, so the folders are looked at when the catalog is closed.
    folders = [_folder_status(folder, *counts.get(folder.id, (0, 0))) for folder in known]
    return Status(
        library=library.where,
        photos=photos,
        files=sum(folder.files for folder in folders),
        missing=sum(folder.missing for folder in folders),
        failures=failures,
        damaged=damaged,
        folders=tuple(folders),
        checkpoints=checkpoints,
        catalog_bytes=catalog.size(),
        index_bytes=library.index_store.bytes(),
        thumbnails=str(thumbnails.directory),
        thumbnails_bytes=thumbnails.size_on_disk(),
        thumbnails_max_bytes=thumbnails.max_bytes,
        shared_run=shared if shared.workers else None,
    )


def _folder_status(folder: FolderRecord, files: int, missing: int) -> FolderStatus:
    online = (is_online if files + missing else is_directory)(Path(folder.path))
    return FolderStatus(folder.path, online, files, missing, folder.indexed_at, folder.excluded)


def _checkpoints(reader: CatalogReader, photos: int) -> tuple[CheckpointStatus, ...]:
    """Return the checkpoints of a library with so many photos."""
    searched = checkpoint_to_search(reader)
    return tuple(
        CheckpointStatus(
            record.name,
            record.fingerprint,
            record.dimension,
            record.embeddings,
            coverage=round(record.embeddings / photos, 4) if photos else 0.0,
            reference_captions=_reference_captions(reader.measured(record.id)),
            searched=record == searched,
        )
        for record in reader.checkpoints()
    )


def _reference_captions(measured: Measured | None) -> int:
    step = step_of(measured.common_texts) if measured and measured.version == VERSION else None
    return step.texts if step else 0
