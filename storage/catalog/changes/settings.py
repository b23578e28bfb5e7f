"""Changes of the settings of the library."""

import json
from collections.abc import Sequence

from sqlalchemy import select

from sigseek.storage.catalog.changes.writer import Writer
from sigseek.storage.catalog.reading.settings import MAX_PIXELS, NAMED_CHECKPOINTS, VECTORS
from sigseek.storage.catalog.tables import SETTING


class SettingWriter(Writer):
    """Changes of the settings of the library."""

    def put_max_pixels(self, pixels: int) -> None:
        """Index pictures of up to so many pixels from now on."""
        self._put_setting(MAX_PIXELS, str(pixels))

    def name_checkpoint(self, named: tuple[str, str]) -> None:
        """Note that the checkpoint with these fingerprints is the last one that was named to an
        indexing run.
        """
        name = SETTING.c.name == NAMED_CHECKPOINTS
        nothing = [{"name": NAMED_CHECKPOINTS, "value": "[]"}]
        self._dialect.put(self._connection, SETTING, ["name"], nothing, overwrite=False)
        # Locked, since two runs may begin at the same time.
        before = select(SETTING.c.value).where(name).with_for_update()
        others = map(tuple, json.loads(self._connection.execute(before).scalar_one()))
        self.put_named_checkpoints([named, *(other for other in others if other != named)])

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
