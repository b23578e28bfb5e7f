"""How far a run measures the library's embeddings against the yardstick."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sigseek.errors import StoppedError
from sigseek.indexer.ledger import Ledger
from sigseek.progress import Listener, Phase, Stop
from sigseek.siglip.yardstick import VERSION
from sigseek.siglip.yardstick.steps import STEPS, WHOLE, YardstickStep, step_of
from sigseek.storage import Catalog, CheckpointRecord

if TYPE_CHECKING:
    from sigseek.siglip.yardstick.embeddings import Yardstick  # numpy comes with it

_YARDSTICK_SHARE = 1 / 20
"""The share of its time so far that a run with new photos may spend on the yardstick."""


class Measuring:
    """Measures embeddings in one run. `yardstick` makes the yardstick, as `Indexer` describes."""

    def __init__(
        self,
        catalog: Catalog,
        yardstick: Callable[[Listener, Stop, YardstickStep, float], Yardstick],
        ledger: Ledger,
        stop: Stop,
    ) -> None:
        self._catalog = catalog
        self._yardstick = yardstick
        self._ledger = ledger
        self._stop = stop

    def run(self, checkpoint: CheckpointRecord) -> bool:
        """Measure what the checkpoint has embedded. Returns False when stopped before.

        A run with new photos makes the first step of the yardstick, and of the others what it can
        make in a twentieth of its time so far. A run without new photos makes the rest. If nothing
        was ever measured, it measures against the first step before, so that hits can be judged
        meanwhile.
        """
        measured = self._catalog.measured(checkpoint.id)
        current = (VERSION, checkpoint.generation, checkpoint.embeddings, WHOLE.common)
        if not checkpoint.embeddings or measured == current:
            return True
        reached = None
        if measured is not None and measured.version == VERSION:
            reached = step_of(measured.common_texts)
        steps = [reached or STEPS[0]]
        if not self._ledger.embedded:
            steps = [WHOLE] if reached else [STEPS[0], WHOLE]
        self._ledger.begin(Phase.MEASURING)
        for step in steps:
            if not self._measure_against(step, checkpoint):
                return False
            if self._catalog.measured(checkpoint.id) == current:
                break
        return True

    def _measure_against(self, least: YardstickStep, checkpoint: CheckpointRecord) -> bool:
        """Measure against the yardstick, which is made up to this step at least. Returns False when
        stopped before.
        """
        from sigseek.indexer.measure_biases import measure_biases  # numpy comes with it

        allowed = _YARDSTICK_SHARE * self._ledger.seconds
        try:
            yardstick = self._yardstick(self._ledger, self._stop, least, allowed)
        except StoppedError:
            return False
        self._ledger.enter_measured(provisional=len(yardstick.common) < WHOLE.common)
        return measure_biases(self._catalog, checkpoint, yardstick, self._stop)
