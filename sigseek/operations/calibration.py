"""The calibration of a checkpoint that a library uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sigseek.operations.location import LibraryLocation
from sigseek.operations.model import ModelInUse
from sigseek.progress import Listener, Stop
from sigseek.search.errors import CalibrationError

if TYPE_CHECKING:
    from sigseek.search.calibration import Calibration


def calibration_in_use(
    directory: LibraryLocation, model: ModelInUse, listener: Listener | None, stop: Stop | None
) -> Calibration | None:
    """Return the library's own calibration of the checkpoint, else the one that the checkpoint
    brings.

    The listener and the stop token are for a checkpoint that has to be downloaded first.
    """
    model.prepare(listener, stop)
    record = model.record()
    own = directory.catalog().calibration(record.id) if record else None
    return read_calibration(own, directory, model)


def is_calibrated(directory: LibraryLocation, model: ModelInUse) -> bool:
    """Return whether the library has a calibration of the checkpoint, or the checkpoint brings
    one.
    """
    from sigseek.siglip.checkpoint import shipped_calibration

    record = model.record()
    own = directory.catalog().calibration(record.id) if record else None
    return bool(own or shipped_calibration(model.checkpoint))


def read_calibration(
    own: str | None, directory: LibraryLocation, model: ModelInUse
) -> Calibration | None:
    """Read the calibration that the library keeps as JSON, or without one the checkpoint's."""
    from sigseek.search.calibration import Calibration
    from sigseek.siglip.checkpoint import shipped_calibration

    fitted = own or shipped_calibration(model.checkpoint)
    try:
        return Calibration.from_json(fitted) if fitted else None
    except CalibrationError as error:
        where = directory.where if own else str(model.checkpoint.directory)
        raise CalibrationError(f"{where}: {error.found}", error.remedy, error.kind) from error
