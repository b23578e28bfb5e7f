"""Warnings of the library to the program that calls it."""

import sys
import warnings

_FACES = ("sigseek.cli", "sigseek.web")
"""The packages of sigseek that call the library as other programs do."""


def warn_caller(warning: str | Warning) -> None:
    """Warn, in the name of the line that called the library: Python shows that line."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _is_of_library(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(warning, stacklevel=level)


def _is_of_library(module: str) -> bool:
    return module.startswith("sigseek.") and not module.startswith(_FACES)
