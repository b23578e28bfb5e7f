"""The photos of groups, with the facts and files that decide which one is kept."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from sigseek.search.duplicates.groups import Pair
from sigseek.search.duplicates.keeping import (
    Copy,
    FileNow,
    FileRank,
    Rank,
    criteria,
    file_rank,
    file_reason,
    look_at,
    rank,
    reason,
)
from sigseek.search.duplicates.results import DuplicatePhoto
from sigseek.search.duplicates.sketch_rows import SketchRows
from sigseek.storage import CatalogReader, PhotoRecord

_SAME_SHARE = 0.1
"""How much the share of the picture inside of plain margins may differ between two forms with the
same frame.
"""
_SAME_PIXELS = 0.05
"""The share by which pixels inside of a frame may differ from those of a picture without one."""


class Copies:
    """Copies of shots. Those in the folders `prefer` are kept rather than others."""

    def __init__(self, catalog: CatalogReader, rows: SketchRows, prefer: Sequence[Path]) -> None:
        self._catalog = catalog
        self._rows = rows
        self._prefer = prefer
        self._measures = criteria(prefer)
        self.files: dict[int, list[FileNow]] = {}
        """The files of each photo that was looked at, by path."""
        self.by_id: dict[int, Copy] = {}
        """The photos that can be ranked."""
        self.ranks: dict[int, Rank] = {}
        """What these are ordered by, the best first."""

    def learn(self, ids: Sequence[int], near: Iterable[Pair]) -> None:
        """Look at the files and facts of photos, so that they can be ranked. `near` has the pairs
        that are one shot.
        """
        self.look_at_files(ids)
        photos, formats = self._catalog.photos(ids), self._catalog.picture_formats(ids)
        pixels = self._content_pixels(photos, near)
        for id_ in ids:
            file = min(self.files[id_], key=self.file_rank)
            copy = Copy(photos[id_], formats[id_], pixels[id_], file)
            self.by_id[id_], self.ranks[id_] = copy, rank(copy, self._measures)

    def _content_pixels(
        self, photos: Mapping[int, PhotoRecord], near: Iterable[Pair]
    ) -> dict[int, float]:
        """Return how many pixels each photo has inside of its plain margins.

        Margins are found to a hundredth of a picture. Those of a photograph's own, such as a sky,
        differ a little between its forms, which then count as if they did not. A framed picture
        with nearly as many pixels as one without a frame counts as having as many.
        """
        _, inner = self._rows.of_photos(np.array(list(photos), np.int64))
        shares = dict.fromkeys(photos, 1.0)
        for id_, row in zip(photos, inner.tolist(), strict=True):
            if row >= 0 and self._rows.ids[row] == id_:
                margins = self._rows.margins[row].reshape(2, 2).sum(axis=0, dtype=np.int64)
                left = 1 - margins / 256
                shares[id_] = float(left[0] * left[1])
        pairs = list(near)
        for one, other in pairs:
            if abs(shares[one] - shares[other]) < _SAME_SHARE:
                shares[one] = shares[other] = max(shares[one], shares[other])
        pixels = {id_: shares[id_] * photo.width * photo.height for id_, photo in photos.items()}
        for one, other in pairs:
            framed, plain = sorted((one, other), key=lambda id_: shares[id_])
            if shares[framed] < shares[plain] and _same_pixels(pixels[framed], pixels[plain]):
                pixels[framed] = pixels[plain]
        return pixels

    def look_at_files(self, ids: Sequence[int]) -> None:
        """Look at the files of photos that were not looked at yet."""
        unknown = [id_ for id_ in ids if id_ not in self.files]
        self.files |= look_at(self._catalog.present_files(unknown))

    def file_rank(self, file: FileNow) -> FileRank:
        """Return what files of one picture are ordered by, the best first."""
        return file_rank(file, self._prefer)

    def file_reason(self, best: FileNow, other: FileNow) -> str:
        """Return why the first file is kept rather than the other one, which is the next best."""
        return file_reason(best, other, self._prefer)

    def reason(self, ids: Sequence[int]) -> str:
        """Return why the first photo is kept rather than the next best one."""
        best, *others = (self.ranks[id_] for id_ in ids)
        return reason(best, others, self._measures)


def in_group(
    photo: PhotoRecord,
    file: FileNow,
    names: Iterable[FileNow],
    why: str | None,
    *,
    distance: int | None,
    cosine: float | None,
) -> DuplicatePhoto:
    """Return a photo of a group, which is shown by `file`, one of its `names`. `why` tells why it
    is the one to keep; None for all others.
    """
    return DuplicatePhoto(
        id=photo.id,
        path=file.path,
        copies=tuple(name.path for name in names if name.path != file.path),
        width=photo.width,
        height=photo.height,
        bytes=file.size,
        taken_at=photo.taken_at,
        keep=why is not None,
        why=why,
        distance=distance,
        cosine=cosine,
        available=file.available,
    )


def _same_pixels(one: float, other: float) -> bool:
    return abs(one - other) <= _SAME_PIXELS * max(one, other)
