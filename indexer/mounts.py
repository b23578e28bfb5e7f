"""Where this machine has the folders that other machines know under other paths."""

from collections.abc import Mapping
from pathlib import Path


class Mounts:
    """Directories by the path that the library has of them, each with its path on this machine."""

    def __init__(self, places: Mapping[str, Path] | None = None) -> None:
        self._places = {Path(known): here for known, here in (places or {}).items()}

    def __bool__(self) -> bool:
        return bool(self._places)

    def here(self, path: str | Path) -> Path:
        """Return where this machine has what the library knows under an absolute path.

        Of several directories above it the nearest one counts. Other paths stay as they are.
        """
        whole = Path(path)
        for above in (whole, *whole.parents):
            if above in self._places:
                return self._places[above] / whole.relative_to(above)
        return whole
