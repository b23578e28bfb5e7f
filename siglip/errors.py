"""The error of this room."""

from sigseek.errors import SigseekError

FETCH_AGAIN = "fetch the checkpoint again"
"""The remedy for a checkpoint whose files are damaged or incomplete."""


class CheckpointError(SigseekError):
    """A checkpoint that cannot be found, read or used."""
