"""The note on a run that takes over an hour, and the speed that is kept of each run."""

from __future__ import annotations

from sigseek.errors import Command, Option, Remedy, escaped
from sigseek.siglip.published import FAST, find_published
from sigseek.siglip.speed import MeasuredSpeed, estimate_speed, keep_speed

LONG = 3600
"""Seconds from which on a run is long enough to be told of."""
_ENOUGH_PHOTOS = 32
"""Photos after which a run's speed means something."""
_WORTH_IT = 0.8
"""Another checkpoint is named when it takes less than this share of the time."""


class SpeedNotes:
    """The notes on one run's speed with one checkpoint.

    `gflop` is the work of the checkpoint's image tower for one photo, and `embedded` the number of
    photos that it has embedded already. A run is told of once at most.
    """

    def __init__(self, model: str, gflop: float, embedded: int) -> None:
        self._model = model
        self._gflop = gflop
        self._embedded_before = embedded
        self._told = False

    def before(self, photos: int) -> Remedy | None:
        """Return the note on a run over so many photos if it is long at the speed of an earlier run
        with this checkpoint.
        """
        if not photos:
            return None
        speed = estimate_speed(self._model, self._gflop)
        if speed is None or not speed.exact:
            return None
        return self._note(photos, speed.seconds_per_photo, embedded_now=0)

    def after_batch(self, embedded: int, seconds: float, files_left: int) -> Remedy | None:
        """Return the note on a run if it will still be long at the speed that it has had so far:
        `embedded` photos in so many seconds.
        """
        if embedded < _ENOUGH_PHOTOS:
            return None
        return self._note(files_left, seconds / embedded, embedded)

    def keep(self, embedded: int, images_per_second: float, device: str, precision: str) -> None:
        """Keep the speed of a run that embedded enough photos to tell."""
        if embedded >= _ENOUGH_PHOTOS and images_per_second > 0:
            keep_speed(
                MeasuredSpeed(self._model, self._gflop, device, precision, 1 / images_per_second)
            )

    def _note(self, photos: int, seconds_per_photo: float, embedded_now: int) -> Remedy | None:
        """Return the note on the photos that are left. Another checkpoint would have to embed those
        that this one has embedded, too.
        """
        seconds = photos * seconds_per_photo
        if self._told or seconds < LONG:
            return None
        self._told = True
        note = (
            f"{photos:,} photos take about {_duration(seconds)} with {escaped(self._model)} "
            "on this machine"
        )
        fast = find_published(FAST)
        assert fast is not None
        own = estimate_speed(FAST, fast.shape.gflop)
        per_photo = seconds_per_photo * fast.shape.gflop / self._gflop
        if own is not None and own.exact:
            per_photo = own.seconds_per_photo
        everything = photos + embedded_now + self._embedded_before
        if everything * per_photo >= _WORTH_IT * seconds:
            return Remedy(f"{note}. To see how long others take: {{}}", (Command("models"),))
        return Remedy(
            f"{note}, and all {everything:,} about {_duration(everything * per_photo)} with {FAST}"
            ". To use that one, stop this run and start it again with {}. To compare them: {}",
            (Option("model", FAST), Command("models")),
        )


def _duration(seconds: float) -> str:
    """Return a duration as a person says it: "50 min", "3 h 20 min", "4 days"."""
    minutes = max(1, round(seconds / 60))
    if minutes < 100:
        return f"{minutes} min"
    hours, rest = divmod(10 * round(minutes / 10), 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{round(hours / 24)} days"
