"""Changes of the blocks of values that photos are counted by. Triggers remove blocks."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert

from sigseek.storage.catalog.changes.writer import Writer
from sigseek.storage.catalog.dialect import Dialect
from sigseek.storage.catalog.facet_block import BLOCK_KINDS
from sigseek.storage.catalog.reading.facet_blocks import kept_numbers, newest_block, right_blocks
from sigseek.storage.catalog.tables import FACET_BLOCK


class FacetBlockWriter(Writer):
    """Changes of the blocks of values that photos are counted by."""

    def make_facet_blocks(self) -> None:
        """Make the newest of the blocks that are not there, if any."""
        make_newest(self._connection, self._dialect)

    def remove_facet_blocks(self, number: int) -> None:
        """Remove the blocks with the number. The next run of `index` makes them again."""
        _remove(self._connection, number)


def make_newest(connection: Connection, dialect: Dialect) -> bool:
    """Make the newest of the blocks that are not there, and return whether there was any."""
    # Whoever changes a photo removes its block, which is not there yet, and would see no block that
    # is made here meanwhile.
    dialect.keep_others_out(connection, FACET_BLOCK)
    there = set(kept_numbers(connection, len(BLOCK_KINDS)))
    newest = newest_block(connection)
    number = next((one for one in range(newest, -1, -1) if one not in there), None)
    if number is None:
        return False
    _remove(connection, number)
    rows = []
    for kind, block in right_blocks(connection, dialect, number).items():
        words, codes = block.written()
        rows.append({"number": number, "kind": kind, "words": words, "codes": codes})
    connection.execute(insert(FACET_BLOCK), rows)
    return True


def _remove(connection: Connection, number: int) -> None:
    connection.execute(delete(FACET_BLOCK).where(FACET_BLOCK.c.number == number))
