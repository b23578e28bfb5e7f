"""Changes of the blocks of values that photos are counted by. Triggers remove blocks."""

from __future__ import annotations

from sqlalchemy import delete, insert

from sigseek.storage.catalog.changes.writer import Writer
from sigseek.storage.catalog.facet_block import BLOCK_KINDS
from sigseek.storage.catalog.reading.facet_blocks import kept_numbers, newest_block, right_blocks
from sigseek.storage.catalog.tables import FACET_BLOCK


class FacetBlockWriter(Writer):
    """Changes of the blocks of values that photos are counted by."""

    def make_facet_blocks(self) -> None:
        """Make the newest of the blocks that are not there, if any."""
        # Whoever changes a photo removes its block, which is not there yet, and would see no block
        # that is made here meanwhile.
        self._dialect.keep_others_out(self._connection, FACET_BLOCK)
        there = set(kept_numbers(self._connection, len(BLOCK_KINDS)))
        newest = newest_block(self._connection)
        number = next((one for one in range(newest, -1, -1) if one not in there), None)
        if number is None:
            return
        self.remove_facet_blocks(number)
        rows = []
        for kind, block in right_blocks(self._connection, self._dialect, number).items():
            words, codes = block.written()
            rows.append({"number": number, "kind": kind, "words": words, "codes": codes})
        self._connection.execute(insert(FACET_BLOCK), rows)

    def remove_facet_blocks(self, number: int) -> None:
        """Remove the blocks with the number. The next run of `index` makes them again."""
        self._connection.execute(delete(FACET_BLOCK).where(FACET_BLOCK.c.number == number))
