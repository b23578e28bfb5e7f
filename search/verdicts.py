"""The verdict on a hit (match, maybe or no match) and what it is based on."""

from typing import Literal

Verdict = Literal["no match", "maybe", "match"]
VERDICTS: tuple[Verdict, ...] = ("no match", "maybe", "match")
"""The verdicts by level, 0 to 2."""
MATCH = 2

JudgedBy = Literal["calibrated", "uncalibrated", "nothing"]
"""Verdicts are based on the checkpoint's calibration, on absent texts, or on nothing in a library
that was not measured yet.
"""

FEW_PHOTOS = 50
"""Below this number verdicts are less reliable, because so few photos show little about chance."""
