"""Scoring labels for photo files, without a library."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sigseek.errors import ErrorKind
from sigseek.indexer import DecodeError
from sigseek.operations.calibration import calibration_in_use
from sigseek.operations.given_paths import given_paths
from sigseek.operations.lists import check_list
from sigseek.operations.opened import OpenedLibrary
from sigseek.operations.photo_files import cannot_be_used, existing_photo
from sigseek.operations.photo_ids import plain_ids
from sigseek.progress import Listener, Problem, Stop
from sigseek.search.errors import QueryError
from sigseek.search.labels import Label, distinct_labels, label_texts

if TYPE_CHECKING:
    from sigseek.search.classify import Classification, LabelScore


_WHY_NOT = {
    ErrorKind.NOT_FOUND: "there is no such file",
    ErrorKind.INVALID: "a folder, not a photo",
    ErrorKind.UNAVAILABLE: "its disk does not answer",
}
"""What is said of a file that is left out, by the kind of error that `existing_photo` raises."""


def classify_photos(
    library: OpenedLibrary,
    photos: Sequence[str | os.PathLike[str]],
    labels: Sequence[str | Label],
    template: str,
    *,
    skip_unusable: bool,
    listener: Listener | None,
    stop: Stop | None,
) -> list[Classification]:
    """Return how well the labels fit each photo file, as `Library.classify` describes."""
    from sigseek.search.classify import Classification, rank_labels

    named = given_paths("photos", photos, QueryError)
    check_list("labels", labels, QueryError)
    if not named:
        raise QueryError("no photo to classify", "name at least one")
    wanted = distinct_labels(labels)
    texts = label_texts(wanted, template)
    told, model = listener or library.listener, library.model
    files = _existing(named, told if skip_unusable else None)
    if not files:
        return []
    vectors = model.embed_texts(texts, told, stop)
    library.checkpoint.note_classifying()
    scoring = model.checkpoint.scoring
    calibration = calibration_in_use(library.directory, model, told, stop)
    results: list[Classification] = []
    with closing(library.photo_files.embed(files, told, stop)) as embedded:
        for path, found in embedded:
            if not isinstance(found, DecodeError):
                ranked = rank_labels(found, wanted, vectors, scoring, calibration)
                results.append(Classification(str(path), ranked))
            elif not skip_unusable:
                raise cannot_be_used(path, found)
    return results


def classify_known(
    library: OpenedLibrary,
    photo_ids: Sequence[int],
    labels: Sequence[str | Label],
    template: str,
    listener: Listener | None,
    stop: Stop | None,
) -> dict[int, Classification]:
    """Return how well the labels fit photos of the library, as `Library.classify_known`
    describes.
    """
    import numpy as np

    from sigseek.search.classify import Classification, rank_labels

    ids = list(dict.fromkeys(plain_ids("photo_ids", photo_ids)))
    check_list("labels", labels, QueryError)
    wanted = distinct_labels(labels)
    record = library.checkpoint.state_to_query(listener, stop).record
    texts = library.model.embed_texts(label_texts(wanted, template), listener, stop)
    library.checkpoint.note_classifying()
    catalog, scoring = library.directory.catalog(), library.model.checkpoint.scoring
    calibration = calibration_in_use(library.directory, library.model, listener, stop)
    found, vectors = catalog.embeddings(record.id, ids)
    places = {int(id_): place for place, id_ in enumerate(found)}
    paths = {id_: photo.paths[0] for id_, photo in catalog.photos(list(places)).items()}

    def ranked(place: int) -> tuple[LabelScore, ...]:
        vector = vectors[place].astype(np.float32)
        return rank_labels(vector, wanted, texts, scoring, calibration)

    return {id_: Classification(paths[id_], ranked(places[id_])) for id_ in ids if id_ in paths}


def _existing(photos: Sequence[Path], told: Listener | None) -> list[Path]:
    """Return the absolute paths of the files that exist, and tell of the others.

    With nobody to tell, the first that does not exist raises QueryError.
    """
    files = []
    for photo in photos:
        try:
            files.append(existing_photo(photo))
        except QueryError as error:
            if told is None:
                raise
            told.met(Problem(str(photo.absolute()), _WHY_NOT[error.kind]))
    return files
