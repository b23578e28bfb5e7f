"""Imports that wait until a name of a package is first asked for.

Every room may import this module; it imports none of them.
"""

from importlib import import_module
from typing import Any


def load_from(module: str, name: str) -> Any:
    """Return what the module calls `name`, for the `__getattr__` of a package.

    Raises ImportError for an AttributeError while the module is imported. Python would take the
    latter for a name that the package does not have, and hide what went wrong.
    """
    try:
        return getattr(import_module(module), name)
    except AttributeError as error:
        raise ImportError(f"{module} cannot be imported: {error}") from error
