"""A checkpoint's calibration: finding the one in use, and fitting another to captioned pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sigseek.operations.directory import LibraryDirectory
from sigseek.operations.model import ModelInUse
from sigseek.search.errors import CalibrationError
from sigseek.siglip.checkpoint import shipped_calibration
from sigseek.storage import writer_lock

if TYPE_CHECKING:
    from sigseek.evaluation.captions import CaptionedPictures
    from sigseek.search.calibration import Calibration


def calibration_in_use(directory: LibraryDirectory, model: ModelInUse) -> Calibration | None:
    """The library's own calibration of the checkpoint, else the one shipped with the checkpoint."""
    from sigseek.search.calibration import Calibration

    record = model.record()
    own = directory.catalog().calibration(record.id) if record else None
    fitted = own or shipped_calibration(model.checkpoint)
    try:
        return Calibration.from_json(fitted) if fitted else None
    except CalibrationError as error:
        where = directory.directory if own else model.checkpoint.directory
        raise CalibrationError(f"{where}: {error.found}", error.remedy, error.kind) from error


def calibrate(
    directory: LibraryDirectory,
    model: ModelInUse,
    source: Path,
    *,
    split: str,
    pictures: Path | None,
    on_progress: Callable[[int, int], None],
) -> tuple[Calibration, CaptionedPictures]:
    """Fit a calibration and keep it in the library, as `Library.calibrate` describes."""
    import numpy as np

    from sigseek.evaluation.captions import read_captions
    from sigseek.indexer.embed_files import embed_files
    from sigseek.search.fitting import fit_calibration  # brings scikit-learn

    captioned = read_captions(source, split=split, pictures=pictures)
    record = model.record_to_query()
    paths = [picture.path for picture in captioned.pictures]
    embeddings, unusable = embed_files(
        paths,
        model.checkpoint.preprocessing,
        model.images(),
        lambda done: on_progress(done, len(paths)),
    )
    captioned = captioned.usable(unusable)
    calibration = fit_calibration(
        model.embed_texts(captioned.queries),
        np.stack([embeddings[picture.path] for picture in captioned.pictures]),
        captioned.matching(),
        model.yardstick(lambda done, total: None),
        model.checkpoint.scoring,
    )
    with writer_lock(directory.directory), directory.catalog().transaction() as transaction:
        transaction.put_calibration(record.id, calibration.as_json())
    return calibration, captioned
