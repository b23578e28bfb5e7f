"""Which kind of failure an error is in the catalog, and which failures are tried again."""

from datetime import UTC, datetime, timedelta

from sigseek.indexer.decoding.formats import DECODER_VERSION
from sigseek.indexer.errors import (
    ChangedError,
    DecodeError,
    SlowError,
    TooLargeError,
    UndecidedError,
    UnsupportedError,
)
from sigseek.indexer.listing import FoundFile
from sigseek.storage import FailureKind, FailureRecord

_SLOW_AGAIN = timedelta(days=1)
"""How long a file that took too long is left alone."""
_KINDS: tuple[tuple[type[Exception], FailureKind], ...] = (
    (TooLargeError, FailureKind.TOO_LARGE),
    (SlowError, FailureKind.SLOW),
    (ChangedError, FailureKind.CHANGED),
    (UndecidedError, FailureKind.INTERRUPTED),
    (UnsupportedError, FailureKind.UNSUPPORTED),
    (DecodeError, FailureKind.NO_PICTURE),
)
"""The first that fits counts: subclasses stand before their bases."""


def failure_of(file: FoundFile, error: Exception) -> FailureRecord:
    """Return what to keep of a file that raised this error, with the size and mtime that the scan
    saw.
    """
    kind = next((kind for type_, kind in _KINDS if isinstance(error, type_)), None)
    return FailureRecord(
        file.path,
        str(error) if kind else f"cannot be read: {getattr(error, 'strerror', None) or error}",
        file.size,
        file.mtime_ns,
        kind or FailureKind.UNREADABLE,
        error.pixels if isinstance(error, TooLargeError) else None,
        decoder_version=DECODER_VERSION,
    )


def unreadable(path: str, reason: str) -> FailureRecord:
    """Return what to keep of a directory or link that could not be looked into."""
    return FailureRecord(path, reason, None, None, FailureKind.UNREADABLE)


def crashed(file: FoundFile, processes: int) -> FailureRecord:
    """Return what to keep of a file at which so many processes have ended."""
    return FailureRecord(
        file.path,
        f"{processes} processes ended while they indexed it; it is tried again when it changes, or "
        "by a newer version",
        file.size,
        file.mtime_ns,
        FailureKind.CRASH,
        decoder_version=DECODER_VERSION,
    )


def hides_contents(failure: FailureRecord) -> bool:
    """Return whether it is unknown what the file or directory holds, since it could not be read."""
    # what is slow may be the disk
    return failure.kind in (
        FailureKind.UNREADABLE,
        FailureKind.CHANGED,
        FailureKind.SLOW,
        FailureKind.CRASH,
    )


def is_due(failure: FailureRecord, max_pixels: int) -> bool:
    """Return whether a file that failed and has not changed since is tried again by a run that
    takes pictures of up to `max_pixels`.
    """
    match failure.kind:
        case FailureKind.TOO_LARGE:
            return failure.pixels is not None and failure.pixels <= max_pixels
        case FailureKind.SLOW:
            tried_at = failure.tried_at
            return tried_at is None or datetime.now(UTC) - tried_at >= _SLOW_AGAIN
        case FailureKind.UNSUPPORTED | FailureKind.NO_PICTURE | FailureKind.CRASH:
            return failure.decoder_version < DECODER_VERSION
        case _:
            return True
