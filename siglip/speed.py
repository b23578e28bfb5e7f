"""How fast this machine indexes photos, as earlier runs found, and what follows for a checkpoint.

The speeds are kept in the user's cache. They are advice: a file that is lost or damaged is the same
as none, and one that cannot be written is not missed.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from sigseek.files import written_whole

_MOST = 20
"""How many speeds are kept, the latest ones."""


@dataclass(frozen=True)
class MeasuredSpeed:
    """What an indexing run measured. Reading and decoding the photos is part of it."""

    model: str
    """The checkpoint's name."""
    gflop: float
    """The work of its image tower for one photo."""
    device: str
    precision: str
    seconds_per_photo: float


@dataclass(frozen=True)
class SpeedEstimate:
    """How long a checkpoint takes for a photo on this machine."""

    seconds_per_photo: float
    measured: MeasuredSpeed
    """What the estimate is made of."""
    exact: bool
    """Whether the checkpoint itself was measured. Otherwise the measured time is multiplied by the
    ratio of the two image towers' work.
    """


def estimate_speed(model: str, gflop: float) -> SpeedEstimate | None:
    """Estimate a checkpoint's speed from the latest speed of its own, else of any other checkpoint.

    Returns None when nothing has been measured on this machine.
    """
    speeds = measured_speeds()
    own = next((speed for speed in speeds if speed.model == model), None)
    if own is not None:
        return SpeedEstimate(own.seconds_per_photo, own, exact=True)
    if not speeds:
        return None
    # The checkpoint with the most work tells most of the processor and least of the decoding.
    base = max(speeds, key=lambda speed: speed.gflop)
    return SpeedEstimate(base.seconds_per_photo * gflop / base.gflop, base, exact=False)


def measured_speeds() -> tuple[MeasuredSpeed, ...]:
    """Return the kept speeds, the latest first; one for each checkpoint, device and precision."""
    try:
        kept = json.loads(_file().read_text(encoding="utf-8"))
        speeds = tuple(
            MeasuredSpeed(
                str(one["model"]),
                float(one["gflop"]),
                str(one["device"]),
                str(one["precision"]),
                float(one["seconds_per_photo"]),
            )
            for one in kept
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return tuple(one for one in speeds if one.gflop > 0 and one.seconds_per_photo > 0)


def keep_speed(speed: MeasuredSpeed) -> None:
    """Keep a speed in place of an earlier one of the same checkpoint, device and precision."""
    others = [one for one in measured_speeds() if _key(one) != _key(speed)]
    content = json.dumps([asdict(one) for one in (speed, *others)][:_MOST], indent=2) + "\n"
    with contextlib.suppress(OSError):
        _file().parent.mkdir(parents=True, exist_ok=True)
        with written_whole(_file(), flush=False) as aside:
            aside.write_text(content, encoding="utf-8")


def _key(speed: MeasuredSpeed) -> tuple[str, str, str]:
    return speed.model, speed.device, speed.precision


def _file() -> Path:
    from sigseek.siglip.cache import cache_directory  # imports platformdirs, which few need

    return cache_directory() / "speeds.json"
