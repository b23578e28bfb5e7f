"""Whether a camera RAW file and a picture are of the same shot, by what both of them say."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sigseek.storage import DateSource, PhotoRecord

if TYPE_CHECKING:
    from sigseek.indexer.decoding.metadata import Metadata

_CAPTURED = (None, DateSource.EXIF_ORIGINAL, DateSource.EXIF_DIGITIZED)
"""The sources of a date that a camera wrote. Photos of earlier versions have None."""
_SAME_MOMENT = timedelta(seconds=2)
_SECOND = len("2021-07-03T18:05:09")


def is_same_shot(raw: Metadata, picture: Metadata | PhotoRecord, *, same_directory: bool) -> bool:
    """Return whether a RAW file and a picture of the same name are of the same shot.

    Where one of them says nothing, files in the same directory are a pair by their names. Files in
    different directories are not: names begin again with every card.
    """
    if raw.camera and picture.camera and raw.camera.lower() != picture.camera.lower():
        return False
    moments = [_moment(said.taken_at, said.date_source) for said in (raw, picture)]
    if moments[0] and moments[1]:
        return abs(moments[0] - moments[1]) <= _SAME_MOMENT
    return same_directory


def _moment(taken_at: str | None, source: str | None) -> datetime | None:
    """Return the local time of the capture to the second, if a camera wrote it."""
    if taken_at is None or source not in _CAPTURED or len(taken_at) < _SECOND:
        return None
    return datetime.fromisoformat(taken_at[:_SECOND])
