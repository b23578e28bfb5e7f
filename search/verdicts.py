"""The verdict on a hit (match, maybe or no match) and what it is based on."""

from typing import Literal

from sigseek.errors import Call, Remedy

Verdict = Literal["no match", "maybe", "match"]
VERDICTS: tuple[Verdict, ...] = ("no match", "maybe", "match")
"""The verdicts by level, 0 to 2."""
MATCH = 2

JudgedBy = Literal["calibrated", "uncalibrated", "provisional", "nothing"]
"""Verdicts are based on the checkpoint's calibration, on absent texts, on the first of the absent
texts while the others are not embedded yet, or on nothing in a library that was not measured yet.
"""

FEW_PHOTOS = 50
"""Below this number verdicts are less reliable, because so few photos show little about chance."""

PROVISIONAL = Remedy(
    "verdicts are provisional, because only the first reference captions have been embedded; "
    "to embed the others: {}",
    (Call("index"),),
)
"""The note on verdicts by a yardstick that is not whole yet."""
