"""A closer look at the best photos: they are ranked again by parts of each picture."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sigseek.disk import first_there
from sigseek.search.hits import photos_with_files
from sigseek.search.query import Text
from sigseek.search.scorer import Scored
from sigseek.siglip import Scoring
from sigseek.storage import CatalogReader, PhotoRecord

Floats = npt.NDArray[np.float32]

_BEST_SHARE, _MEAN_SHARE = 0.5, 0.5
"""The weights of the best part's cosine and of the mean cosine of all parts. The whole picture's
cosine has a weight of 1. They were chosen on drawings, see docs/scores.md.
"""


@dataclass(frozen=True)
class CloserLook:
    """A closer look at the `count` best photos, by the embeddings of parts of each picture."""

    count: int
    embed: Callable[[Sequence[tuple[Path, int]]], Iterable[Floats | None]]
    """It takes photos, each a file and the number of its pixels. For each photo it gives the
    unit-norm embeddings float32 (views, dim) of its parts, or None if the file cannot be read.
    """

    def cosines(
        self, text: Floats, photos: Mapping[int, PhotoRecord], whole: Mapping[int, float]
    ) -> dict[int, float]:
        """Return the cosine of each photo to the text's embedding (dim,), with the parts of the
        picture counted in. `whole` has the cosines of the whole pictures. All three go by the same
        keys.
        """
        there = first_there([photo.paths for photo in photos.values()])
        paths = {key: path for key, path in zip(photos, there, strict=True) if path}
        sizes = {key: photo.width * photo.height for key, photo in photos.items()}
        looked = self.embed([(Path(path), sizes[key]) for key, path in paths.items()])
        views = dict(zip(paths, looked, strict=True))
        return {key: _mixed(text, whole[key], views.get(key)) for key in photos}

    def judge(
        self, query: Text, text: Floats, scored: Scored, catalog: CatalogReader, scoring: Scoring
    ) -> tuple[Scored, dict[int, float]]:
        """Return the scores of a query of one text, whose embedding (dim,) is `text`, with the best
        photos judged by their parts, and by row the logits of these photos.
        """
        order = np.argsort(-scored.ranked_by, kind="stable")
        best = dict(photos_with_files(order, scored.ids, catalog, self.count))
        looked = self.cosines(text, best, {row: float(scored.cosines[query][row]) for row in best})
        rows = np.array(list(looked), np.int64)
        cosines = scored.cosines[query].copy()
        cosines[rows] = list(looked.values())
        probabilities = scored.models[query](cosines)
        judged = replace(
            scored, ranked_by=cosines, probabilities=probabilities, terms={query: probabilities}
        )
        logits = scoring.logits(cosines[rows])
        return judged, dict(zip(looked, logits.tolist(), strict=True))


def _mixed(text: Floats, whole: float, views: Floats | None) -> float:
    """Return the cosine of a picture that counts its parts (views, dim), if there are any."""
    parts = np.array([whole]) if views is None else views @ text
    mixed = whole + _BEST_SHARE * parts.max() + _MEAN_SHARE * parts.mean()
    return float(mixed / (1 + _BEST_SHARE + _MEAN_SHARE))
