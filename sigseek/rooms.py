"""sigseek's other packages have plain names; this sees to it that they are sigseek's own."""

import sys
from importlib.util import find_spec
from pathlib import Path

_ROOMS = ("indexer", "search", "siglip", "storage")


class HiddenPackageError(ImportError):
    """A module of the user's own stands in the way of one of sigseek's packages."""


def check_rooms() -> None:
    """HiddenPackageError when a module on Python's path, often one in the current folder, hides a package of sigseek's."""
    home = Path(__file__).resolve().parent.parent
    for room in _ROOMS:
        loaded = sys.modules.get(room)
        spec = loaded.__spec__ if loaded else find_spec(room)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin != home / room / "__init__.py":
            found = origin or (next(iter(spec.submodule_search_locations or []), room) if spec else f"no package '{room}'")
            raise HiddenPackageError(f"{found} hides sigseek's own package '{room}'; rename it, or run sigseek from another folder")
