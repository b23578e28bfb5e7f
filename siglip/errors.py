"""What can go wrong with a checkpoint."""

from sigseek.errors import SigseekError


class CheckpointError(SigseekError):
    """A checkpoint that cannot be found, read or used. The message says what was found and what to
    do, in one line.
    """
