"""A checkpoint's calibration: finding the one in use, and fitting another to captioned pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sigseek.operations.directory import LibraryDirectory
from sigseek.operations.model import ModelInUse, gather
from sigseek.progress import Listener, Phase, Progress
from sigseek.search.errors import CalibrationError
from sigseek.siglip.checkpoint import shipped_calibration

if TYPE_CHECKING:
    from sigseek.evaluation.captions import CaptionedPictures
    from sigseek.search.calibration import Calibration


def calibration_in_use(directory: LibraryDirectory, model: ModelInUse) -> Calibration | None:
    """The library's own calibration of the checkpoint, else the one shipped with the checkpoint."""
    record = model.record()
    own = directory.catalog().calibration(record.id) if record else None
    return read_calibration(own, directory, model)


def read_calibration(
    own: str | None, directory: LibraryDirectory, model: ModelInUse
) -> Calibration | None:
    """The calibration that the library keeps as JSON, or without one the checkpoint's."""
    from sigseek.search.calibration import Calibration

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
    listener: Listener,
) -> tuple[Calibration, CaptionedPictures]:
    """Fit a calibration and keep it in the library, as `Library.calibrate` describes."""
    import numpy as np

    from sigseek.evaluation.captions import read_captions
    from sigseek.search.fitting import fit_calibration  # brings scikit-learn

    captioned = read_captions(source, split=split, pictures=pictures)
    record = model.state_to_query().record
    paths = [picture.path for picture in captioned.pictures]
    embeddings, unusable = gather(
        model.embed_photos(paths),
        lambda done: listener.advanced(Progress(Phase.EMBEDDING, done, len(paths))),
    )
    captioned = captioned.usable(unusable)
    calibration = fit_calibration(
        model.embed_texts(captioned.queries),
        np.stack([embeddings[picture.path] for picture in captioned.pictures]),
        captioned.matching(),
        model.yardstick(lambda done, total: None),
        model.checkpoint.scoring,
    )
    with directory.writing(), directory.catalog().transaction() as transaction:
        transaction.put_calibration(record.id, calibration.as_json())
    return calibration, captioned
