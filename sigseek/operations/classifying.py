"""Scoring labels for photo files, without a library."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sigseek.operations.model import ModelInUse, existing_photo
from sigseek.search.errors import QueryError
from sigseek.search.labels import Label, distinct_labels, label_texts

if TYPE_CHECKING:
    from sigseek.search.classify import Classification


def classify_photos(
    model: ModelInUse,
    photos: Sequence[str | os.PathLike[str]],
    labels: Sequence[str | Label],
    template: str,
    on_problem: Callable[[Exception], None] | None,
) -> list[Classification]:
    """The labels' probabilities for each photo file, as `Library.classify` describes."""
    from sigseek.search.classify import Classification, classify

    if isinstance(photos, str):
        raise QueryError("photos is one string", "give a list of photo files")
    if not photos:
        raise QueryError("no photo to classify", "name at least one")
    wanted = distinct_labels(labels)
    texts = label_texts(wanted, template)
    if on_problem is None:
        paths = [existing_photo(Path(photo)) for photo in photos]
        images = model.embed_photos(paths)
    else:
        paths, images = model.embed_usable_photos([Path(photo) for photo in photos], on_problem)
    if not paths:
        return []
    scores = classify(images, wanted, texts, model.texts(), model.checkpoint.scoring)
    return [Classification(str(path), ranked) for path, ranked in zip(paths, scores, strict=True)]
