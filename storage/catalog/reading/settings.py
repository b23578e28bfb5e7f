"""Questions about the settings of the library."""

import json

from sqlalchemy import select

from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import SETTING

MAX_PIXELS = "max_pixels"
"""The name of the limit of pixels."""
NAMED_CHECKPOINTS = "named_checkpoints"
"""The name of the list of checkpoints that the user chose."""
VECTORS = "vectors"
"""The name of the address of the server that keeps the vector indexes."""


class SettingReader(Reader):
    """Questions about the settings of the library."""

    def max_pixels(self) -> int | None:
        """Return the pixels of the largest picture that is indexed; None where nobody chose a
        limit.
        """
        value = self._setting(MAX_PIXELS)
        return None if value is None else int(value)

    def named_checkpoints(self) -> list[tuple[str, str]]:
        """Return the two fingerprints, of weights and preprocessing, of each checkpoint that was
        named to an indexing run, the last one first. Some may have been removed since.
        """
        value = self._setting(NAMED_CHECKPOINTS)
        return [(weights, preprocessing) for weights, preprocessing in json.loads(value or "[]")]

    def vectors(self) -> str | None:
        """Return the address of the server that keeps the vector indexes; None where they are files
        of FAISS.
        """
        return self._setting(VECTORS) or None

    def _setting(self, name: str) -> str | None:
        with self._connect() as connection:
            return connection.scalar(select(SETTING.c.value).where(SETTING.c.name == name))
