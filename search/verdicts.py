"""What is said of a hit: match, maybe or no match, and what that rests on."""

from typing import Literal

Verdict = Literal["no match", "maybe", "match"]
VERDICTS: tuple[Verdict, ...] = ("no match", "maybe", "match")
"""By level, 0 to 2."""
MATCH = 2

JudgedBy = Literal["calibrated", "uncalibrated", "nothing"]
"""The checkpoint's calibration, absent texts, or nothing in a library that was not measured yet."""

FEW_PHOTOS = 50
"""Fewer than this are too few to judge by: what the library's own photos tell of chance is then
next to nothing.
"""
