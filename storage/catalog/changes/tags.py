"""Changes of tags: those that a checkpoint judged, and those that a person gave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, select

from sigseek.storage.catalog.changes.writer import Writer
from sigseek.storage.catalog.dialect import Dialect
from sigseek.storage.catalog.tables import HAND_TAG, HAND_TAG_NAME, TAG, TAG_NAME

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sigseek.storage.records.arrays import Ids


class TagWriter(Writer):
    """Changes of tags."""

    def put_tag(
        self, name: str, checkpoint_id: int, ids: Ids, probabilities: npt.NDArray[np.float64]
    ) -> None:
        """Note that the checkpoint judged these photos to match the tag, and no others. Without any
        the tag exists, too. What a person said of photos stays.
        """
        self._remove_judged(name)
        named = {"name": name, "checkpoint_id": checkpoint_id}
        self._put(TAG_NAME, ["name"], [named])
        rows = [
            {
                "name": name,
                "photo_id": id_,
                "checkpoint_id": checkpoint_id,
                "probability": probability,
            }
            for id_, probability in zip(ids.tolist(), probabilities.tolist(), strict=True)
        ]
        self._put(TAG, ["name", "photo_id"], rows)

    def put_hand_tag(self, name: str, ids: Sequence[int], *, given: bool) -> None:
        """Note that a person gave the tag to these photos, or took it back from them. Without any
        the tag exists, too.
        """
        self._dialect.put(
            self._connection, HAND_TAG_NAME, ["name"], [{"name": name}], overwrite=False
        )
        rows = [{"name": name, "photo_id": id_, "given": given} for id_ in dict.fromkeys(ids)]
        self._put(HAND_TAG, ["name", "photo_id"], rows)

    def remove_tag(self, name: str) -> None:
        """Take the tag from all photos, whoever gave it; it does not exist any more."""
        self._remove_judged(name)
        self._connection.execute(delete(HAND_TAG).where(HAND_TAG.c.name == name))
        self._connection.execute(delete(HAND_TAG_NAME).where(HAND_TAG_NAME.c.name == name))

    def _remove_judged(self, name: str) -> None:
        self._connection.execute(delete(TAG).where(TAG.c.name == name))
        self._connection.execute(delete(TAG_NAME).where(TAG_NAME.c.name == name))


def copy_hand_tags(
    connection: Connection, dialect: Dialect, photos: Iterable[tuple[int, int]]
) -> None:
    """Let what a person said of the first photo of each pair hold for the second, too, unless the
    person said something else of it.
    """
    for photo, other in photos:
        said = select(HAND_TAG.c.name, HAND_TAG.c.given).where(HAND_TAG.c.photo_id == photo)
        rows = [
            {"name": name, "photo_id": other, "given": given}
            for name, given in connection.execute(said)
        ]
        dialect.put(connection, HAND_TAG, ["name", "photo_id"], rows, overwrite=False)
