"""The choice of the checkpoint that a library is used with when none is named."""

from collections.abc import Sequence

from sigseek.storage import CheckpointRecord


def default_checkpoint(records: Sequence[CheckpointRecord]) -> CheckpointRecord | None:
    """Return the checkpoint that is used when none is named; None when there is no checkpoint.

    It is the one that has embedded most photos; if two have embedded the same number, the older.
    """
    return max(records, key=lambda record: record.embeddings, default=None)
