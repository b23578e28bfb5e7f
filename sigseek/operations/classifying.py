"""Scoring labels for photo files, without a library."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sigseek.errors import SigseekError
from sigseek.indexer import DecodeError
from sigseek.operations.model import ModelInUse, cannot_be_used, existing_photo
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
    from sigseek.search.classify import Classification, rank_labels

    if isinstance(photos, str):
        raise QueryError("photos is one string", "give a list of photo files")
    if not photos:
        raise QueryError("no photo to classify", "name at least one")
    wanted = distinct_labels(labels)
    texts = label_texts(wanted, template)
    files = [_existing(Path(photo)) for photo in photos]
    missing = [file for file in files if isinstance(file, QueryError)]
    if missing and on_problem is None:
        raise missing[0]  # before anything is embedded

    vectors = model.embed_texts(texts) if len(missing) < len(files) else None
    results: list[Classification] = []
    with closing(model.embed_photos([file for file in files if isinstance(file, Path)])) as found:
        for file in files:
            path, outcome = next(found) if isinstance(file, Path) else (Path(), file)
            if not isinstance(outcome, SigseekError):
                assert vectors is not None
                ranked = rank_labels(outcome, wanted, vectors, model.checkpoint.scoring)
                results.append(Classification(str(path), ranked))
                continue
            problem = cannot_be_used(path, outcome) if isinstance(outcome, DecodeError) else outcome
            if on_problem is None:
                raise problem
            on_problem(problem)
    return results


def _existing(photo: Path) -> Path | QueryError:
    """The photo's absolute path, or the error that says why there is no such file."""
    try:
        return existing_photo(photo)
    except QueryError as error:
        return error
