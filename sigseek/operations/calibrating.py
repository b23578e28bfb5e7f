"""Fitting a calibration to captioned pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sigseek.operations.opened import OpenedLibrary
from sigseek.progress import Listener, Stop

if TYPE_CHECKING:
    from sigseek.evaluation.captions import CaptionedPictures
    from sigseek.search.calibration import Calibration


def calibrate(
    library: OpenedLibrary,
    source: Path,
    *,
    split: str,
    pictures: Path | None,
    listener: Listener | None,
    stop: Stop | None,
) -> tuple[Calibration, CaptionedPictures]:
    """Fit a calibration and keep it in the library, as `Library.calibrate` describes."""
    import numpy as np

    from sigseek.evaluation.caption_files import read_captions
    from sigseek.indexer.measure_biases import measure_biases
    from sigseek.search.fitting import fit_calibration  # brings scikit-learn

    told, until = listener or library.listener, stop or Stop()
    captioned = read_captions(source, split=split, pictures=pictures)
    for problem in captioned.problems:
        told.met(problem.as_told(source))
    record = library.checkpoint.state_to_query(told, until).record
    with library.directory.writing(until):
        pass  # a read-only library is refused before what takes long
    embeddings, unusable = library.photo_files.gather(
        [picture.path for picture in captioned.pictures], told, until
    )
    captioned = captioned.usable(unusable)
    texts = library.model.embed_texts(captioned.queries, told, until)
    yardstick = library.model.yardstick(told, until)
    until.check()
    calibration = fit_calibration(
        texts,
        np.stack([embeddings[picture.path] for picture in captioned.pictures]),
        captioned.matching(),
        yardstick,
        library.model.checkpoint.scoring,
    )
    catalog = library.directory.catalog()
    with library.directory.writing(until):
        with catalog.transaction() as transaction:
            transaction.put_calibration(record.id, calibration.as_json())
        # The calibration holds for photos measured against the whole yardstick.
        measure_biases(catalog, library.checkpoint.state_to_query().record, yardstick, until)
    return calibration, captioned
