"""Questions about the settings of the library."""

from sqlalchemy import select

from sigseek.storage.catalog.models import SettingRow
from sigseek.storage.catalog.reading.reader import Reader

MAX_PIXELS = "max_pixels"
"""The name of the limit of pixels."""


class SettingReader(Reader):
    """Questions about the settings of the library."""

    def max_pixels(self) -> int | None:
        """Return the pixels of the largest picture that is indexed; None where nobody chose a
        limit.
        """
        query = select(SettingRow.value).where(SettingRow.name == MAX_PIXELS)
        with self._session() as session:
            value = session.scalar(query)
        return None if value is None else int(value)
