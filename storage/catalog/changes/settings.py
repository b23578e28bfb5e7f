"""Changes of the settings of the library."""

import json
from collections.abc import Sequence

from sigseek.storage.catalog.changes.writer import Writer
from sigseek.storage.catalog.reading.settings import MAX_PIXELS, NAMED_CHECKPOINTS, VECTORS
from sigseek.storage.catalog.tables import SETTING


class SettingWriter(Writer):
    """Changes of the settings of the library."""

    def put_max_pixels(self, pixels: int) -> None:
        """Index pictures of up to so many pixels from now on."""
        self._put_setting(MAX_PIXELS, str(pixels))

    def put_named_checkpoints(self, named: Sequence[tuple[str, str]]) -> None:
        """Keep the fingerprints of the checkpoints that were named to indexing runs, the last one
        first.
        """
        self._put_setting(NAMED_CHECKPOINTS, json.dumps(named))

    def put_vectors(self, address: str | None) -> None:
        """Keep vector indexes in the server at this address from now on; None for files of
        FAISS.
        """
        self._put_setting(VECTORS, address or "")

    def _put_setting(self, name: str, value: str) -> None:
        self._put(SETTING, ["name"], [{"name": name, "value": value}])
