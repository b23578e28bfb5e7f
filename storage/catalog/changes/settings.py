"""Changes of the settings of the library."""

from sigseek.storage.catalog.changes.writer import Writer
from sigseek.storage.catalog.models import SettingRow
from sigseek.storage.catalog.reading.settings import MAX_PIXELS


class SettingWriter(Writer):
    """Changes of the settings of the library."""

    def put_max_pixels(self, pixels: int) -> None:
        """Index pictures of up to so many pixels from now on."""
        self._put(SettingRow, ["name"], [{"name": MAX_PIXELS, "value": str(pixels)}])
