"""Changes of the blocks of values that photos are counted by. Triggers remove blocks."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert

from sigseek.storage.catalog.changes.writer import Writer
from sigseek.storage.catalog.dialect import Dialect
from sigseek.storage.catalog.reading.facet_blocks import right_blocks
from sigseek.storage.catalog.tables import FACET_BLOCK


class FacetBlockWriter(Writer):
    """Changes of the blocks of values that photos are counted by."""

    def make_facet_blocks(self, number: int) -> None:
        """Make the blocks with the number as the photos are now. Raises LibraryError, of the kind
        BUSY, where others take long to change photos.
        """
        make_blocks(self._connection, self._dialect, number)

    def remove_facet_blocks(self, number: int) -> None:
        """Remove the blocks with the number. The next run of `index` makes them again."""
        _remove(self._connection, number)


def make_blocks(connection: Connection, dialect: Dialect, number: int) -> None:
    """Make the blocks with the number."""
    # Somebody who has just added a photo found no block to remove, and must have committed before
    # the rows are read.
    dialect.keep_others_out(connection, FACET_BLOCK)
    _remove(connection, number)
    rows = []
    for kind, block in right_blocks(connection, dialect, number).items():
        words, codes = block.written()
        rows.append({"number": number, "kind": kind, "words": words, "codes": codes})
    connection.execute(insert(FACET_BLOCK), rows)


def _remove(connection: Connection, number: int) -> None:
    connection.execute(delete(FACET_BLOCK).where(FACET_BLOCK.c.number == number))
