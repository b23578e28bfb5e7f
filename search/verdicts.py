"""The verdict on a hit (match, maybe or no match) and what it is based on."""

from typing import Literal

from sigseek.errors import Call, Remedy

Verdict = Literal["no match", "maybe", "match"]
VERDICTS: tuple[Verdict, ...] = ("no match", "maybe", "match")
"""The verdicts, the worst first."""
MATCH_FROM, MAYBE_FROM = 0.5, 0.1
"""The least probability of a match and of a maybe. A match belongs to the answer rather than not.
"""

JudgedBy = Literal["calibrated", "uncalibrated", "provisional", "facts", "nothing"]
"""Verdicts are based on the checkpoint's calibration, on absent texts, on the first of the absent
texts while the others are not embedded yet, on facts for a query that asks for nothing else, or on
nothing in a library that was not measured yet.
"""

FEW_PHOTOS = 50
"""Below this number verdicts are less reliable, because so few photos show little about chance."""

PROVISIONAL = Remedy(
    "verdicts are provisional, because only the first reference captions have been embedded; "
    "to embed the others: {}",
    (Call("index"),),
)
"""The note on verdicts by a yardstick that is not whole yet."""


def verdict(probability: float) -> Verdict:
    """Return the verdict on a photo by the probability, 0 to 1, that it belongs to the answer."""
    if probability >= MATCH_FROM:
        return "match"
    return "maybe" if probability >= MAYBE_FROM else "no match"
