"""Other Python processes of this program, for work that takes memory or cannot be ended here."""

import os
import sys


def command(module: str) -> list[str]:
    """Return the command that runs one of this program's modules."""
    return [sys.executable, "-P", "-m", module]


def environment() -> dict[str, str]:
    """Return environment variables with which the module is imported from where this process
    imports from.
    """
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
