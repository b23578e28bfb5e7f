"""The steps in which the yardstick grows with a library.

The whole yardstick costs as much as embedding 180 photos. A first run makes the first step, and
later runs the others. Each step begins with all texts and pictures of the one before, so nothing is
embedded twice.
"""

from typing import NamedTuple


class YardstickStep(NamedTuple):
    """How many of the yardstick's texts and pictures a step has."""

    common: int
    absent: int
    pictures: int

    @property
    def texts(self) -> int:
        """The number of texts."""
        return self.common + self.absent


STEPS = (YardstickStep(48, 32, 4), YardstickStep(128, 100, 16), YardstickStep(256, 200, 32))
"""The steps, the smallest first. docs/scores.md tells how well each of them judges."""
WHOLE = STEPS[-1]


def step_of(common: int) -> YardstickStep | None:
    """Return the step that has so many common texts; None if there is none."""
    return next((step for step in STEPS if step.common == common), None)
